"""NoRLD (Hi3DGen, section 3.3): shape-flow on normal maps, its latents held to the normals of the surface they stand for.

    L = L_flow + normal * E |normals of D(x0) - N|^2

x0 is the data that the network's answer means, D the frozen autoencoder's decoder, and N the true normals: at surface points
of the fields, or along rays of the view through the surface that is decoded. The paper publishes neither the weight nor when
it applies; the values here are this project's own.
"""

from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import torch
from pydantic import Field as Setting
from torch import Tensor

from versemill.generation.shapes import flow_training as flow
from versemill.generation.shapes.data import Placement
from versemill.generation.shapes.flow_presets import FLOW_PRESETS, ShapeFlowRecipe
from versemill.generation.shapes.flow_training import FlowBatch, Seen, SeenShapes
from versemill.generation.shapes.vae import Field
from versemill.generation.shapes.vae_training import gradient_at
from versemill.training.batches import to_device
from versemill.training.recipe import table

BAND = 0.95
"""Where a truncated field says more in either direction, its gradient means nothing."""
BOX = 1.02
"""Rays are followed in [-BOX, BOX]^3."""
DEPTHS = 64
"""Places along a ray at which the decoded field is asked for the surface."""


class NorldRecipe(ShapeFlowRecipe):
    """Shape-flow with a loss on the normals of what is decoded."""

    condition: Literal["rgb", "normal", "predicted"] = Setting(
        default="normal",
        description="what a view is shown as: its picture, its true normal map, or what `estimator` sees in it",
    )
    normal: float = Setting(default=0.1, description="lambda: weight of the squared error of unit normals; 0: plain flow", ge=0)
    normal_noise: float = Setting(default=0.5, description="greatest share of noise at which the normals count", gt=0, le=1)
    normal_share: float = Setting(
        default=0.25, description="of the examples at such a noise, how many are decoded", ge=0, le=1
    )  # fmt: skip
    normal_points: int = Setting(default=128, description="surface points, or rays, of a decoded example", ge=1)
    normal_by: Literal["points", "rendering"] = Setting(
        default="points",
        description="where normals are compared: at true surface points, or where rays of the view meet the decoded surface",
    )

    @property
    def sees_normals(self) -> bool:
        """Whether training reads the true normals of views."""
        return self.condition == "normal" or self.normal_by == "rendering"


PRESETS = table(
    *(
        NorldRecipe(
            **{
                **preset.model_dump(exclude={"condition"}),
                "time": f"a quarter more than shape-flow's {preset.name}",
                "expected": "not measured here",
            }
        )
        for preset in FLOW_PRESETS.values()
    )
)


@dataclass(frozen=True, eq=False)
class NorldBatch(FlowBatch):
    """A batch of shape-flow with the truth about normals.

    Attributes:
        decoded: (B,) float32, 1 where an example is decoded if its noise allows.
        surface: (B, S, 6) points and normals of the shape as it stands, or its rays' places: S = 0 where rays are followed.
        rays: (B, R, 9) origin, direction and true normal of the view's rays as the shape stands; R = 0 where points are taken.
    """

    decoded: Tensor
    surface: Tensor
    rays: Tensor

    def to(self, device: torch.device) -> "NorldBatch":
        """The same on a device."""
        return to_device(self, device)


def example(item: tuple[SeenShapes, int], recipe: NorldRecipe, rng: np.random.Generator) -> NorldBatch:
    """One view of one shape, with points or rays of it."""
    seen = item[0].seen(item[1])
    pose = flow.pose(seen, rng)
    plain = flow.posed(item, recipe, pose, rng)
    placement = seen.placement(pose.view, recipe.frame, pose.mirror)
    surface, rays = torch.zeros(0, 6), torch.zeros(0, 9)
    if recipe.normal_by == "points":
        chosen = rng.integers(0, len(seen.shape.surface), recipe.normal_points)
        surface = torch.from_numpy(placement.oriented(seen.shape.surface[chosen]))
    else:
        rays = torch.from_numpy(view_rays(seen, pose.view, placement, recipe.normal_points, rng))
    decoded = torch.tensor(float(rng.random() < recipe.normal_share))
    return NorldBatch(plain.picture, plain.keep, plain.latents, plain.noise, plain.uniform, decoded, surface, rays)


