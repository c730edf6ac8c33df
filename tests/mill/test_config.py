"""Pipelines: what is merged, and that every mistake is one line with the place and the way out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from versemill.errors import ConfigError
from versemill.mill.pipeline import config


@pytest.fixture
def own(tmp_path):
    """own(text) -> the path of a pipelines file."""

    def write(text):
        path = tmp_path / "own.yaml"
        path.write_text(text)
        return path

    return write


def refusal(*arguments, **options):
    with pytest.raises(ConfigError) as caught:
        config.load(*arguments, **options)
    text = str(caught.value)
    assert "\n" not in text
    assert caught.value.exit_code == 2
    return text


def test_every_bundled_pipeline_resolves():
    names = [name for name, description in config.pipelines() if description]
    assert {"base", "quickstart", "zeroverse-paper", "detailverse", "mixed", "files"} <= set(names)
    for name in names:
        assert config.load(name, overrides=["sources.files.path=meshes"] if name == "files" else []).sources


@pytest.mark.parametrize(
    ("override", "place", "near"),
    [
        ("run.worker=2", "run.worker", "run.workers"),
        ("rnder.width=3", "rnder", "render"),
        ("render.camera.views=3", "render.camera", "render.cameras"),
        ("render.cameras.view=3", "render.cameras.view", "render.cameras.views"),
        ("curate.filters.min_face=1", "curate.filters.min_face", "curate.filters.min_faces"),
        ("sources.zeroverse.tnt=1", "sources.zeroverse.tnt", "sources.zeroverse.tint"),
        ("sources.zeroverse.shar=1", "sources.zeroverse.shar", "sources.zeroverse.share"),
        ("validate.presett=tiny", "validate.presett", "validate.preset"),
    ],
)
def test_unknown_key_is_refused_with_its_place_and_the_nearest(override, place, near):
    text = refusal("quickstart", overrides=[override])
    assert f"unknown key '{place}'" in text
    assert f"did you mean '{near}'?" in text


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("run.assets=-3", ["run.assets", "-3", "greater than 0"]),
        ("run.workers=many", ["run.workers", "many", "auto"]),
        ("run.deadline_s=0", ["run.deadline_s", "0"]),
        ("render.width=wide", ["render.width", "wide"]),
        ("sources.zeroverse.share=-1", ["sources.zeroverse.share", "-1"]),
        ("run=3", ["run must be a mapping", "3"]),
        ("sources.x.share=1", ["unknown source 'x'", "zeroverse"]),
        ("sources.zeroverse.share=0", ["share above 0"]),
        ("run.workers", ["section.key=value"]),
        ("run..workers=1", ["section.key=value"]),
        ("run.workers=[1", ["not valid YAML", "run.workers"]),
    ],
)
def test_invalid_value_names_place_and_value(override, words):
    text = refusal("base", overrides=[override])
    for word in words:
        assert word in text


def test_unknown_pipeline_names_the_nearest():
    assert "did you mean 'quickstart'?" in refusal("quikstart")


def test_extends_merges_deeply_and_the_child_wins(own):
    path = own("""
pipelines:
  mine:
    extends: quickstart
    render: {cameras: {views: 3}}
""")
    mine, parent = config.load("mine", file=path), config.load("quickstart")
    assert mine.render.cameras.views == 3
    assert mine.render.width == parent.render.width
    assert mine.resolved == {**parent.resolved, "render": mine.resolved["render"]}
    assert mine.digest != parent.digest


def test_null_takes_an_inherited_source_out(own):
    assert list(config.load("detailverse").sources) == ["detailverse"]
    assert list(config.load("quickstart", overrides=["sources.detailverse=null"]).sources) == ["zeroverse"]


def test_circle_of_extends_is_refused(own):
    path = own("pipelines: {a: {extends: b}, b: {extends: c}, c: {extends: a}}")
    assert "a -> b -> c -> a" in refusal("a", file=path)


def test_extends_of_nothing_names_who_extends_it(own):
    text = refusal("a", file=own("pipelines: {a: {extends: quikstart}}"))
    assert "extended by 'a'" in text
    assert "did you mean 'quickstart'?" in text


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("pipelines: [", "not valid YAML"),
        ("pipeline: {}", "one key"),
        ("pipelines: {a: 3}", "must be a mapping"),
        ("pipelines: {a: {}, a: {}}", "given twice"),
        ("pipelines: {a: !!python/object/apply:os.system [ls]}", "not valid YAML"),
    ],
)
def test_damaged_file_is_refused(own, text, word):
    assert word in refusal("a", file=own(text))


def test_missing_file_is_refused(tmp_path):
    assert "can't read" in refusal("a", file=tmp_path / "none.yaml")


def test_set_wins_over_file_and_arguments_win_over_set():
    loaded = config.load("quickstart", overrides=["run.assets=5", "run.seed=9", "run.assets=6"], seed=4)
    assert (loaded.run.assets, loaded.run.seed) == (6, 4)


@given(
    workers=st.integers(1, 64),
    retries=st.integers(0, 10),
    deadline=st.floats(0.1, 1e6),
    memory=st.integers(1, 10**6),
    assets=st.integers(1, 10**6),
)
def test_how_it_is_run_is_not_in_the_digest(workers, retries, deadline, memory, assets):
    overrides = [f"run.workers={workers}", f"run.retries={retries}", f"run.deadline_s={deadline}", f"run.memory_mb={memory}"]
    assert config.load("base", overrides=overrides, assets=assets).digest == config.load("base").digest


@pytest.mark.parametrize(
    "override",
    ["run.seed=5", "render.width=64", "sources.zeroverse.tint=0.25", "shards.assets_per_shard=8", "curate.resolution=64"],
)
def test_what_changes_the_data_changes_the_digest(override):
    assert config.load("base", overrides=[override]).digest != config.load("base").digest


def test_restore_gives_back_the_same_pipeline():
    loaded = config.load("mixed", overrides=["render.cameras.views=5"], assets=7, seed=3)
    again = config.restore(loaded.name, loaded.resolved)
    assert again.resolved == loaded.resolved
    assert again.digest == loaded.digest
