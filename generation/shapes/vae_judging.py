"""How shape models are judged: meshes against the watertight ones of held-out assets, next to shapes that need no training."""

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
from versemill.asset import Asset
from versemill.config import Config
from versemill.errors import AssetError
from versemill.generation.shapes import baselines, extraction, looks, metrics
from versemill.generation.shapes.data import Shape, ShapeSet, input_points
from versemill.generation.shapes.extraction import Mesh
from versemill.generation.shapes.vae import Field, ShapeVae
from versemill.generation.shapes.vae_presets import ShapeVaeRecipe
from versemill.generation.shapes.vae_training import starts
from versemill.mesh import face_normals, sample_surface, topology
from versemill.queries import MeshQuery
from versemill.training.family import MODEL, UNTRAINED, Cases, Exam, Examples, Measured, Metric, Progress

NEAREST, ELLIPSOID, CUBOID = "nearest training shape", "best ellipsoid", "best box"
METRICS = (
    Metric("iou", "IoU", "", places=3),
    Metric("chamfer", "Chamfer", "", higher_is_better=False, places=4),
    *(Metric(f"f@{limit}", f"F@{limit}", "", places=3) for limit in metrics.THRESHOLDS),
    Metric("normal_consistency", "normal consistency", "", places=3),
    Metric("sharp_normal_error", "sharp normal error", "degrees", higher_is_better=False, places=1),
)
DEPTHS = (0.1, 0.2, 0.4)
"""Where strata of thickness meet: greatest distance inside an asset, world units."""
MAX_OPEN = 0.1
"""Share of a mesh's surface that may enclose nothing."""
PICTURES = 12
"""Objects on the contact sheet."""
BOX_POINTS = 32_768
"""Points at whose places volumes are compared."""


class ShapeJudging(Config):
    """How a field becomes the mesh that is judged."""

    resolution: int = Setting(
        default=128, description="cells along the box's side: at most 64, or that times a power of two", ge=16, le=512
    )
    tokens: int | None = Setting(default=None, description="latents; null: the most that training drew", ge=1, le=16_384)
    noise: float = Setting(default=0.0, description="noise on the latents, in their deviations, as a generator's have", ge=0)


@dataclass(frozen=True, eq=False)
class Case:
    """A shape and its true mesh."""

    shape: Shape
    mesh: Mesh

    @property
    def name(self) -> str:
        """Which asset it is."""
        return self.shape.name

    @cached_property
    def box(self) -> NDArray[np.float32]:
        """(BOX_POINTS, 3) points at whose places volumes are compared."""
        return seeds.stream(0, self.shape.index, "shapes/box").uniform(-1, 1, (BOX_POINTS, 3)).astype(np.float32)

    @cached_property
    def truth(self) -> metrics.Surface:
        """What every answer is compared with."""
        return metrics.surface_of(*self.mesh, self.box, seeds.stream(0, self.shape.index, "shapes/samples"))

    def compared(self, mesh: Mesh) -> dict[str, float]:
        """`metrics.compare`; what has no surface gets `metrics.EMPTY`."""
        if not len(mesh[1]):
            return metrics.EMPTY
        return metrics.compare(metrics.surface_of(*mesh, self.box, seeds.stream(0, 0, "shapes/samples")), self.truth)


class JudgedShapes(ShapeSet):
    """Shapes with their meshes."""

    def __getitem__(self, position: int) -> Any:
        return Case(self.shapes[position], self.mesh(position))


def vae_data(
    dataset_dir: str | Path, splits: Sequence[str], recipe: ShapeVaeRecipe, indices: Collection[int] | None, judged: bool
) -> ShapeSet:
    """The shapes of a dataset: all of them to be judged, else as many as the recipe wants."""
    if judged:
        return JudgedShapes(dataset_dir, splits, indices)
    return ShapeSet(dataset_dir, splits, indices, recipe.assets)


