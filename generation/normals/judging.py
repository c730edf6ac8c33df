"""How `normals` is judged: on views as rendered and as unseen photographs, next to answers without learning."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field as Setting

from versemill import seeds
from versemill.asset import Asset
from versemill.config import Config
from versemill.generation.normals import domains, errors, sheets
from versemill.generation.normals.answers import estimate
from versemill.generation.normals.data import Views, over_white
from versemill.generation.normals.losses import noised
from versemill.generation.normals.network import Normals
from versemill.generation.normals.photographs import read
from versemill.generation.normals.presets import NormalsRecipe
from versemill.generation.normals.spectra import BANDS, Spectra
from versemill.markdown import inert, table
from versemill.render import CameraConfig, RenderConfig
from versemill.render import render as render_views
from versemill.training.family import MODEL, UNTRAINED, Cases, Exam, Examples, Family, Measured, Metric, Progress
from versemill.training.objects import textured
from versemill.training.runs import load
from versemill.training.statistics import interval

FACING, MEAN, OTHER = "facing the camera", "mean normal", "the other run"
"""Baselines: what a network says that has learned nothing; the mean of training pixels; the run of `against`."""
NE = Metric("normal_error", "normal error", "degrees", higher_is_better=False)
SNE = Metric("sharp_normal_error", "sharp normal error", "degrees", higher_is_better=False)
PHOTO_NE = Metric("photo_normal_error", "normal error, photo", "degrees", higher_is_better=False)
PHOTO_SNE = Metric("photo_sharp_normal_error", "sharp normal error, photo", "degrees", higher_is_better=False)
METRICS = (NE, SNE, PHOTO_NE, PHOTO_SNE)
CHUNK = 4
"""Views that a network sees at once."""
ROWS = 12
"""Of a sheet; two of them show an object."""
Floats = NDArray[np.floating]


class NormalsJudging(Config):
    """How normals are asked for."""

    views: int = Setting(default=3, description="views of an object, its first ones", ge=1, le=64)
    test_noise: bool = Setting(default=False, description="also inject the training's noise when judging")
    against: str | None = Setting(default=None, description="another run of normals, judged next to this one")
    photographs: str | None = Setting(default=None, description="folder of photographs with normals in the layout of DiLiGenT")


@dataclass(frozen=True, eq=False)
class Case:
    """The judged views of an object: rgba (V, 4, S, S) in [0, 1], straight alpha; normal (V, 3, S, S) as in `data.Views`."""

    rgba: NDArray[np.float32]
    normal: NDArray[np.float32]
    name: str
    source: str
    index: int

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        """(V, S, S): where there is a normal."""
        return (self.normal != 0).any(1)

    @cached_property
    def plain(self) -> NDArray[np.float32]:
        """(V, 3, S, S): the views over white."""
        return over_white(self.rgba)

    @cached_property
    def photo(self) -> NDArray[np.float32]:
        """(V, 3, S, S): the views as photographs of a kind that no training sees; the same in every evaluation."""
        return np.stack(
            [
                domains.photograph(rgba, domains.UNSEEN, seeds.stream(0, self.index, f"normals/unseen/{view}"))
                for view, rgba in enumerate(self.rgba)
            ]
        )

    def scores(self, plain: Floats, photo: Floats) -> dict[str, float]:
        """Metric key -> value of normals (V, 3, S, S) for both kinds of pictures; NaN where no view has such pixels."""
        both = [map(errors.errors, answer, self.normal, self.known) for answer in (plain, photo)]
        means = [_mean(values) for answer in both for values in zip(*answer, strict=True)]
        return {metric.key: mean for metric, mean in zip(METRICS, means, strict=True)}


def _mean(values: Sequence[float]) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else np.nan


def case_of(views: Views, judging: NormalsJudging) -> Case:
    """The first views of an asset."""
    rgba, normal = (array[: judging.views].astype(np.float32) for array in (views.rgba, views.normal))
    return Case(rgba / np.float32(255), normal, views.name, views.source, views.index)


def mesh_case(name: str, asset: Asset, recipe: NormalsRecipe, judging: NormalsJudging) -> Case:
    """A mesh from even directions, in studio light."""
    config = RenderConfig(
        width=recipe.view, height=recipe.view, cameras=CameraConfig(preset="hammersley", views=judging.views),
        passes=("rgb", "normal", "mask"),
    )  # fmt: skip
    made = render_views(textured(asset), config)
    turns = np.stack([camera.c2w[:3, :3] for camera in made.cameras])
    normal = np.einsum("vji,vhwj->vihw", turns, made.passes["normal"])
    rgba = made.passes["rgb"].transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    return Case(rgba, normal.astype(np.float32), name, "meshes", int(asset.content_hash[:12], 16))


def answers(network: Normals, case: Case, domain: str, judging: NormalsJudging, device: torch.device) -> NDArray[np.float32]:
    """Unit normals (V, 3, S, S) of a case's views, "plain" or "photo"."""
    pictures = torch.from_numpy(np.ascontiguousarray(getattr(case, domain), np.float32))
    noise = None
    if judging.test_noise:
        draws = seeds.stream(0, case.index, f"normals/test/{domain}").standard_normal(pictures.shape, np.float32)
        noise = noised(pictures, torch.from_numpy(draws), network.recipe.sigma)
    parts = [
        network.answer(pictures[k : k + CHUNK].to(device), None if noise is None else noise[k : k + CHUNK].to(device)).cpu()
        for k in range(0, len(pictures), CHUNK)
    ]
    return torch.cat(parts).numpy()


