"""How `shape-flow` is judged: samples compared with their picture, with shapes that need no training, and as a set."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field as Setting
from torch import Tensor

from versemill import seeds
from versemill.errors import MissingDependencyError
from versemill.generation.encoders import Lite0
from versemill.generation.shapes import baselines, looks, metrics
from versemill.generation.shapes.data import Placement, about_z
from versemill.generation.shapes.drawing import Drawing, Shown, draw
from versemill.generation.shapes.extraction import Mesh
from versemill.generation.shapes.flow_presets import ShapeFlowRecipe
from versemill.generation.shapes.flow_training import THUMBNAIL, Seen, SeenShapes
from versemill.generation.shapes.generator import ShapeGenerator
from versemill.generation.shapes.vae_judging import CUBOID, ELLIPSOID, PICTURES, Case, extracted
from versemill.mesh import sample_surface, topology, volume
from versemill.training.family import MODEL, Cases, Exam, Examples, Measured, Metric, Progress

SHUFFLED, NEAREST, HULL = "shuffled pictures", "nearest training picture's shape", "visual hull"
METRICS = (
    Metric("silhouette_iou", "silhouette IoU", "", places=3),
    Metric("view_normal_error", "normal error in the view", "degrees", higher_is_better=False, places=1),
    Metric("iou", "IoU", "", places=3),
    Metric("chamfer", "Chamfer", "", higher_is_better=False, places=3),
    Metric("f@0.05", "F@0.05", "", places=3),
    Metric("normal_consistency", "normal consistency", "", places=3),
    Metric("sharp_normal_error", "sharp normal error", "degrees", higher_is_better=False, places=1),
)
NORMALS_FIRST = tuple(sorted(METRICS, key=lambda metric: "normal" not in metric.name or metric.key == "view_normal_error"))
"""The same for a model that is about normals: normal consistency decides, the sharp normal error comes next."""
CLOUD = 512
"""Points of a shape where many are compared with many."""
PLAUSIBLE = (0.5, 2.2)
"""Longest side of a plausible sample: training shapes have 2."""


class FlowJudging(Drawing):
    """How shapes are drawn and become meshes."""

    resolution: int = Setting(
        default=64, description="cells along the box's side: at most 64, or that times a power of two", ge=16, le=512
    )
    free: int = Setting(default=100, description="shapes drawn without a picture, with --quick none", ge=0, le=10_000)
    view: int = Setting(default=0, description="which of an asset's views is the picture", ge=0)


@dataclass(frozen=True, eq=False)
class FlowCase:
    """A view of an asset, and what it shows.

    Attributes:
        picture: as the network sees it. thumbnail: the same for the nearest training picture.
        seen: the asset. view: which of its views. placement: how it stands when it is generated.
    """

    seen: Seen
    view: int
    picture: Shown
    thumbnail: Tensor
    placement: Placement

    @cached_property
    def inner(self) -> Case:
        """The shape and its true mesh, for comparisons in space."""
        return Case(self.seen.shape, self.seen.mesh)

    @property
    def name(self) -> str:
        """Which asset it is."""
        return self.seen.shape.name


def data(
    dataset_dir: str | Path, splits: Sequence[str], recipe: ShapeFlowRecipe, indices: Collection[int] | None, judged: bool
) -> SeenShapes:
    """The shapes of a dataset with their views."""
    return SeenShapes(dataset_dir, splits, recipe, indices, judged)


def case_of(item: tuple[SeenShapes, int], judging: FlowJudging) -> FlowCase:
    """The view of an asset that is judged; of an asset with fewer views, counted on from the first."""
    shapes, position = item
    recipe, seen = shapes.recipe, shapes.seen(position)
    view = judging.view % len(seen.rgba)
    picture = Shown(seen.picture(view, recipe.picture, recipe.fill), seen.outline(view, recipe.fill))
    return FlowCase(seen, view, picture, seen.picture(view, THUMBNAIL, recipe.fill), seen.placement(view, recipe.frame))


def draw_meshes(
    network: ShapeGenerator,
    pictures: Sequence[Shown] | None,
    numbers: Sequence[int],
    judging: FlowJudging,
    device: torch.device,
) -> list[Mesh]:
    """The shape of each picture, or of none, from the noise of each number.

    Those of pictures get the size that every asset has and `generate` gives; of the others it is asked whether they have it.
    """
    meshes = [extracted(field, judging.resolution, device) for field in draw(network, pictures, numbers, judging, device)]
    return meshes if pictures is None else [sized(mesh) for mesh in meshes]


def sized(mesh: Mesh) -> Mesh:
    """A mesh with its box at the origin, the longest side 2; an empty one as it is."""
    vertices, faces = mesh
    return (Placement.fitting(vertices, about_z(0)).points(vertices), faces) if len(faces) else mesh


def agreement(mesh: Mesh, case: FlowCase) -> dict[str, float]:
    """How a mesh, as generated, agrees with the case: in its view, and in space."""
    placed = case.placement.undone(mesh[0]), mesh[1]
    camera, mask = case.seen.cameras[case.view], case.seen.rgba[case.view, 3] >= 128
    shown, normals = looks.seen(placed, camera)
    scores = {"silhouette_iou": metrics.iou(shown, mask), "view_normal_error": 90.0}
    truth = case.seen.normals[case.view].transpose(1, 2, 0)
    both = shown & mask & (np.linalg.norm(truth, axis=-1) > 0.5)
    if both.any():
        cosine = (normals[both] * truth[both]).sum(-1)
        scores["view_normal_error"] = float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean())
    spatial = case.inner.compared(placed)
    return {**scores, **{m.key: spatial[m.key] for m in METRICS if m.key in spatial}}


def columns(scores: Sequence[dict[str, float]]) -> dict[str, list[float]]:
    """Metric -> value per case. An asset without sharp edges has no sharp normal error: the column is then left out."""
    keys = [m.key for m in METRICS if all(m.key in values for values in scores)]
    return {key: [values[key] for values in scores] for key in keys}


def score(network: ShapeGenerator, cases: Cases, judging: FlowJudging, device: torch.device) -> dict[str, list[float]]:
    """`METRICS` of one sample per case."""
    numbers = [case.seen.shape.index for case in cases]
    meshes = draw_meshes(network, [case.picture for case in cases], numbers, judging, device)
    return columns([agreement(mesh, case) for mesh, case in zip(meshes, cases, strict=True)])


def baseline_scores(cases: Cases, training: Examples, judging: Any) -> dict[str, dict[str, list[float]]]:
    """What needs no training: the nearest training picture's shape, ellipsoid and box of the truth, the picture's hull."""
    answers = [plain_answers(case, training) for case in cases]
    return {
        name: columns([agreement(answer[name], case) for answer, case in zip(answers, cases, strict=True)])
        for name in (NEAREST, ELLIPSOID, CUBOID, HULL)
    }


def plain_answers(case: FlowCase, training: Any) -> dict[str, Mesh]:
    """Baseline -> its mesh, standing as a generated one does."""
    crops, places = training.thumbnails
    position, view = places[int((crops - case.thumbnail.flatten()).square().sum(1).argmin())]
    other = training.seen(position)
    vertices, faces = training.mesh(position)
    mask = (case.seen.rgba[case.view, 3] / 255.0).astype(np.float64)
    inside = {
        ELLIPSOID: baselines.ellipsoid(*case.seen.mesh, case.inner.box),
        CUBOID: baselines.cuboid(*case.seen.mesh, case.inner.box),
        HULL: baselines.visual_hull(mask, case.seen.cameras[case.view]),
    }
    stood = {name: (case.placement.points(mesh[0]), mesh[1]) for name, mesh in inside.items()}
    return {NEAREST: (other.placement(view, training.recipe.frame).points(vertices), faces), **stood}


def measure(exam: Exam, cases: Iterable[FlowCase], count: int, progress: Progress | None) -> Measured:
    """Each case by the network, by the network with another case's picture, and by the baselines; then shapes of no picture."""
    network: Any = exam.network
    judging: Any = exam.judging
    every = list(cases)
    numbers = [case.seen.shape.index for case in every]
    pictures = [case.picture for case in every]
    drawn = {
        MODEL: draw_meshes(network, pictures, numbers, judging, exam.device),
        SHUFFLED: draw_meshes(network, [*pictures[1:], *pictures[:1]], numbers, judging, exam.device),
    }
    objects: list[dict[str, Any]] = []
    rows: list[list[NDArray[np.uint8]]] = []
    for k, case in enumerate(every):
        answers = {**{name: meshes[k] for name, meshes in drawn.items()}, **plain_answers(case, exam.training)}
        objects.append({"name": case.name, **{name: agreement(mesh, case) for name, mesh in answers.items()}})
        if len(rows) < PICTURES:
            rows.append(_row(case, [answers[name] for name in (MODEL, SHUFFLED, NEAREST)]))
        if progress:
            progress(k + 1, count, objects[-1][MODEL])
    exam.out.mkdir(parents=True, exist_ok=True)
    looks.sheet(exam.out / "sheet.png", rows)
    files = {"sheet": [str(exam.out / "sheet.png")]}
    notes = [
        "The sheet's columns: picture, truth, model, shuffled pictures, nearest training picture's shape, all in the view."
    ]
    notes.append(memory(drawn[MODEL], exam.training))
    if exam.full and judging.free:
        free = draw_meshes(network, None, [10**6 + k for k in range(judging.free)], judging, exam.device)
        camera = looks.front(128)
        shown = [looks.shaded(mesh, camera) for mesh in free[:24]]
        looks.sheet(exam.out / "free.png", [shown[k : k + 8] for k in range(0, len(shown), 8)])
        files["free"] = [str(exam.out / "free.png")]
        notes.append(set_figures(free, every, exam.training))
    return Measured(objects, files, notes)


