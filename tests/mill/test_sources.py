"""The mix of sources: shares met nearly exactly, an index that never changes its source, files in order."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from versemill import detailverse, seeds
from versemill.detailverse import DetailverseConfig, sample_spec
from versemill.errors import ConfigError
from versemill.mill.pipeline import config, sources
from versemill.mill.pipeline.plan import Plan

SHARES = st.lists(st.floats(0, 10), min_size=1, max_size=5).filter(lambda shares: sum(shares) > 0.1)


@given(shares=SHARES, seed=st.integers(0, 2**63 - 1), count=st.integers(1, 3000))
def test_shares_are_met_within_a_few(shares, seed, count):
    weights = {str(k): share for k, share in enumerate(shares)}
    drawn = np.bincount(sources.assign(weights, seed, count), minlength=len(shares))
    expected = count * np.array(shares) / sum(shares)
    assert np.abs(drawn - expected).max() <= 3 + np.log2(count)  # a random draw would miss by sqrt(count)


@given(shares=SHARES, seed=st.integers(0, 2**63 - 1), count=st.integers(1, 500), more=st.integers(0, 500))
def test_an_index_keeps_its_source_however_many_follow(shares, seed, count, more):
    weights = {str(k): share for k, share in enumerate(shares)}
    few, many = sources.assign(weights, seed, count), sources.assign(weights, seed, count + more)
    assert (many[:count] == few).all()


def test_a_share_of_zero_makes_nothing():
    assert set(sources.assign({"a": 0, "b": 1, "c": 0}, 3, 5000)) == {1}


def test_seeds_differ():
    weights = {"a": 1.0, "b": 1.0}
    assert (sources.assign(weights, 0, 100) != sources.assign(weights, 1, 100)).any()


def family(settings, seed, index):
    (name,) = sources.of_one_family(settings, seed, index).categories
    return name


@pytest.mark.parametrize("seed", [0, 1, 7, 2**63])
@pytest.mark.parametrize("categories", [{}, {"vessel": 3, "robot": 1, "plant": 0, "bird": 2}])
def test_each_family_has_its_share_of_thirty_assets_and_of_more(seed, categories):
    settings = DetailverseConfig(categories=categories)
    drawn = [family(settings, seed, index) for index in range(200)]
    total = sum(settings.shares.values())
    for count in (30, 66, 200):
        for name, share in settings.shares.items():
            assert abs(drawn[:count].count(name) - count * share / total) <= 2
    assert set(drawn[:66]) == set(settings.shares)  # 66 random draws would miss four of 33 families


def test_the_family_that_is_handed_in_moves_no_other_draw():
    """What DetailVerse draws for itself is the asset that it makes when told of the same family alone."""
    for index in range(20):
        drawn = sample_spec(DetailverseConfig(), 3, index)
        assert sample_spec(DetailverseConfig(categories=[drawn.category]), 3, index) == drawn


def test_the_mill_makes_the_asset_of_the_family_that_it_picked():
    settings = DetailverseConfig(detail="fast", texture_size=32, categories=["column", "vessel"])
    for index in range(2):
        made = sources.DETAILVERSE.generate(settings, 3, index, None)
        alone = detailverse.generate(settings.model_copy(update={"categories": {family(settings, 3, index): 1.0}}), 3, index)
        assert made.content_hash == alone.content_hash
    assert {family(settings, 3, index) for index in range(2)} == {"column", "vessel"}


@pytest.mark.parametrize("seed", [0, 5])
def test_in_a_mix_each_split_holds_each_source_and_each_family(seed):
    """The three draws are independent of each other: none of them decides another."""
    count = 3000
    assigned = sources.assign({"zeroverse": 1, "detailverse": 2}, seed, count)
    splits = np.array([seeds.split(seed, index, (0.6, 0.2, 0.2)) for index in range(count)])
    families = np.array([family(DetailverseConfig(), seed, index) for index in range(count)])
    for split, share in zip(seeds.SPLITS, (0.6, 0.2, 0.2), strict=True):
        for source, weight in ((0, 1 / 3), (1, 2 / 3)):
            rows = (splits == split) & (assigned == source)
            assert abs(rows.sum() - share * weight * count) <= 8
            each = np.unique(families[rows], return_counts=True)[1]
            assert len(each) == len(DetailverseConfig().shares)
            assert each.min() >= 0.3 * rows.sum() / len(each)


@given(assigned=st.lists(st.integers(0, 4), max_size=200))
def test_ordinals_count_each_source_from_zero(assigned):
    counted = sources.ordinals(np.array(assigned, np.int32))
    assert counted.tolist() == [assigned[:i].count(name) for i, name in enumerate(assigned)]


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "meshes"
    for name in ("b.obj", "a/c.PLY", "a/b.stl", "z.glb", "notes.txt", "wood.png", ".hidden/x.obj"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def test_files_are_found_in_the_order_of_their_paths(folder):
    assert sources.mesh_files(sources.FilesConfig(path=str(folder))) == ["a/b.stl", "a/c.PLY", "b.obj", "z.glb"]


def test_record_holds_meshes_and_textures_and_notices_a_change(folder):
    settings = sources.FilesConfig(path=str(folder))
    before = sources.record(settings)
    assert sorted(before) == ["a/b.stl", "a/c.PLY", "b.obj", "wood.png", "z.glb"]
    (folder / "wood.png").write_text("pine")
    after = sources.record(settings, before)
    assert [name for name in before if before[name]["sha256"] != after[name]["sha256"]] == ["wood.png"]


def plan(folder, assets=None, extra=()):
    return Plan.of(config.load("files", overrides=[f"sources.files.path='{folder}'", *extra], assets=assets), {})


def test_a_folder_alone_makes_each_file_once(folder):
    made = plan(folder)
    assert [made.order(i).item for i in range(made.assets)] == ["a/b.stl", "a/c.PLY", "b.obj", "z.glb"]


def test_more_assets_than_files_is_refused(folder):
    with pytest.raises(ConfigError, match="5 assets asked for, but source 'files' has 4 files"):
        plan(folder, assets=5)


def test_exhausted_files_of_a_mix_are_told_apart(folder):
    made = plan(folder, assets=20, extra=["sources.zeroverse.share=1"])
    items = [made.order(i).item for i in range(20) if made.order(i).entry == "files"]
    assert items[:4] == ["a/b.stl", "a/c.PLY", "b.obj", "z.glb"]
    assert len(items) > 4
    assert set(items[4:]) == {""}


def test_a_tilde_is_the_home_directory(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder.parent))
    assert sources.mesh_files(sources.FilesConfig(path=f"~/{folder.name}")) == ["a/b.stl", "a/c.PLY", "b.obj", "z.glb"]


@pytest.mark.parametrize(("path", "word"), [("", "its folder"), ("/nowhere", "not a directory"), ("empty", "no mesh file")])
def test_a_folder_that_cannot_serve_is_refused(tmp_path, path, word):
    (tmp_path / "empty").mkdir()
    where = tmp_path / path if path == "empty" else path
    with pytest.raises(ConfigError, match=word):
        plan(where)


def test_endless_sources_need_a_number():
    loaded = config.load("base", overrides=["run.assets=null"])
    with pytest.raises(ConfigError, match="--assets N"):
        Plan.of(loaded, {})


def test_the_page_on_runs_describes_every_source():
    page = (Path(__file__).parents[2] / "docs" / "run.md").read_text()
    for name in sources.SOURCES.own:
        assert f"| `{name}` | {sources.SOURCES[name].description} |" in page
