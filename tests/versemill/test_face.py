"""What a newcomer meets first: `import versemill`, one-line reprs, notebook pictures, trimesh in and out, helpful errors."""

import base64
import doctest
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image
from pydantic import ValidationError

import versemill
from versemill import detailverse
from versemill.asset import Asset
from versemill.curated import Curated, Rejected
from versemill.curation import CurationConfig, curate, sample
from versemill.materials.material import Material
from versemill.render import RenderConfig, render
from versemill.zeroverse import ZeroverseConfig, generate


def test_import_versemill_shows_the_shared_words_and_loads_nothing_heavy() -> None:
    script = "import sys, versemill; print(*dir(versemill)); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    names, modules = (line.split() for line in done.stdout.splitlines())
    assert {"Asset", "Camera", "Views", "Fields", "seeds", "errors", "render", "zeroverse"} <= set(names)
    assert not {"torch", "ray", "warp", "numpy"} & set(modules)
    assert all(hasattr(versemill, name) for name in names)
    with pytest.raises(AttributeError, match="Assett"):
        versemill.Assett  # noqa: B018


def test_its_docstring_runs() -> None:
    assert doctest.testmod(versemill).failed == 0
    assert doctest.testmod(versemill).attempted > 0


def test_every_stage_has_defaults_that_equal_the_default_configuration() -> None:
    asset = generate(seed=2, index=3)
    assert asset.content_hash == generate(ZeroverseConfig(), 2, 3).content_hash
    curated = curate(asset)
    assert isinstance(curated, Curated)
    given = curate(asset, CurationConfig())
    assert isinstance(given, Curated)
    assert curated.asset.content_hash == given.asset.content_hash
    views = render(curated.asset)
    np.testing.assert_array_equal(views.passes["rgb"], render(curated.asset, RenderConfig()).passes["rgb"])
    fields = sample(curated)
    assert len(fields.surface) > 0
    for shown in (asset, curated, views, fields, views.cameras[0], asset.materials[0]):
        assert "\n" not in repr(shown)
        assert len(repr(shown)) < 300
    assert (
        repr(asset)
        == f"Asset(zeroverse #3: {len(asset.vertices):,} vertices, {len(asset.faces):,} faces, "
        + ", ".join(
            f"{n} {word}s" if n > 1 else f"{n} {word}"
            for n, word in ((len(asset.materials), "material"), (len(asset.part_names), "part"))
        )
        + ")"
    )


def test_detailverse_generates_with_defaults_too() -> None:
    signature = detailverse.generate.__defaults__
    assert signature == (None, 0, 0)


def test_notebook_pictures_show_the_asset(boxes: list[Asset]) -> None:
    html = boxes[0]._repr_html_()
    match = re.search(r'src="data:image/png;base64,([^"]+)"', html)
    assert match is not None
    assert "Asset(files #0" in html
    with Image.open(io.BytesIO(base64.b64decode(match[1]))) as image:
        pixels = np.asarray(image.convert("RGB"), int)
    paper = np.array([250, 250, 248])
    assert 0.1 < (np.abs(pixels - paper).max(-1) > 20).mean() < 0.9
    views = render(boxes[0], RenderConfig(width=32, height=32, cameras={"views": 3}, passes=("rgb", "depth")))
    assert "3 of 32 x 32" in views._repr_html_()


def test_a_picture_that_cannot_be_drawn_leaves_its_reason() -> None:
    empty = Asset(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32), np.zeros((0, 3, 2), np.float32),
                  np.zeros(0, np.int32), np.zeros(0, np.int32), (Material(),), ("nothing",))  # fmt: skip
    assert "0 vertices and 0 faces" in empty._repr_html_()


@pytest.mark.parametrize("up", ["y", "z"])
def test_trimesh_objects_come_in_normalised_and_go_out_as_they_are(up: str) -> None:
    mesh = trimesh.creation.torus(3, 1, major_sections=24, minor_sections=12)
    mesh.apply_translation([1e6, 5, 7])
    asset = Asset.from_trimesh(mesh, up=up)  # type: ignore[arg-type]
    extents = np.ptp(asset.vertices, axis=0)
    np.testing.assert_allclose(extents, [2, 2, 0.5] if up == "z" else [2, 0.5, 2], atol=1e-6)
    back = asset.to_trimesh()
    assert back.is_watertight
    assert back.volume == pytest.approx(mesh.volume / 64, rel=1e-6)
    points = np.asarray(asset.center) + asset.scale * asset.vertices.astype(float)
    if up == "y":
        points = points[:, [0, 2, 1]] * [1, 1, -1]
    np.testing.assert_allclose(np.sort(points, 0), np.sort(np.unique(mesh.vertices, axis=0), 0), atol=1e-5)
    again = Asset.from_trimesh(back)
    np.testing.assert_array_equal(np.sort(again.vertices, 0), np.sort(asset.vertices, 0))


