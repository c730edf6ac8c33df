"""Damaged files of every kind are read or refused with a reason; nothing else is raised."""

import numpy as np
import pytest
from foreign_files import halves, obj, png
from shapes import SHAPES
from test_gltf_looks import two_places

from versemill.curation import LoadLimits, load
from versemill.errors import AssetError

SMALL = LoadLimits(max_faces=20_000, max_vertices=20_000, max_bytes=2**20, max_texture_side=64)
SKIPPED = ("far from the origin", "very small", "very large")
"""Large, and of the kinds that others show."""


def damaged(rng, data):
    """The bytes with a few of them changed, a stretch left out, or the end cut off."""
    bad = np.frombuffer(data, np.uint8).copy()
    if len(bad):
        places = rng.integers(0, len(bad), rng.integers(1, 6))
        # Half of the changes are characters that mean something in a text.
        bad[places] = np.where(
            rng.random(len(places)) < 0.5, rng.integers(0, 256, len(places)), rng.choice(list(b'-/0. \n9e"'), len(places))
        )
    start, end = np.sort(rng.integers(0, len(bad) + 1, 2))
    if rng.random() < 0.2:
        bad = np.delete(bad, slice(start, end))
    return bad[: end if rng.random() < 0.2 else None].tobytes()


def tried(path, files, count, seed):
    rng = np.random.default_rng(seed)
    whole = {file: file.read_bytes() for file in files}
    outcomes = set()
    for _ in range(count):
        victim = files[rng.integers(len(files))]
        victim.write_bytes(damaged(rng, whole[victim]))
        try:
            load(path, SMALL).check()
            outcomes.add("read")
        except AssetError as error:
            outcomes.add(error.reason)
        victim.write_bytes(whole[victim])
    return outcomes


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", [name for name in SHAPES if name not in SKIPPED])
def test_shapes(name, tmp_path):
    path = SHAPES[name].build(tmp_path)
    assert tried(path, [path], 60, len(name)) - {"read"}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_model_with_materials_and_textures(tmp_path):
    picture = png(halves((255, 0, 0), (0, 255, 0)))
    mtl = "Kd 1 1 1\nmap_Kd -s 2 2 1 tex.png\nmap_d tex.png\nmap_Pr tex.png\nmap_Pm tex.png\nnorm tex.png\nKe 1 1 1\nTr 0.2"
    path = obj(tmp_path, mtl, textures=[("tex.png", picture)])
    assert "read" in tried(path, sorted(tmp_path.iterdir()), 200, 1)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_textured_glb(tmp_path):
    (tmp_path / "a.glb").write_bytes(two_places("transform"))
    assert "read" in tried(tmp_path / "a.glb", [tmp_path / "a.glb"], 200, 2)
