"""How novel views are judged: samples of held-out objects and poses, next to the regression and views that need no training."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field as Setting
from torch import Tensor

from versemill import seeds
from versemill.config import Config
from versemill.errors import ConfigError
from versemill.generation.views.cameras import relative_pose
from versemill.generation.views.data import Seen, SeenViews, small
from versemill.generation.views.network import NovelViews
from versemill.generation.views.presets import ViewsRecipe
from versemill.generation.views.sampler import Sampling, draw
from versemill.training.family import MODEL, Cases, Exam, Measured, Metric, Progress
from versemill.training.images import iou, psnr, ssim
from versemill.training.lpips import MISSING, Lpips
from versemill.training.perceptual import RandomFeatureLoss
from versemill.training.pictures import picture_grid

REGRESSION, COPY, MEAN, NEAREST = "regression", "copy of the input", "mean image", "nearest training view"
METRICS = (
    Metric("psnr", "PSNR", "dB"),
    Metric("ssim", "SSIM", "", places=3),
    Metric("iou", "silhouette IoU", "", places=3),
    Metric("random_features", "random-feature distance", "", higher_is_better=False, places=4),
    Metric("lpips", "LPIPS", "", higher_is_better=False, places=3),
    Metric("wrong_pose", "cost of a wrong pose", "dB"),
    Metric("right_pose", "right pose is nearest", "", places=3),
)
SHOWN = 0.1
"""A pixel belongs to the object where a channel is darker than white by more than this."""
CHUNK = 24
"""Source views that are drawn from at once."""
ROWS = 12
"""Objects on the sheet of an evaluation."""


class ViewsJudging(Config):
    """Which pairs are judged, and how views are drawn."""

    poses: int = Setting(default=4, description="target views of an object, at most all but its source", ge=2, le=64)
    seeds: int = Setting(default=3, description="samples of each pair", ge=1, le=100)
    sampling: Sampling = Sampling()


@dataclass(frozen=True, eq=False)
class Case:
    """An object, one source view, and the target views; which ones they are depends on the asset's index alone.

    With maps nothing is drawn from the source view: each target is drawn from its own map.
    """

    seen: Seen
    views: tuple[int, ...]

    @property
    def name(self) -> str:
        """Which asset it is."""
        return self.seen.name

    @property
    def targets(self) -> Tensor:
        """(T, 3, S, S) the true views."""
        return self.seen.pictures(self.views[1:])

    @property
    def pairs(self) -> list[tuple[int, ...]]:
        """The views of each drawing, what is shown first: all of them, or for each target its map and itself."""
        return [self.views] if self.seen.maps is None else [(view, view) for view in self.views[1:]]

    @property
    def shown(self) -> Tensor:
        """(P, 3, S, S): what the network is shown for each of the pairs."""
        return self.seen.shown([pair[0] for pair in self.pairs])

    @property
    def sources(self) -> Tensor:
        """(T, 3, S, S): the same for each target."""
        return self.shown.expand_as(self.targets)


def case_of(item: Seen, judging: ViewsJudging) -> Case:
    """The pairs of an object that are judged.

    Raises:
        ConfigError: fewer views than a source and two targets, without which there is no wrong pose.
    """
    if len(item.rgba) < 3:
        raise ConfigError(f"asset {item.name} has {len(item.rgba)} views; a source and two targets are needed: render three")
    order = seeds.stream(0, item.index, "novel-views/pairs").permutation(len(item.rgba))
    return Case(item, tuple(int(v) for v in order[: 1 + judging.poses]))


def together(cases: Sequence[Case], device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Sources (R, 3, S, S), c2w (R, 1 + t, 4, 4) and K (R, 1 + t, 3, 3) of the pairs of cases with equally many targets.

    R = B and t = T; with maps R = B * T and t = 1.
    """
    source = torch.cat([case.shown for case in cases])
    c2w, K = (
        torch.stack([getattr(case.seen, name)[list(pair)] for case in cases for pair in case.pairs]) for name in ("c2w", "K")
    )
    return source.to(device), c2w.to(device), K.to(device)


