"""Files for other programs, read back by other code."""

import numpy as np
import pytest
import trimesh

from versemill.errors import ConfigError
from versemill.exchange import write_mesh
from versemill.gltf import from_glb
from versemill.zeroverse import ZeroverseConfig, generate


@pytest.fixture(scope="module")
def asset():
    return generate(ZeroverseConfig(texture_size=32, triangles=2000), 0, 1)


@pytest.mark.parametrize("textures", ["png", "jpeg"])
def test_obj_keeps_geometry_uvs_parts_and_textures(asset, tmp_path, textures):
    write_mesh(asset, tmp_path / "a.obj", textures)
    lines = [line.split() for line in (tmp_path / "a.obj").read_text().splitlines()]
    points = np.array([line[1:] for line in lines if line[0] == "v"], np.float32)
    assert np.array_equal(points[:, [0, 2, 1]] * np.float32([1, -1, 1]), asset.vertices)
    uvs = np.array([line[1:] for line in lines if line[0] == "vt"], np.float32)
    corners = np.array([[c.split("/") for c in line[1:]] for line in lines if line[0] == "f"], int) - 1
    order = np.lexsort((asset.material_ids, asset.part_ids))
    assert np.array_equal(corners[..., 0], asset.faces[order])
    assert np.array_equal(uvs[corners[..., 1]], asset.uvs[order])
    assert [line[1] for line in lines if line[0] == "g"] == [name.replace(" ", "_") for name in asset.part_names]
    read = trimesh.load(tmp_path / "a.obj", process=False)
    assert len(read.geometry) == len(asset.materials)
    suffix = {"png": "png", "jpeg": "jpg"}[textures]
    for mesh in read.geometry.values():
        number = int(mesh.visual.material.name.split("-")[0])
        shown = np.asarray(mesh.visual.material.image.convert("RGB"), float)
        expected = asset.materials[number].base_color_texture[..., :3]
        assert np.abs(shown - expected).mean() < (0.5 if textures == "png" else 12)
    mapped = [line.split()[1] for line in (tmp_path / "a.mtl").read_text().splitlines() if line.startswith(("map_", "norm"))]
    assert len(mapped) == 4 * len(asset.materials)
    assert all((tmp_path / name).is_file() and name.endswith(suffix) for name in mapped)


def test_ply_keeps_positions_faces_and_ids(asset, tmp_path):
    write_mesh(asset, tmp_path / "a.ply")
    read = trimesh.load(tmp_path / "a.ply", process=False)
    assert np.array_equal(read.vertices.astype(np.float32), asset.vertices)
    assert np.array_equal(read.faces, asset.faces)
    facts = read.metadata["_ply_raw"]["face"]["data"]
    assert np.array_equal(facts["part"].ravel(), asset.part_ids)
    assert np.array_equal(facts["material"].ravel(), asset.material_ids)


def test_glb_takes_jpeg_and_other_suffixes_are_refused(asset, tmp_path):
    for textures in ("png", "jpeg"):
        write_mesh(asset, tmp_path / f"{textures}.glb", textures)
    assert b"image/jpeg" in (tmp_path / "jpeg.glb").read_bytes()
    back = from_glb((tmp_path / "png.glb").read_bytes())
    assert np.array_equal(back.vertices, asset.vertices)
    assert np.array_equal(back.faces, asset.faces)
    assert [m.content_hash for m in back.materials] == [m.content_hash for m in asset.materials]
    with pytest.raises(ConfigError, match=r"\.obj"):
        write_mesh(asset, tmp_path / "a.stl")
