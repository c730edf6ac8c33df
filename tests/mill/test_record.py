"""What a run tells of itself: Prometheus reads it, and its numbers are those of the ledger."""

import json
import re
import shutil

import pytest
from prometheus_client.parser import text_string_to_metric_families
from test_run import run
from typer.testing import CliRunner

from versemill.mill import cli
from versemill.mill.folder.dataset import Dataset
from versemill.mill.pipeline import config
from versemill.mill.report.status import status
from versemill.mill.run.progress import Tally
from versemill.mill.run.record import Record, exposition

COUNTERS = re.compile(r"_total$")


def samples(text):
    """(name, labels) -> value, by Prometheus' own parser."""
    families = list(text_string_to_metric_families(text))
    assert len({family.name for family in families}) == len(families)
    for family in families:
        assert family.documentation
        assert family.name.startswith("versemill_")
        assert all((family.type == "counter") == bool(COUNTERS.search(sample.name)) for sample in family.samples)
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


@pytest.fixture(scope="module")
def made(two_workers, tmp_path_factory):
    folder = tmp_path_factory.mktemp("record")
    (folder / "faults.json").write_text(json.dumps({"3": "raise", "20": "once abort"}))
    overrides = ["sources.zeroverse=null", "sources.t.source=millstones:TRIVIAL", "sources.t.reject_every=7", "run.chunk=1"]
    overrides += [f"sources.t.faults={folder / 'faults.json'}", "shards.assets_per_shard=16"]
    run(config.load("base", overrides=overrides, assets=40, seed=1), folder / "a")
    return folder / "a"


@pytest.fixture
def finished(made, tmp_path):
    return shutil.copytree(made, tmp_path / "a")


def test_the_file_holds_what_the_ledger_holds(finished):
    text = (finished / "metrics.prom").read_text()
    values = samples(text)
    facts = status(finished)

    def value(name, **labels):
        return values[f"versemill_{name}", frozenset(labels.items())]

    for fate, word in (("row", "rows"), ("rejected", "rejected"), ("failed", "failed")):
        assert value("run_assets_total", source="t", fate=fate) == facts["counts"][word]
    assert value("run_rejections_total", stage="filter", reason="unwanted") == facts["rejections"]["filter: unwanted"] == 6
    assert value("run_failures_total", stage="curate", reason="exception") == 1
    assert value("run_retries_total") == 2
    assert value("dataset_assets") == 40
    assert value("dataset_shards_sealed") == value("dataset_shards") == 3
    assert value("run_active") == 0
    assert value("run_assets_left") == 0
    assert value("run_cores") == 2
    assert 0 < value("run_busy_ratio") < 1.5
    assert value("run_cpu_seconds_total") == pytest.approx(value("run_busy_ratio") * 2 * value("run_seconds"), rel=0.05)
    assert value("run_stage_assets_total", stage="seal") == 3
    assert value("run_assets_per_second") == pytest.approx(40 / value("run_seconds"), rel=0.01)
    assert value("disk_free_bytes") > 0
    shown = CliRunner().invoke(cli.app, ["status", str(finished), "--prometheus"])
    assert shown.exit_code == 0
    assert samples(shown.stdout) == values


def test_status_has_every_figure_after_a_run(finished):
    facts = status(finished)
    latest = facts["run"]
    assert facts["state"] == "incomplete"  # one asset failed
    assert (latest["state"], latest["made"], latest["left"], latest["eta"]) == ("done", 40, 0, None)
    assert (latest["rows"], latest["rejected"], latest["failed"], latest["retries"]) == (33, 6, 1, 2)
    assert latest["rate"] > 0
    assert facts["stages"]["source"] == {**facts["stages"]["source"], "entered": 33, "passed": 33}
    (failure,) = facts["failures"]
    assert (failure["index"], failure["seed"], failure["command"]) == (3, 1, f"versemill debug {finished} 3")


def test_a_run_that_goes_on_says_how_long(finished):
    dataset = Dataset.open(finished)
    tally = Tally(total=100, earlier=10)
    for index in range(30):
        tally.add({"index": index, "source": 'a "b"\\c', "status": "row", "bytes": 10, "seconds": {"source": (0.5, 0.25)}})
    record = Record(dataset, "x", tally, 2, "f")
    record._started -= 10
    record.write("running", in_flight=3)
    values = samples((finished / "metrics.prom").read_text())
    assert values["versemill_run_active", frozenset()] == 1
    assert values["versemill_run_assets_left", frozenset()] == 60
    assert values["versemill_run_tasks_in_flight", frozenset()] == 3
    assert values["versemill_run_eta_seconds", frozenset()] == pytest.approx(60 / 30 * 10, rel=0.05)
    assert values["versemill_run_stage_cpu_seconds_total", frozenset({("stage", "source")})] == 7.5
    assert values["versemill_run_row_bytes_total", frozenset()] == 300
    label = frozenset({("source", 'a "b"\\c'), ("fate", "row")})
    assert values["versemill_run_assets_total", label] == 30
    latest = status(finished)["run"]
    assert latest["number"] == 2
    assert latest["state"] == "killed", "it says that it goes on, and nobody holds the lock"


def test_the_latest_run_is_the_last_one_whatever_the_clock_says(finished, monkeypatch):
    import datetime as real

    class Earlier(real.datetime):
        @classmethod
        def now(cls, tz=None):
            return real.datetime(1999, 1, 1, tzinfo=tz)

    monkeypatch.setattr("versemill.mill.run.record.datetime.datetime", Earlier)
    Record(Dataset.open(finished), "y", Tally(total=0), 2, "f").write("stopped")
    assert [run["run"] for run in status(finished)["runs"]][-1] == "y"


def test_a_dataset_without_a_run_has_metrics_too(finished):
    for path in (finished / "runs").iterdir():
        path.unlink()
    values = samples(exposition(Dataset.open(finished), None))
    assert values["versemill_dataset_shards", frozenset()] == 3