def vae_mesh_case(name: str, asset: Asset, recipe: ShapeVaeRecipe, judging: ShapeJudging) -> Case:
    """Any mesh as a case: itself where it is closed, else the solid that it encloses.

    Raises:
        AssetError: too much of it encloses nothing.
    """
    vertices, faces = solid(name, asset.vertices.astype(np.float32), asset.faces.astype(np.int32))
    rng = seeds.stream(0, 0, "shape-vae/mesh")
    points, chosen, _ = sample_surface(vertices, faces, recipe.input_points, rng)
    surface = np.concatenate([points, face_normals(vertices, faces)[chosen]], 1).astype(np.float32)
    box = rng.uniform(-1, 1, (BOX_POINTS, 3)).astype(np.float32)
    volume = np.concatenate([box, MeshQuery(vertices, faces, winding=True).signed_distance(box)[:, None]], 1)
    empty = np.zeros((0, 6), np.float32)
    return Case(Shape(surface, empty, volume, volume[:0], volume, name, 0), (vertices, faces))


def solid(name: str, vertices: NDArray[np.float32], faces: NDArray[np.int32]) -> Mesh:
    """A mesh in [-1, 1]^3 that is closed: as it is, or the surface where its winding number passes a half, on 128^3 cells.

    Raises:
        AssetError: more than `MAX_OPEN` of the mesh lies farther than two cells from that surface.
    """
    if topology(faces).watertight:
        return vertices, faces
    query = MeshQuery(vertices, faces, winding=True)

    def values(points: Tensor) -> Tensor:
        return torch.from_numpy(query.signed_distance(points.numpy())) / 0.04  # about a cell of the coarsest grid

    closed = extraction.mesh(values, 128)
    points, _, _ = sample_surface(vertices, faces, 4096, seeds.stream(0, 0, "shape-vae/solid"))
    near = MeshQuery(*closed).closest(points)[0] if len(closed[1]) else np.full(len(points), np.inf)
    if (lost := float((near > 4 * extraction.BOX / 128).mean())) > MAX_OPEN:
        raise AssetError(
            "open", f"{lost:.0%} of {name} encloses nothing (limit {MAX_OPEN:.0%}): give it walls, or leave it out"
        )
    return closed


def decoded(vae: ShapeVae, shape: Shape, tokens: int | None, device: torch.device, noise: float = 0.0) -> Field:
    """The field of a shape's mean latents, with noise of so many of their deviations.

    Which points the encoder sees, and the noise, are fixed by the asset's index.
    """
    recipe = vae.recipe
    rng = seeds.stream(0, shape.index, "shape-vae/judged")
    seen = torch.from_numpy(input_points(shape, recipe.input_points, recipe.sharp_input, rng))[None].to(device)
    with torch.no_grad():
        latents = vae.encode(seen, starts(seen, tokens or recipe.tokens[-1])).mean
        draws = torch.from_numpy(rng.standard_normal(latents.shape, np.float32)).to(device)
        return vae.decode(latents + noise * vae.latent_deviation * draws, torch.full((1,), noise, device=device))


def extracted(field: Field, resolution: int, device: torch.device) -> Mesh:
    """The mesh of one field."""

    def values(points: Tensor) -> Tensor:
        return field(points[None].to(device))[0]

    return extraction.mesh(values, resolution)


def vae_score(network: ShapeVae, cases: Cases, judging: ShapeJudging, device: torch.device) -> dict[str, list[float]]:
    """`METRICS` of the reconstruction of each case."""
    scores = []
    for case in cases:
        mesh = extracted(decoded(network, case.shape, judging.tokens, device, judging.noise), judging.resolution, device)
        scores.append(case.compared(mesh))
    return columns(scores)


def vae_baselines(cases: Cases, training: Examples, judging: Any) -> dict[str, dict[str, list[float]]]:
    """The training shape nearest by Chamfer distance; the best ellipsoid and box, which see the truth."""
    answers = [plain_answers(case, training) for case in cases]
    return {
        name: columns([case.compared(answer[name]) for case, answer in zip(cases, answers, strict=True)])
        for name in (NEAREST, ELLIPSOID, CUBOID)
    }


