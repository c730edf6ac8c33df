"""How a distilled object is judged: against true views that it never saw, and against the true mesh."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import trimesh
from numpy.typing import NDArray
from torch import Tensor

from versemill import seeds
from versemill.errors import ConfigError
from versemill.generation.distillation.methods import Draws
from versemill.generation.distillation.settings import Cameras
from versemill.generation.shapes import metrics
from versemill.shards import ShardDataset
from versemill.training.family import Metric, Scores
from versemill.training.fusion import Draw, fuse
from versemill.training.images import iou, psnr
from versemill.training.perceptual import RandomFeatureLoss
from versemill.training.scenes import Scene, Scenes

METRICS = (
    Metric("psnr", "PSNR", "dB"),
    Metric("random_features", "random-feature distance", "", higher_is_better=False, places=4),
    Metric("iou", "silhouette IoU", "", places=3),
    Metric("sharpness", "Laplacian energy over the truth's, best 1", "", places=3),
    Metric("saturation", "saturation over the truth's, best 1", "", places=3),
    Metric("janus", "back views like the front", "", higher_is_better=False, places=3),
    Metric("two_faced", "Janus objects", "", higher_is_better=False, places=3),
    Metric("diverged", "diverged", "", higher_is_better=False, places=3),
)
SPREAD = Metric("gradient_variance", "gradient variance of a view", "", higher_is_better=False, places=3)
"""Of methods of distillation alone: see `gradient_variance`."""
MESH_METRICS = (
    Metric("chamfer", "Chamfer distance", "", higher_is_better=False, places=4),
    Metric("normal_consistency", "normal consistency", "", places=3),
)
EVERY = (*METRICS, SPREAD, *MESH_METRICS)
"""All of them, in the order of tables."""
COUNTS, RATIOS = ("two_faced", "diverged"), ("sharpness", "saturation")
"""Metrics that are yes or no for an object; metrics whose best value is 1."""
FRONT, BACK = 45.0, 90.0
"""Degrees of azimuth from the picture's side: a view is of the front up to the first, of the back beyond the second."""
DISTINCT = 20.0
"""True views with a PSNR below this between them differ: a ball looks the same from everywhere and has no wrong face."""


@dataclass(frozen=True, eq=False)
class Truth:
    """An object that is known, the picture's camera at azimuth 0.

    Attributes:
        scene: its views, the picture first; the others are held out. mesh: vertices (V, 3) and faces (F, 3), or None.
    """

    scene: Scene
    mesh: tuple[NDArray[np.floating], NDArray[np.integer]] | None = None

    @property
    def others(self) -> list[int]:
        """The held-out views."""
        return list(range(1, len(self.scene.rgb)))


def agreement(rgb: Tensor, alpha: Tensor, truth: Truth) -> dict[str, float]:
    """`METRICS` of pictures (V, 3, S, S) over white with silhouettes (V, S, S) of a truth's held-out views, in its order."""
    scene, views = truth.scene, truth.others
    true_rgb, true_alpha = scene.over_white[views], scene.alpha[views, 0]
    quality = psnr(rgb, true_rgb).mean()
    blank = psnr(torch.ones_like(true_rgb), true_rgb).mean()
    faces = janus(rgb, scene.over_white, scene.c2w)
    scores = {
        "psnr": float(quality),
        "random_features": float(RandomFeatureLoss()(rgb, true_rgb)),
        "iou": float(iou(alpha > 0.5, true_alpha > 0.5).mean()),
        "sharpness": laplacian(rgb) / max(laplacian(true_rgb), 1e-12),
        "saturation": saturation(rgb) / max(saturation(true_rgb), 1e-12),
        "diverged": float(not bool(torch.isfinite(rgb).all()) or bool(quality < blank)),
    }
    return scores if faces is None else {**scores, "janus": faces, "two_faced": float(faces >= 0.5)}


def judged(draw: Draw, truth: Truth, resolution: int) -> tuple[dict[str, float], Tensor]:
    """All metrics of a 3D object that can be drawn, and its pictures (V, 3, S, S) over white of the held-out views.

    Args:
        draw: see `training.fusion.fuse`, which takes the mesh from it, where the true one is known, over `resolution`^3 voxels.
    """
    scene, views = truth.scene, truth.others
    with torch.no_grad():
        seen = draw(scene.c2w[None, views], scene.K[None, views], scene.rgb.shape[-1])
    rgb = seen.over(1.0)[0].cpu()
    scores = agreement(rgb, seen.alpha[0, :, 0].cpu(), truth)
    if truth.mesh is not None:
        scores |= mesh_agreement(fuse(draw, size=resolution, resolution=resolution), truth)
    return scores, rgb


def laplacian(pictures: Tensor) -> float:
    """Mean square of the 4-neighbour Laplacian of pictures (V, 3, S, S): the energy in fine detail."""
    inner = pictures[..., 1:-1, 1:-1]
    around = pictures[..., 2:, 1:-1] + pictures[..., :-2, 1:-1] + pictures[..., 1:-1, 2:] + pictures[..., 1:-1, :-2]
    return float((4 * inner - around).square().mean())