def score(network: Normals, cases: Cases, judging: NormalsJudging, device: torch.device) -> dict[str, list[float]]:
    """Every metric of every case."""
    rows = [case.scores(*(answers(network, case, domain, judging, device) for domain in ("plain", "photo"))) for case in cases]
    return {metric.key: [row[metric.key] for row in rows] for metric in METRICS}


def constants(training: Any) -> dict[str, NDArray[np.float32]]:
    """Baseline -> the normal (3,) that it gives everywhere."""
    return {FACING: np.array([0, 0, -1], np.float32), MEAN: training.mean_normal}


def baselines(cases: Cases, training: Examples, judging: NormalsJudging) -> dict[str, dict[str, list[float]]]:
    """`FACING` and `MEAN`: pictures change nothing for them."""
    scores: dict[str, dict[str, list[float]]] = {}
    for name, normal in constants(training).items():
        rows = [case.scores(flat := spread(normal, case), flat) for case in cases]
        scores[name] = {metric.key: [row[metric.key] for row in rows] for metric in METRICS}
    return scores


def spread(normal: NDArray[np.float32], case: Case) -> NDArray[np.float32]:
    """(V, 3, S, S): one normal for all pixels."""
    return np.broadcast_to(normal[:, None, None], case.normal.shape)


def measure(family: Family, exam: Exam, cases: Iterable[Case], count: int, progress: Progress | None) -> Measured:
    """Each case by the network, the untrained one, the run of `against` and the baselines; sheet, spectra, tables by source."""
    judging: Any = exam.judging
    networks: dict[str, Any] = {MODEL: exam.network, UNTRAINED: exam.untrained}
    if judging.against:
        networks[OTHER], _ = load(family, judging.against, exam.device)
    objects: list[dict[str, Any]] = []
    sources: list[str] = []
    spectra = Spectra()
    rows: list[list[NDArray[np.uint8]]] = []
    for case in cases:
        given = {
            name: [answers(network, case, domain, judging, exam.device) for domain in ("plain", "photo")]
            for name, network in networks.items()
        }
        given |= {name: [spread(normal, case)] * 2 for name, normal in constants(exam.training).items()}
        spectra.add({name: plain for name, (plain, _) in given.items()}, case.normal, case.known)
        scored = {name: case.scores(*pair) for name, pair in given.items()}
        objects.append({"name": case.name, **{name: _finite(values) for name, values in scored.items()}})
        sources.append(case.source)
        if len(rows) < ROWS:
            rows += [
                sheets.row(picture[0], answer[0], case.normal[0], case.known[0])
                for picture, answer in zip((case.plain, case.photo), given[MODEL], strict=True)
            ]
        if progress:
            progress(len(objects), count, objects[-1][MODEL])
    sheets.write(exam.out / "sheet.png", rows)
    (exam.out / "spectra.json").write_text(json.dumps({"bands": BANDS, "shares": spectra.shares()}, indent=1) + "\n")
    notes = [by_source(objects, sources), spectra.note(), sheets.NOTE]
    if judging.against:
        notes.append(f"The other run is {inert(str(judging.against))}.")
    files = {"sheet": [str(exam.out / "sheet.png")], "spectra": [str(exam.out / "spectra.json")]}
    if judging.photographs:
        notes.append(of_photographs(networks, constants(exam.training), judging.photographs, exam.out))
    return Measured(objects, files, notes)


