"""A family of models in 60 lines, from outside the repository: what colour is an object, as its silhouettes tell?"""

from dataclasses import dataclass
from functools import partial

import torch
from pydantic import Field
from torch import nn

from versemill.training.batches import Batches, to_device
from versemill.training.family import Family, Metric, Needs
from versemill.training.recipe import Recipe, table
from versemill.training.scenes import Scenes


class ToyRecipe(Recipe):
    """A linear map."""

    views: int = Field(default=3, description="silhouettes that are seen", ge=1)
    penalty: float = Field(default=0.0, description="weight of the squared output", ge=0)


@dataclass(frozen=True, eq=False)
class Batch:
    """Coverage (B, V, 1, S, S) and mean colour (B, 3) of objects."""

    alpha: torch.Tensor
    color: torch.Tensor

    def to(self, device):
        return to_device(self, device)


class Toy(nn.Module):
    def __init__(self, recipe):
        super().__init__()
        self.recipe, self.linear = recipe, nn.Linear(1, 3)

    def forward(self, alpha):
        return self.linear(alpha.mean((1, 2, 3, 4))[:, None])


class Objective(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, batch):
        answer = self.network(batch.alpha)
        terms = {"error": (answer - batch.color).square().mean(), "size": answer.square().mean()}
        return terms["error"] + self.network.recipe.penalty * terms["size"], {k: v.detach() for k, v in terms.items()}


def color(scene):
    return (scene.rgb.sum((0, 2, 3)) / scene.alpha.sum()).clamp(0, 1)


def example(scene, recipe, rng):
    views = rng.permutation(len(scene.rgb))[: recipe.views]
    return Batch(scene.alpha[views], color(scene))


def score(network, cases, judging, device):
    with torch.no_grad():
        return error([network(scene.alpha[None].to(device))[0].cpu() for scene in cases], cases)


def error(answers, scenes):
    return {"error": [float((answer - color(scene)).abs().mean()) for answer, scene in zip(answers, scenes, strict=True)]}


def baselines(cases, training, judging):
    mean = torch.stack([color(training[k]) for k in range(len(training))]).mean(0)
    return {"mean colour": error([mean] * len(cases), cases)}


FAMILY = Family(
    name="toy",
    summary="silhouettes to a colour",
    stream="toy",
    presets=table(ToyRecipe(name="one", hardware="any", time="seconds", expected="little", steps=8, batch=2, save_every=4)),
    default="one",
    needs=lambda recipe: Needs(passes=("rgb", "depth"), resolution=16, views=recipe.views),
    data=lambda folder, splits, recipe, indices, judged: Scenes(folder, splits, 16, keep=True, indices=indices),
    batches=partial(Batches, make=example, stream="toy"),
    network=Toy,
    objective=lambda network, lpips: Objective(network),
    noise=lambda recipe, generator: Batch(
        torch.rand(2, 3, 1, 9, 9, generator=generator), torch.rand(2, 3, generator=generator)
    ),
    metrics=(Metric("error", "colour error", "", higher_is_better=False, places=3),),
    score=score,
    baselines=baselines,
    gate=("untrained model", "mean colour"),
)
