"""Progress where there is no terminal: each line has the time, the dataset and the run; JSON for collectors; sensible times."""

import json
import re
import time
from datetime import datetime

import pytest
from typer.main import get_command

from versemill.mill.cli import app
from versemill.mill.commands.common import LogKind, log_of
from versemill.mill.run import progress
from versemill.mill.run.progress import Display, Log, Tally, steps
from versemill.mill.terminal import Terminal


def record(source: str = "zeroverse", status: str = "row") -> dict[str, object]:
    return {"source": source, "status": status, "bytes": 10, "seconds": {"source": (0.1, 0.1)}}


def test_a_line_names_time_dataset_and_run(capsys: pytest.CaptureFixture[str]) -> None:
    log = Log(Terminal(stderr=True), "s3://bucket/data")
    log.run = "r7"
    with Display(Tally(total=4), log, shown=True) as display:
        display.say("asset 3 failed at render: too \x1b[31mred")
    first, last = capsys.readouterr().err.splitlines()
    stamp, dataset, run, text = first.split(" ", 3)
    assert datetime.fromisoformat(stamp).tzinfo is not None
    assert (dataset, run) == ("s3://bucket/data", "r7")
    assert text == "asset 3 failed at render: too \\x1b[31mred"
    assert re.search(r" s3://bucket/data r7 0/4 assets, ", last)


def test_json_lines_hold_counts(capsys: pytest.CaptureFixture[str]) -> None:
    tally = Tally(total=3)
    with Display(tally, Log(Terminal(stderr=True), "d", "json"), shown=True):
        tally.add(record())
        tally.add(record(status="rejected") | {"rejection": {"stage": "filter", "reason": "flat"}})
    (line,) = map(json.loads, capsys.readouterr().err.splitlines())
    assert {name: line[name] for name in ("dataset", "done", "total", "rows", "rejected", "failed")} == {
        "dataset": "d", "done": 2, "total": 3, "rows": 1, "rejected": 1, "failed": 0,
    }  # fmt: skip


def test_long_work_that_is_no_run_logs_in_the_same_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with steps("training micro", Log(Terminal(stderr=True), "out/run", run="r8")) as step:
        step(1, 2, {"loss": 0.5})  # sparse: the last step is always printed
        step(2, 2, {"loss": 0.25})
    stamp, folder, run, text = capsys.readouterr().err.rstrip().split(" ", 3)
    assert datetime.fromisoformat(stamp).tzinfo is not None
    assert (folder, run, text) == ("out/run", "r8", "training micro: 2/2, loss 0.25")
    with steps("training micro", Log(Terminal(stderr=True), "out/run", "json", "r8")) as step:
        step(2, 2, {"loss": 0.25, "psnr": 20.0})
    facts = json.loads(capsys.readouterr().err)
    assert {name: facts[name] for name in ("dataset", "run", "done", "total", "loss", "psnr")} == {
        "dataset": "out/run", "run": "r8", "done": 2, "total": 2, "loss": 0.25, "psnr": 20.0,
    }  # fmt: skip


@pytest.mark.parametrize("command", ["train", "evaluate", "validate", "ablate", "export", "dedup", "merge", "run", "extend"])
def test_long_commands_take_the_form_of_the_log(command: str) -> None:
    (option,) = (each for each in get_command(app).commands[command].params if each.name == "log")
    assert option.opts == ["--log"]


def test_a_command_names_its_run(capsys: pytest.CaptureFixture[str]) -> None:
    log = log_of("s3://key:secret@bucket/data", LogKind.json)
    log.write("a line")
    facts = json.loads(capsys.readouterr().err)
    assert "secret" not in facts["dataset"]
    assert re.fullmatch(r"\d+-[0-9a-f]{8}-[0-9a-f]{32}", facts["run"])


def test_no_time_left_is_told_before_it_means_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten seconds of start-up, then one asset a second: 90 s are left after ten of a hundred, and nothing is said at first."""
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    tally = Tally(total=101)
    display = Display(tally, Log(Terminal(stderr=True), "d"), shown=False)
    said = []
    for second in range(10, 21):
        clock[0] = float(second)
        tally.add(record())
        said.append(display._facts())
    assert not any("left" in text for text in said[: progress.SETTLED])
    assert "90 s left" in said[10]


@pytest.mark.parametrize(
    ("seconds", "text"), [(45, "45 s"), (600, "10 min"), (7500, "2 h 05 min"), (300_000, "3.5 days")]
)  # fmt: skip
def test_durations(seconds: float, text: str) -> None:
    assert progress.duration(seconds) == text