def plain_answers(case: Case, training: Any) -> dict[str, Mesh]:
    """Baseline -> its mesh."""
    distances = metrics.chamfer_matrix([case.shape.surface[:512, :3]], [s.surface[:512, :3] for s in training.shapes])
    return {
        NEAREST: training.mesh(int(distances[0].argmin())),
        ELLIPSOID: baselines.ellipsoid(*case.mesh, case.box),
        CUBOID: baselines.cuboid(*case.mesh, case.box),
    }


def columns(scores: Sequence[dict[str, float]]) -> dict[str, list[float]]:
    """Metric -> value per case. An asset without sharp edges has no sharp normal error: the column is then left out."""
    keys = [m.key for m in METRICS if all(m.key in values for values in scores)]
    return {key: [values[key] for values in scores] for key in keys}


def vae_measure(exam: Exam, cases: Iterable[Case], count: int, progress: Progress | None) -> Measured:
    """Each case by the network, the untrained one and the baselines; a contact sheet; a table by thickness."""
    networks: dict[str, Any] = {MODEL: exam.network, UNTRAINED: exam.untrained}
    judging: Any = exam.judging
    objects: list[dict[str, Any]] = []
    depths: list[float] = []
    rows: list[list[NDArray[np.uint8]]] = []
    camera = looks.front(160, elevation=20, azimuth=-60)
    for case in cases:
        answers = {}
        for name, network in networks.items():
            field = decoded(network, case.shape, judging.tokens, exam.device, judging.noise)
            answers[name] = extracted(field, judging.resolution if name == MODEL else min(64, judging.resolution), exam.device)
        answers |= plain_answers(case, exam.training)
        objects.append({"name": case.name, **{name: case.compared(mesh) for name, mesh in answers.items()}})
        depths.append(case.shape.depth)
        if len(rows) < PICTURES:
            shown = (case.mesh, answers[MODEL], answers[NEAREST], answers[ELLIPSOID])
            rows.append([looks.shaded(mesh, camera) for mesh in shown])
        if progress:
            progress(len(objects), count, objects[-1][MODEL])
    exam.out.mkdir(parents=True, exist_ok=True)
    looks.sheet(exam.out / "sheet.png", rows)
    note = "The sheet's columns: truth, model, nearest training shape, best ellipsoid."
    return Measured(objects, {"sheet": [str(exam.out / "sheet.png")]}, [by_thickness(objects, depths), note])


def by_thickness(objects: Sequence[dict[str, Any]], depths: Sequence[float]) -> str:
    """IoU and F-score at 0.02 by the greatest distance inside an asset, as a Markdown table."""
    methods = [name for name in objects[0] if name not in ("name", UNTRAINED)]
    lines = [
        "By thickness (greatest distance inside): IoU / F@0.02.",
        "",
        "| thickness | objects | " + " | ".join(methods) + " |",
        "|---|---|" + "---|" * len(methods),
    ]
    for low, high in zip((0.0, *DEPTHS), (*DEPTHS, np.inf), strict=True):
        inside = [o for o, d in zip(objects, depths, strict=True) if low <= d < high]
        if inside:
            cells = [" / ".join(f"{np.mean([o[m][key] for o in inside]):.3f}" for key in ("iou", "f@0.02")) for m in methods]
            lines.append(f"| {low} to {high} | {len(inside)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def vae_preview(network: ShapeVae, examples: Any, recipe: ShapeVaeRecipe, path: Path) -> None:
    """Three training shapes and what the network makes of them, coarsely."""
    camera = looks.front(160, elevation=20, azimuth=-60)
    device = next(network.parameters()).device
    rows = []
    for position in range(min(3, len(examples))):
        mesh = extracted(decoded(network, examples.shapes[position], None, device), 64, device)
        rows.append([looks.shaded(examples.mesh(position), camera), looks.shaded(mesh, camera)])
    looks.sheet(path, rows)
