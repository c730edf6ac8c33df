"""Ablations: what a setting of the data, of the model or of the sampler is worth; described in YAML, measured by a bench.

    OUT/ablation.json       what is compared, the budget, every score, every comparison
    OUT/table.md, plot.png  the same for people
    OUT/data/ARM            a dataset; arms with the same `set` share it. data/test-NAME: what all are judged on
    OUT/runs/ARM/seed-K     a training; arms with the same data and `train` share it
    OUT/scores/ARM          the scores of its trainings

The same command resumes; more seeds add to what there is.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from versemill.asset import Asset
from versemill.config import Config, nearest
from versemill.errors import ConfigError
from versemill.mill.pipeline import config as pipelines
from versemill.mill.pipeline import pages
from versemill.mill.pipeline.config import Pipeline
from versemill.mill.pipeline.models import FAMILIES, judging
from versemill.plugins import search
from versemill.training.family import Family, together
from versemill.training.recipe import Recipe

if TYPE_CHECKING:
    from versemill.training.comparison import Outcome

Draw = Literal["shards", "live", "curriculum"]
Say = Callable[[str], None]
Steps = Callable[[str], AbstractContextManager[Callable[[int, int, Mapping[str, float]], None]]]
"""A label -> a context whose value is called with each step done: `mill.run.progress.steps`."""


class Arm(Config):
    """One way to do it: other data, another model, or another way to ask the same model."""

    set: dict[str, Any] = Field(default={}, description="settings of the pipeline by dotted path")
    family: str | None = Field(default=None, description="family of models, where it is what differs")
    preset: str | None = Field(default=None, description="preset, where it is what differs")
    train: dict[str, Any] = Field(default={}, description="settings of the preset")
    judge: dict[str, Any] = Field(default={}, description="settings of judgement: input views, sampler, guidance ...")
    draw: Draw = Field(
        default="shards",
        description="where training assets come from: shards that are milled before; live: fresh ones, milled while it trains; "
        "curriculum: live, and more of the parts on which the held-out error is large",
    )


class Base(Config):
    """What all arms share."""

    pipeline: str = Field(description="name of a pipeline")
    set: dict[str, Any] = Field(default={}, description="settings of it by dotted path")


class Ablation(Config):
    """A question and the arms that answer it."""

    question: str = Field(description="what is asked, for the table")
    family: str = Field(default="gaussians", description="family of models that is trained, or package.module:NAME")
    preset: str | None = Field(default=None, description="its preset; null: its default")
    base: Base | None = Field(default=None, description="what all arms share; by default the file's")
    tests: dict[str, dict[str, Any]] | None = Field(default=None, description="test sets; by default the file's", min_length=1)
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

    family: str | None = Field(default=None, description="family of models; the ablation's own by default")
    preset: str | None = Field(default=None, description="its preset; the ablation's own by default")
    steps: int | None = Field(default=None, ge=1, description="optimiser steps; the preset's own by default")
    seeds: int = Field(default=3, ge=1, le=100, description="training seeds, the same for all arms; under 3 nothing is tested")
    assets: int = Field(default=200, ge=1, description="assets that each arm mills to train on")
    test_assets: int = Field(default=40, ge=1, description="assets of each test set; under 20 nothing is tested")
    judging: dict[str, Any] = Field(default={}, description="the family's settings of judgement")
    train: dict[str, Any] = Field(default={}, description="settings of the preset, the same for every arm; an arm's own win")
    dataset_seed: int = Field(default=0, ge=0, lt=2**62, description="seed of the arms' datasets; the tests' is one more")


def budget(**given: Any) -> Budget:
    """A budget, with a ConfigError for what is out of range."""
    return pipelines.checked("ablate", Budget, {name: value for name, value in given.items() if value is not None})


def known(file: str | Path | None = None) -> tuple[Base, dict[str, dict[str, Any]], dict[str, Ablation]]:
    """Base, tests and ablations by name: those that come with versemill, and those of a file, which win.

    Raises:
        ConfigError: the file can't be read, or does not hold ablations.
    """
    own = Path(str(resources.files("versemill.mill.proof") / "ablations.yaml"))
    shipped = pipelines.checked(own.name, AblationFile, pages.read(own))
    if file is not None:
        search(file)
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
    """Runs an ablation to the end, or resumes one.

    Args:
        meshes: named assets of one's own, a further test set.
        say: called with a line at every stage. steps: shows the steps of a training.

    Raises:
        ConfigError: no such ablation, invalid settings, arms that no one metric judges, too few assets, or `out` holds
            another ablation.
    """
    from versemill.mill.proof.bench import Bench

    base, tests, ablations = known(file)
    if name not in ablations:
        raise ConfigError(f"no ablation '{name}'{nearest(name, ablations)}; there are {', '.join(ablations)}")
    return Bench(plan(name, ablations[name], base, tests, budget or Budget()), Path(out), meshes, device, say, steps).run()


@dataclass(frozen=True)
class Trial:
    """An arm made concrete.

    Attributes:
        name: the arm's. data: name of its dataset. pipeline: what mills that.
        run: name of its training; trials of one name share it. family, recipe: what is trained. judging: how it is judged.
        draw: where its training assets come from.
    """

    name: str
    data: str
    pipeline: Pipeline
    run: str
    family: Family
    recipe: Recipe
    judging: Config
    draw: Draw = "shards"


@dataclass(frozen=True)
class Plan:
    """An ablation made concrete: its trials, and test set -> the pipeline that mills it."""

    name: str
    question: str
    budget: Budget
    trials: tuple[Trial, ...]
    tests: dict[str, Pipeline]


def plan(name: str, ablation: Ablation, base: Base, tests: Mapping[str, dict[str, Any]], budget: Budget) -> Plan:
    """Resolves the arms. Arms with equal data share a dataset; with equal data and training, a training.

    Raises:
        ConfigError: invalid settings, or arms whose families have no common first metric.
    """
    base, tests = ablation.base or base, ablation.tests or tests
    chosen = {arm: _trained(ablation, body, budget) for arm, body in ablation.arms.items()}
    metrics = {family.metric.name for family, _ in chosen.values()}
    if len(metrics) > 1:
        raise ConfigError(f"arms can't be compared: they are judged by {' and '.join(sorted(metrics))}")
    own = together([family.needs(recipe) for family, recipe in chosen.values()]).overrides()
    datasets: dict[str, str] = {}
    runs: dict[tuple[str, str, str, str], str] = {}
    trials = []
    for arm, body in ablation.arms.items():
        family, recipe = chosen[arm]
        pipeline = _pipeline(base, {**own, **body.set}, budget, test=False)
        data = datasets.setdefault(pipeline.digest, arm)
        run = runs.setdefault((data, family.name, recipe.model_dump_json(), body.draw), arm)
        judged = judging(family, {**budget.judging, **body.judge})
        trials.append(Trial(arm, data, pipeline, run, family, recipe, judged, body.draw))
    milled = {test: _pipeline(base, {**own, **settings}, budget, test=True) for test, settings in tests.items()}
    settled = budget.model_copy(
        update={"family": budget.family or ablation.family, "preset": budget.preset or ablation.preset or trials[0].recipe.name}
    )
    return Plan(name, ablation.question, settled, tuple(trials), milled)


def _trained(ablation: Ablation, arm: Arm, budget: Budget) -> tuple[Family, Recipe]:
    family = FAMILIES.find(arm.family or budget.family or ablation.family)
    recipe = family.preset(arm.preset or budget.preset or ablation.preset)
    changed = {**budget.train, **arm.train, **({"steps": budget.steps} if budget.steps else {})}
    return family, pipelines.checked(f"preset {recipe.name}", type(recipe), {**recipe.model_dump(), **changed})


def _pipeline(base: Base, settings: Mapping[str, Any], budget: Budget, test: bool) -> Pipeline:
    """The pipeline of an arm or a test set: all of its assets are of one split."""
    own = {"shards.splits": [0, 0, 1] if test else [1, 0, 0]}
    overrides = [f"{key}={json.dumps(value)}" for key, value in {**base.set, **own, **settings}.items()]
    assets = budget.test_assets if test else budget.assets
    return pipelines.load(base.pipeline, overrides=overrides, assets=assets, seed=budget.dataset_seed + test)
