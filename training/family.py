"""A model family: one description that `training` receives. Everything that differs between models is a field of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from versemill.asset import Asset
from versemill.config import Config
from versemill.errors import ConfigError
from versemill.training.recipe import Recipe, get

if TYPE_CHECKING:  # a table of families is read without torch
    import torch
    from torch import nn
    from torch.utils.data import Dataset

    from versemill.shards import Selection

MODEL, UNTRAINED = "model", "untrained model"
"""Names of the first two methods of every evaluation: the trained network, and the same network before training."""
Scores = NDArray[np.float64]
"""(seeds, objects) values of a metric; NaN: the object can't have it; a row of NaN: a training that diverged."""


@dataclass(frozen=True)
class Metric:
    """What a figure says.

    Attributes:
        key: its name in records. name: as people write it. unit: "" where it has none.
        higher_is_better: which way; a gain is positive where the first of two is better, either way.
        places: decimals that are shown.
    """

    key: str
    name: str
    unit: str
    higher_is_better: bool = True
    places: int = 2

    @property
    def title(self) -> str:
        """Name, unit and, where lower is better, direction."""
        unit = f" in {self.unit}" if self.unit else ""
        return f"{self.name}{unit}" + ("" if self.higher_is_better else ", lower is better")

    def gain(self, first: Scores, second: Scores) -> Scores:
        """How much better the first is."""
        return first - second if self.higher_is_better else second - first

    def text(self, value: float, sign: bool = False) -> str:
        """A value as it is shown; with `sign` as a difference."""
        return f"{value:+.{self.places}f}" if sign else f"{value:.{self.places}f}"


@dataclass(frozen=True)
class Needs:
    """What a preset of a family asks of a pipeline.

    Attributes:
        passes: that every view must have. resolution: least side of the square views in pixels; 0: no views are needed.
        views: least number of views of an asset. fields: kind of field sample -> least number per asset.
        settings: other settings of a pipeline by dotted path, for datasets that are made for this preset.
    """

    passes: tuple[str, ...] = ()
    resolution: int = 0
    views: int = 0
    fields: Mapping[str, int] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    def overrides(self) -> dict[str, Any]:
        """Settings of a pipeline by dotted path that meet this."""
        views = {"render.width": self.resolution, "render.height": self.resolution} if self.resolution else {}
        return {**views, **{f"fields.{name}": count for name, count in self.fields.items()}, **self.settings}


def together(needs: Sequence[Needs]) -> Needs:
    """What satisfies all of them; of settings that differ, the last one's."""
    names = dict.fromkeys(name for each in needs for name in each.fields)
    return Needs(
        passes=tuple(dict.fromkeys(name for each in needs for name in each.passes)),
        resolution=max(each.resolution for each in needs),
        views=max(each.views for each in needs),
        fields={name: max(each.fields.get(name, 0) for each in needs) for name in names},
        settings={key: value for each in needs for key, value in each.settings.items()},
    )


class Examples(Protocol):
    """What a family's `data` gives: items by position, in the shards' order, with the index of each one's asset."""

    @property
    def indices(self) -> list[int]:
        """Of their assets."""
        ...

    def __len__(self) -> int: ...
    def __getitem__(self, position: int) -> Any: ...


class Batch(Protocol):
    """Examples side by side, as tensors."""

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        ...


class NoJudging(Config):
    """A network that is judged in one way has no settings for it."""


@dataclass(frozen=True, eq=False)
class Exam:
    """What a trained network is measured with, the same for every object.

    Attributes:
        network, untrained: on `device`, in evaluation mode. recipe: theirs.
        training: the examples that it was trained on. judging: the family's settings of judgement.
        lpips: the learned distance, or None where no weights were given. full: also what takes seconds per object.
        out: folder for pictures and other files.
        against: name -> other trained models that draw the same views: `Family.renders` without its network.
    """

    network: nn.Module
    untrained: nn.Module
    recipe: Recipe
    training: Examples
    judging: Config
    device: torch.device
    lpips: nn.Module | None
    full: bool
    out: Path
    against: Mapping[str, Callable[..., torch.Tensor]] = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """What an exam gave.

    Attributes:
        objects: per object "name", and method -> metric key -> value; the methods stand in the order of the table, `MODEL`
            first. A metric that a method can't have is absent.
        files: what was written, by kind ("grid", "splats", ...). notes: what was left out, and why.
    """

    objects: list[dict[str, Any]]
    files: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


Progress = Callable[[int, int, dict[str, float]], None]
"""Called with (steps done, steps in all, the last step's record)."""
Cases = Sequence[Any]
"""What a network is judged on, one entry per object."""


