"""What distillation needs of a 2D model: estimators for given cameras, asked with guidance, each evaluation counted.

A model family offers one by the field `view_model` of its description; anything else that keeps to `ViewModel` will do.
"""

from typing import Protocol

import torch
from torch import Tensor

from versemill.generation.paths import Path
from versemill.generation.sampling import Estimator, guided


class ViewModel(Protocol):
    """A 2D diffusion model of what is seen from a camera, given a picture or a text."""

    @property
    def path(self) -> Path:
        """Between data and noise; its times lie in [0, 1]."""
        ...

    @property
    def size(self) -> int:
        """Side in pixels of the pictures that it takes."""
        ...

    def encode(self, pictures: Tensor) -> Tensor:
        """The path's data (V, C, h, w) of pictures (V, 3, size, size) in [0, 1] over white; differentiable."""
        ...

    def decode(self, data: Tensor) -> Tensor:
        """Pictures (V, 3, size, size) in [0, 1] of the path's data."""
        ...

    def estimators(self, c2w: Tensor, K: Tensor) -> tuple[Estimator, Estimator]:
        """What cameras (V, 4, 4) and (V, 3, 3), OpenCV axes, see: with the condition, and without it."""
        ...


class Prior:
    """A 2D model at some cameras.

    Attributes:
        path: between data and noise. calls: evaluations of the network so far; guidance other than 0 and 1 takes two.
    """

    def __init__(self, path: Path, conditional: Estimator, unconditional: Estimator) -> None:
        self.path, self.calls = path, 0
        self._conditional, self._unconditional = conditional, unconditional

    def estimate(self, x: Tensor, t: Tensor, guidance: float) -> tuple[Tensor, Tensor]:
        """Data and noise of x (V, ...) at time (), without gradients: u + guidance (c - u), so 0 is u and 1 is c."""
        with torch.no_grad():
            if guidance in (0.0, 1.0):
                self.calls += 1
                return (self._conditional if guidance else self._unconditional)(x, t)
            self.calls += 2
            return guided(self._conditional, self._unconditional, guidance)(x, t)
