"""The state of a dataset: counts per stage, rates, rejections, failures, seconds; during a run and after it."""

from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from versemill.mill.folder import census, columns, entries, staging, strays
from versemill.mill.folder.dataset import Dataset, is_running
from versemill.mill.pipeline.stages import STAGES
from versemill.mill.run.progress import counts, duration
from versemill.mill.run.record import exposition

COLOURS = {
    "complete": "green", "running": "yellow", "stopped": "yellow", "incomplete": "yellow", "failed": "red", "damaged": "red",
}  # fmt: skip


EXAMPLES = 5
"""Rejected assets that the page names of each reason."""

NAMED = 20
"""Rejected assets that are named; --json has no more, the ledger has all."""


def status(directory: str | Path) -> dict[str, Any]:
    """Facts of a dataset, JSON-able.

    Returns:
        `pipeline`, `seed`, `digest`, `assets`, `shards` {sealed, total, bytes}, `damaged` (a phrase for each file that is
        missing, damaged or a stray), `state` ("running", "stopped", "damaged", "failed": complete without a single row,
        "incomplete": complete but for assets that failed, "complete"),
        `extensions` [number, views, passes, complete], `counts` {rows, rejected, failed, staged, left},
        `sources` name -> {rows, rejected, failed},
        `stages` name -> {entered, passed, cpu, wall} (seconds per asset that entered),
        `rejections` ["stage: reason" -> count], `rejected` [index, source, stage, reason, message, item] of the first ones,
        `failures` [index, stage, reason, signal, message, seed, command] (`command` makes it
        alone, where it was made; None in a union whose part lay in several folders),
        `runs` (their records) and `run`, the latest with `rate` (assets per second), `eta` and `busy`.

    Raises:
        ConfigError: there is no dataset.
    """
    dataset = Dataset.open(directory)
    facts = census.read(dataset)
    sealed = census.whole(facts)
    staged = _staged(dataset)
    runs = dataset.runs()
    sources = _by_source(dataset, sealed, staged)
    counted = {fate: sum(each[fate] for each in sources.values()) for fate in ("rows", "rejected", "failed")}
    rejected = [_flat(r) for r in staged if r["status"] == "rejected"]
    failed = [_flat(r) for r in staged if r["status"] == "failed"]
    failures = [_failure(dataset, shard, f) for shard, fact in facts.items() for f in fact.get("failures", ())]
    failures += [_failure(dataset, None, f) for f in failed]
    rejections = census.merge(
        [*(f["rejections"] for f in sealed), census.count(f"{r['stage']}: {r['reason']}" for r in rejected)]
    )
    left = dataset.assets - sum(counted.values())
    running = is_running(dataset)
    damaged = _damaged(dataset, facts)
    return {
        "directory": dataset.uri,
        "pipeline": dataset.info["pipeline"],
        "seed": dataset.info["seed"],
        "digest": dataset.info["digest"],
        "state": "running" if running else _state(dataset, len(sealed), damaged, counted),
        "assets": dataset.assets,
        "damaged": damaged,
        "shards": {"sealed": len(sealed), "total": dataset.shards, "bytes": sum(f["bytes"] for f in sealed)},
        "extensions": [
            {name: getattr(each, name) for name in ("number", "views", "passes", "complete")}
            for each in columns.extensions(dataset)
        ],
        "counts": {**counted, "staged": len(staged), "left": left},
        "sources": sources,
        "stages": _stages(sealed, staged, [*rejected, *failed]),
        "rejected": _rejected(dataset, facts, rejected),
        "rejections": dict(sorted(rejections.items(), key=lambda pair: (-pair[1], pair[0]))),
        "failures": sorted(failures, key=lambda f: f["index"]),
        "run": _latest(runs, left, running),
        "runs": runs,
    }


def _damaged(dataset: Dataset, facts: dict[int, census.Facts]) -> list[str]:
    gone = [f"'{dataset.shard_file(shard)}' is missing or of another size" for shard in census.absent(dataset, facts)]
    return [*gone, *(f"'{name}' is damaged, or not of this dataset" for name in strays.find(dataset))]


def _state(dataset: Dataset, sealed: int, damaged: list[str], counted: dict[str, int]) -> str:
    """How a dataset stands that no run writes to."""
    if damaged:
        return "damaged"
    if sealed < dataset.shards:
        return "stopped"
    if counted["failed"]:
        return "incomplete" if counted["rows"] else "failed"
    return "complete"


def _staged(dataset: Dataset) -> list[dict[str, Any]]:
    names = [f"staging/{name}" for name in dataset.folders("staging")]
    records = (staging.read(dataset, name, index) for name in names for index in staging.staged(dataset, name))
    return [record for record in records if record is not None]


