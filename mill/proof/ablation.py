"""Ablations: datasets that differ in named settings alone, the same training on each, and what the difference is worth.

    OUT/ablation.json       what is compared, the budget, every score, every comparison
    OUT/table.md, plot.png  the same for people
    OUT/data/ARM            an arm's dataset; data/test-NAME what all are judged on
    OUT/runs/ARM/seed-K     a training; scores.json there, when it is judged

Arms share the dataset seed, so they share the objects under their differences; they train on the indices that all of
them have, and on nothing else. The same command goes on where it was.
"""

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field
from versemill.mill.pipeline import config as pipelines
from versemill.mill.pipeline import pages
from versemill.mill.pipeline.config import Pipeline

from versemill.asset import Asset
from versemill.config import Config, digest
from versemill.errors import ConfigError

if TYPE_CHECKING:
    from versemill.reconstruction.ablation import Outcome
    from versemill.reconstruction.data import Scene
    from versemill.reconstruction.judging import Metric, Scores
    from versemill.reconstruction.presets import Preset

MESHES = "meshes"
"""The test set of the user's own meshes."""
Say = Callable[[str], None]
Steps = Callable[[str], AbstractContextManager[Callable[[int, int, Mapping[str, float]], None]]]
"""A label -> a context whose value is told of each step done: `mill.run.progress.steps`."""


class Arm(Config):
    """One way to do it."""

    set: dict[str, Any] = Field(default={}, description="settings of the pipeline by dotted path")
    train: dict[str, Any] = Field(default={}, description="settings of the model's preset")


class Base(Config):
    """What all arms share."""

    pipeline: str = Field(description="name of a pipeline")
    set: dict[str, Any] = Field(default={}, description="settings of it by dotted path")


class Ablation(Config):
    """A question and the arms that answer it."""

    question: str = Field(description="what is asked, for the table")
    arms: dict[str, Arm] = Field(min_length=2, description="name -> arm")


class AblationFile(Config):
    """A file of ablations."""

    base: Base | None = Field(default=None, description="what all arms share; by default what versemill brings")
    tests: dict[str, dict[str, Any]] | None = Field(
        default=None, description="test set -> settings by dotted path; by default what versemill brings", min_length=1
    )
    ablations: dict[str, Ablation] = Field(description="name -> ablation")


class Budget(Config):
    """What each training may cost; the same for every arm."""

    preset: str = Field(default="micro", description="the model that is trained")
    steps: int | None = Field(default=None, ge=1, description="optimiser steps; the preset's own by default")
    seeds: int = Field(default=3, ge=1, le=100, description="training seeds, the same for all arms; under 3 nothing is tested")
    assets: int = Field(default=200, ge=1, description="assets that each arm mills to train on")
    test_assets: int = Field(default=40, ge=1, description="assets of each test set; under 20 nothing is tested")
    views: Literal[4, 8] = Field(default=4, description="input views when judged; monocular is judged on every view by itself")
    dataset_seed: int = Field(default=0, ge=0, lt=2**62, description="seed of the arms' datasets; the tests' is one more")


def budget(**given: Any) -> Budget:
    """A budget, with a ConfigError for what is out of range."""
    return pipelines.checked("ablate", Budget, {name: value for name, value in given.items() if value is not None})


def known(file: str | Path | None = None) -> tuple[Base, dict[str, dict[str, Any]], dict[str, Ablation]]:
    """Base, tests and ablations by name: those that come with versemill, and those of a file, which win.

    Raises:
        ConfigError: the file can't be read, or is none of ablations.
    """
    own = Path(str(resources.files("versemill.mill.proof") / "ablations.yaml"))
    shipped = pipelines.checked(own.name, AblationFile, pages.read(own))
    mine = shipped if file is None else pipelines.checked(str(file), AblationFile, pages.read(Path(file)))
    return mine.base or shipped.base, mine.tests or shipped.tests, {**shipped.ablations, **mine.ablations}


def ablate(
    name: str,
    out: str | Path,
    budget: Budget | None = None,
    file: str | Path | None = None,
    meshes: Sequence[tuple[str, Asset]] = (),
    device: str = "auto",
    say: Say = lambda line: None,
    steps: Steps | None = None,
) -> "Outcome":
    """Runs an ablation to the end, or goes on with one.

    Args:
        meshes: named assets of one's own, a further test set, seen by the paper's cameras.
        say: told a line at every stage. steps: shows the steps of a training.

    Raises:
        ConfigError: no such ablation, invalid settings, arms that no one metric judges, too few assets, normals that are
            missing, or `out` holds another ablation.
    """
    budget = budget or Budget()
    base, tests, ablations = known(file)
    if name not in ablations:
        raise ConfigError(f"no ablation '{name}'{pipelines.nearest(name, ablations)}; there are {', '.join(ablations)}")
    return _Bench(name, ablations[name], base, tests, budget, Path(out), meshes, device, say, steps).run()