def _finite(values: dict[str, float]) -> dict[str, float]:
    return {key: value for key, value in values.items() if np.isfinite(value)}


def of_photographs(networks: dict[str, Any], flat: dict[str, NDArray[np.float32]], folder: str, out: Path) -> str:
    """NE and SNE on photographs with measured normals, as a Markdown table; pictures of all of them in OUT/photographs.png."""
    rows: list[list[str]] = []
    values: list[list[tuple[float, float]]] = []
    sheet: list[list[NDArray[np.uint8]]] = []
    for shot in read(folder):
        rgba, truth = torch.from_numpy(shot.rgba), shot.normal
        given = {name: estimate(network, rgba, network.recipe.view).numpy() for name, network in networks.items()}
        given |= {name: np.broadcast_to(normal[:, None, None], truth.shape) for name, normal in flat.items()}
        values.append([errors.errors(answer, truth, shot.known) for answer in given.values()])
        rows.append([inert(shot.name), *map(_pair, values[-1])])
        sheet.append(sheets.row(over_white(shot.rgba), given[MODEL], truth, shot.known, side=256))
    sheets.write(out / "photographs.png", sheet[:ROWS])
    by_method = (zip(*pairs, strict=True) for pairs in zip(*values, strict=True))
    rows.append(["mean", *(_pair((_mean(ne), _mean(sne))) for ne, sne in by_method)])
    return f"Photographs of {inert(str(folder))}, NE / SNE in degrees:\n\n{table(['', *given], rows)}"


def _pair(values: tuple[float, float]) -> str:
    return " / ".join("" if np.isnan(v) else f"{v:.2f}" for v in values)


def by_source(objects: Sequence[dict[str, Any]], sources: Sequence[str]) -> str:
    """Means by what made the objects, and how far the model lies below its rivals with 95 % intervals, as Markdown."""
    parts = []
    for source in sorted(set(sources)):
        some = [o for o, own in zip(objects, sources, strict=True) if own == source]
        means = {
            method: [_text([o[method].get(m.key) for o in some]) for m in METRICS] for method in some[0] if method != "name"
        }
        rows = [[method, *cells] for method, cells in means.items()]
        for rival in (name for name in (FACING, OTHER) if name in means):
            rows.append([f"model below {rival}", *(_gain(some, rival, metric) for metric in METRICS)])
        parts.append(f"{inert(source)}, {len(some)} objects:\n\n{table(['', *(m.name for m in METRICS)], rows)}")
    return "\n\n".join(parts)


def _text(values: Sequence[float | None]) -> str:
    present = [v for v in values if v is not None]
    return f"{np.mean(present):.2f}" if present else ""


def _gain(objects: Sequence[dict[str, Any]], rival: str, metric: Metric) -> str:
    gains = [o[rival][metric.key] - o[MODEL][metric.key] for o in objects if metric.key in o[MODEL]]
    bounds = interval(gains)
    return _text(gains) + (f" ({bounds[0]:.2f} to {bounds[1]:.2f})" if bounds else "")