def _rejected(dataset: Dataset, facts: dict[int, census.Facts], staged: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first `NAMED` rejected assets, each with its index, source, stage, reason, message, and its file where it has one."""
    named: list[dict[str, Any]] = []
    for shard, fact in facts.items():
        if len(named) < NAMED and fact.get("rejections"):
            named += (entries.read(dataset, shard) or {"rejections": []})["rejections"]
    return sorted([*named, *staged], key=lambda entry: entry["index"])[:NAMED]


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    return {"index": record["index"], "source": record["source"], **(record.get("rejection") or record["failure"])}


def _by_source(dataset: Dataset, sealed: list[census.Facts], staged: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    fates = ("rows", "rejected", "failed")
    tallies = {name: dict.fromkeys(fates, 0) for name in dataset.info["config"]["sources"]}
    for name, numbers in (pair for fact in sealed for pair in fact["sources"].items()):
        for fate, number in zip(fates, numbers, strict=True):
            tallies[name][fate] += number
    for record in staged:
        tallies[record["source"]]["rows" if record["status"] == "row" else record["status"]] += 1
    return tallies


def _stages(
    sealed: list[census.Facts], staged: list[dict[str, Any]], unsealed_losses: list[dict[str, Any]]
) -> dict[str, dict[str, float]]:
    """Per stage: assets that entered and passed, and mean CPU and wall seconds of those that entered."""
    timed = [*(fact["seconds"] for fact in sealed), census.seconds(staged)]
    here = census.count(census.STAGE_OF.get(r["stage"], "curate") for r in unsealed_losses)
    lost = census.merge([*(fact["lost"] for fact in sealed), here])
    result = {}
    for stage in STAGES:
        entered, cpu, wall = (sum(each[stage][k] for each in timed if stage in each) for k in range(3))
        result[stage] = {
            "entered": entered,
            "passed": max(entered - lost.get(stage, 0), 0),
            "cpu": round(cpu / max(entered, 1), 4),
            "wall": round(wall / max(entered, 1), 4),
        }
    return result


def _failure(dataset: Dataset, shard: int | None, failure: dict[str, Any]) -> dict[str, Any]:
    """A failure with its seed and its command; those of a sealed `shard` of a union are the part's that it came from."""
    info, homes = dataset.info, [dataset.uri]
    if dataset.merged and shard is not None and (place := dataset.part(shard)):
        info = place[0]
        homes = info["from"]
    command = f"versemill debug {homes[0]} {failure['index']}" if len(homes) == 1 else None
    return {**failure, "seed": info["seed"], "command": command}


def prometheus(directory: str | Path, facts: dict[str, Any]) -> str:
    """The latest run of `status`'s facts in Prometheus' text format."""
    return exposition(Dataset.open(directory), facts["run"])


def _latest(runs: list[dict[str, Any]], left: int, running: bool) -> dict[str, Any] | None:
    if not runs:
        return None
    latest = dict(runs[-1])
    latest["rate"] = round(latest["made"] / latest["wall"], 4) if latest["wall"] else 0.0
    latest["eta"] = round(latest.get("left", left) / latest["rate"]) if running and latest["rate"] else None
    if latest["state"] == "running" and not running:
        latest["state"] = "killed"
    return latest


def text(facts: dict[str, Any]) -> RenderableType:
    """The facts of `status` as a page for a terminal."""
    numbers, shards, run = facts["counts"], facts["shards"], facts["run"]
    head = Text.assemble(
        (f"{facts['directory']}", "bold"),
        f"  {facts['pipeline']}, seed {facts['seed']}, config {facts['digest'][:12]}: ",
        (facts["state"], COLOURS[facts["state"]]),
        "\n",
        f"{shards['sealed']} of {shards['total']} shards sealed, {shards['bytes'] / 1e6:.1f} MB; ",
        f"{numbers['rows']} rows, {numbers['rejected']} rejected, {numbers['failed']} failed, {numbers['left']} left",
    )
    parts: list[RenderableType] = [head]
    for each in facts["extensions"]:
        what = f"{each['views']} views" if each["views"] else ", ".join(each["passes"])
        parts.append(
            Text(f"extended by {what}" + ("" if each["complete"] else f", unfinished: `versemill extend {facts['directory']}`"))
        )
    parts += [Text(f"{what}; see `versemill verify {facts['directory']}`", style="red") for what in facts["damaged"][:10]]
    if run:
        eta = f", {duration(run['eta'])} left" if run["eta"] is not None else ""
        parts.append(
            Text(
                f"latest run: {run['state']}, {run['made']} assets in {duration(run['wall'])} ({run['rate'] * 60:.1f}/min)"
                f"{eta}; {run['busy']:.0%} of {run['cores']} cores busy"
            )
        )
    stages = Table(
        "stage", *(("entered", "passed", "core-seconds", "seconds")), box=None, title="per asset", title_justify="left"
    )
    for column in stages.columns[1:]:
        column.justify = "right"
    for name, stage in facts["stages"].items():
        stages.add_row(name, f"{stage['entered']}", f"{stage['passed']}", f"{stage['cpu']:.2f}", f"{stage['wall']:.2f}")
    total = sum(stage["cpu"] for stage in facts["stages"].values())
    stages.add_row("all", "", "", f"{total:.2f}", "")
    parts += [Text(), stages, Text()]
    for name, each in facts["sources"].items():
        parts.append(Text(f"source {name}: {counts(each)}"))
    for reason, number in facts["rejections"].items():
        parts.append(Text(f"rejected {number} x {reason}"))
        alike = [each for each in facts["rejected"] if f"{each['stage']}: {each['reason']}" == reason]
        for each in alike[:EXAMPLES]:
            name = each.get("item") or f"asset {each['index']}"
            parts.append(Text(f"    {name}: {each['message'].removeprefix(f'{Path(name).name} ')}", style="dim"))
    for failure in facts["failures"][:10]:
        parts.append(Text(f"failed {failure['index']} at {failure['stage']}: {failure['message']}", style="red"))
        if failure["command"]:
            parts.append(Text(f"    alone: {failure['command']}"))
    if len(facts["failures"]) > 10:
        parts.append(Text(f"and {len(facts['failures']) - 10} more failures; --json has them all"))
    return Group(*parts)