def _row(case: FlowCase, answers: Sequence[Mesh]) -> list[NDArray[np.uint8]]:
    camera = case.seen.cameras[case.view]
    rgba = case.seen.rgba[case.view].transpose(1, 2, 0)
    alpha = rgba[..., 3:] / 255.0
    picture = (rgba[..., :3] * alpha + 255 * (1 - alpha)).round().astype(np.uint8)
    stood = [(case.placement.undone(mesh[0]), mesh[1]) for mesh in answers]
    return [picture, *(looks.shaded(mesh, camera) for mesh in (case.seen.mesh, *stood))]


def clouds(meshes: Sequence[Mesh], count: int = CLOUD) -> list[NDArray[np.float64]]:
    """Points (count, 3) on each mesh that has a surface."""
    rng = seeds.stream(0, 0, "shape-flow/clouds")
    return [sample_surface(*mesh, count, rng)[0] for mesh in meshes if len(mesh[1])]


def memory(samples: Sequence[Mesh], training: Any) -> str:
    """How near samples come to training shapes, against how near those come to each other: copying shows as a far lower value.

    Shapes are compared as they stand for their first view.
    """
    known = [seen.placement(0, training.recipe.frame).points(seen.shape.surface[:CLOUD, :3]) for seen in training.all_seen]
    near = metrics.chamfer_matrix(clouds(samples), known).min(1)
    among = metrics.chamfer_matrix(known[:64], known)
    among[np.arange(len(among)), np.arange(len(among))] = np.inf
    return (
        f"Nearest training shape of a sample: Chamfer {near.mean():.3f} on average, {near.min():.3f} at least; of one training "
        f"shape to the others: {among.min(1).mean():.3f} and {among.min():.3f}."
    )


