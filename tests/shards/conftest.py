"""A textured sphere whose images, cameras and fields are exact by construction: no renderer, no curation."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import manifold3d
import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import fs as pafs

from versemill import seeds
from versemill.asset import Asset
from versemill.camera import Camera, intrinsics, look_at
from versemill.curated import Curated
from versemill.fields import Fields
from versemill.materials import Material
from versemill.shards import Sealed, ShardsConfig, encode_row, seal
from versemill.shards.export import export
from versemill.views import Views

RADIUS = 1.0


def icosphere(levels: int = 3) -> tuple[np.ndarray, np.ndarray]:
    phi = (1 + 5**0.5) / 2
    v = np.array([[-1, phi, 0], [1, phi, 0], [-1, -phi, 0], [1, -phi, 0], [0, -1, phi], [0, 1, phi],
                  [0, -1, -phi], [0, 1, -phi], [phi, 0, -1], [phi, 0, 1], [-phi, 0, -1], [-phi, 0, 1]])  # fmt: skip
    f = np.array([[0, 11, 5], [0, 5, 1], [0, 1, 7], [0, 7, 10], [0, 10, 11], [1, 5, 9], [5, 11, 4], [11, 10, 2],
                  [10, 7, 6], [7, 1, 8], [3, 9, 4], [3, 4, 2], [3, 2, 6], [3, 6, 8], [3, 8, 9], [4, 9, 5],
                  [2, 4, 11], [6, 2, 10], [8, 6, 7], [9, 8, 1]])  # fmt: skip
    v = v / np.linalg.norm(v, axis=1, keepdims=True)
    for _ in range(levels):
        edges = np.sort(f[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
        unique, inverse = np.unique(edges, axis=0, return_inverse=True)
        middle = v[unique].mean(1)
        middle /= np.linalg.norm(middle, axis=1, keepdims=True)
        m = inverse.reshape(-1, 3) + len(v)
        a, b, c = f.T
        f = np.concatenate([np.stack(t, 1) for t in ((a, m[:, 0], m[:, 2]), (m[:, 0], b, m[:, 1]), (m[:, 2], m[:, 1], c), m.T)])
        v = np.concatenate([v, middle])
    return (v * RADIUS).astype(np.float32), f.astype(np.int32)


def sphere_asset(seed: int = 0, index: int = 0) -> Asset:
    vertices, faces = icosphere()
    rng = seeds.stream(seed, index, "tests/sphere")
    texture = rng.integers(0, 255, (8, 8, 4), dtype=np.uint8)
    return Asset(
        vertices=vertices,
        faces=faces,
        uvs=rng.random((len(faces), 3, 2)).astype(np.float32),
        material_ids=np.zeros(len(faces), np.int32),
        part_ids=np.zeros(len(faces), np.int32),
        materials=(Material("paint", base_color_texture=texture),),
        part_names=("ball",),
        seed=seed,
        index=index,
        source="zeroverse",
        caption="A painted ball.",
        tags=("ball",),
        provenance={"drawn": float(rng.random())},
    )


def trace_sphere(camera: Camera) -> dict[str, np.ndarray]:
    """All passes of the sphere seen by one camera, each (H, W[, C]) and exact at the pixel centre."""
    origins, directions = camera.rays()
    a = (directions**2).sum(-1)
    b = (origins * directions).sum(-1)
    c = (origins**2).sum(-1) - RADIUS**2
    disc = b * b - a * c
    hit = disc > 0
    t = np.where(hit, (-b - np.sqrt(np.maximum(disc, 0))) / a, 0)
    position = np.where(hit[..., None], origins + t[..., None] * directions, 0)
    normal = position / RADIUS
    stripes = 0.5 + 0.5 * np.sin(6 * position)
    rgb = np.concatenate([stripes * 255, np.full((*hit.shape, 1), 255)], -1) * hit[..., None]
    part = np.where(hit, (position[..., 2] > 0).astype(np.int32), -1)
    return {
        "rgb": rgb.astype(np.uint8),
        "normal": normal.astype(np.float32),
        "depth": t.astype(np.float32),
        "mask": hit,
        "geometric_normal": normal.astype(np.float32),
        "albedo": rgb[..., :3].astype(np.uint8),
        "metallic_roughness": (np.stack([stripes[..., 0], stripes[..., 1]], -1) * 255 * hit[..., None]).astype(np.uint8),
        "part": part.astype(np.int32),
        "material": np.where(hit, 0, -1).astype(np.int32),
        "position": position.astype(np.float32),
    }


def sphere_cameras(count: int, size: int, seed: int = 0, index: int = 0, fov: float = 49.1) -> tuple[Camera, ...]:
    rng = seeds.stream(seed, index, "tests/cameras")
    cameras = []
    for k in range(count):
        direction = rng.normal(size=3)
        eye = 3.2 * direction / np.linalg.norm(direction)
        cameras.append(Camera(look_at(eye, roll=0.1 * k), intrinsics(fov, size, size), size, size))
    return tuple(cameras)


def sphere_views(
    count: int = 4,
    size: int = 48,
    passes: tuple[str, ...] | None = None,
    seed: int = 0,
    index: int = 0,
    fov: float = 49.1,
) -> Views:
    cameras = sphere_cameras(count, size, seed, index, fov)
    images = [trace_sphere(camera) for camera in cameras]
    names = passes or tuple(images[0])
    return Views(cameras, {name: np.stack([i[name] for i in images]) for name in names}, {"engine": "analytic"}, ("clipped",))


def sphere_fields(seed: int = 0, index: int = 0, count: int = 500) -> Fields:
    rng = seeds.stream(seed, index, "tests/fields")

    def unit(n: int) -> np.ndarray:
        v = rng.normal(size=(n, 3))
        return v / np.linalg.norm(v, axis=1, keepdims=True)

    normals = unit(count)
    near = unit(count) * (RADIUS + 0.05 * rng.normal(size=(count, 1)))
    vol = rng.uniform(-1.05, 1.05, (count, 3))
    vol[0] = 0

    def distance(points: np.ndarray) -> np.ndarray:
        return (np.linalg.norm(points.astype(np.float32), axis=1) - RADIUS).astype(np.float32)

    grid = np.unique(np.floor((unit(4000) * RADIUS + 1) * 32).clip(0, 63).astype(np.uint8), axis=0)
    return Fields(
        surface=np.concatenate([normals * RADIUS, normals], 1).astype(np.float32),
        sharp_surface=np.zeros((0, 6), np.float32),
        near_points=near.astype(np.float32),
        near_sdf=distance(near),
        sharp_near_points=np.zeros((0, 3), np.float32),
        sharp_near_sdf=np.zeros(0, np.float32),
        vol_points=vol.astype(np.float32),
        vol_sdf=distance(vol),
        voxels=grid,
        stats={"sigmas": [0.05]},
    )


def sphere_row(
    index: int = 0,
    *,
    seed: int = 0,
    views: int = 4,
    size: int = 48,
    passes: tuple[str, ...] | None = None,
    split: str = "train",
    fov: float = 49.1,
) -> pa.Table:
    asset = sphere_asset(seed, index)
    curated = Curated(asset, asset.vertices, asset.faces, {"score": 0.5}, {"watertight": "closed"}, ("smooth",))
    return encode_row(
        curated,
        sphere_views(views, size, passes, seed, index, fov),
        sphere_fields(seed, index),
        config=ShardsConfig(),
        digest="c" * 64,
        fingerprint="f" * 64,
        split=split,
        depth_to_surface=1e-4,
    )


@dataclass(frozen=True)
class Spheres:
    """A dataset folder of spheres and what was sealed."""

    path: Path
    sealed: tuple[Sealed, ...]
    rows: int


def write_spheres(
    folder: Path, shards: int = 2, per_shard: int = 5, size: int = 48, views: int = 4, passes: tuple[str, ...] | None = None
) -> Spheres:
    fs = pafs.LocalFileSystem()
    sealed = []
    for s in range(shards):
        rows = [
            sphere_row(i, split=("train", "val", "test")[i % 3], size=size, views=views, passes=passes)
            for i in range(s * per_shard, (s + 1) * per_shard)
        ]
        path = str(folder / "shards" / f"shard-{s:06d}.parquet")
        sealed.append(seal(fs, path, rows, {"versemill.shard": json.dumps(s)}, ShardsConfig(row_group_rows=2)))
    return Spheres(folder, tuple(sealed), shards * per_shard)


@pytest.fixture(scope="session")
def spheres(tmp_path_factory: pytest.TempPathFactory) -> Spheres:
    """10 rows in 2 shards, 4 views of 48 pixels, every pass; splits train, val, test in turn."""
    return write_spheres(tmp_path_factory.mktemp("spheres"))


@pytest.fixture(scope="session")
def sphere() -> SimpleNamespace:
    """The makers of this file: `sphere.row(index, ...)`, `sphere.views(...)`, `sphere.write(folder, ...)` ..."""
    return SimpleNamespace(
        radius=RADIUS,
        asset=sphere_asset,
        views=sphere_views,
        fields=sphere_fields,
        row=sphere_row,
        trace=trace_sphere,
        write=write_spheres,
    )


def image(path) -> np.ndarray:
    return np.asarray(Image.open(path))


def check_view(pose_cv, K, rgba, scale=1.0, depth=None, quantum=0.0):
    """The image must be that of the ball (of radius `scale`) seen by this OpenCV camera-to-world pose."""
    height, width = rgba.shape[:2]
    unscaled = np.array(pose_cv, np.float64)
    if unscaled.shape == (3, 4):
        unscaled = np.vstack([unscaled, [0, 0, 0, 1]])
    unscaled[:3, 3] /= scale
    camera = Camera(unscaled, np.asarray(K), width, height)
    truth = trace_sphere(camera)
    mask = rgba[..., 3] > 0 if rgba.shape[2] == 4 else (rgba != 255).any(-1)
    union = (mask | truth["mask"]).sum()
    assert (mask & truth["mask"]).sum() / union >= 0.99
    both = mask & truth["mask"]
    assert np.abs(rgba[..., :3].astype(int) - truth["rgb"][..., :3])[both].max() <= 1
    if depth is not None:
        hit = depth > 0
        points = camera.unproject(depth / scale)[hit]
        error = np.abs(np.linalg.norm(points, axis=1) - RADIUS) * scale
        assert error.mean() < 1e-3 + quantum / 2
        assert (hit & mask).sum() / (hit | mask).sum() >= 0.99


def pinhole(angle, width, height):
    focal = width / 2 / np.tan(angle / 2)
    return np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])


def inverse(pose):
    return np.linalg.inv(np.vstack([np.asarray(pose)[:3], [0, 0, 0, 1]]))


SIZE, VIEWS, FOV = 32, 32, 50.0


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """3 balls in 2 shards, one of each split; 32 views of 32 pixels at 50 degrees: what the tests of exporters export."""
    folder = tmp_path_factory.mktemp("source")
    rows = [sphere_row(i, views=VIEWS, size=SIZE, split=s, fov=FOV) for i, s in enumerate(("train", "val", "test"))]
    for k, part in enumerate((rows[:2], rows[2:])):
        path = str(folder / "shards" / f"shard-{k:06d}.parquet")
        seal(pafs.LocalFileSystem(), path, part, {}, ShardsConfig(row_group_rows=1))
    return folder


@pytest.fixture
def exported(source: Path, tmp_path: Path) -> Callable[[str], Path]:
    """exported(format) -> the folder of that export."""

    def run(name: str) -> Path:
        assert export(source, name, tmp_path / name).assets == 3
        return tmp_path / name

    return run


@pytest.fixture(scope="session")
def look() -> SimpleNamespace:
    """How the tests of exporters look at an export: `look.image`, `look.check_view`, `look.pinhole`, `look.inverse`."""
    return SimpleNamespace(image=image, check_view=check_view, pinhole=pinhole, inverse=inverse)


def joined(bodies: dict[str, manifold3d.Manifold], materials: tuple[Material, ...], caption: str, index: int) -> Asset:
    """The asset of solids joined exactly, a part and a material each, with a box projection for UVs."""
    originals = {name: body.as_original() for name, body in bodies.items()}
    mesh = manifold3d.Manifold.batch_boolean(list(originals.values()), manifold3d.OpType.Add).to_mesh()
    vertices = np.array(mesh.vert_properties[:, :3], np.float32)
    faces = np.array(mesh.tri_verts, np.int32)
    owners = [original.original_id() for original in originals.values()]
    runs = np.diff(np.asarray(mesh.run_index, np.int64)) // 3
    parts = np.repeat([owners.index(int(i)) for i in mesh.run_original_id], runs).astype(np.int32)
    uvs = vertices[faces][..., :2].copy()
    return Asset(vertices, faces, uvs, parts.copy(), parts, materials, tuple(bodies), index=index, caption=caption).normalized()


def table_asset() -> Asset:
    """A steel plate of 2 x 1 x 0.2 on four wooden legs, with a ball of marble on it that is sunk by a third."""
    cube, ball = manifold3d.Manifold.cube, manifold3d.Manifold.sphere
    legs = [cube((0.2, 0.2, 0.9)).translate((x, y, -1)) for x in (-0.9, 0.7) for y in (-0.4, 0.2)]
    rng = seeds.stream(0, 0, "tests/table")
    texture = np.dstack([rng.integers(0, 255, (8, 8, 3), dtype=np.uint8), np.full((8, 8), 255, np.uint8)])
    materials = (
        Material("plate", base_color=(0.5, 0.5, 0.6, 1.0), metallic=1.0, roughness=0.3, source="procedural/brushed_metal"),
        Material("legs", base_color_texture=texture, normal_texture=texture[..., :3].copy(), source="procedural/wood"),
        Material("ball", base_color=(0.9, 0.2, 0.2, 1.0), base_color_texture=texture, source="procedural/marble",
                 metallic_roughness_texture=texture[..., :3].copy(), roughness=0.7),
    )  # fmt: skip
    bodies = {
        "plate": cube((2, 1, 0.2)).translate((-1, -0.5, -0.2)),
        "legs 1": legs[0] + legs[1] + legs[2] + legs[3],
        "ball": ball(0.3, 32).translate((0.1, 0, 0.2)),
    }
    return joined(bodies, materials, "A table with a ball on it.", 0)


@pytest.fixture(scope="session")
def furniture(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A dataset of a table, a ball and a ball with a hole, in two shards, without views: `furniture.path`, `.table`, `.ids`."""
    table, sphere = table_asset(), sphere_asset(index=1)
    torn = sphere_asset(index=2)
    pairs = [(table, table.faces), (sphere, sphere.faces), (torn, torn.faces[5:])]
    rows = [
        encode_row(Curated(asset, asset.vertices, faces), None, None, config=ShardsConfig(), digest="f" * 64, fingerprint="f",
                   split=split)
        for (asset, faces), split in zip(pairs, ("train", "val", "test"), strict=True)
    ]  # fmt: skip
    folder = tmp_path_factory.mktemp("furniture")
    for k, part in enumerate((rows[:2], rows[2:])):
        seal(pafs.LocalFileSystem(), str(folder / "shards" / f"shard-{k:06d}.parquet"), part, {})
    return SimpleNamespace(path=folder, table=table, ids=[f"ffffffff-0000000{k}" for k in range(3)])
