"""The bench of an ablation: mills the datasets, trains every arm with the same seeds, judges all alike, and compares."""

import json
import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from versemill.asset import Asset
from versemill.config import digest
from versemill.errors import ConfigError
from versemill.mill.live import training as live
from versemill.mill.live.record import DRAWS, read
from versemill.mill.proof.ablation import Plan, Say, Steps, Trial
from versemill.training.comparison import Outcome, Runs, markdown, plot
from versemill.training.family import Examples, Metric, Scores
from versemill.training.loop import WINDOW, DivergenceError, fit
from versemill.training.runs import RECORDS, load, torch_device
from versemill.training.statistics import compare

MESHES = "meshes"
"""The test set of the user's own meshes."""


class Bench:
    """One ablation in one folder."""

    def __init__(
        self, plan: Plan, out: Path, meshes: Sequence[tuple[str, Asset]], device: str, say: Say, steps: Steps | None
    ) -> None:
        self.plan, self.out, self.meshes, self.device, self.say, self.steps = plan, out, meshes, device, say, steps

    def run(self) -> Outcome:
        """Everything that is not done yet, in the order of seeds, so that an unfinished ablation is a balanced one."""
        self._claim()
        pipelines = {trial.data: trial.pipeline for trial in self.plan.trials}
        for name, pipeline in {**pipelines, **{f"test-{test}": p for test, p in self.plan.tests.items()}}.items():
            self._mill(name, pipeline)
        self.training = self._training()
        first = self.plan.trials[0]
        self.baselines = {test: self._baselines(first, test) for test in self.tests}
        for seed in range(self.plan.budget.seeds):
            for trial in self.plan.trials:
                self._judge(trial, seed, self._train(trial, seed))
            outcome = self._report(seed + 1)
        return outcome

    @property
    def tests(self) -> list[str]:
        """Names of the test sets."""
        return [*self.plan.tests, *([MESHES] if self.meshes else [])]

    def _claim(self) -> None:
        """Writes what is compared into the folder, or refuses one that holds something else."""
        basis = {
            "arms": {
                t.name: [
                    t.pipeline.data,
                    t.family.name,
                    t.recipe.model_dump(mode="json"),
                    t.judging.model_dump(mode="json"),
                    *([t.draw, t.pipeline.live.model_dump(mode="json")] if t.draw != "shards" else []),
                ]
                for t in self.plan.trials
            },
            "tests": {test: p.data for test, p in self.plan.tests.items()},
            "meshes": {name: asset.content_hash for name, asset in self.meshes},
            "budget": self.plan.budget.model_dump(mode="json", exclude={"seeds"}),  # more seeds add to what there is
        }
        path, content = self.out / "basis.json", {"ablation": self.plan.name, "basis": digest(basis)}
        if path.exists() and json.loads(path.read_text()) != content:
            raise ConfigError(f"{self.out} holds an ablation of other arms or another budget: take another folder or remove it")
        self.out.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content) + "\n")

    def _mill(self, name: str, pipeline: Any) -> None:
        from versemill.mill.run import driver

        self.say(f"milling {pipeline.run.assets} assets of {name}")
        driver.run(pipeline, self._data(name), progress=self.steps is not None)

    def _data(self, name: str) -> Path:
        return self.out / "data" / _plain(name)

    def _run(self, trial: Trial, seed: int) -> Path:
        return self.out / "runs" / _plain(trial.run) / f"seed-{seed}"

    def _scores(self, trial: Trial, seed: int) -> Path:
        return self.out / "scores" / _plain(trial.name) / f"seed-{seed}.json"

    def _training(self) -> dict[str, Examples]:
        """Name of a training -> its examples: of the assets that every arm has."""

        def examples(trial: Trial, indices: set[int] | None) -> Examples:
            return trial.family.data(self._data(trial.data), ("train",), trial.recipe, indices, False)

        shared = set.intersection(*(set(examples(trial, None).indices) for trial in self.plan.trials))
        if not shared:
            raise ConfigError(
                f"no index gave an asset in every arm of '{self.plan.name}': take more than {self.plan.budget.assets} assets"
            )
        self.objects = len(shared)
        by_run = {trial.run: trial for trial in self.plan.trials if trial.run == trial.name}
        return {run: examples(trial, shared) for run, trial in by_run.items()}

    def _cases(self, trial: Trial, test: str) -> list[Any]:
        family, recipe, judging = trial.family, trial.recipe, trial.judging
        if test == MESHES:
            if family.mesh_case is None:
                raise ConfigError(f"family '{family.name}' can't be judged on meshes: leave --meshes out")
            return [family.mesh_case(name, asset, recipe, judging) for name, asset in self.meshes]
        examples = family.data(self._data(f"test-{test}"), ("test",), recipe, None, True)
        if not len(examples):
            raise ConfigError(f"no asset of test set '{test}' came out: take more than {self.plan.budget.test_assets}")
        return [family.case(examples[k], judging) for k in range(len(examples))]

    def _baselines(self, trial: Trial, test: str) -> dict[str, dict[str, float]]:
        scores = trial.family.baselines(self._cases(trial, test), self.training[trial.run], trial.judging)
        return {name: {key: float(np.nanmean(values)) for key, values in each.items()} for name, each in scores.items()}

    def _train(self, trial: Trial, seed: int) -> str | None:
        """Trains, or resumes; why training was stopped, or None."""
        run = self._run(trial, seed)
        if (run / "diverged.txt").exists():
            return (run / "diverged.txt").read_text()
        if self._scores(trial, seed).exists():
            return None
        label = f"{trial.run}, seed {seed}"
        what = f"on {self.objects} assets" if trial.draw == "shards" else "on assets that are milled meanwhile"
        self.say(f"training {label}, {what}")
        teach: Callable[..., Any] = fit
        source: Any = self.training[trial.run]
        if trial.draw != "shards":
            teach, source = partial(live.train, curriculum=trial.draw == "curriculum"), trial.pipeline
        arguments = (trial.family, source, trial.recipe, run, seed, self.device)
        try:
            if self.steps is None:
                teach(*arguments)
            else:
                with self.steps(label) as progress:
                    teach(*arguments, progress)
        except DivergenceError as error:
            (run / "diverged.txt").write_text(str(error))
            self.say(f"{label} diverged: {error}")
            return str(error)
        return None

    def _drawn(self, trial: Trial, seeds: Iterable[int]) -> list[int]:
        """Different assets that the trainings of a live arm were given."""
        records = (read(self._run(trial, seed) / DRAWS) for seed in seeds)
        return [len({(draw.seed, draw.index, draw.part) for draw in each.values()}) for each in records]

    def _judge(self, trial: Trial, seed: int, diverged: str | None) -> None:
        path = self._scores(trial, seed)
        if path.exists():
            return
        scores: dict[str, dict[str, list[float | None]]] | None = None
        if diverged is None:
            device = torch_device(self.device)
            network, _ = load(trial.family, self._run(trial, seed), device)
            scored = {t: trial.family.score(network, self._cases(trial, t), trial.judging, device) for t in self.tests}
            scores = {
                test: {key: [None if math.isnan(v) else v for v in values] for key, values in by_key.items()}
                for test, by_key in scored.items()
            }
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {"scores": scores, "peak_norm": self._peak(trial, seed), "diverged": diverged}
        path.write_text(json.dumps(content) + "\n")

    def _peak(self, trial: Trial, seed: int) -> float:
        """The highest median gradient norm of 100 steps, after warm-up."""
        lines = (self._run(trial, seed) / RECORDS).read_text().splitlines()
        norms = [json.loads(line)["grad_norm"] for line in lines][min(trial.recipe.warmup, len(lines) // 2) :]
        return max(statistics.median(norms[k : k + WINDOW]) for k in range(max(1, len(norms) - WINDOW + 1)))

    def _report(self, seeds: int) -> Outcome:
        """Compares what the first `seeds` seeds gave and writes it."""
        judged = {
            trial.name: [json.loads(self._scores(trial, seed).read_text()) for seed in range(seeds)]
            for trial in self.plan.trials
        }
        metrics = _scored(self.plan.trials[0].family.metrics, [run["scores"] for runs in judged.values() for run in runs])
        scores: dict[str, dict[str, Runs]] = {
            test: {
                metric.key: {
                    arm: [run["scores"] and run["scores"][test][metric.key] for run in runs] for arm, runs in judged.items()
                }
                for metric in metrics
            }
            for test in self.tests
        }
        outcome = Outcome(
            name=self.plan.name,
            question=self.plan.question,
            budget={**self.plan.budget.model_dump(mode="json"), "seeds": seeds},
            metrics=metrics,
            objects=self.objects,
            drawn={trial.name: self._drawn(trial, range(seeds)) for trial in self.plan.trials if trial.draw != "shards"},
            scores=scores,
            baselines=self.baselines,
            peak_norms={arm: [run["peak_norm"] for run in runs] for arm, runs in judged.items()},
            diverged={
                arm: {seed: run["diverged"] for seed, run in enumerate(runs) if run["diverged"]} for arm, runs in judged.items()
            },
            comparisons=[
                comparison
                for test in self.tests
                for metric in metrics
                for comparison in compare(_tables(scores[test][metric.key]), test, metric)
            ],
            files=[str(self.out / "table.md"), str(self.out / "plot.png")],
        )
        (self.out / "ablation.json").write_text(json.dumps(asdict(outcome), indent=1) + "\n")
        (self.out / "table.md").write_text(markdown(outcome))
        plot(self.out / "plot.png", outcome)
        return outcome


def _scored(metrics: Sequence[Metric], scores: Sequence[Any]) -> tuple[Metric, ...]:
    """The metrics in which every training that did not diverge was scored on every test set; the first in any case."""
    by_test = [keys for each in scores if each for keys in each.values()]
    return tuple(m for k, m in enumerate(metrics) if k == 0 or (by_test and all(m.key in keys for keys in by_test)))


def _tables(runs: Runs) -> dict[str, Scores]:
    """Arm -> (seeds, objects), a row of NaN for a training that diverged."""
    objects = max((len(run) for each in runs.values() for run in each if run), default=1)
    return {arm: np.array([run or [np.nan] * objects for run in each], np.float64) for arm, each in runs.items()}


def _plain(name: str) -> str:
    """A folder's name for an arm's: nothing that a path could trip over."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "-.") else "_" for c in name)
