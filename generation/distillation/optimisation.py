"""The loop: a field is seen from some cameras, a 2D model says what the pictures should become, and Adam follows.

A folder holds config.json (what the run is), checkpoint.pt and metrics.jsonl. An iteration is a function of the settings, the
seed and its number, so that a run that was stopped and resumed equals one that was not.
"""

import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from versemill.errors import ConfigError
from versemill.files import written_aside
from versemill.generation.distillation import cameras, methods
from versemill.generation.distillation.fields import FIELDS
from versemill.generation.distillation.methods import Draws
from versemill.generation.distillation.models import Prior, ViewModel
from versemill.generation.distillation.settings import Distillation
from versemill.generation.distillation.variational import Variational
from versemill.training.loop import DivergenceError
from versemill.training.runs import CHECKPOINT, CONFIG, RECORDS, cut_records

Progress = Callable[[int, int, dict[str, float]], None]
"""Called with (iterations done, iterations in all, the last one's record)."""


@dataclasses.dataclass(frozen=True, eq=False)
class Picture:
    """What the object looks like from the reference camera: rgb (3, S, S) over white, alpha (S, S), both in [0, 1]."""

    rgb: Tensor
    alpha: Tensor


class State:
    """A field on its way, with its optimiser: everything that an iteration changes.

    Attributes:
        field: what is optimised. step: iterations done. calls: evaluations of the 2D model's network so far.
        shown: of the last iteration, the pictures (V, 3, S, S) and their target, the path's data; None before the first.
    """

    def __init__(
        self, settings: Distillation, model: ViewModel, picture: Picture | None, seed: int, device: torch.device | None = None
    ) -> None:
        self.settings, self.model, self.picture, self.seed = settings, model, picture, seed
        self.device = device or torch.device("cpu")
        self.field = FIELDS[settings.field](settings, seed).to(self.device)
        self.optimizer = torch.optim.Adam(self.field.groups(), betas=(0.9, 0.99), eps=1e-15)
        self.step = self.calls = 0
        self.shown: tuple[Tensor, Tensor] | None = None
        self.variational: Variational | None = None
        if settings.scoring.method == "vsd":
            blank = model.encode(torch.zeros(1, 3, model.size, model.size, device=self.device))
            self.variational = Variational(blank.shape[1], seed, self.device)

    def advance(self) -> dict[str, float]:
        """One iteration; its record.

        Raises:
            DivergenceError: the loss is not finite.
        """
        settings, size = self.settings, self.model.size
        draws = Draws(self.seed, self.step)
        c2w, K = (m.to(self.device) for m in cameras.drawn(settings.cameras, size, settings.views, draws))
        t = methods.time_of(settings.scoring, self.step, settings.iterations, draws).to(self.device)
        prior = Prior(self.model.path, *self.model.estimators(c2w, K))
        seen = self.field.see(c2w, K, size)
        x = self.model.encode(seen.over(1.0)[0])
        if self.variational is not None:
            self.variational.learn(prior, x.detach(), c2w, draws)
        target = self.target(prior, x.detach(), t, c2w, draws)
        alpha = seen.alpha[0]
        terms = {
            "score": 0.5 * (x - target).square().mean() * settings.score,
            "sparsity": alpha.mean() * settings.sparsity,
            "opaque": (4 * alpha * (1 - alpha)).mean() * settings.opaque,
            **self._reference_terms(),
        }
        loss = torch.stack(list(terms.values())).sum()
        if not math.isfinite(float(loss.detach())):
            raise DivergenceError(
                f"iteration {self.step + 1}: the loss is {float(loss.detach())}. Lower scoring.guidance or rate, or "
                "scoring.highest: near pure noise a model's answer is amplified most"
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.step += 1
        self.calls += prior.calls
        values = {name: float(value.detach()) for name, value in terms.items()}
        self.shown = seen.over(1.0)[0].detach(), target
        return {"loss": float(loss.detach()), "step": self.step, **values, "time": float(t), "calls": self.calls}

    def target(self, prior: Prior, x: Tensor, t: Tensor, c2w: Tensor, draws: Draws) -> Tensor:
        """What pictures x (V, ...), the path's data, of cameras (V, 4, 4) should become at time t ()."""
        scoring = self.settings.scoring
        if self.variational is None:
            return methods.target(prior, x, t, scoring, draws)
        return self.variational.target(prior, x, t, c2w, scoring, draws)

    def _reference_terms(self) -> dict[str, Tensor]:
        if self.picture is None:
            return {}
        c2w, K = (m.to(self.device) for m in cameras.reference(self.settings.cameras, self.model.size))
        seen = self.field.see(c2w, K, self.model.size)
        return {
            "reference": F.mse_loss(seen.over(1.0)[0, 0], self.picture.rgb.to(self.device)) * self.settings.reference,
            "mask": F.mse_loss(seen.alpha[0, 0, 0], self.picture.alpha.to(self.device)) * self.settings.mask,
        }

    def save(self, out: Path) -> None:
        """Writes the checkpoint aside and renames it."""
        parts: dict[str, Any] = {
            "step": self.step,
            "calls": self.calls,
            "field": self.field.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        if self.variational is not None:
            parts["variational"] = [self.variational.state_dict(), self.variational.optimizer.state_dict()]
        with written_aside(out / CHECKPOINT) as aside:
            torch.save(parts, aside)

    def resume(self, out: Path) -> None:
        """Takes up the checkpoint of `out` if there is one."""
        if not (out / CHECKPOINT).exists():
            return
        saved = torch.load(out / CHECKPOINT, map_location=self.device, weights_only=True)
        self.step, self.calls = saved["step"], saved["calls"]
        self.field.load_state_dict(saved["field"])
        self.optimizer.load_state_dict(saved["optimizer"])
        if self.variational is not None:
            network, optimizer = saved["variational"]
            self.variational.load_state_dict(network)
            self.variational.optimizer.load_state_dict(optimizer)


def optimise(
    settings: Distillation, model: ViewModel, picture: Picture | None, seed: int, out: Path | None = None,
    basis: dict[str, Any] | None = None, progress: Progress | None = None, preview: Callable[[State], None] | None = None,
    device: torch.device | None = None,
) -> State:  # fmt: skip
    """All iterations; with a folder `out` it can be stopped at any time and resumed by the same call.

    Args:
        basis: what besides settings and seed decides the run: model, picture, prompt; JSON-able.
        preview: called at each checkpoint.

    Raises:
        ConfigError: `out` holds another run. DivergenceError: see `State.advance`.
    """
    state = State(settings, model, picture, seed, device)
    if out is not None:
        claim(out, {"settings": settings.model_dump(mode="json"), "seed": seed, **(basis or {})})
        state.resume(out)
        cut_records(out / RECORDS, state.step)
    while state.step < settings.iterations:
        record = state.advance()
        if out is not None:
            with (out / RECORDS).open("a") as log:
                log.write(json.dumps(record) + "\n")
            if state.step % settings.save_every == 0 or state.step == settings.iterations:
                state.save(out)
                if preview:
                    preview(state)
        if progress:
            progress(state.step, settings.iterations, record)
    return state


def claim(out: Path, config: dict[str, Any]) -> None:
    """Writes what a run is, or refuses a folder that holds another one.

    Raises:
        ConfigError: it does, or its config.json can't be read.
    """
    out.mkdir(parents=True, exist_ok=True)
    path = out / CONFIG
    if not path.exists():
        with written_aside(path) as aside:
            aside.write_text(json.dumps(config, indent=1) + "\n")
        return
    try:
        before = json.loads(path.read_text())
    except ValueError as error:
        raise ConfigError(f"{path} is not readable: take another folder or remove it") from error
    if other := [
        key for key in config if not isinstance(before, dict) or before.get(key) != json.loads(json.dumps(config[key]))
    ]:
        raise ConfigError(f"{out} holds a run of another {' and '.join(other)}: take another folder or remove it")
