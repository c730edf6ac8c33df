"""A pass is one line in `versemill.views`: shards, reading, comparison, files, preview and report follow."""

import json
import subprocess
import sys

SCRIPT = """
import json, sys
from pathlib import Path
import numpy as np
from versemill.views import PASSES, Pass, Views

TOYS = json.loads(sys.argv[1])
for dtype, channels, kind, empty in TOYS:
    PASSES.own[f"toy_{kind}_{channels}"] = Pass(dtype, channels, kind, "a toy", 0.01, frame="world", unit="toys", empty=empty)

from PIL import Image
from versemill import zeroverse
from versemill.camera import Camera
from versemill.curated import Curated
from versemill.mill.report import gallery
from versemill.render import outputs, pictures
from versemill.shards.compare import compare_rows
from versemill.shards.config import ShardsConfig
from versemill.shards.reading import Selection
from versemill.shards.rows import decode_views, encode_row
from versemill.shards.schema import describe

asset = zeroverse.generate(zeroverse.ZeroverseConfig(texture_size=16), 1, 2).normalized()
def encoded(views):
    curated = Curated(asset, asset.vertices, asset.faces, {}, {})
    table = encode_row(curated, views, None, config=ShardsConfig(), digest="d", fingerprint="f", split="train")
    return table.to_pylist()[0]


def check(name, dtype, channels, kind, empty, out):
    rng = np.random.default_rng(0)
    shape = (2, 24, 20) + ((channels,) if channels else ())
    hit = np.zeros((2, 24, 20), bool)
    hit[:, 4:20, 5:16] = True
    inside = hit[..., None] if channels else hit
    values = rng.uniform(-1, 1, shape)
    if kind == "direction":
        values /= np.linalg.norm(values, axis=-1, keepdims=True)
    if kind == "distance":
        values = np.abs(values) + 0.5
    if dtype == "uint8":
        values = rng.integers(1, 256, shape)
    if kind == "id":
        values = rng.integers(0, 5, shape)
    images = np.where(inside, values, empty).astype(dtype)
    K = np.array([[30.0, 0, 10], [0, 30, 12], [0, 0, 1]])
    c2w = np.eye(4)
    c2w[:3, 3] = (0, 0, -3)
    views = Views((Camera(c2w, K, 20, 24),) * 2, {"mask": hit, name: images})

    row = encoded(views)
    back = decode_views(row["views"]).passes[name]
    tolerance = 2 / 65534 if PASSES[name].quantised else 0
    assert back.dtype == images.dtype and np.abs(back.astype(float) - images).max() <= tolerance
    assert (PASSES[name].covered(images) == PASSES[name].covered(back)).all()
    assert (row["views"][f"{name}_range"] is not None) if PASSES[name].quantised else f"{name}_range" not in row["views"]

    assert compare_rows(row, encoded(views)) == []
    other = images.copy()
    other[:, 10:12] = np.roll(images[:, 10:12], 3, -1 if not channels else -2)
    if kind != "coverage":
        [difference] = compare_rows(row, encoded(Views(views.cameras, {"mask": hit, name: other})))
        assert f"pass '{name}'" in difference, difference

    sample = Selection(passes=(name,)).decode(row)
    assert tuple(sample[name].shape) == (2, channels or 1, 24, 20)
    if kind == "direction":
        turned = Selection(passes=(name,), resolution=5, crop=20).decode(row)[name]
        assert abs(turned.norm(dim=1)[turned.abs().sum(1) > 0] - 1).max() < 1e-5

    picture = pictures.colour(name, images)
    assert picture.shape == (2, 24, 20, 3) and picture.dtype == np.uint8
    assert kind == "coverage" or (picture[~hit] == pictures.PAPER).all()
    assert (gallery.transparent(name, images)[..., 3] == np.where(hit, 255, 0)).all()
    assert gallery.pictures(row["views"])["passes"] == ["mask", name]

    if kind != "position":
        outputs.write_views(asset, views, out / "png", "png")
        about = json.loads((out / "png" / "cameras.json").read_text())
        code = np.asarray(Image.open(out / "png" / name / "000.png")).astype(float)
        if kind == "direction":
            assert np.abs(np.where(inside[0], code / 127.5 - 1, 0) - images[0]).max() <= 1 / 127
        if kind == "distance":
            assert np.abs(code * about[f"{name}_step"] - images[0]).max() <= about[f"{name}_step"]
            assert about["codings"][name].startswith(f"{name} = code * {name}_step")
        if kind == "id":
            assert (code - 1 == images[0]).all()
        if kind in ("colour", "level") and channels:
            assert (code[..., :channels] == images[0]).all()
    outputs.write_views(asset, views, out / "npz", "npz")
    assert (np.load(out / "npz" / "views.npz")[name] == images).all()
    assert f"| `{name}` | " in describe()

for dtype, channels, kind, empty in TOYS:
    name = f"toy_{kind}_{channels}"
    check(name, dtype, channels, kind, empty, Path(sys.argv[2]) / name)
print("all hold")
"""

TOYS = [
    ("float32", 3, "direction", 0),
    ("float32", 0, "distance", 0),
    ("float32", 3, "position", 0),
    ("uint8", 3, "colour", 0),
    ("uint8", 2, "level", 0),
    ("uint8", 0, "level", 0),
    ("int32", 0, "id", -1),
    ("bool", 0, "coverage", 0),
]


def test_a_new_pass_needs_no_other_file(tmp_path):
    command = [sys.executable, "-c", SCRIPT, json.dumps(TOYS), str(tmp_path)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.stdout.strip() == "all hold", answer.stderr
