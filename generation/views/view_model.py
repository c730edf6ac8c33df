"""A trained novel-views as the 2D model that distillation asks: pictures of the source's object from any camera."""

import torch
from torch import Tensor
from torch.nn import functional as F

from versemill.generation.sampling import Estimator, estimator
from versemill.generation.views.network import NovelViews
from versemill.training.geometry import strided


class SourceViews:
    """One source picture and its camera; see `generation.distillation.models.ViewModel`.

    Args:
        picture: (3, N, N) in [0, 1] over white, at least as large as the network's. c2w, K: (4, 4) and (3, 3) of its camera.
    """

    def __init__(self, network: NovelViews, picture: Tensor, c2w: Tensor, K: Tensor) -> None:
        self.network, self.path, self.size = network, network.recipe.path, network.recipe.size
        self.source = F.adaptive_avg_pool2d(picture, self.size)
        self.c2w, self.K = c2w, strided(K, picture.shape[-1] / self.size)

    def encode(self, pictures: Tensor) -> Tensor:
        """What the network's path holds of pictures; differentiable."""
        return self.network.encode(pictures)

    def decode(self, data: Tensor) -> Tensor:
        """Pictures in [0, 1]."""
        return self.network.decode(data)

    def estimators(self, c2w: Tensor, K: Tensor) -> tuple[Estimator, Estimator]:
        """With the picture and its pose, and with both withheld."""
        return self._estimator(c2w, K, 1.0), self._estimator(c2w, K, 0.0)

    def _estimator(self, c2w: Tensor, K: Tensor, kept: float) -> Estimator:
        keep = torch.full((1, 2), kept, device=c2w.device)
        poses, lenses = torch.cat([self.c2w[None], c2w])[None], torch.cat([self.K[None], K])[None]
        with torch.no_grad():
            context = self.network.look(self.source[None], poses, lenses, keep)
        return estimator(self.path, lambda x, time: self.network(x, time, context))