def saturation(pictures: Tensor) -> float:
    """Mean chroma, largest less smallest channel, of pictures (V, 3, S, S)."""
    return float((pictures.amax(1) - pictures.amin(1)).mean())


def janus(pictures: Tensor, truth: Tensor, c2w: Tensor) -> float | None:
    """Share of the back views that look most, in squared error, like a true view of the front, where that is another view
    than the true one from there (`DISTINCT`): the two faces of Janus.

    Args:
        pictures: (V - 1, 3, S, S) of the cameras after the first. truth: (V, 3, S, S). c2w: (V, 4, 4), azimuth 0 the front.

    Returns:
        None where no camera is at the back.
    """
    around = torch.rad2deg(torch.atan2(c2w[:, 1, 3], c2w[:, 0, 3])).abs()
    back = around[1:] > BACK
    if not bool(back.any()):
        return None
    nearest = torch.cdist(pictures[back].flatten(1), truth.flatten(1)).argmin(1)
    distinct = psnr(truth[nearest], truth[1:][back]) < DISTINCT
    return float(((around[nearest] <= FRONT) & distinct).float().mean())


def mesh_agreement(mesh: trimesh.Trimesh | None, truth: Truth) -> dict[str, float]:
    """`MESH_METRICS` of a mesh, the worst values for None; nothing where the true mesh is not known."""
    if truth.mesh is None:
        return {}
    if mesh is None or not len(mesh.faces):
        return {metric.key: metrics.EMPTY[metric.key] for metric in MESH_METRICS}
    rng = seeds.stream(0, 0, "distillation/mesh-agreement")
    box = rng.uniform(-1, 1, (2000, 3))
    own, true = (
        metrics.surface_of(np.asarray(v), np.asarray(f), box, rng) for v, f in ((mesh.vertices, mesh.faces), truth.mesh)
    )
    scores = metrics.compare(own, true)
    return {metric.key: scores[metric.key] for metric in MESH_METRICS}


def gradient_variance(gradient: Callable[[Draws], Tensor], draws: int = 4, seed: int = 0) -> Tensor:
    """(V,) for each view: the variance over draws of noise of a gradient (V, ...), over its mean square.

    0 where noise changes nothing, near 1 where the gradient is all noise; SDI's aim is a lower one.

    Args:
        gradient: what the pictures of V views are pushed along, for the draws of one iteration.
    """
    slopes = torch.stack([gradient(Draws(seed, k)) for k in range(draws)]).flatten(2)
    return slopes.var(0, correction=0).mean(1) / slopes.square().mean((0, 2)).clamp_min(1e-12)


def gain(metric: Metric, first: Scores, second: Scores) -> Scores:
    """How much better the first is; of `RATIOS`, how much nearer to 1, as a difference of |ln|."""
    if metric.key in RATIOS:
        first, second = (np.abs(np.log(np.maximum(values, 1e-6))) for values in (first, second))
        return second - first
    return metric.gain(first, second)


def truths(dataset_dir: str | Path, splits: Sequence[str], size: int, count: int) -> list[Truth]:
    """At most `count` objects of a dataset, with views of `size` pixels and with their watertight meshes; see `truth_of`.

    Raises:
        ConfigError: these splits hold none, or the views are smaller.
    """
    scenes = Scenes(dataset_dir, splits, size, keep=False)
    if not len(scenes):
        raise ConfigError(f"{dataset_dir} has no assets in {' or '.join(splits)}: mill more assets")
    sources = [ShardDataset(dataset_dir, split, passes=(), mesh=True) for split in splits]
    meshes = (source[k] for source in sources for k in range(len(source)))
    return [
        truth_of(scenes[k], (mesh["watertight_vertices"].numpy(), mesh["watertight_faces"].numpy()))
        for k, mesh in zip(range(min(count, len(scenes))), meshes, strict=False)
    ]


def truth_of(scene: Scene, mesh: tuple[NDArray[np.floating], NDArray[np.integer]] | None = None) -> Truth:
    """A scene, turned about Z so that its first camera has azimuth 0, and its mesh with it."""
    x, y = float(scene.c2w[0, 0, 3]), float(scene.c2w[0, 1, 3])
    turn = torch.eye(4)
    length = max((x * x + y * y) ** 0.5, 1e-12)
    turn[:2, :2] = torch.tensor([[x, y], [-y, x]]) / length
    if mesh is not None:
        mesh = np.asarray(mesh[0]) @ turn[:3, :3].numpy().T, mesh[1]
    turned = Scene(scene.rgb, scene.alpha, scene.depth, scene.normal, turn @ scene.c2w, scene.K, scene.name)
    return Truth(turned, mesh)


def cameras_of(truth: Truth, given: Cameras) -> Cameras:
    """The settings with the picture's own camera: its distance, its elevation, its lens."""
    place, K = truth.scene.c2w[0, :3, 3], truth.scene.K[0]
    distance, size = float(place.norm()), truth.scene.rgb.shape[-1]
    return given.model_copy(
        update={
            "distance": distance,
            "picture_elevation": float(torch.rad2deg(torch.arcsin(place[2] / distance))),
            "fov": float(torch.rad2deg(2 * torch.atan(size / 2 / K[0, 0]))),
        }
    )
