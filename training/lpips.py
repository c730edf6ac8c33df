"""LPIPS (Zhang 2018, version 0.1, VGG-16) from local weight files: nothing is ever downloaded."""

import hashlib
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from versemill.errors import MissingDependencyError

BACKBONE, HEADS = "vgg16.pth", "lpips_vgg.pth"
"""Files of the weight folder: torchvision's VGG-16 state dict, and the linear heads of LPIPS 0.1 for it."""
STAGES = ((3, 64, 2), (64, 128, 2), (128, 256, 3), (256, 512, 3), (512, 512, 3))
"""(channels in, channels out, convolutions) of VGG-16; features are taken at the end of each stage, before its pooling."""
MISSING = f"LPIPS is not measured: no weights (a folder with {BACKBONE} and {HEADS}, given as --lpips DIR)"
LEAST = 32
"""Smaller images leave nothing for the last stage."""


class Lpips(nn.Module):
    """The learned perceptual distance: unit-normalised VGG features, squared differences, weighted per channel.

    Args:
        folder: holds `BACKBONE` (keys features.N.weight and .bias) and `HEADS` (lin0..lin4.model.1.weight).

    Raises:
        MissingDependencyError: a file is not there, or does not hold these weights.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, folder: str | Path) -> None:
        super().__init__()
        self.stages = nn.ModuleList()
        self.heads = nn.ParameterList(nn.Parameter(torch.zeros(out)) for _, out, _ in STAGES)
        for first, out, count in STAGES:
            sides = [first] + [out] * count
            self.stages.append(nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(sides)))
        self.digest = self._load(Path(folder))
        # ImageNet's statistics, for images in [-1, 1].
        self.register_buffer("shift", torch.tensor([-0.030, -0.088, -0.188])[:, None, None], persistent=False)
        self.register_buffer("scale", torch.tensor([0.458, 0.448, 0.450])[:, None, None], persistent=False)
        self.eval().requires_grad_(False)

    def _load(self, folder: Path) -> str:
        """Takes up the weights; SHA-256 (hex) of both files."""
        loaded = {}
        for name in (BACKBONE, HEADS):
            if not (folder / name).is_file():
                raise MissingDependencyError(f"{folder / name} is not here; LPIPS needs {BACKBONE} and {HEADS} in one folder")
            loaded[name] = torch.load(folder / name, map_location="cpu", weights_only=True)
        try:
            number = 0  # of the layer in torchvision's flat list: each convolution has its ReLU, each stage its pooling
            for stage in self.stages:
                for conv in stage:  # type: ignore[attr-defined]
                    for part in ("weight", "bias"):
                        getattr(conv, part).data.copy_(loaded[BACKBONE][f"features.{number}.{part}"])
                    number += 2
                number += 1
            for k, head in enumerate(self.heads):
                head.data.copy_(loaded[HEADS][f"lin{k}.model.1.weight"].flatten())
        except (KeyError, RuntimeError, TypeError) as error:
            raise MissingDependencyError(f"{folder} does not hold VGG-16 and LPIPS 0.1 weights: {error}") from error
        digest = hashlib.sha256()
        for name in (BACKBONE, HEADS):
            digest.update((folder / name).read_bytes())
        return digest.hexdigest()

    def forward(self, image: Tensor, target: Tensor) -> Tensor:
        """Distances (N,) of (N, 3, H, W) images in [0, 1]; smaller than `LEAST` pixels they are enlarged to it."""
        both = torch.cat([image, target]) * 2 - 1
        if min(both.shape[-2:]) < LEAST:
            both = F.interpolate(both, (LEAST, LEAST), mode="bilinear", align_corners=False)
        both = (both - self.shift) / self.scale
        total = image.new_zeros(len(image))
        for k, (stage, head) in enumerate(zip(self.stages, self.heads, strict=True)):
            both = F.max_pool2d(both, 2) if k else both
            for conv in stage:  # type: ignore[attr-defined]
                both = F.relu(conv(both))
            unit = both / (both.square().sum(1, keepdim=True).sqrt() + 1e-10)
            difference = (unit[: len(image)] - unit[len(image) :]).square()
            total = total + (difference * head[:, None, None]).sum(1).mean((1, 2))
        return total
