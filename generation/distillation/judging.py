"""How a distilled object is judged: against true views that it never saw, and against the true mesh."""

from dataclasses import dataclass

import numpy as np
import torch
import trimesh
from numpy.typing import NDArray
from torch import Tensor

from versemill import seeds
from versemill.generation.distillation import methods
from versemill.generation.distillation.methods import Draws
from versemill.generation.distillation.models import Prior, ViewModel
from versemill.generation.distillation.settings import Cameras, Scoring
from versemill.generation.shapes import metrics
from versemill.training import baselines
from versemill.training.family import Metric
from versemill.training.images import iou, psnr
from versemill.training.perceptual import RandomFeatureLoss
from versemill.training.scenes import Scene

METRICS = (
    Metric("psnr", "PSNR", "dB"),
    Metric("random_features", "random-feature distance", "", higher_is_better=False, places=4),
    Metric("iou", "silhouette IoU", "", places=3),
    Metric("sharpness", "Laplacian energy over the truth's, best 1", "", places=3),
    Metric("saturation", "saturation over the truth's, best 1", "", places=3),
    Metric("janus", "back views like the front", "", higher_is_better=False, places=3),
    Metric("diverged", "diverged", "", higher_is_better=False, places=3),
)
MESH_METRICS = (
    Metric("chamfer", "Chamfer distance", "", higher_is_better=False, places=4),
    Metric("normal_consistency", "normal consistency", "", places=3),
)
FRONT, BACK = 45.0, 90.0
"""Degrees of azimuth from the picture's side: a view is of the front up to the first, of the back beyond the second."""


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
    return {
        "psnr": float(quality),
        "random_features": float(RandomFeatureLoss()(rgb, true_rgb)),
        "iou": float(iou(alpha > 0.5, true_alpha > 0.5).mean()),
        "sharpness": laplacian(rgb) / max(laplacian(true_rgb), 1e-12),
        "saturation": saturation(rgb) / max(saturation(true_rgb), 1e-12),
        "janus": janus(rgb, scene.over_white, scene.c2w),
        "diverged": float(not bool(torch.isfinite(rgb).all()) or bool(quality < blank)),
    }


def laplacian(pictures: Tensor) -> float:
    """Mean square of the 4-neighbour Laplacian of pictures (V, 3, S, S): the energy in fine detail."""
    inner = pictures[..., 1:-1, 1:-1]
    around = pictures[..., 2:, 1:-1] + pictures[..., :-2, 1:-1] + pictures[..., 1:-1, 2:] + pictures[..., 1:-1, :-2]
    return float((4 * inner - around).square().mean())


def saturation(pictures: Tensor) -> float:
    """Mean chroma, largest less smallest channel, of pictures (V, 3, S, S)."""
    return float((pictures.amax(1) - pictures.amin(1)).mean())


def janus(pictures: Tensor, truth: Tensor, c2w: Tensor) -> float:
    """Share of the back views that look most, in squared error, like a true view of the front: the two faces of Janus.

    Args:
        pictures: (V - 1, 3, S, S) of the cameras after the first. truth: (V, 3, S, S). c2w: (V, 4, 4), azimuth 0 the front.

    Returns:
        NaN where no camera is at the back.
    """
    around = torch.rad2deg(torch.atan2(c2w[:, 1, 3], c2w[:, 0, 3])).abs()
    back = around[1:] > BACK
    if not bool(back.any()):
        return float("nan")
    nearest = torch.cdist(pictures[back].flatten(1), truth.flatten(1)).argmin(1)
    return float((around[nearest] <= FRONT).float().mean())


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


def hull(truth: Truth) -> dict[str, float]:
    """`METRICS` of the visual hull of the picture alone: the largest shape behind its silhouette, in its colours."""
    rgb, alpha, _ = baselines.visual_hull(truth.scene, [0], truth.others)
    return agreement(rgb + 1 - alpha, alpha[:, 0], truth)


def gradient_variance(
    model: ViewModel, pictures: Tensor, c2w: Tensor, K: Tensor, scoring: Scoring, time: float, draws: int = 8, seed: int = 0
) -> Tensor:
    """(V,) for each view: the variance of x - target over draws of noise, over its mean square; SDI's aim is a lower one.

    Args:
        pictures: (V, 3, S, S) in [0, 1], as cameras (V, 4, 4) and (V, 3, 3) see the object.
    """
    prior = Prior(model.path, *model.estimators(c2w, K))
    x, t = model.encode(pictures), torch.tensor(time)
    slopes = torch.stack([x - methods.target(prior, x, t, scoring, Draws(seed, k)) for k in range(draws)]).flatten(2)
    return slopes.var(0).mean(1) / slopes.square().mean((0, 2)).clamp_min(1e-12)


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
