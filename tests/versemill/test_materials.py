"""Procedural materials: every family builds, repeats without a seam, and is the same everywhere."""

import json
import subprocess
import sys

import numpy as np
import pytest

from versemill.config import digest
from versemill.materials import procedural
from versemill.materials.canvas import Canvas


def _rng(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))


def _textures(material) -> list[np.ndarray]:
    return [material.base_color_texture, material.metallic_roughness_texture, material.normal_texture]


@pytest.fixture(scope="module")
def built() -> dict:
    """Three materials of each family at 128 pixels."""
    recipes = {family: [procedural.draw(_rng(seed), [family]) for seed in range(3)] for family in procedural.FAMILIES}
    return {family: [procedural.build(recipe, 128) for recipe in some] for family, some in recipes.items()}


def test_there_are_enough_families() -> None:
    assert len(procedural.FAMILIES) == len(set(procedural.FAMILIES)) >= 20
    needed = ["wood", "marble", "brick", "woven", "knit", "rust", "tiles", "worn_paint", "terrazzo", "noise"]
    assert set(needed) <= set(procedural.FAMILIES)


@pytest.mark.parametrize("family", procedural.FAMILIES)
def test_a_family_is_varied_and_shaded(built, family) -> None:
    hashes = set()
    for material in built[family]:
        color, surface, normal = _textures(material)
        assert (color.shape, surface.shape, normal.shape) == ((128, 128, 4), (128, 128, 3), (128, 128, 3))
        assert (color[..., 3] == 255).all()
        assert material.source == f"procedural/{family}"
        assert material.licence == "CC0-1.0"
        assert surface[..., 1].min() >= 7  # roughness never reaches a perfect mirror
        vectors = normal / 127.5 - 1
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=-1), 1, atol=0.02)
        assert vectors[..., 2].min() > 0.2
        # A repeating height has no slope on average.
        assert np.abs(vectors[..., :2].mean((0, 1))).max() < 0.08
        assert normal.std((0, 1))[:2].max() > 0.05 or color[..., :3].std((0, 1)).max() > 0.5
        hashes.add(material.content_hash)
    assert len(hashes) == 3
    means = np.array([m.base_color_texture[..., :3].mean((0, 1)) for m in built[family]])
    assert np.ptp(means, axis=0).max() > 5


@pytest.mark.parametrize("family", procedural.FAMILIES)
def test_a_family_repeats_without_a_seam(built, family) -> None:
    for material in built[family]:
        for texels in _textures(material):
            for axis in (0, 1):
                # A seam would be a worse step than any between neighbouring rows inside.
                steps = np.abs(np.diff(texels.astype(float), axis=axis, append=texels.take([0], axis))).mean((1 - axis, 2))
                assert steps[-1] <= 2.0 * steps[:-1].max() + 1


@pytest.mark.parametrize("family", procedural.FAMILIES)
def test_a_recipe_is_json_and_enough(family) -> None:
    recipe = procedural.draw(_rng(5), [family])
    again = json.loads(json.dumps(recipe))
    assert again == recipe
    assert procedural.build(again, 32).content_hash == procedural.build(recipe, 32).content_hash


def test_a_draw_takes_two_numbers_whatever_the_family() -> None:
    after = set()
    for family in procedural.FAMILIES:
        rng = _rng(1)
        procedural.draw(rng, [family])
        after.add(rng.random())
    assert len(after) == 1


def test_families_have_equal_shares() -> None:
    rng = _rng(2)
    drawn = [procedural.draw(rng, ("wood", "rust", "knit"))["family"] for _ in range(900)]
    assert set(drawn) == {"wood", "rust", "knit"}
    assert max(abs(drawn.count(name) - 300) for name in set(drawn)) < 60


def test_golden_recipes() -> None:
    recipes = [procedural.draw(_rng(9), [family]) for family in procedural.FAMILIES]
    assert digest(recipes) == GOLDEN


def test_another_process_builds_the_same() -> None:
    code = (
        "import numpy as np; from versemill.materials import procedural as p; r = np.random.Generator(np.random.Philox(3));"
        "print(*(p.build(p.draw(r, [f]), 64).content_hash for f in p.FAMILIES))"
    )
    hashes = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    rng = _rng(3)
    assert hashes == [procedural.build(procedural.draw(rng, [f]), 64).content_hash for f in procedural.FAMILIES]


@pytest.mark.parametrize("family", ["brick", "cobblestone", "hexagons", "parquet", "tartan"])
def test_the_pattern_is_the_same_at_any_size(family) -> None:
    recipe = procedural.draw(_rng(4), [family])
    small, large = (procedural.build(recipe, size).base_color_texture[..., :3].astype(float) for size in (128, 256))
    shrunk = large.reshape(128, 2, 128, 2, 3).mean((1, 3))
    correlation = np.corrcoef(small.ravel(), shrunk.ravel())[0, 1]
    assert correlation > 0.8


def test_a_normal_map_points_down_the_slope() -> None:
    canvas = Canvas(64, 0)
    bump = 0.05 * np.exp(-((canvas.u - 0.5) ** 2 + (canvas.v - 0.5) ** 2) / 0.02)
    vectors = procedural.normal_map(bump.astype(np.float32)) / 127.5 - 1
    assert vectors[32, 38, 0] > 0.1  # right of the bump: towards the right
    assert vectors[26, 32, 1] > 0.1  # above it (smaller row, larger v): up
    flat = procedural.normal_map(np.zeros((16, 16), np.float32))
    assert (flat == [128, 128, 255]).all()


def test_noise_statistics_do_not_depend_on_scale() -> None:
    for cells, octaves in ((4, 1), (16, 3), ((4, 32), 2)):
        fields = np.stack([Canvas(128, seed).noise(cells, octaves) for seed in range(8)])
        assert fields.std() == pytest.approx(0.4, rel=0.2)
        assert abs(fields.mean()) < 0.1


def test_cells_are_the_nearest_points() -> None:
    cells = Canvas(48, 1).cells(5)
    assert (cells.near <= cells.second).all()
    assert set(np.unique(cells.label)) == set(range(25))
    rng = np.random.Generator(np.random.Philox(1))
    place = rng.random((2, 5, 5), np.float32)
    points = np.stack([np.arange(5)[None] + place[0], np.arange(5)[:, None] + place[1]], -1).reshape(25, 2)
    x, y = np.meshgrid((np.arange(48) + 0.5) / 48 * 5, (1 - (np.arange(48) + 0.5) / 48) * 5)
    away = np.abs(np.stack([x, y], -1)[:, :, None] - points)
    away = np.linalg.norm(np.minimum(away, 5 - away), axis=-1)
    np.testing.assert_allclose(cells.near, away.min(-1), atol=1e-4)
    assert (cells.label == away.argmin(-1)).mean() > 0.999


def test_unknown_families_and_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="'velvet'"):
        procedural.draw(_rng(0), ["velvet"])
    with pytest.raises(ValueError, match="no texture family"):
        procedural.draw(_rng(0), [])
    with pytest.raises(ValueError, match="velvet"):
        procedural.build({"family": "velvet", "seed": 1})
    with pytest.raises(ValueError, match="16 pixels"):
        procedural.build(procedural.draw(_rng(0)), 8)


GOLDEN = "b677f8cb037cd8b3c6d32e801134682ed6276e3b533e3a514369730a080d3908"
