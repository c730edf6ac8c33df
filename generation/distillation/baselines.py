"""What distillation is compared with: 3D objects of one picture that no score was distilled into."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from versemill import seeds
from versemill.generation.distillation import cameras, export, judging
from versemill.generation.distillation.comparison import Advance, Arm, Made
from versemill.generation.distillation.fields import FIELDS, Field
from versemill.generation.distillation.judging import Truth
from versemill.generation.distillation.settings import Distillation
from versemill.generation.views.judging import noise_of, silhouettes
from versemill.generation.views.network import NovelViews
from versemill.generation.views.sampler import draw, zero_to_hero
from versemill.training.baselines import visual_hull
from versemill.training.scenes import Scene, resized
from versemill.training.splats import Rendering

HULL, FUSED = "visual hull of one view", "Zero-to-Hero's views, fused"
AROUND = 12
"""Views that are fused: the picture, and the others drawn."""


def hull() -> Arm:
    """The largest shape behind the picture's silhouette, in its colours."""

    def make(truth: Truth, advance: Advance) -> Made:
        return Made(lambda c2w, K, size: hull_of(truth.scene, c2w, K, size))

    return Arm(HULL, {"baseline": "hull"}, make)


def hull_of(scene: Scene, c2w: Tensor, K: Tensor, size: int) -> Rendering:
    """The hull of a scene's first view (`training.baselines`) as cameras (1, V, 4, 4) and (1, V, 3, 3) see it."""
    count, blank = c2w.shape[1], torch.zeros(c2w.shape[1], 3, size, size)
    first = resized(scene, size)
    whole = Scene(
        torch.cat([first.rgb[:1], blank]), torch.cat([first.alpha[:1], blank[:, :1]]), blank[:, :1], blank,
        torch.cat([first.c2w[:1], c2w[0]]), torch.cat([first.K[:1], K[0]]),
    )  # fmt: skip
    seen = visual_hull(whole, [0], list(range(1, count + 1)))
    return Rendering(*(part[None] for part in seen))


def fused_views(network: NovelViews, settings: Distillation, seed: int = 0) -> Arm:
    """Zero-to-Hero's views from all around, and the field of `settings` fitted to them and to the picture: as many steps of
    Adam as a distillation has, on squared error to pictures and silhouettes.

    Calls are counted in batches of `settings.views` views, as those of a distillation are.
    """
    sampling = zero_to_hero()

    def make(truth: Truth, advance: Advance) -> Made:
        device, scene, size = next(network.parameters()).device, truth.scene, truth.scene.rgb.shape[-1]
        c2w, K = cameras.ring(judging.cameras_of(truth, settings.cameras), size, AROUND)
        c2w[0], K[0] = scene.c2w[0], scene.K[0]
        noise = noise_of([0], [seed], (AROUND - 1, 3, size, size), device)
        source = scene.over_white[:1]
        views = draw(network, source.to(device), c2w[None].to(device), K[None].to(device), noise, sampling)[0].cpu()
        alpha = torch.cat([scene.alpha[:1, 0], silhouettes(views).float()])
        field = fitted(settings, torch.cat([source, views]), alpha, c2w, K, seed)
        return Made(
            lambda c2w, K, size: export.pictures(field, c2w[0], K[0], size),
            sampling.evaluations * (AROUND - 1) / settings.views,
        )

    basis: Any = {"baseline": "fused", "sampling": sampling.model_dump(mode="json"), "views": AROUND, "seed": seed}
    return Arm(FUSED, {**basis, "settings": settings.model_dump(mode="json", exclude={"scoring"})}, make)


def fitted(settings: Distillation, pictures: Tensor, alpha: Tensor, c2w: Tensor, K: Tensor, seed: int) -> Field:
    """A field that looks like pictures (V, 3, S, S) over white with silhouettes (V, S, S); `settings.views` of them a step."""
    field = FIELDS[settings.field](settings, seed)
    optimizer = torch.optim.Adam(field.groups(), betas=(0.9, 0.99), eps=1e-15)
    count = min(settings.views, len(pictures))
    for step in range(settings.iterations):
        some = seeds.stream(seed, step, "distillation/fit").permutation(len(pictures))[:count].tolist()
        seen = field.see(c2w[some], K[some], pictures.shape[-1])
        loss = settings.reference * F.mse_loss(seen.over(1.0)[0], pictures[some])
        loss = loss + settings.mask * F.mse_loss(seen.alpha[0, :, 0], alpha[some])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    return field
