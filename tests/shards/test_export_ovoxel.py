"""O-Voxel, read from the format's description alone: the container, the octree, the dual mesh, the looks of voxels."""

import csv
import dataclasses
import json
import pickle
import struct

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from versemill.colour import decode_srgb, encode_srgb
from versemill.curated import Curated
from versemill.materials import Material
from versemill.queries import MeshQuery
from versemill.shards import ShardsConfig, encode_row
from versemill.shards.export.item import Item
from versemill.shards.export.ovoxel import ovoxel
from versemill.shards.export.vxz import encode


def read_vxz(data):
    """Voxels -> attributes, both as tuples: one block after the other, one node after the other."""
    assert data[:4] == b"VXZ\0"
    (begin,) = struct.unpack(">I", data[4:8])
    header = json.loads(data[8:begin])
    assert header["compression"] == "zstd"
    assert (header["filter"], header["attr_interleave"]) == ("none", "as_is")
    depth, voxels = header["chunk_size"].bit_length() - 1, {}
    assert begin + header["compressed_size"] == len(data)
    for chunk in header["chunks"]:
        start, length = chunk["ptr"]
        block = data[begin + start : begin + start + length]
        assert sum(chunk[name][1] for name in ("svo", *dict(header["attr"]))) == length

        def unpacked(name, block=block, chunk=chunk):
            at, size = chunk[name]
            assert block[at + 4] >> 5, "a frame without its content's size, which the reader needs (RFC 8878, 3.1.1.1.1)"
            with pa.CompressedInputStream(pa.BufferReader(block[at : at + size]), "zstd") as stream:
                return stream.read()

        nodes, leaves = iter(unpacked("svo")), []

        def walk(corner, side, nodes=nodes, leaves=leaves):
            mask = next(nodes)
            assert mask, "a node without children"
            for k in range(8):
                if mask >> k & 1:
                    step = (k >> 2 & 1, k >> 1 & 1, k & 1)
                    child = tuple(c + s * side // 2 for c, s in zip(corner, step, strict=True))
                    if side == 2:
                        leaves.append(child)
                    else:
                        walk(child, side // 2)

        walk((0, 0, 0), 2**depth)
        assert next(nodes, None) is None
        columns = {name: np.frombuffer(unpacked(name), np.uint8).reshape(-1, width) for name, width in header["attr"]}
        for row, leaf in enumerate(leaves):
            voxel = tuple(leaf[k] + chunk["idx"][k] * header["chunk_size"] for k in range(3))
            assert voxel not in voxels
            voxels[voxel] = {name: tuple(column[row].tolist()) for name, column in columns.items()}
        assert all(len(column) == len(leaves) for column in columns.values())
    assert len(voxels) == header["num_voxel"]
    return voxels


@settings(max_examples=30, deadline=None)
@given(st.sets(st.tuples(*[st.integers(0, 1023)] * 3), min_size=1, max_size=60), st.integers(0, 2**31))
def test_the_container_gives_back_every_voxel(places, seed):
    voxels = np.array(list(places), np.int32)
    rng = np.random.default_rng(seed)
    attributes = {"vertices": rng.integers(0, 256, (len(voxels), 3), np.uint8),
                  "intersected": rng.integers(0, 8, (len(voxels), 1), np.uint8)}  # fmt: skip
    expected = {tuple(v): {name: tuple(a[k].tolist()) for name, a in attributes.items()} for k, v in enumerate(voxels.tolist())}
    assert read_vxz(encode(voxels, attributes)) == expected


def test_the_bytes_of_one_voxel():
    data = encode(np.array([[256 + 128, 0, 1]], np.int32), {"alpha": np.array([[7]], np.uint8)})
    header = json.loads(data[8 : int.from_bytes(data[4:8], "big")])
    chunk = header["chunks"][0]
    assert chunk["idx"] == [1, 0, 0]
    begin = int.from_bytes(data[4:8], "big") + chunk["svo"][0]
    assert pa.Codec("zstd").decompress(data[begin : begin + chunk["svo"][1]], 8).to_pybytes() == bytes(
        [16, 1, 1, 1, 1, 1, 1, 2]
    )
    assert header["attr"] == [["alpha", 1]]


def dual_mesh(voxels, resolution):
    """Vertices in [-0.5, 0.5] and triangles of a dual grid that was read."""
    number = {voxel: k for k, voxel in enumerate(voxels)}
    faces = []
    for (x, y, z), data in voxels.items():
        rings = ([(0, 0, 0), (0, 0, 1), (0, 1, 1), (0, 1, 0)], [(0, 0, 0), (1, 0, 0), (1, 0, 1), (0, 0, 1)],
                 [(0, 0, 0), (0, 1, 0), (1, 1, 0), (1, 0, 0)])  # fmt: skip
        for axis, ring in enumerate(rings):
            if data["intersected"][0] >> axis & 1:
                a, b, c, d = (number[x + i, y + j, z + k] for i, j, k in ring)
                faces += [(a, b, c), (a, c, d)]
    vertices = np.array(list(voxels), float) + np.array([data["vertices"] for data in voxels.values()]) / 255
    return vertices / resolution - 0.5, np.array(faces)


@pytest.fixture
def written(tmp_path, sphere):
    """written(asset, resolution) -> the export of that asset alone, and the .vxz files of its geometry and looks, read."""

    def run(asset, resolution=64):
        curated = Curated(asset, sphere.asset().vertices, sphere.asset().faces)
        row = encode_row(curated, None, None, config=ShardsConfig(), digest="c" * 64, fingerprint="f" * 64, split="train")
        format = ovoxel(resolution)
        format.finish(tmp_path, format.write(iter([Item(row.to_pylist()[0])]), tmp_path, ""))
        paths = [tmp_path / f"{name}_{resolution}" / f"{asset.content_hash}.vxz" for name in ("dual_grid", "pbr_voxels")]
        return tmp_path, *(read_vxz(path.read_bytes()) for path in paths if path.exists())

    return run


def table(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_the_folder_is_laid_out_as_the_reader_expects(exported, sphere):
    out = exported("ovoxel256")
    objects, meshes = table(out / "metadata.csv"), table(out / "mesh_dumps" / "metadata.csv")
    grids, looks = table(out / "dual_grid_256" / "metadata.csv"), table(out / "pbr_voxels_256" / "metadata.csv")
    for i, (row, mesh, grid, look) in enumerate(zip(objects, meshes, grids, looks, strict=True)):
        sha = sphere.asset(index=i).content_hash
        assert {r["sha256"] for r in (row, mesh, grid, look)} == {sha}
        assert (row["num_faces"], row["aesthetic_score"], mesh["mesh_dumped"]) == ("1280", "0.0", "True")
        assert (grid["dual_grid_converted"], look["pbr_voxelized"]) == ("True", "True")
        for folder, attributes in (("dual_grid_256", ["vertices", "intersected"]),
                                   ("pbr_voxels_256", ["base_color", "metallic", "roughness", "alpha"])):  # fmt: skip
            data = (out / folder / f"{sha}.vxz").read_bytes()
            header = json.loads(data[8 : int.from_bytes(data[4:8], "big")])
            assert [name for name, _ in header["attr"]] == attributes
            assert header["num_voxel"] == int(grid["dual_grid_size"]) == int(look["num_pbr_voxels"]) > 290_000


def test_the_dual_mesh_is_the_ball(written, sphere):
    ball = sphere.asset()
    out, grid, looks = written(ball)
    assert set(grid) == set(looks)
    vertices, faces = dual_mesh(grid, 64)
    scale = 0.99999 / np.ptp(ball.vertices, axis=0).max()
    distance, _, _ = MeshQuery(ball.vertices * scale, ball.faces).closest(vertices)
    assert distance.mean() < 0.05 / 64
    assert distance.max() < 0.5 / 64
    back, _, _ = MeshQuery(vertices, faces).closest(ball.vertices[ball.faces].mean(1) * scale)
    assert back.max() < 0.5 / 64
    dump = pickle.loads((out / "mesh_dumps" / f"{ball.content_hash}.pickle").read_bytes())["objects"]
    np.testing.assert_allclose(dump[0]["vertices"][dump[0]["faces"]], ball.vertices[ball.faces] * scale, atol=1e-6)


def sheet(**changes):
    """Two squares side by side in the plane z = x / 4, each with its material; UVs run along x and y. Open."""
    from versemill.asset import Asset

    x, y = np.array([-1, 0, 1, -1, 0, 1.0]), np.array([-0.5, -0.5, -0.5, 0.5, 0.5, 0.5])
    faces = np.array([[0, 1, 4], [0, 4, 3], [1, 2, 5], [1, 5, 4]], np.int32)
    uv = np.stack([x % 1.0001, y + 0.5], 1).astype(np.float32)[faces]
    uv[:2, :, 0], uv[2:, :, 0] = x[faces[:2]] + 1, x[faces[2:]]
    asset = Asset(
        vertices=np.stack([x, y, x / 4], 1).astype(np.float32), faces=faces, uvs=uv,
        material_ids=np.array([0, 0, 1, 1], np.int32), part_ids=np.zeros(4, np.int32),
        materials=(Material(), Material()), part_names=("sheet",),
    )  # fmt: skip
    return dataclasses.replace(asset, **changes)


def test_an_open_sheet_keeps_its_rim_and_its_looks(written):
    red = Material("red", (0.5, 0.02, 0.0, 0.4), metallic=0.25, roughness=0.75, alpha_mode="blend")
    hole = Material("hole", (1.0, 1.0, 1.0, 0.3), alpha_mode="mask", alpha_cutoff=0.5, roughness=0.2)
    asset = sheet(materials=(red, hole))
    _, grid, looks = written(asset)
    vertices, faces = dual_mesh(grid, 64)
    scale = 0.99999 / 2
    distance, _, _ = MeshQuery(asset.vertices * scale, asset.faces).closest(vertices)
    assert distance.max() < 0.1 / 64
    corners, _, _ = MeshQuery(vertices, faces).closest(asset.vertices * scale)
    assert corners.max() < 0.5 / 64
    edges, counts = np.unique(np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)), axis=0, return_counts=True)
    rim = vertices[edges[counts == 1]].mean(1)
    assert len(rim) > 150
    assert (np.minimum(0.5 - np.abs(rim[:, 0]), 0.25 - np.abs(rim[:, 1])) < 1 / 64).all()
    colour = np.rint(255 * encode_srgb(np.array(red.base_color[:3]))).astype(int)
    for (x, _, _), look in looks.items():
        if x < 30:
            assert look == {"base_color": tuple(colour.tolist()), "metallic": (64,), "roughness": (191,), "alpha": (102,)}
        if x > 33:
            assert look == {"base_color": (255, 255, 255), "metallic": (0,), "roughness": (51,), "alpha": (0,)}


def test_textures_are_averaged_over_a_voxel(written):
    """Finer than voxels: the light's mean, not one texel's. Coarser: the texel at the place."""
    rng = np.random.default_rng(0)
    fine = np.where(rng.random((1024, 1024, 1)) < 0.5, 255, 0).astype(np.uint8) * np.ones(4, np.uint8)
    fine[..., 3] = 255
    ramp = np.zeros((8, 256, 3), np.uint8)
    ramp[..., 1], ramp[..., 2] = np.arange(256), 255 - np.arange(256)
    asset = sheet(
        materials=(
            Material("fine", base_color_texture=fine),
            Material("ramp", metallic=1.0, roughness=1.0, metallic_roughness_texture=ramp),
        )
    )
    _, _, looks = written(asset)
    voxels = np.array(list(looks))
    light = decode_srgb(np.array([look["base_color"][0] for look in looks.values()]) / 255)[voxels[:, 0] < 30]
    assert light.mean() == pytest.approx(0.5, abs=0.01)
    assert light.std() < 0.15
    along = 2 * (voxels[:, 0] + 0.5) / 64 - 1
    inner = (along > 0.05) & (along < 0.95)
    roughness, metallic = (np.array([look[n][0] for look in looks.values()])[inner] for n in ("roughness", "metallic"))
    np.testing.assert_allclose(roughness, 256 * along[inner] - 0.5, atol=2)
    np.testing.assert_allclose(metallic, 255 - (256 * along[inner] - 0.5), atol=2)


def test_shells_within_shells_are_all_kept(written, sphere):
    ball = sphere.asset()
    shells = [ball.vertices * r for r in (1, 0.7, 0.4)]
    faces = np.concatenate([ball.faces + k * len(ball.vertices) for k in range(3)])
    three = {name: np.concatenate([getattr(ball, name)] * 3) for name in ("uvs", "material_ids", "part_ids")}
    asset = dataclasses.replace(ball, vertices=np.concatenate(shells), faces=faces, **three)
    _, grid, _ = written(asset)
    vertices, _ = dual_mesh(grid, 64)
    radii = np.linalg.norm(vertices, axis=1)
    for radius in (0.5, 0.35, 0.2):
        assert (np.abs(radii - radius) < 0.01).sum() > 1.4 * 4 * np.pi * (radius * 64) ** 2
    assert (np.abs(radii[:, None] - [0.5, 0.35, 0.2]).min(1) < 0.01).all()


def test_an_object_thinner_than_voxels_is_marked_as_not_converted(written):
    start, bend, end = [-1, -0.282, -0.236], [-0.226, 0.877, 0.239], [1, -0.306, 0.324]
    bent = np.array([start, [*start[:2], -0.235], bend, end, [*end[:2], 0.325]], np.float32)
    asset = sheet(vertices=bent, faces=np.array([[0, 1, 2], [2, 3, 4]] * 2, np.int32))
    (out,) = written(asset)
    assert [row["dual_grid_converted"] for row in table(out / "dual_grid_64" / "metadata.csv")] == ["False"]
    assert not list(out.rglob("*.vxz"))
    assert (out / "mesh_dumps" / f"{asset.content_hash}.pickle").exists()


@pytest.mark.slow
@pytest.mark.parametrize("resolution", [512, 1024])
def test_finer_grids_are_cut_into_chunks(written, resolution):
    asset = sheet(vertices=sheet().vertices * np.float32([1, 0.2, 1]))
    _, grid, _ = written(asset, resolution)
    vertices, _ = dual_mesh(grid, resolution)
    distance, _, _ = MeshQuery(asset.vertices * 0.499995, asset.faces).closest(vertices)
    assert distance.max() < 0.1 / resolution
    assert {voxel[0] // 256 for voxel in grid} == set(range(resolution // 256))
