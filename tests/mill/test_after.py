"""Stages on the whole dataset: each once for the same shards, and again when the shards are others."""

import pytest
from test_run import run

from versemill.errors import ConfigError
from versemill.mill.folder.dataset import Dataset
from versemill.mill.proof import after
from versemill.mill.upkeep import maintenance


def finish(pipeline, out):
    return after.finish(pipeline, Dataset.open(out), lambda done, total, figures: None)


@pytest.fixture
def counted(monkeypatch):
    """Every stage is done by name only; -> the names in the order in which they were done."""
    names = []

    def stage(name):
        def do(pipeline, dataset, progress):
            names.append(name)
            return name != "validate", f"{name} was here"

        return do

    monkeypatch.setattr(after, "STAGES", {name: stage(name) for name in after.STAGES})
    return names


def test_each_is_done_once_and_again_when_shards_change(two_workers, trivial, counted, tmp_path):
    pipeline = trivial(assets=20, overrides=["run.then=[export,report]"])
    run(pipeline, tmp_path / "a")
    assert finish(pipeline, tmp_path / "a") == [(True, "export was here"), (True, "report was here")]
    assert finish(pipeline, tmp_path / "a") == []
    maintenance.extend(tmp_path / "a", 40, maker=run.__globals__["millstones"].make, progress=False)
    again = maintenance.pipeline_of(Dataset.open(tmp_path / "a"))
    assert again.run.then == ("export", "report")
    assert len(finish(again, tmp_path / "a")) == 2
    assert counted == ["export", "report"] * 2


def test_a_gate_that_says_no_says_so_again(two_workers, trivial, counted, tmp_path):
    pipeline = trivial(assets=4, overrides=["run.then=[validate]"])
    run(pipeline, tmp_path / "a")
    assert [well for well, _ in finish(pipeline, tmp_path / "a") + finish(pipeline, tmp_path / "a")] == [False, False]


def test_an_export_lies_in_the_dataset(two_workers, trivial, tmp_path):
    pipeline = trivial(assets=4, overrides=["run.then=[export]", "export.formats=[webdataset]"])
    run(pipeline, tmp_path / "a")
    ((well, sentence),) = finish(pipeline, tmp_path / "a")
    assert well
    assert "exports/webdataset" in sentence
    assert list((tmp_path / "a" / "exports" / "webdataset").rglob("*.tar"))


def test_what_could_not_be_done_is_refused_before(trivial, tmp_path):
    with pytest.raises(ConfigError, match="unknown exporter 'usdz'; known: coco"):
        after.check(trivial(overrides=["run.then=[export]", "export.formats=[usdz]"]), Dataset.at(tmp_path))
    with pytest.raises(ConfigError, match="needs a local folder"):
        after.check(trivial(overrides=["run.then=[report]"]), Dataset.at("memory://a"))


def test_what_follows_does_not_change_the_data(trivial):
    assert trivial().digest == trivial(overrides=["run.then=[validate]", "export.formats=[nerf]"]).digest