def set_figures(free: Sequence[Mesh], cases: Sequence[FlowCase], training: Any) -> str:
    """Shapes of no picture as a set: closed, of plausible size, their coverage of the held-out shapes, Normal-FID."""
    closed = [len(f) > 0 and topology(f).watertight for _, f in free]
    sides = [float(np.ptp(v, axis=0).max()) if len(v) else 0.0 for v, _ in free]
    sound = [c and PLAUSIBLE[0] <= s <= PLAUSIBLE[1] and volume(*m) > 0 for c, s, m in zip(closed, sides, free, strict=True)]
    held = [case.placement.points(case.seen.shape.surface[:CLOUD, :3]) for case in cases]
    known = [seen.placement(0, training.recipe.frame).points(seen.shape.surface[:CLOUD, :3]) for seen in training.all_seen]
    ours, theirs = (metrics.chamfer_matrix(some[: len(held)], held) for some in (clouds(free), known))
    text = (
        f"{len(free)} shapes without a picture: {np.mean(closed):.0%} closed, {np.mean(sound):.0%} closed, of positive volume "
        f"and {PLAUSIBLE[0]} to {PLAUSIBLE[1]} long. Against the {len(held)} held-out shapes, with as many samples: coverage "
        f"{metrics.coverage(ours):.2f}, minimum matching distance {metrics.minimum_matching_distance(ours):.3f} (training "
        f"shapes: {metrics.coverage(theirs):.2f}, {metrics.minimum_matching_distance(theirs):.3f})."
    )
    try:
        network = Lite0()
    except MissingDependencyError:
        return text + " Normal-FID is left out: EfficientNet-Lite0 is not installed (pip install 'versemill[lite0]')."
    count = min(len(free), len(cases))
    truths = [(case.placement.points(case.seen.mesh[0]), case.seen.mesh[1]) for case in cases[:count]]
    trained = [_known(training, k) for k in range(min(count, len(training)))]
    real = features(network, truths)
    return (
        f"{text} Normal-FID (EfficientNet-Lite0, {count} against {count} pictures from the front; values of other networks "
        "do not compare): "
        f"{metrics.frechet(features(network, free[:count]), real):.1f} (training shapes: "
        f"{metrics.frechet(features(network, trained), real):.1f})."
    )


