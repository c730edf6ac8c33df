"""Where files lie: links of a model hub, textures above a model, what lies outside; and inputs of one name."""

import os

import numpy as np
import pytest
from foreign_files import Gltf, halves, obj, png
from typer.testing import CliRunner

from versemill.curation import load
from versemill.errors import AssetError, ConfigError
from versemill.mill.cli import app
from versemill.mill.pipeline.sources import FilesConfig, mesh_files, record

PICTURE = png(halves((255, 0, 0), (0, 255, 0)))


def hub(folder):
    """The same chair twice: as plain files, and as a model hub's cache holds it, whose files are links into `blobs/`."""
    plain = folder / "plain"
    plain.mkdir()
    obj(plain, "map_Kd tex.png", name="chair", textures=[("tex.png", PICTURE)])
    made = Gltf(images=[{"uri": "tex.png"}], textures=[{"source": 0}])
    mesh = made.quad({"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}})
    made.nodes({"mesh": mesh})
    made.document["buffers"] = [{"byteLength": len(made.binary), "uri": "chair.bin"}]
    (plain / "chair.bin").write_bytes(bytes(made.binary))
    import json

    (plain / "chair.gltf").write_text(json.dumps(made.document))
    snapshot, blobs = folder / "hub/models--org--chairs/snapshots/abc/chair", folder / "hub/models--org--chairs/blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for k, file in enumerate(sorted(plain.iterdir())):
        (blobs / f"{k:040x}").write_bytes(file.read_bytes())
        (snapshot / file.name).symlink_to(os.path.relpath(blobs / f"{k:040x}", snapshot))
    return plain, snapshot, folder / "hub"


@pytest.mark.parametrize("name", ["chair.obj", "chair.gltf"])
def test_links_of_a_hub(tmp_path, name):
    plain, snapshot, cache = hub(tmp_path)
    right = load(plain / name)
    assert right.materials[0].base_color_texture is not None
    assert load(snapshot / name).content_hash == right.content_hash
    assert load(snapshot / name, root=cache).content_hash == right.content_hash
    # With the snapshot alone as the root, the blobs lie outside.
    with pytest.raises(AssetError, match="--root") as refusal:
        load(snapshot / name, root=snapshot)
    assert refusal.value.reason == "unsafe_path"


def test_textures_above_the_model(tmp_path):
    """ShapeNet's and PartNet's way: models/x.obj names ../images/t.png."""
    models = tmp_path / "data" / "1" / "models"
    models.mkdir(parents=True)
    path = obj(models, "map_Kd ../images/t.png", textures=[("../images/t.png", PICTURE)])
    with pytest.raises(AssetError, match="--root") as refusal:
        load(path)
    assert refusal.value.reason == "unsafe_path"
    assert load(path, root=tmp_path / "data").materials[0].base_color_texture is not None
    # An absolute path of another machine, whose last parts are those of this dataset.
    obj(models, "map_Kd C:\\shapenet\\1\\images\\t.png")
    assert load(path, root=tmp_path / "data").materials[0].base_color_texture is not None


@pytest.mark.parametrize("name", ["../../secret.png", "link.png", "/etc/passwd"])
def test_what_lies_outside_the_root_stays_refused(tmp_path, name):
    root = tmp_path / "root"
    (root / "models").mkdir(parents=True)
    (tmp_path / "secret.png").write_bytes(PICTURE)
    (root / "models/link.png").symlink_to(tmp_path / "secret.png")
    path = obj(root / "models", f"map_Kd {name}")
    for where in (root, None):
        with pytest.raises(AssetError) as refusal:
            load(path, root=where)
        assert refusal.value.reason == "unsafe_path"
    outside = root / "models/m2.obj"
    outside.symlink_to(obj(tmp_path, "Kd 1 1 1", name="m2"))
    with pytest.raises(AssetError) as refusal:
        load(outside, root=root)
    assert refusal.value.reason == "unsafe_path"


def test_something_else_than_a_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.obj")
    with pytest.raises(AssetError) as refusal:
        load(tmp_path / "pipe.obj")
    assert refusal.value.reason == "missing_file"


def test_linked_folders_are_walked_and_cycles_are_not(tmp_path):
    root = tmp_path / "root"
    for name in ("b/real", "c", ".hidden"):
        (root / name).mkdir(parents=True)
    for where in (root / "b/real", root / ".hidden", root):
        obj(where, "Kd 1 1 1")
    (root / "a").symlink_to(root / "b")  # sorts before what it links to
    (root / "c/up").symlink_to(root)
    (root / "c/self").symlink_to(root / "c")
    (tmp_path / "away").mkdir()
    obj(tmp_path / "away", "Kd 1 1 1", name="far")
    (root / "away").symlink_to(tmp_path / "away")
    (root / "far.obj").symlink_to(tmp_path / "away/far.obj")
    config = FilesConfig(path=str(root))
    # Each folder once, by its own name; a linked file is listed, and refused with a reason when it is read.
    assert mesh_files(config) == ["b/real/m.obj", "far.obj", "m.obj"]
    assert record(config)["far.obj"]["sha256"] == "unreadable"
    _, snapshot, cache = hub(tmp_path)
    (root / "linked").symlink_to(snapshot)
    assert len(mesh_files(config)) == 3
    assert mesh_files(FilesConfig(path=str(cache))) == [
        f"models--org--chairs/snapshots/abc/chair/chair.{suffix}" for suffix in ("gltf", "obj")
    ]


def test_a_folder_that_is_only_linked_is_walked(tmp_path):
    (tmp_path / "root/.store/x").mkdir(parents=True)
    obj(tmp_path / "root/.store/x", "Kd 1 1 1")
    (tmp_path / "root/shown").symlink_to(tmp_path / "root/.store/x")
    assert mesh_files(FilesConfig(path=str(tmp_path / "root"))) == ["shown/m.obj"]


@pytest.mark.parametrize("names", [("a/m.obj", "b/m.obj"), ("chair.obj", "chair.ply")])
def test_curate_of_one_stem_twice_writes_nothing(tmp_path, names):
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("v 0 0 0\n")
    done = CliRunner().invoke(app, ["curate", *(str(tmp_path / name) for name in names), "--out", str(tmp_path / "out")])
    assert isinstance(done.exception, ConfigError)
    assert all(name in str(done.exception) for name in names)
    assert not (tmp_path / "out").exists()


def test_the_root_of_commands(tmp_path):
    (tmp_path / "models").mkdir()
    path = obj(tmp_path / "models", "map_Kd ../images/t.png", textures=[("../images/t.png", PICTURE)])
    picture = str(tmp_path / "x.png")
    done = CliRunner().invoke(app, ["preview", str(path), "--out", picture, "--resolution", "32"])
    assert isinstance(done.exception, AssetError)
    for command in (
        ["preview", str(path), "--out", picture, "--resolution", "32"],
        ["render", str(path), "--out", str(tmp_path / "r"), "--size", "16", "--views", "1", "--cameras", "front"],
    ):
        done = CliRunner().invoke(app, [*command, "--root", str(tmp_path)])
        assert done.exit_code == 0, done.output
    done = CliRunner().invoke(app, ["curate", str(path), "--out", str(tmp_path / "c"), "--root", str(tmp_path)])
    assert "unsafe_path" not in done.output
    assert np.array_equal(load(path, root=tmp_path).uvs.max((0, 1)), [1, 1])
