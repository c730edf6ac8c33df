"""The stages on a whole dataset, after its last shard: export, validate, report. Each is done once for the same shards."""

from collections.abc import Callable, Mapping
from typing import Any

from versemill.config import digest
from versemill.errors import ConfigError
from versemill.mill.folder import entries
from versemill.mill.folder.dataset import Dataset
from versemill.mill.pipeline.config import Pipeline
from versemill.shards import FORMATS, export

FILE = "after.json"

Progress = Callable[[int, int, Mapping[str, float]], None]


def check(pipeline: Pipeline, dataset: Dataset) -> None:
    """Rejects, before the first asset is made, stages that could not run after the last.

    Raises:
        ConfigError: an unknown export format, or a dataset in an object store, where these stages can't write.
    """
    if pipeline.run.then and not dataset.local:
        raise ConfigError(f"run.then needs a local folder, but '{dataset.uri}' is not one; leave it out: --set run.then=[]")
    if "export" not in pipeline.run.then:
        return
    for name in pipeline.export.formats:
        FORMATS.find(name)


def finish(pipeline: Pipeline, dataset: Dataset, progress: Progress) -> list[tuple[bool, str]]:
    """Runs the stages of `run.then` that have not run yet for the shards of a complete dataset.

    Returns:
        One (went well, sentence) for each stage that was done now; only `validate` may fail.
    """
    hashes = [(entries.read(dataset, shard) or {}).get("sha256") for shard in dataset.sealed()]
    done: dict[str, Any] = dataset.read(FILE) or {}
    answers = []
    for stage in pipeline.run.then:
        basis = digest({"shards": hashes, "config": pipeline.resolved.get(stage)})
        if done.get(stage) == basis:
            continue
        answers.append(STAGES[stage](pipeline, dataset, progress))
        if answers[-1][0]:
            done[stage] = basis
            dataset.write(FILE, done)
    return answers


def _export(pipeline: Pipeline, dataset: Dataset, progress: Progress) -> tuple[bool, str]:
    said = []
    for name in pipeline.export.formats:
        target = dataset.path("exports", name)
        done = export(dataset.root, name, target, split=pipeline.export.split, progress=lambda k, n: progress(k, n, {}))
        said.append(f"{done.assets} assets in {target}")
    return True, f"exported {'; '.join(said)}"


def _validate(pipeline: Pipeline, dataset: Dataset, progress: Progress) -> tuple[bool, str]:
    from versemill.mill.proof import validation

    verdict = validation.validate(dataset.root, progress)
    return verdict.passed, verdict.sentence


def _report(pipeline: Pipeline, dataset: Dataset, progress: Progress) -> tuple[bool, str]:
    from versemill.mill import report

    return True, f"wrote {report.write(dataset.root)}"


STAGES = {"export": _export, "validate": _validate, "report": _report}