@dataclass(frozen=True, eq=False)
class Family:
    """Models that are trained and judged in the same way. `training` never asks which family it was given.

    Attributes:
        name: in the table of families, in `config.json` of a run, on the command line.
        summary: one line for `--help`.
        stream: first part of the purposes of its random draws ("reconstruction" in "reconstruction/order").
        presets: name -> recipe, from the smallest to the paper's. default: the one that is trained unless another is named.
        needs: (recipe) -> what it asks of a pipeline.
        data: (dataset folder, splits, recipe, indices or None, judged) -> `Examples`; only the assets of `indices` if they are
            given; `judged`: with what judging needs beyond training.
        batches: (examples, recipe, seed, rank, processes) -> dataset whose item number k is the batch of step k, a pure
            function of the arguments and k (see `batches.Batches`).
        item: (recipe) -> what is read of a row, and a function that makes an item of `data` of that sample: for training on
            rows that never were in shards (`versemill.mill.live`); None: its items need more than their own row.
        network: (recipe) -> module, its weights drawn from torch's global generator. It keeps the recipe as `recipe`.
        objective: (network, LPIPS or None) -> module that maps a batch to a scalar loss and its terms by name.
        noise: (recipe, generator) -> a batch of noise of the right shapes, for the self-test.
        metrics: what its networks are judged by; the first one decides verdicts.
        score: (network, cases, judging, device) -> metric key -> value per case, for some or all of `metrics`; NaN where a case
            can't have it.
        baselines: (cases, training examples, judging) -> method -> metric key -> value per case.
        case: (item of `data`, judging) -> what the network is judged on.
        mesh_case: (name, asset, recipe, judging) -> the same of a mesh; None where meshes can't be judged.
        judging: settings at judgement: input views, sampler, guidance ...
        measure: (exam, cases, how many, progress) -> `Measured`; None: `score` and `baselines` are all there is to say.
        gate: methods that the model must beat in `validate`; the first is named in the verdict.
        takes_lpips: whether `objective` uses LPIPS. compares: whether `measure` has a row for each model of `Exam.against`.
        freezes: whether some steps leave parameters without a gradient, so that these stay as they are.
        hidden: (network) -> its hidden matrices, for recipes with the optimiser Muon.
        preview: (network, examples, recipe, file) writes a picture of what the network does now; None: no pictures.
        renders: (network, pictures (V, 3, S, S) over white, alpha (V, 1, S, S), c2w (V, 4, 4), K (V, 3, 3), other c2w (T, 4, 4)
            and K (T, 3, 3)) -> (T, 3, S, S) in [0, 1]: an object seen by other cameras; None: it draws no views.
        view_model: (network, picture (3, N, N) over white, c2w (4, 4), K (3, 3)) -> what distillation asks: a 2D model of other
            views of that picture, which the camera took (see `generation.distillation.models`); None: it offers no such model.
        upgrade: (settings of a preset, as an older version wrote them) -> as they are now.
    """

    name: str
    summary: str
    stream: str
    presets: Mapping[str, Any]
    default: str
    needs: Callable[[Any], Needs]
    data: Callable[[str | Path, Sequence[str], Any, Collection[int] | None, bool], Examples]
    batches: Callable[[Examples, Any, int, int, int], Dataset[Any]]
    network: Callable[[Any], nn.Module]
    objective: Callable[[Any, nn.Module | None], nn.Module]
    noise: Callable[[Any, torch.Generator], Batch]
    metrics: tuple[Metric, ...]
    score: Callable[[Any, Cases, Any, torch.device], dict[str, list[float]]]
    baselines: Callable[[Cases, Examples, Any], dict[str, dict[str, list[float]]]]
    item: Callable[[Any], tuple[Selection, Callable[[dict[str, Any]], Any]]] | None = None
    case: Callable[[Any, Any], Any] = lambda item, judging: item
    mesh_case: Callable[[str, Asset, Any, Any], Any] | None = None
    judging: type[Config] = NoJudging
    measure: Callable[[Exam, Iterable[Any], int, Progress | None], Measured] | None = None
    gate: tuple[str, ...] = (UNTRAINED,)
    takes_lpips: bool = False
    compares: bool = False
    freezes: bool = False
    hidden: Callable[[Any], Iterable[nn.Parameter]] | None = None
    preview: Callable[[Any, Examples, Any, Path], None] | None = None
    renders: Callable[..., torch.Tensor] | None = None
    view_model: Callable[[Any, torch.Tensor, torch.Tensor, torch.Tensor], Any] | None = None
    upgrade: Callable[[dict[str, Any]], dict[str, Any]] = dict

    @property
    def recipe(self) -> type[Recipe]:
        """The class of its presets."""
        return type(self.presets[self.default])

    @property
    def metric(self) -> Metric:
        """What decides verdicts."""
        return self.metrics[0]

    def preset(self, preset: str | Recipe | None) -> Any:
        """The named preset, the default for None; a recipe passes through.

        Raises:
            ConfigError: no such preset.
        """
        return get(self.presets, self.default if preset is None else preset)

    def restore(self, settings: Mapping[str, Any]) -> Any:
        """The recipe of a run, from its `config.json`.

        Raises:
            ConfigError: the settings are not those of a preset of this family.
        """
        try:
            return self.recipe(**self.upgrade(dict(settings)))
        except ValueError as error:
            raise ConfigError(f"the run's preset does not fit family '{self.name}' of this version: {error}") from error

    def fresh(self, recipe: Any, seed: int) -> nn.Module:
        """An untrained network on the CPU: the weights are a function of recipe and seed; no global generator moves."""
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.network(recipe)