def test_scenes_keep_their_nodes_as_parts_and_their_colours() -> None:
    red, blue = trimesh.creation.box(), trimesh.creation.icosphere(2)
    red.visual = trimesh.visual.TextureVisuals(material=trimesh.visual.material.PBRMaterial(baseColorFactor=[255, 0, 0, 255]))
    blue.visual.face_colors = [0, 0, 255, 255]
    scene = trimesh.Scene()
    scene.add_geometry(red, node_name="crate")
    scene.add_geometry(blue, node_name="ball", transform=trimesh.transformations.translation_matrix([0, 0, 3]))
    asset = Asset.from_trimesh(scene)
    assert set(asset.part_names) == {"crate", "ball"}
    ball = asset.part_ids == asset.part_names.index("ball")
    heights = asset.vertices[asset.faces].mean(1)[:, 2]
    assert heights[ball].min() > heights[~ball].max()
    colors = asset.to_trimesh().visual.face_colors
    assert (colors[~ball] == [255, 0, 0, 255]).all()
    assert (np.abs(colors[ball].astype(int) - [0, 0, 255, 255]) <= 2).all()


def test_a_broken_trimesh_object_is_one_reason() -> None:
    bad = trimesh.creation.box()
    bad.vertices[0] = np.nan
    for mesh, reason in ((trimesh.Trimesh(), "empty"), (bad, "not_finite")):
        with pytest.raises(versemill.AssetError) as error:
            Asset.from_trimesh(mesh)
        assert error.value.reason == reason


def test_curate_takes_an_asset_a_trimesh_or_a_path(tmp_path: Path) -> None:
    mesh = trimesh.creation.icosphere(3)
    mesh.export(tmp_path / "ball.ply")
    asset = Asset.from_trimesh(mesh)
    answers = [
        curate(each, CurationConfig(resolution=64)) for each in (asset, mesh, tmp_path / "ball.ply", str(tmp_path / "ball.ply"))
    ]
    sizes = {(len(a.asset.faces), len(a.watertight_faces)) for a in answers if isinstance(a, Curated)}
    assert len(sizes) == 1
    assert all(isinstance(answer, Curated) for answer in answers)
    missing = curate(tmp_path / "none.ply")
    assert isinstance(missing, Rejected)
    assert (missing.stage, missing.reason) == ("ingest", "missing_file")


def test_save_and_load_are_inverse(tmp_path: Path) -> None:
    asset = generate(seed=4)
    for name in ("a.glb", "a.obj", "a.ply"):
        asset.save(tmp_path / name)
        back = versemill.curation.load(tmp_path / name)
        assert len(back.faces) == len(asset.faces)
        np.testing.assert_allclose(np.sort(back.vertices, 0), np.sort(asset.vertices, 0), atol=1e-6)
    with pytest.raises(versemill.ConfigError, match=r"\.glb, \.obj or \.ply"):
        asset.save(tmp_path / "a.stl")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"widht": 3}, "unknown key 'widht'; did you mean 'width'?"),
        ({"cameras": {"vews": 3}}, "unknown key 'vews'; did you mean 'views'?"),
        ({"cycles": {"zzzzzz": 1}}, "unknown key 'zzzzzz'; valid: "),
    ],
)
def test_a_misspelt_setting_names_the_nearest_one(values: dict[str, object], message: str) -> None:
    for build in (lambda: RenderConfig(**values), lambda: RenderConfig.model_validate({**values, "quality": "best"})):
        with pytest.raises(ValidationError) as error:
            build()
        assert message in str(error.value)
    assert "quality" in str(error.value)


def test_kernels_say_once_that_they_compile(tmp_path: Path) -> None:
    script = "from versemill import device; device.start(); device.start()"
    environment = {**os.environ, "VERSEMILL_CACHE": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    assert done.stderr.count("compiling kernels") == 1
    assert done.stdout == ""


def test_the_package_is_typed() -> None:
    assert (Path(str(versemill.__file__)).parent / "py.typed").is_file()