def _known(training: Any, position: int) -> Mesh:
    """A training shape as it stands for its first view."""
    vertices, faces = training.mesh(position)
    return training.seen(position).placement(0, training.recipe.frame).points(vertices), faces


def features(network: Lite0, meshes: Sequence[Mesh]) -> NDArray[np.float64]:
    """(N, 1280) of normal pictures from the front, elevation 10 degrees."""
    camera = looks.front(224)
    pictures = [torch.from_numpy(looks.normal_picture(mesh, camera)) for mesh in meshes]
    return torch.cat([network.features(torch.stack(pictures[k : k + 8])) for k in range(0, len(pictures), 8)]).double().numpy()


def preview(network: ShapeGenerator, examples: Any, recipe: ShapeFlowRecipe, path: Path) -> None:
    """Four training pictures, the shape behind each and what the network draws for it; four shapes of no picture."""
    device = next(network.parameters()).device
    judging = FlowJudging(steps=25)
    cases = [case_of((examples, position), judging) for position in range(min(4, len(examples)))]
    drawn = draw_meshes(network, [case.picture for case in cases], range(len(cases)), judging, device)
    free = draw_meshes(network, None, range(100, 100 + len(cases)), judging, device)
    camera = looks.front(recipe.picture)
    rows = []
    for position, (case, mesh, other) in enumerate(zip(cases, drawn, free, strict=True)):
        vertices, faces = examples.mesh(position)
        picture = (case.picture.pixels.permute(1, 2, 0) * 255).round().byte().numpy()
        truth = case.placement.points(vertices), faces
        rows.append([picture, *(looks.shaded(m, camera) for m in (truth, mesh, other))])
    looks.sheet(path, rows)
