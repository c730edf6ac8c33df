"""A curriculum from the model's own errors: parts of the generators on which its held-out error is large are drawn more.

Every `live.curriculum.every` steps the averaged weights are judged on a few held-out assets of every part, by the family's own
objective. With shares s of the pipeline and errors e, the new shares are proportional to s * (e / mean of e) ** strength, and
stay within s / bound and s * bound. They hold from `live.ahead` draws later on: what is being milled then was drawn before.
RUN/curriculum.jsonl records each measurement, so that a resumed run draws as an undisturbed one.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from versemill.errors import ConfigError, VersemillError
from versemill.files import written_aside
from versemill.mill.live.draws import HeldOut
from versemill.mill.pipeline.config import Pipeline
from versemill.mill.pipeline.parts import Part, split
from versemill.training.family import Batch, Family
from versemill.training.loop import State
from versemill.training.recipe import Recipe

MEASUREMENTS = "curriculum.jsonl"
LEAST = 1e-9
"""Of (errors / mean) ** strength: a part without any error can still be raised to its share of what the bounds leave."""

Held = Callable[[HeldOut, int], Sequence[Any]]
"""(which assets, how many) -> their items."""


def reweighted(shares: NDArray[np.float64], errors: NDArray[np.float64], strength: float, bound: float) -> NDArray[np.float64]:
    """Shares that follow errors.

    Args:
        shares: (P,) positive, of sum 1. errors: (P,) not negative.

    Returns:
        (P,) float64 of sum 1: clip(c * shares * (errors / mean) ** strength, shares / bound, shares * bound), where the mean is
        over the shares and c is the number that makes the sum 1. `shares` themselves where all errors are 0.
    """
    mean = float((shares * errors).sum())
    if mean == 0:
        return shares
    raw = shares * np.maximum((errors / mean) ** strength, LEAST)

    def clipped(scale: float) -> NDArray[np.float64]:
        return np.clip(scale * raw, shares / bound, shares * bound)

    # The sum rises with c, from at most 1 at the lower bounds to at least 1 at the upper ones.
    low, high = 0.0, bound / LEAST
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if clipped(middle).sum() < 1 else (low, middle)
    return clipped(high)


class Curriculum:
    """The shares of a run's parts, position by position.

    Args:
        pipeline: its section `live` says how. batch: draws of a step. out: the run's folder.

    Raises:
        ConfigError: the pipeline has one part alone, or a source of files, whose assets can't be held out.
    """

    def __init__(self, pipeline: Pipeline, batch: int, out: Path) -> None:
        self.parts: tuple[Part, ...] = split(pipeline)
        self._config, self._ahead, self._batch = pipeline.live.curriculum, pipeline.live.ahead, batch
        self._seed, self._path = pipeline.run.seed, out / MEASUREMENTS
        self._base = np.array([part.share for part in self.parts])
        self._base /= self._base.sum()
        self._measured: dict[int, NDArray[np.float64]] = {}
        self._batches: list[Batch] = []
        self.begun = False
        files = [part.entry for part in self.parts if part.source == "files"]
        if files:
            raise ConfigError(f"a curriculum draws from generators, and source '{files[0]}' is a folder of files: leave it out")
        if len(self.parts) < 2:
            raise ConfigError(f"pipeline '{pipeline.name}' has one part alone, '{self.parts[0].name}': nothing to choose from")

    def shares(self, position: int) -> NDArray[np.float64]:
        """(P,) the shares of the parts at a position.

        Raises:
            VersemillError: the measurement that decides them was not made.
        """
        step = (position - self._ahead) // self._batch // self._config.every * self._config.every
        if step <= 0:
            return self._base
        if step not in self._measured:
            raise VersemillError(f"position {position} was drawn before the errors of step {step} were measured")
        return self._measured[step]

    def begin(self, family: Family, recipe: Recipe, held: Held, step: int) -> None:
        """Mills what errors are measured on, and reads the measurements up to the step that the run resumes from."""
        self.begun, each = True, self._config.held_out
        items = held(HeldOut(self._seed, self.parts, each), len(self.parts) * each)
        together = recipe.model_copy(update={"batch": each})
        for part in range(len(self.parts)):
            of_part = items[part * each : (part + 1) * each]
            self._batches.append(family.batches(Some(of_part), together, 0, 0, 1)[0])  # the same draws at every measurement
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        kept = [record for record in map(json.loads, lines) if record["step"] <= step]
        with written_aside(self._path) as aside:
            aside.write_text("".join(json.dumps(record) + "\n" for record in kept))
        self._measured = {record["step"]: np.array([record["shares"][part.name] for part in self.parts]) for record in kept}

    def watch(self, state: State) -> None:
        """Measures where a measurement is due."""
        step = state.step
        if step and step % self._config.every == 0 and step < state.recipe.steps and step not in self._measured:
            self.measured(step, np.array([state.error(batch) for batch in self._batches]))

    def measured(self, step: int, errors: NDArray[np.float64]) -> None:
        """Takes in the errors (P,) of a step.

        Raises:
            VersemillError: one is negative or not finite.
        """
        bad = [k for k, error in enumerate(errors) if not (np.isfinite(error) and error >= 0)]
        if bad:
            raise VersemillError(
                f"step {step}: the held-out error of '{self.parts[bad[0]].name}' is {errors[bad[0]]}, and shares follow errors "
                "that are finite and not negative: train this family without --curriculum, or with a lower learning rate"
            )
        shares = reweighted(self._base, errors, self._config.strength, self._config.bound)
        self._measured[step] = shares
        names = [part.name for part in self.parts]
        record = {
            "step": step,
            "position": step * self._batch + self._ahead,
            "errors": dict(zip(names, errors.tolist(), strict=True)),
            "shares": dict(zip(names, shares.tolist(), strict=True)),
        }
        with self._path.open("a") as file:
            file.write(json.dumps(record) + "\n")


class Some(list[Any]):
    """Items as a family's `data` gives them."""

    indices = property(lambda self: list(range(len(self))))
