"""Distillations as arms of a comparison, and the ablations of SDI: which arms answer which question."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from versemill.generation.distillation import export, judging, methods
from versemill.generation.distillation.comparison import Advance, Arm, Made
from versemill.generation.distillation.judging import SPREAD, Truth
from versemill.generation.distillation.models import Prior, ViewModel
from versemill.generation.distillation.optimisation import Picture, State, optimise
from versemill.generation.distillation.settings import Distillation, Scoring

JUDGED = 4
"""Held-out views whose gradients are looked at."""
Changes = Mapping[str, Any]
"""Settings of `Scoring`; under "inversion" a mapping of those of `Inversion`."""


def arm(
    name: str, settings: Distillation, model: Callable[[Truth], ViewModel], seed: int = 0, device: torch.device | None = None
) -> Arm:
    """A distillation from the first view of an object, with that view's own camera.

    Args:
        model: (object) -> the 2D model with its first view as condition, on `device`.
    """
    expected = total_calls(settings, seed)

    def make(truth: Truth, advance: Advance) -> Made:
        own = settings.model_copy(update={"cameras": judging.cameras_of(truth, settings.cameras)})
        picture = Picture(truth.scene.over_white[0], truth.scene.alpha[0, 0])
        state = optimise(own, model(truth), picture, seed, progress=lambda step, steps, _: advance(step / steps), device=device)
        return Made(
            lambda c2w, K, size: export.pictures(state.field, c2w[0], K[0], size),
            state.calls,
            {SPREAD.key: spread(state, truth)},
        )

    return Arm(name, {"settings": settings.model_dump(mode="json"), "seed": seed}, make, expected)


def spread(state: State, truth: Truth) -> float:
    """`judging.gradient_variance` where a distillation ended: mean over held-out views, in the middle of its times."""
    scoring, count = state.settings.scoring, len(truth.others)
    views = [truth.others[k * count // JUDGED] for k in range(min(JUDGED, count))]
    c2w, K = (m[views].to(state.device) for m in (truth.scene.c2w, truth.scene.K))
    x = state.model.encode(export.pictures(state.field, c2w, K, state.model.size).over(1.0)[0].to(state.device))
    prior = Prior(state.model.path, *state.model.estimators(c2w, K))
    t = torch.tensor((scoring.highest + scoring.lowest) / 2, device=state.device)
    return float(judging.gradient_variance(lambda draws: x - state.target(prior, x, t, c2w, draws)).mean())


def total_calls(settings: Distillation, seed: int = 0) -> int:
    """Evaluations of the network in all iterations."""
    return sum(methods.calls(settings.scoring, step, settings.iterations, seed) for step in range(settings.iterations))


def iterations_for(settings: Distillation, calls: int, seed: int = 0) -> int:
    """How many iterations spend so many calls, to the nearest."""
    return max(1, round(calls * settings.iterations / total_calls(settings, seed)))


def changed(settings: Distillation, changes: Changes) -> Distillation:
    """Settings with others of `scoring`, and of its `inversion`."""
    scoring = settings.scoring
    inversion = scoring.inversion.model_copy(update=changes.get("inversion", {}))
    return settings.model_copy(update={"scoring": scoring.model_copy(update={**changes, "inversion": inversion})})


@dataclass(frozen=True)
class Ablation:
    """A question about SDI.

    Attributes:
        question: for the table. first: name of the arm with the settings as they are, method sdi.
        others: (settings of scoring) -> name -> what it changes. equal_calls: whether each of them also runs with as many calls
            as the first: with more iterations where an iteration is cheaper. residuals: whether equation 8 is looked at too.
        baselines: whether what needs no distillation stands in the table.
    """

    question: str
    first: str
    others: Callable[[Scoring], Mapping[str, Changes]]
    equal_calls: bool = True
    residuals: bool = False
    baselines: bool = False

    def arms(self, settings: Distillation, seed: int = 0) -> dict[str, Distillation]:
        """Name -> settings. Resolution, guidance, cameras, times and weights are those of the first, unless changed."""
        base = changed(settings, {"method": "sdi"})
        spent, chosen = total_calls(base, seed), {self.first: base}
        for name, changes in self.others(base.scoring).items():
            rival = changed(base, changes)
            if not self.equal_calls:
                chosen[name] = rival
                continue
            chosen[f"{name}, equal iterations"] = rival
            chosen[f"{name}, equal calls"] = rival.model_copy(update={"iterations": iterations_for(rival, spent, seed)})
        return chosen


ABLATIONS = {
    "sdi": Ablation(
        "Is SDI better than SDS? Annealing alone sharpens, so that SDS with the same times at equal calls is the fair rival; "
        "ISM inverts without the condition.",
        "sdi",
        lambda scoring: {
            "sds annealed": {"method": "sds"},
            "sds plain": {"method": "sds", "annealed": False},
            "ism": {"method": "ism"},
        },
        baselines=True,
    ),
    "sdi-others": Ablation(
        "What do other sources of noise give: one draw for ever, equation 8 iterated, a second network (VSD)?",
        "sdi",
        lambda scoring: {name: {"method": name} for name in ("fixed", "fixed-point", "vsd")},
    ),
    "sdi-kappa": Ablation(
        "Where should kappa come from? (SDI: inversion with minus the guidance is best, plus the guidance drifts, without "
        "condition it over-saturates)",
        "-gamma",
        lambda scoring: {
            "0": {"inversion": {"guidance": 0.0}},
            "+gamma": {"inversion": {"guidance": scoring.guidance}},
            "random": {"method": "sds"},
        },
        equal_calls=False,
        residuals=True,
    ),
    "sdi-steps": Ablation(
        "How many steps of inversion? (SDI: quality 71, 76, 82, 83 with 3, 5, 10, 20)",
        "n = 10",
        lambda scoring: {f"n = {n}": {"inversion": {"steps": n}} for n in (3, 5, 20)},
    ),
}
"""Name -> what is asked and of whom; see docs/distillation.md."""
