"""The ledger's entries and their timings: an entry counts when it is whole and describes its shard."""

import re
from collections.abc import Mapping
from typing import Any

from versemill.mill.folder.dataset import Dataset

Entry = dict[str, Any]
"""What the ledger says of a sealed shard; see `mill.folder.staging`."""

TYPES: dict[str, type] = {
    "shard": int, "file": str, "sha256": str, "bytes": int, "rows": int, "indices": list, "sources": dict, "rejections": list,
    "failures": list, "digest": str, "fingerprint": dict,
}  # fmt: skip
LOST: dict[str, type] = {"index": int, "source": str, "stage": str, "reason": str, "message": str}


def read(dataset: Dataset, shard: int) -> Entry | None:
    """The entry of a shard, or None where there is none or it is damaged."""
    content = dataset.read(dataset.ledger_file(shard))
    return None if content is None or fault(dataset, shard, content) else content


def timings(dataset: Dataset, shard: int) -> dict[str, dict[str, Any]]:
    """Index -> the timings of an asset; empty where they are missing or damaged."""
    content = dataset.read(dataset.timings_file(shard))
    assets = content.get("assets") if isinstance(content, dict) else None
    if not isinstance(assets, dict) or not all(isinstance(each, dict) for each in assets.values()):
        return {}
    return {index: each for index, each in assets.items() if index.isdigit() and _timed(each.get("seconds", {}))}


def _timed(seconds: Any) -> bool:
    return isinstance(seconds, dict) and all(
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(value, int | float) for value in pair)
        for pair in seconds.values()
    )


def fault(dataset: Dataset, shard: int, entry: Any) -> str | None:
    """What is wrong with the content of a ledger file, in a phrase; None where nothing is."""
    if not isinstance(entry, dict):
        return "it is not a mapping"
    if wrong := _misfit(entry, TYPES):
        return wrong
    if entry["shard"] != shard or entry["file"] != dataset.shard_file(shard):
        return f"it describes shard {entry['shard']} in '{entry['file']}'"
    if not re.fullmatch("[0-9a-f]{64}", entry["sha256"]):
        return f"its sha256 '{entry['sha256'][:80]}' is not a SHA-256"
    for lost in (*entry["rejections"], *entry["failures"]):
        if not isinstance(lost, dict) or _misfit(lost, LOST):
            return "a rejection or failure in it is incomplete"
    if not all(isinstance(name, str) and index.isdecimal() for index, name in entry["sources"].items()):
        return "its sources are not those of indices"
    known = [*entry["indices"], *(lost["index"] for key in ("rejections", "failures") for lost in entry[key])]
    if not all(isinstance(index, int) for index in known) or sorted(known) != list(dataset.indices(shard)):
        return "its indices are not those of this shard, each once"
    if entry["rows"] != len(entry["indices"]) or sorted(map(int, entry["sources"])) != sorted(known):
        return "its numbers of rows and sources are not those of its indices"
    return None


def _misfit(content: Mapping[str, Any], types: Mapping[str, type]) -> str | None:
    for name, kind in types.items():
        if not isinstance(content.get(name), kind) or isinstance(content[name], bool):
            return f"its '{name}' is missing or not a {kind.__name__}"
    return None
