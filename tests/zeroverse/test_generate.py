"""Whole assets: sound, reproducible, remade from their record, paired between arms, and drawn as configured."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.stats import chisquare

from versemill import mesh, zeroverse
from versemill.config import digest
from versemill.errors import AssetError
from versemill.queries import MeshQuery
from versemill.zeroverse import ZeroverseConfig, generate, presets, rebuild
from versemill.zeroverse.compose import compose
from versemill.zeroverse.config import KINDS
from versemill.zeroverse.shape import join, quaternion_matrix

GOLDEN = Path(__file__).parent / "golden.json"
PLAIN = {"textures": "none"}
RAW = ZeroverseConfig(**PLAIN)
SOLID = ZeroverseConfig(composition="solid", **PLAIN)
SMALL = ZeroverseConfig(texture_size=16)


def golden_config(index):
    return SOLID if index % 2 else RAW


def golden_hash(index):
    return generate(golden_config(index), 7, index).content_hash


@pytest.mark.parametrize("config", [RAW, SOLID], ids=["raw", "solid"])
def test_a_hundred_assets_are_sound(config):
    counts = []
    for index in range(100):
        asset = generate(config, 1, index)
        asset.check()
        topology = mesh.topology(asset.faces)
        assert topology.watertight, index
        assert mesh.volume(asset.vertices, asset.faces) > 0
        outcome = asset.provenance["outcome"]
        euler = len(asset.vertices) - topology.edges + len(asset.faces)
        assert euler == 2 * (outcome["components"] - outcome["genus"])
        assert outcome["genus"] >= 0
        assert np.unique(asset.faces).size == len(asset.vertices)
        low, high = asset.vertices.min(0), asset.vertices.max(0)
        assert np.abs(low + high).max() < 2e-6
        assert (high - low).max() == pytest.approx(2, abs=2e-6)
        assert (high - low).min() > 1e-3
        assert len(asset.materials) == asset.material_ids.max() + 1 or config is SOLID
        assert set(np.unique(asset.part_ids)) <= set(range(len(asset.part_names)))
        counts.append(len(asset.faces))
        if config is SOLID:
            assert outcome["volume"] == pytest.approx(mesh.volume(asset.vertices, asset.faces), rel=1e-4)
    assert 5_000 < np.median(counts) < 20_000
    assert max(counts) < 20_000


def test_solid_parts_keep_their_own_material():
    """A material belongs to one part: no boolean may mix them up."""
    for index in range(30):
        asset = generate(SOLID, 3, index)
        pairs = np.unique(np.stack([asset.material_ids, asset.part_ids], 1), axis=0)
        assert len(pairs) == len(np.unique(asset.material_ids))
        for material, part in pairs:
            assert asset.materials[material].name.startswith(asset.part_names[part])


def test_union_of_a_solid_encloses_what_raw_encloses():
    """Oracle: winding numbers of the raw soup (inside any primitive) against the solid's own."""
    bare = {"boolean": 0.0, "wireframe": 0.0, **PLAIN}
    points = np.random.default_rng(0).uniform(-1, 1, (400, 3))
    for index in (0, 4, 9):
        raw = generate(ZeroverseConfig(**bare), 2, index)
        solid = generate(ZeroverseConfig(composition="solid", **bare), 2, index)
        signs = []
        for asset in (raw, solid):
            query = MeshQuery(asset.vertices, asset.faces, winding=True)
            signs.append(query.signed_distance(points))
        clear = np.abs(signs[1]) > 0.01
        assert (np.sign(signs[0]) == np.sign(signs[1]))[clear].mean() > 0.99


@pytest.mark.parametrize("config", [RAW, SOLID, SMALL], ids=["raw", "solid", "textured"])
def test_an_asset_is_remade_from_its_record_alone(config):
    for index in range(0, 24, 3):
        asset = generate(config, 5, index)
        again = rebuild(json.loads(json.dumps(asset.provenance)))
        assert again.content_hash == asset.content_hash
        assert again.provenance == asset.provenance
        assert (again.seed, again.index, again.caption, again.tags) == (asset.seed, asset.index, asset.caption, asset.tags)


def test_a_plan_of_another_version_is_refused():
    plan = zeroverse.draw(RAW, 0, 0)
    with pytest.raises(AssetError, match="version 99"):
        zeroverse.build({**plan, "version": 99})


