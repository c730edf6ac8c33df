"""How models of posed pictures are judged: held-out views of held-out objects, in numbers, pictures, splats and meshes."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from versemill.asset import Asset
from versemill.config import Config
from versemill.errors import ConfigError
from versemill.reconstruction.methods import HULL, MEAN, NEAREST, Answer, Case, answers, measure, predict
from versemill.reconstruction.presets import PosedRecipe
from versemill.training import baselines, fusion, images
from versemill.training.family import MODEL, Cases, Exam, Examples, Measured, Progress
from versemill.training.lpips import MISSING
from versemill.training.objects import scene_of_asset, textured
from versemill.training.pictures import picture_grid, write_splats
from versemill.training.scenes import Scene, spread

PICTURES = 12
"""Objects in the picture grid, which also get their splats and mesh written."""


class PosedJudging(Config):
    """What a model of posed pictures is shown when it is judged."""

    views: Literal[4, 8] = Field(default=4, description="input views")


def case(scene: Scene, judging: PosedJudging) -> Case:
    """Inputs spread around the object; the targets are all other views.

    Raises:
        ConfigError: the scene has too few views.
    """
    return Case(scene, spread(scene.c2w, judging.views))


def mesh_case(name: str, asset: Asset, recipe: PosedRecipe, judging: PosedJudging) -> Case:
    """The paper's cameras: 4 views of elevation 20 or 8 of elevations 0 and 40; targets from its 64-view grid.

    A mesh without materials gets drawn ones (LRM-Zero section 4).
    """
    return Case(scene_of_asset(textured(asset), judging.views, recipe.size, name), list(range(judging.views)))


def score(network: Any, cases: Cases, judging: PosedJudging, device: torch.device) -> dict[str, list[float]]:
    """PSNR of each object over the views that are no inputs."""
    with torch.no_grad():
        return {"psnr": [_psnr(network, each, device) for each in cases]}


def _psnr(network: Any, case: Case, device: torch.device) -> float:
    scene, targets = case.scene, case.targets
    reconstruction = predict(network, scene, case.inputs, device)
    cameras = scene.c2w[None, targets].to(device), scene.K[None, targets].to(device)
    image = Answer.of(network.draw(reconstruction, *cameras, scene.rgb.shape[-1])).image
    return float(images.psnr(image, scene.over_white[targets]).mean())


def renders(
    network: Any, pictures: Tensor, alpha: Tensor, c2w: Tensor, K: Tensor, other_c2w: Tensor, other_K: Tensor
) -> Tensor:
    """An object reconstructed from some views and seen by other cameras; see `training.family.Family.renders`.

    Raises:
        ConfigError: the pictures are not of the model's size.
    """
    size = network.recipe.size
    if pictures.shape[-1] != size:
        raise ConfigError(
            f"the reconstruction sees pictures of {size} pixels, these have {pictures.shape[-1]}: train one with "
            f"--set size={pictures.shape[-1]}"
        )
    with torch.no_grad():
        reconstruction = network(*(t[None] for t in (pictures, alpha, c2w, K)))[0]
        return Answer.of(network.draw(reconstruction, other_c2w[None], other_K[None], size)).image


def baseline_scores(cases: Cases, training: Examples, judging: PosedJudging) -> dict[str, dict[str, list[float]]]:
    """PSNR of the mean image, the nearest input view and the visual hull."""
    mean = baselines.mean_image(training[k] for k in range(len(training)))
    values: dict[str, list[float]] = {MEAN: [], NEAREST: [], HULL: []}
    for each in cases:
        scene, inputs, targets = each.scene, each.inputs, each.targets
        rgb, alpha, _ = baselines.visual_hull(scene, inputs, targets)
        pictures = {
            MEAN: mean.expand(len(targets), -1, -1, -1),
            NEAREST: scene.over_white[baselines.nearest_view(scene, inputs, targets)],
            HULL: rgb + 1 - alpha,
        }
        for name, image in pictures.items():
            values[name].append(float(images.psnr(image, scene.over_white[targets]).mean()))
    return {name: {"psnr": psnr} for name, psnr in values.items()}


def measured(exam: Exam, cases: Iterable[Case], count: int, progress: Progress | None) -> Measured:
    """Every method in every metric, object by object; writes grid.png, splats/*.ply and, in full, meshes/*.ply."""
    for folder in ("splats", "meshes"):
        (exam.out / folder).mkdir(parents=True, exist_ok=True)
    mean = baselines.mean_image(exam.training[k] for k in range(len(exam.training)))
    objects: list[dict[str, Any]] = []
    rows: list[list[Tensor]] = []
    files: dict[str, list[str]] = {"grid": [str(exam.out / "grid.png")], "splats": [], "meshes": []}
    for each in cases:
        scene, targets = each.scene, each.targets
        reconstruction = predict(exam.network, scene, each.inputs, exam.device)
        given = answers(exam, mean, each, reconstruction)
        objects.append({"name": scene.name, **{m: measure(exam, each, answer) for m, answer in given.items()}})
        if len(rows) < PICTURES:
            shown = _evenly(len(targets), 4)
            truth, image = scene.over_white[targets][shown], given[MODEL].image[shown]
            rows.append([scene.over_white[each.inputs][:8], image, given[HULL].image[shown], truth, (image - truth).abs()])
            _export(exam, reconstruction, f"{len(rows) - 1:03d}.ply", files)
        if progress:
            progress(len(objects), count, {"psnr": objects[-1][MODEL]["psnr"]})
    picture_grid(exam.out / "grid.png", rows, ["inputs", "prediction", "visual hull", "truth", "|prediction - truth|"])
    return Measured(objects, files, [] if exam.lpips else [MISSING])


def _export(exam: Exam, reconstruction: Any, name: str, files: dict[str, list[str]]) -> None:
    """Writes the splats of a reconstruction, if it has any, and its mesh, if the evaluation is a full one."""
    network: Any = exam.network
    if (splats := network.splats(reconstruction)) is not None:
        write_splats(exam.out / "splats" / name, splats)
        files["splats"].append(str(exam.out / "splats" / name))
    if exam.full:
        device = exam.device
        mesh = fusion.fuse(lambda c2w, K, size: network.draw(reconstruction, c2w.to(device), K.to(device), size))
        if mesh is not None:
            path = Path(exam.out / "meshes" / name)
            fusion.write_mesh(path, mesh)
            files["meshes"].append(str(path))


def _evenly(count: int, most: int) -> list[int]:
    return [round(k * (count - 1) / max(1, min(most, count) - 1)) for k in range(min(most, count))]
