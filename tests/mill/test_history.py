"""The gate's memory: a gain that falls too far below the dataset's past fails; a first verdict has no past."""

from pathlib import Path
from typing import Any

import pytest

from versemill.errors import ConfigError
from versemill.mill.proof.validation import judge, read_history
from versemill.training import Verdict


def entry(gain: float, basis: str, passed: bool = True, training: str = "t") -> dict[str, Any]:
    return {
        "at": f"2026-07-{int(gain * 10):02d}T00:00:00",
        "basis": basis,
        "training": training,
        "gain": gain,
        "passed": passed,
    }


GOOD = Verdict(True, "passed: well", {"evaluation": {}})


def test_the_first_verdict_stands_alone() -> None:
    assert judge(GOOD, entry(3, "now"), [], 1.0, "dB") is GOOD
    others = [entry(9, "now"), entry(9, "old", passed=False), entry(9, "old", training="other")]
    assert judge(GOOD, entry(3, "now"), others, 1.0, "dB") is GOOD


def test_a_fall_beyond_the_limit_fails_and_says_so() -> None:
    past = [entry(1.0, "older"), entry(2.4, "old")]
    fallen = judge(GOOD, entry(1.2, "now"), past, 1.0, "dB")
    assert not fallen.passed
    assert fallen.sentence.startswith("failed: well; -1.20 dB against its past of 2026-07-24, more than 1.0 dB below")
    assert fallen.metrics["past"]["last"]["basis"] == "old"
    for now, limit in ((1.5, 1.0), (1.2, None), (2.9, 1.0)):
        assert judge(GOOD, entry(now, "now"), past, limit, "dB").passed


def test_a_failed_verdict_is_never_made_good() -> None:
    bad = Verdict(False, "failed: badly", {})
    assert not judge(bad, entry(9, "now"), [entry(2, "old")], 1.0, "dB").passed


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    assert read_history(tmp_path / "none.jsonl") == []
    for content in ("{", "[]", '{"at": 1}'):
        (tmp_path / "h.jsonl").write_text(content + "\n")
        with pytest.raises(ConfigError, match="not a history"):
            read_history(tmp_path / "h.jsonl")