class _Bench:
    def __init__(
        self, name: str, ablation: Ablation, base: Base, tests: dict[str, dict[str, Any]], budget: Budget, out: Path,
        meshes: Sequence[tuple[str, Asset]], device: str, say: Say, steps: Steps | None,
    ) -> None:  # fmt: skip
        self.name, self.ablation, self.budget, self.out, self.meshes = name, ablation, budget, out, meshes
        self.device, self.say, self.steps = device, say, steps
        self.presets = {arm: _preset(budget, body) for arm, body in ablation.arms.items()}
        self.metric = _metric(self.presets)
        size = next(iter(self.presets.values())).size
        self.arms = {arm: _pipeline(base, body.set, size, budget, test=False) for arm, body in ablation.arms.items()}
        self.tests = {test: _pipeline(base, settings, size, budget, test=True) for test, settings in tests.items()}

    def run(self) -> "Outcome":
        self._claim()
        for name, pipeline in {**self.arms, **{f"test-{test}": p for test, p in self.tests.items()}}.items():
            self._mill(name, pipeline)
        self._read()
        for seed in range(self.budget.seeds):  # by seeds, so that an unfinished ablation is a balanced one
            for arm in self.arms:
                self._judge(arm, seed, self._train(arm, seed))
            outcome = self._report(seed + 1)
        return outcome

    def _claim(self) -> None:
        """Writes what is compared into the folder, or refuses one that holds something else."""
        basis = {
            "arms": {arm: [p.data, self.presets[arm].model_dump(mode="json")] for arm, p in self.arms.items()},
            "tests": {test: p.data for test, p in self.tests.items()},
            "meshes": {name: asset.content_hash for name, asset in self.meshes},
            "budget": self.budget.model_dump(mode="json", exclude={"seeds"}),  # more seeds go on with what there is
        }
        path, wanted = self.out / "basis.json", {"ablation": self.name, "basis": digest(basis)}
        if path.exists() and json.loads(path.read_text()) != wanted:
            raise ConfigError(f"{self.out} holds an ablation of other arms or another budget: take another folder or remove it")
        self.out.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(wanted) + "\n")

    def _mill(self, name: str, pipeline: Pipeline) -> None:
        from versemill.mill.run import driver

        self.say(f"milling {pipeline.run.assets} assets of {name}")
        driver.run(pipeline, self._data(name), progress=self.steps is not None)

    def _data(self, name: str) -> Path:
        return self.out / "data" / _plain(name)

    def _run(self, arm: str, seed: int) -> Path:
        return self.out / "runs" / _plain(arm) / f"seed-{seed}"

    def _read(self) -> None:
        """The training scenes that all arms have, the cases that all are judged on, and the baselines there."""
        from versemill.reconstruction.baselines import mean_image
        from versemill.reconstruction.data import Scenes, spread
        from versemill.reconstruction.judging import baseline_scores
        from versemill.reconstruction.objects import scene_of_asset, textured

        size, views = next(iter(self.presets.values())).size, self.budget.views
        normals = any(preset.reads_normals for preset in self.presets.values())

        def scenes(name: str, split: str, indices: set[int] | None = None) -> Any:
            found = Scenes(self._data(name), (split,), size, keep=True, normals=normals, indices=indices)
            if normals and len(found) and not found.has_normals:
                raise ConfigError(f"{name} has no pass 'normal', which the model learns from: render it")
            return found

        shared = set.intersection(*(set(scenes(arm, "train").indices) for arm in self.arms))
        if not shared:
            raise ConfigError(
                f"no index gave an asset in every arm of '{self.name}': take more than {self.budget.assets} assets"
            )
        self.training = {arm: scenes(arm, "train", shared) for arm in self.arms}
        self.cases: dict[str, list[tuple[Scene, list[int]]]] = {}
        for test in self.tests:
            found = scenes(f"test-{test}", "test")
            if not len(found):
                raise ConfigError(f"no asset of test set '{test}' came out: take more than {self.budget.test_assets}")
            self.cases[test] = [(found[k], spread(found[k].c2w, views)) for k in range(len(found))]
        if self.meshes:
            self.cases[MESHES] = [
                (scene_of_asset(textured(asset), views, size, name), list(range(views))) for name, asset in self.meshes
            ]
        self.objects = len(shared)
        first = next(iter(self.training.values()))
        mean = mean_image(first[k] for k in range(len(first)))
        self.baselines = {test: baseline_scores(self.metric, cases, mean) for test, cases in self.cases.items()}

    def _train(self, arm: str, seed: int) -> str | None:
        """Trains, or goes on; why training was stopped, or None."""
        from versemill.reconstruction.training import DivergenceError, fit

        run = self._run(arm, seed)
        if (run / "diverged.txt").exists():
            return (run / "diverged.txt").read_text()
        label = f"{arm}, seed {seed}"
        self.say(f"training {label}, on {self.objects} assets")
        try:
            if self.steps is None:
                fit(self.training[arm], self.presets[arm], run, seed, self.device)
            else:
                with self.steps(label) as progress:
                    fit(self.training[arm], self.presets[arm], run, seed, self.device, progress)
        except DivergenceError as error:
            (run / "diverged.txt").write_text(str(error))
            self.say(f"{label} diverged: {error}")
            return str(error)
        return None

    def _judge(self, arm: str, seed: int, diverged: str | None) -> None:
        from versemill.reconstruction.judging import score
        from versemill.reconstruction.runs import load, torch_device

        path = self._run(arm, seed) / "scores.json"
        if path.exists():
            return
        device = torch_device(self.device)
        found: dict[str, list[float] | None] = dict.fromkeys(self.cases)
        if diverged is None:
            network = load(self._run(arm, seed), device)
            found = {test: score(network, cases, device) for test, cases in self.cases.items()}
        path.write_text(json.dumps({"scores": found, "peak_norm": self._peak(arm, seed), "diverged": diverged}) + "\n")

    def _peak(self, arm: str, seed: int) -> float:
        """The highest median gradient norm of 100 steps, after warm-up."""
        from versemill.reconstruction.runs import METRICS
        from versemill.reconstruction.training import WINDOW

        lines = (self._run(arm, seed) / METRICS).read_text().splitlines()
        norms = [json.loads(line)["grad_norm"] for line in lines][min(self.presets[arm].warmup, len(lines) // 2) :]
        return max(statistics.median(norms[k : k + WINDOW]) for k in range(max(1, len(norms) - WINDOW + 1)))

    def _report(self, count: int) -> "Outcome":
        """Compares what `count` seeds gave and writes it."""
        from versemill.reconstruction.ablation import Outcome, compare, markdown, plot

        judged = {
            arm: [json.loads((self._run(arm, seed) / "scores.json").read_text()) for seed in range(count)] for arm in self.arms
        }
        tables: dict[str, dict[str, Scores]] = {
            test: {arm: _table([run["scores"][test] for run in runs], len(cases)) for arm, runs in judged.items()}
            for test, cases in self.cases.items()
        }
        outcome = Outcome(
            name=self.name,
            question=self.ablation.question,
            budget={**self.budget.model_dump(mode="json"), "seeds": count},
            metric=self.metric,
            objects=self.objects,
            scores={test: {arm: [r["scores"][test] for r in runs] for arm, runs in judged.items()} for test in self.cases},
            baselines=self.baselines,
            peak_norms={arm: [run["peak_norm"] for run in runs] for arm, runs in judged.items()},
            diverged={
                arm: {seed: run["diverged"] for seed, run in enumerate(runs) if run["diverged"]} for arm, runs in judged.items()
            },
            comparisons=[c for test, arms in tables.items() for c in compare(arms, test, self.metric)],
            files=[str(self.out / "table.md"), str(self.out / "plot.png")],
        )
        (self.out / "ablation.json").write_text(json.dumps(asdict(outcome), indent=1) + "\n")
        (self.out / "table.md").write_text(markdown(outcome))
        plot(self.out / "plot.png", outcome)
        return outcome


def _table(runs: Sequence[Sequence[float] | None], objects: int) -> "Scores":
    return np.array([run or [np.nan] * objects for run in runs], np.float64)


def _metric(arms: Mapping[str, "Preset"]) -> "Metric":
    """What all arms are judged by.

    Raises:
        ConfigError: they are of families that no one metric judges.
    """
    from versemill.reconstruction.judging import metric_of

    metrics = {metric_of(preset) for preset in arms.values()}
    if len(metrics) > 1:
        raise ConfigError(f"arms can't be compared: they are judged by {' and '.join(sorted(m.name for m in metrics))}")
    return metrics.pop()


def _preset(budget: Budget, arm: Arm) -> "Preset":
    from versemill.reconstruction import presets

    chosen = presets.get(budget.preset)
    changed = {**arm.train, **({"steps": budget.steps} if budget.steps else {})}
    return pipelines.checked(f"preset {chosen.name}", presets.Preset, {**chosen.model_dump(), **changed})


def _pipeline(base: Base, settings: Mapping[str, Any], size: int, budget: Budget, test: bool) -> Pipeline:
    """The pipeline of an arm or a test set: all of its assets are of one split, at the model's image size."""
    own = {"render.width": size, "render.height": size, "shards.splits": [0, 0, 1] if test else [1, 0, 0]}
    overrides = [f"{key}={json.dumps(value)}" for key, value in {**base.set, **own, **settings}.items()]
    assets = budget.test_assets if test else budget.assets
    return pipelines.load(base.pipeline, overrides=overrides, assets=assets, seed=budget.dataset_seed + test)


def _plain(name: str) -> str:
    """A folder's name for an arm's: nothing that a path could trip over."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "-.") else "_" for c in name)