def noise_of(
    indices: Sequence[int], samples: Sequence[int], shape: tuple[int, ...], device: torch.device
) -> Callable[[], Tensor]:
    """What `sampler.draw` takes its noise from: each row's is a function of its asset, its sample and the call's number."""
    streams = [seeds.stream(sample, index, "novel-views/noise") for index, sample in zip(indices, samples, strict=True)]
    return lambda: torch.from_numpy(np.stack([rng.standard_normal(shape, np.float32) for rng in streams])).to(device)


def rows_of(noise: Callable[[], Tensor], rows: int) -> Callable[[], Tensor]:
    """The same noise (N, T, ...) for as many rows (R, t, ...) with R t = N T."""
    return lambda: noise().flatten(0, 1).unflatten(0, (rows, -1))


def drawn(network: NovelViews, cases: Sequence[Case], judging: ViewsJudging, device: torch.device) -> list[Tensor]:
    """Per case (seeds, T, 3, S, S): its sampled views, on the CPU."""
    answers = []
    step = max(1, CHUNK // judging.seeds)
    for first in range(0, len(cases), step):
        some = [(case, sample) for case in cases[first : first + step] for sample in range(judging.seeds)]
        count = len(some[0][0].views) - 1
        inputs = together([case for case, _ in some], device)
        noise = noise_of(
            [case.seen.index for case, _ in some], [sample for _, sample in some], (count, *network.shape), device
        )  # fmt: skip
        views = draw(network, *inputs, rows_of(noise, len(inputs[0])), judging.sampling).cpu()
        answers += list(views.flatten(0, 1).unflatten(0, (-1, judging.seeds, count)))
    return answers


def regressed(network: NovelViews, case: Case, device: torch.device) -> Tensor:
    """(1, T, 3, S, S): the network's mean pictures."""
    source, c2w, K = together([case], device)
    with torch.no_grad():
        context = network.look(source, c2w, K, torch.ones(len(source), 2, device=device))
        return network.regressed(context, len(case.views) - 1).cpu()[None]


def agreement(pictures: Tensor, case: Case, lpips: Lpips | None = None) -> dict[str, float]:
    """`METRICS` of pictures (seeds, T, 3, S, S) of a case's targets, means over seeds and targets.

    The cost of a wrong pose is what PSNR loses when the picture of the next target is taken for this one. The right pose is
    nearest where no other view of the object is closer in squared error; of 12 views, chance is 1/12.
    """
    truth = case.targets.expand_as(pictures)
    flat, flat_truth = pictures.flatten(0, 1), truth.flatten(0, 1)
    right = psnr(pictures, truth)
    every = case.seen.pictures(range(len(case.seen.rgba)))
    nearest = torch.cdist(flat.flatten(1), every.flatten(1)).argmin(1).unflatten(0, right.shape)
    scores = {
        "psnr": right.mean(),
        "ssim": ssim(flat, flat_truth).mean(),
        "iou": iou(silhouettes(pictures), silhouettes(truth)).mean(),
        "random_features": RandomFeatureLoss()(flat, flat_truth),
        "wrong_pose": (right - psnr(pictures.roll(-1, 1), truth)).mean(),
        "right_pose": (nearest == torch.tensor(case.views[1:])).float().mean(),
    }
    if lpips is not None:
        place = lpips.shift.device
        scores["lpips"] = lpips(flat.to(place), flat_truth.to(place)).mean()
    return {name: float(value) for name, value in scores.items()}


def silhouettes(pictures: Tensor) -> Tensor:
    """(..., S, S) bool of pictures (..., 3, S, S) over white: where something is `SHOWN`; one rule for truth and answers."""
    return (1 - pictures).amax(-3) > SHOWN


def columns(scores: Sequence[dict[str, float]]) -> dict[str, list[float]]:
    """Metric -> value per case."""
    return {key: [values[key] for values in scores] for key in scores[0]}


def score(network: NovelViews, cases: Cases, judging: ViewsJudging, device: torch.device) -> dict[str, list[float]]:
    """`METRICS` of the samples of each case."""
    answers = drawn(network, cases, judging, device)
    return columns([agreement(answer, case) for answer, case in zip(answers, cases, strict=True)])


def baseline_scores(cases: Cases, training: Any, judging: Any) -> dict[str, dict[str, list[float]]]:
    """`METRICS` of views that need no training."""
    scored = [{name: agreement(answer[None], case) for name, answer in plain_answers(case, training).items()} for case in cases]
    return {name: columns([each[name] for each in scored]) for name in (COPY, MEAN, NEAREST)}


def plain_answers(case: Case, training: SeenViews) -> dict[str, Tensor]:
    """Baseline -> its pictures (T, 3, S, S).

    The nearest training view: of the training object with the picture most like the source (thumbnails, squared error), the
    view whose pose from that picture is closest to what is asked for. With maps, the view with the map most like each target's.
    """
    thumbnails, places = training.thumbnails
    nearest = [places[int(k)] for k in torch.cdist(small(case.shown), thumbnails).argmin(1)]
    if case.seen.maps is not None:
        near = torch.cat([training[position].pictures([view]) for position, view in nearest])
    else:
        position, view = nearest[0]
        other = training[position]
        order = [view, *(v for v in range(len(other.rgba)) if v != view), view]
        asked, offered = relative_pose(case.seen.c2w[None, list(case.views)])[0], relative_pose(other.c2w[None, order])[0]
        near = other.pictures([order[1:][int(k)] for k in torch.cdist(asked, offered).argmin(1)])
    return {COPY: case.sources, MEAN: training.mean.expand_as(case.targets), NEAREST: near}


def rendered(case: Case, renders: Callable[..., Tensor], device: torch.device) -> Tensor:
    """(1, T, 3, S, S): another model's pictures of the targets, from the source view, its silhouette and its camera."""
    source, targets = list(case.views[:1]), list(case.views[1:])
    alpha = case.seen.rgba[source, 3:].float() / 255
    cameras = [m[views].to(device) for views in (source, targets) for m in (case.seen.c2w, case.seen.K)]
    return renders(case.seen.pictures(source).to(device), alpha.to(device), *cameras).cpu()[None]


def measure(exam: Exam, cases: Iterable[Case], count: int, progress: Progress | None) -> Measured:
    """Each object by samples, by the regression, and by the baselines."""
    network: Any = exam.network
    judging: Any = exam.judging
    training: Any = exam.training
    objects: list[dict[str, Any]] = []
    rows: list[list[Tensor]] = []
    lpips: Any = exam.lpips
    for number, case in enumerate(cases):
        samples, mean = drawn(network, [case], judging, exam.device)[0], regressed(network, case, exam.device)
        plain = plain_answers(case, training)
        others = {name: rendered(case, renders, exam.device) for name, renders in exam.against.items()}
        answers = {MODEL: samples, REGRESSION: mean, **others, **{name: answer[None] for name, answer in plain.items()}}
        objects.append({"name": case.name, **{name: agreement(answer, case, lpips) for name, answer in answers.items()}})
        if len(rows) < ROWS:
            columns_ = [case.shown, case.targets, samples[0], samples[-1], mean[0], plain[NEAREST]]
            rows.append([*columns_, *(other[0] for other in others.values())])
        if progress:
            progress(number + 1, count, objects[-1][MODEL])
    exam.out.mkdir(parents=True, exist_ok=True)
    sheet = exam.out / "sheet.png"
    names = ["input", "truth", "sample", "another sample", "regression", "nearest training view"]
    picture_grid(sheet, rows, [*names, *exam.against])
    pairs, chance = f"{judging.seeds} samples of each of an object's {len(case.views) - 1} pairs", 1 / len(case.seen.rgba)
    notes = [
        f"{pairs}, in {judging.sampling.evaluations} calls of the network each.",
        "The regression is the network's answer at the highest noise, before anything of the target is seen.",
        f"By chance the right pose is nearest in {chance:.3f} of the cases.",
        *(f"{name} is rendered from the source view alone, with its camera and silhouette." for name in exam.against),
    ]
    return Measured(objects, {"sheet": [str(sheet)]}, notes if lpips else [*notes, MISSING])


def preview(network: NovelViews, examples: Any, recipe: ViewsRecipe, path: Path) -> None:
    """Four training objects: input, truth, regression, samples."""
    device = next(network.parameters()).device
    judging = ViewsJudging(seeds=1, sampling=Sampling(steps=10))
    cases = [case_of(examples[k], judging) for k in range(min(4, len(examples)))]
    samples = drawn(network, cases, judging, device)
    rows = [
        [case.shown, case.targets, regressed(network, case, device)[0], sample[0]]
        for case, sample in zip(cases, samples, strict=True)
    ]
    picture_grid(path, rows, ["input", "truth", "regression", "sample"])