@pytest.mark.parametrize("composition", ["raw", "solid"])
def test_arms_are_paired(composition):
    """Without an augmentation the base shape and the textures stay, byte for byte; positions are recoverable."""
    common = {"composition": composition, "texture_size": 16}
    full = ZeroverseConfig(**common)
    arms = [
        ZeroverseConfig(**common, boolean=0.0),
        ZeroverseConfig(**common, wireframe=0.0),
        ZeroverseConfig(**common, boolean=0.0, wireframe=0.0),
    ]
    for index in range(12):
        whole = generate(full, 11, index)
        for arm in arms:
            other = generate(arm, 11, index)
            assert other.provenance["outcome"]["base_sha256"] == whole.provenance["outcome"]["base_sha256"]
            assert other.provenance["plan"]["primitives"] == whole.provenance["plan"]["primitives"]
            assert [m.name for m in other.materials] == [m.name for m in whole.materials][: len(other.materials)]
            for a, b in zip(other.materials, whole.materials, strict=False):
                assert a.content_hash == b.content_hash
        if composition == "raw" and whole.provenance["outcome"]["wireframe"]:
            bare = generate(arms[2], 11, index)
            back = [asset.vertices * asset.scale + np.array(asset.center) for asset in (whole, bare)]
            assert np.abs(back[0][: len(back[1])] - back[1]).max() < 1e-5


def test_heights_off_moves_nothing_else():
    on, off = ZeroverseConfig(**PLAIN), ZeroverseConfig(height_field=0.0, **PLAIN)
    for index in range(20):
        a, b = (zeroverse.draw(config, 4, index) for config in (on, off))
        for p, q in zip(a["primitives"], b["primitives"], strict=True):
            assert q["heights"] == []
            assert {**p, "heights": []} == q
        assert a["boolean"] == b["boolean"]
        assert a["wireframe"] == b["wireframe"]


@pytest.mark.parametrize("composition", ["raw", "solid"])
def test_cutters_sit_on_the_visible_surface_and_remove_their_share(composition):
    config = ZeroverseConfig(composition=composition, boolean=1.0, wireframe=0.0, **PLAIN)
    done = 0
    for index in range(12):
        asset = generate(config, 6, index)
        outcome = asset.provenance["outcome"]["boolean"]
        if outcome["kind"] is None:
            assert len(outcome["attempts"]) == config.attempts
            continue
        done += 1
        base = join(compose(asset.provenance["plan"])[0])
        query = MeshQuery(base.vertices, base.faces, winding=True)
        assert query.closest([outcome["center"]])[0][0] < 1e-4
        assert abs(query.signed_distance([outcome["center"]])[0]) < 1e-4
        assert config.min_removed <= outcome["removed"] <= config.max_removed
        part = asset.part_names.index(f"{outcome['kind']} cut")
        assert (asset.part_ids == part).sum() > 10
        # Every cut face lies on the cutter that the record names.
        attempt = asset.provenance["plan"]["boolean"]["attempts"][len(outcome["attempts"]) - 1]
        corners = asset.vertices[asset.faces[asset.part_ids == part]].reshape(-1, 3) * asset.scale + np.array(asset.center)
        _, scale, center = compose(asset.provenance["plan"])
        local = ((corners - center) / scale - outcome["center"]) @ quaternion_matrix(attempt["quaternion"]) / attempt["size"]
        if outcome["kind"] == "sphere":
            assert np.abs(np.linalg.norm(local, axis=1) - 1).max() < 0.03
        elif outcome["kind"] == "cube":
            assert np.abs(np.abs(local).max(1) - 1).max() < 1e-3
    assert done >= 10


def test_a_boolean_that_can_not_succeed_is_recorded():
    config = ZeroverseConfig(boolean=1.0, wireframe=0.0, min_removed=0.6, max_removed=0.61, attempts=3, **PLAIN)
    outcomes = [generate(config, 0, index).provenance["outcome"]["boolean"] for index in range(6)]
    failed = [o for o in outcomes if o["kind"] is None]
    assert failed
    for outcome in failed:
        assert len(outcome["attempts"]) == 3
        assert {a["result"] for a in outcome["attempts"]} <= {"hidden", "removed_too_little", "removed_too_much"}


def test_every_preset_generates():
    for name in presets():
        asset = generate(ZeroverseConfig(preset=name, texture_size=16, composition="solid"), 0, 1)
        asset.check()
        assert asset.provenance["plan"]["preset"] == name


def test_captions_and_tags_say_what_was_made():
    solo = ZeroverseConfig(preset="level-1", primitives={"torus": 1}, texture_size=16)
    assert generate(solo, 0, 0).caption.startswith("A torus in ")
    three = ZeroverseConfig(
        count_weights=(0, 0, 1), primitives={"cube": 1}, boolean=1.0, wireframe=0.0, cutters={"cone": 1}, **PLAIN
    )
    asset = next(a for a in (generate(three, 0, index) for index in range(5)) if a.provenance["outcome"]["boolean"]["kind"])
    assert asset.caption == "A composition of three cubes, with a cone cut out of it."
    assert {"boolean", "cube", "raw"} <= set(asset.tags)
    assert list(asset.tags) == sorted(asset.tags)
    assert asset.source == "zeroverse"