def view_rays(
    seen: Seen, view: int, placement: Placement, count: int, rng: np.random.Generator
) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """(count, 9) rays through pixels of a view that show the shape, as it is placed: origin, unit direction, true normal."""
    normals = seen.normals[view].transpose(1, 2, 0)
    rows, columns = np.nonzero(np.linalg.norm(normals, axis=-1) > 0.5)
    chosen = rng.integers(0, len(rows), count)
    at = rows[chosen], columns[chosen]
    origins, directions = (values[at].astype(np.float32) for values in seen.cameras[view].rays())
    turned = directions @ placement.turn.T
    turned /= np.linalg.norm(turned, axis=1, keepdims=True)
    return np.concatenate([placement.points(origins), turned, normals[at] @ placement.turn.T], 1).astype(np.float32)


class Objective(flow.Objective):
    """Shape-flow's loss and the normals'."""

    def forward(self, batch: FlowBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """The sum, and its terms."""
        recipe = cast(NorldRecipe, self.network.recipe)
        total, terms, data = self.path_loss(batch)
        if recipe.normal:
            terms["normal"], total = self._add_normals(cast(NorldBatch, batch), recipe, data, total)
        return total, terms

    def _add_normals(self, batch: NorldBatch, recipe: NorldRecipe, data: Tensor, total: Tensor) -> tuple[Tensor, Tensor]:
        alpha, sigma = recipe.path.level(recipe.path.times(batch.uniform))
        picked = torch.nonzero((sigma / (alpha + sigma) <= recipe.normal_noise) & (batch.decoded > 0))[:, 0]
        if not len(picked):
            return torch.zeros(()), total
        vae = self.network.vae
        noise = torch.full((len(picked),), vae.recipe.latent_noise, device=data.device)
        field = vae.decode(data[picked] * vae.latent_deviation + vae.latent_mean, noise)
        error = normal_error(field, batch.surface[picked], batch.rays[picked])
        return error.detach(), total + recipe.normal * error * len(picked) / len(data)


def normal_error(field: Field, surface: Tensor, rays: Tensor) -> Tensor:
    """|n - N|^2 of unit normals, mean over all places where fields have a surface near: at points (B, S, 6), or where rays
    (B, R, 9) meet it. 0 where there is none."""
    places, truth = (surface[..., :3], surface[..., 3:]) if surface.shape[1] else (rays[..., :3], rays[..., 6:])
    with torch.no_grad():
        if surface.shape[1]:
            sound = field(places).abs() < BAND
        else:
            places, sound = meet(field, rays)
    normals = torch.nn.functional.normalize(gradient_at(field, places), dim=-1)
    squared = (normals - truth).square().sum(-1)
    return (squared * sound).sum() / sound.sum().clamp_min(1)


def meet(field: Field, rays: Tensor) -> tuple[Tensor, Tensor]:
    """Where rays (B, R, 6 or more) first enter fields, (B, R, 3), and whether they do, (B, R).

    `DEPTHS` places along a ray's way through the box are asked; between the last one outside and the first one inside the
    surface is found by the secant.
    """
    origins, directions = rays[..., :3], rays[..., 3:6]
    slope = torch.where(directions.abs() < 1e-6, torch.full_like(directions, 1e-6), directions)
    ends = torch.stack([(-BOX - origins) / slope, (BOX - origins) / slope])
    near, far = ends.amin(0).amax(-1).clamp_min(0), ends.amax(0).amin(-1)
    depths = near[..., None] + (far - near)[..., None] * torch.linspace(0, 1, DEPTHS, device=rays.device)
    points = origins[:, :, None] + depths[..., None] * directions[:, :, None]
    values = field(points.flatten(1, 2)).view(depths.shape)
    enters = (values[..., :-1] > 0) & (values[..., 1:] <= 0)
    met = enters.any(-1) & (far > near)
    first = enters.float().argmax(-1, keepdim=True)
    before, after = values.gather(-1, first), values.gather(-1, first + 1)
    share = before / (before - after).clamp_min(1e-9)
    depth = depths.gather(-1, first) + share * (depths.gather(-1, first + 1) - depths.gather(-1, first))
    return origins + depth * directions, met


def noise(recipe: NorldRecipe, generator: torch.Generator) -> NorldBatch:
    """A batch of noise that is decoded at points of a ball."""
    plain = flow.noise(recipe, generator)
    points = torch.nn.functional.normalize(torch.randn(1, recipe.normal_points, 3, generator=generator), dim=-1)
    return NorldBatch(
        plain.picture, plain.keep, plain.latents, plain.noise, torch.full((1,), 0.1), torch.ones(1),
        torch.cat([points, points], -1), torch.zeros(1, 0, 9),
    )  # fmt: skip