def test_the_docs_show_every_preset():
    page = (Path(__file__).parents[2] / "docs" / "zeroverse.md").read_text()
    ranges = {"level-2": "level-1", "level-3": "level-1", "level-4": "level-1"}  # one row: level-1 to level-5
    for name in presets():
        assert f"`{ranges.get(name, name)}`" in page, name
    assert len([line for line in page.splitlines() if line.startswith("![")]) == len(presets()) - 2


def test_presets_merge_and_refuse():
    assert ZeroverseConfig(preset="xu2018").placement == "sequential"
    assert ZeroverseConfig(preset="xu2018", placement="cube").placement == "cube"
    assert ZeroverseConfig.model_validate(ZeroverseConfig(preset="release").model_dump()) == ZeroverseConfig(preset="release")
    assert ZeroverseConfig() == ZeroverseConfig(preset="paper")
    assert len([name for name in presets() if name.startswith("level-")]) == 13
    for wrong in (
        {"preset": "papr"},
        {"boolean": 0.9, "wireframe": 0.2},
        {"primitives": {"cube": 0}},
        {"primitives": {"pyramid": 1}},
        {"count_weights": ()},
        {"semi_axes": (2.0, 0.25)},
        {"min_removed": 0.8},
        {"unknown": 1},
    ):
        with pytest.raises(ValidationError):
            ZeroverseConfig(**wrong)


def test_one_texture_per_object_in_the_release_preset():
    asset = generate(ZeroverseConfig(preset="release", texture_size=16), 0, 2)
    assert len({m.content_hash for m in asset.materials}) == 1
    asset = generate(ZeroverseConfig(texture_size=16), 0, 0)
    assert len({m.content_hash for m in asset.materials}) > 5


def test_drawn_shares_match_the_configured_ones():
    plans = [zeroverse.draw(RAW, 123, index) for index in range(3000)]
    count = Counter(len(p["primitives"]) for p in plans)
    weights = np.array(RAW.count_weights)
    expected = weights / weights.sum() * len(plans)
    assert chisquare([count[k + 1] for k in range(9)], expected).pvalue > 1e-3
    kinds = Counter(q["kind"] for p in plans for q in p["primitives"])
    assert chisquare([kinds[k] for k in KINDS]).pvalue > 1e-3
    augmented = Counter("b" if p["boolean"] else "w" if p["wireframe"] else "n" for p in plans)
    assert not any(p["boolean"] and p["wireframe"] for p in plans)
    assert chisquare([augmented[k] for k in "bwn"], [1200, 600, 1200]).pvalue > 1e-3
    displaced = sum(len(q["heights"]) for p in plans for q in p["primitives"])
    able = sum(len(q["materials"]) for p in plans for q in p["primitives"] if q["kind"] != "torus")
    assert chisquare([displaced, able - displaced]).pvalue > 1e-3
    cutters = Counter(p["boolean"]["attempts"][0]["kind"] for p in plans if p["boolean"])
    assert "torus" not in cutters


def test_golden_assets():
    """Draws must match to the bit everywhere; geometry within a tolerance, as processors round differently."""
    golden = json.loads(GOLDEN.read_text())
    assert len(golden) == 20
    for index, expected in enumerate(golden):
        asset = generate(golden_config(index), 7, index)
        assert digest(asset.provenance["plan"]) == expected["plan"], index
        assert abs(len(asset.faces) - expected["triangles"]) <= 0.01 * expected["triangles"]
        assert mesh.volume(asset.vertices, asset.faces) == pytest.approx(expected["volume"], rel=1e-3)
        assert mesh.face_areas(asset.vertices, asset.faces).sum() == pytest.approx(expected["area"], rel=1e-3)


@pytest.mark.parametrize("workers", [1, 2])
def test_hashes_are_equal_in_other_processes_and_under_other_worker_counts(workers):
    here = [golden_hash(index) for index in range(20)]
    code = f"""
import importlib.util, multiprocessing, sys
spec = importlib.util.spec_from_file_location("golden_assets", {__file__!r})
module = importlib.util.module_from_spec(spec)
sys.modules["golden_assets"] = module
spec.loader.exec_module(module)
with multiprocessing.get_context("fork").Pool({workers}) as pool:
    print(*pool.map(module.golden_hash, reversed(range(20)), chunksize=3))
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.split()[::-1] == here
