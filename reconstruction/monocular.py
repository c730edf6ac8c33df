"""Monocular: one picture to the normals and the depth of its pixels, by a U-Net (Ronneberger et al. 2015).

An LRM has to learn cameras, correspondence and colour before shapes matter. This network is asked for shape alone, so
a training of minutes on a CPU already shows what shapes it was taught.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from versemill.reconstruction.data import Batch
from versemill.reconstruction.losses import mean_where
from versemill.reconstruction.model import mixed_precision
from versemill.reconstruction.presets import Preset

GROUPS = 8
"""Of the channels, in every group norm."""


class Block(nn.Module):
    """Two convolutions of 3 x 3 beside a skip: (N, before, s, s) to (N, after, s, s)."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.skip = nn.Identity() if before == after else nn.Conv2d(before, after, 1)
        self.branch = nn.Sequential(
            nn.Conv2d(before, after, 3, padding=1), nn.GroupNorm(GROUPS, after), nn.GELU(),
            nn.Conv2d(after, after, 3, padding=1), nn.GroupNorm(GROUPS, after),
        )  # fmt: skip

    def forward(self, maps: Tensor) -> Tensor:
        """See the class."""
        return self.skip(maps) + self.branch(maps)


class Monocular(nn.Module):
    """Pictures (N, 3, S, S) to the surface they show, in each camera's frame.

    `preset.layers` levels, each half as fine as the one before and `preset.width` channels wider; the finest has one
    cell per `preset.patch` x `preset.patch` pixels.
    """

    def __init__(self, preset: Preset) -> None:
        super().__init__()
        if preset.size % (preset.patch * 2**preset.layers) or preset.width % GROUPS:
            raise ValueError(
                f"size {preset.size} must be a multiple of patch {preset.patch} times 2 per layer ({preset.layers}), "
                f"width {preset.width} of {GROUPS}"
            )
        self.preset = preset
        widths = [preset.width * (level + 1) for level in range(preset.layers)]
        self.stem = nn.Conv2d((3 + preset.masked) * preset.patch**2, preset.width, 3, padding=1)
        self.down = nn.ModuleList(Block(before, after) for before, after in pairwise([preset.width, *widths]))
        self.middle = Block(widths[-1], widths[-1])
        self.up = nn.ModuleList(Block(below + here, here) for below, here in pairwise([widths[-1], *reversed(widths)]))
        self.head = nn.Conv2d(preset.width, 4 * preset.patch**2, 1)
        # An untrained network says what is true on average: everything faces the camera, as far away as the origin.
        for parameter in self.head.parameters():
            nn.init.zeros_(parameter)

    def forward(self, images: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
        """Predicts what each picture shows; the camera is not told.

        Args:
            images: (N, 3, S, S) sRGB in [0, 1] over white. alpha: (N, 1, S, S), used if the preset is `masked`.

        Returns:
            unit normals (N, 3, S, S) in the camera's frame, OpenCV axes; planar depth (N, 1, S, S) in world units, less
            the camera's distance from the origin. Float32, and without meaning where nothing is seen.
        """
        preset = self.preset
        pixels = (torch.cat([images, alpha], 1) if preset.masked else images) * 2 - 1
        with torch.autocast(images.device.type, torch.bfloat16, enabled=mixed_precision(preset, images.device)):
            maps = self.stem(F.pixel_unshuffle(pixels, preset.patch))
            skips: list[Tensor] = []
            for block in self.down:
                skips.append(block(maps))
                maps = F.avg_pool2d(skips[-1], 2)
            maps = self.middle(maps)
            for block in self.up:
                maps = block(torch.cat([F.interpolate(maps, scale_factor=2.0, mode="nearest"), skips.pop()], 1))
            raw = F.pixel_shuffle(self.head(maps), preset.patch).float()
        facing = raw.new_tensor([0.0, 0.0, -1.0])[:, None, None]
        return F.normalize(raw[:, :3] + facing, dim=1), raw[:, 3:]


def surface(normal: Tensor, depth: Tensor, c2w: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What a perfect `Monocular` says of N views.

    Args:
        normal: (N, 3, S, S) world frame, 0 where unknown. depth: (N, 1, S, S) planar, 0 where unknown. c2w: (N, 4, 4).

    Returns:
        normals and depth as `Monocular.forward` returns them, and where both are known: (N, 1, S, S) bool.
    """
    known = (normal.norm(dim=1, keepdim=True) > 0.5) & (depth > 0)
    distance = c2w[:, :3, 3].norm(dim=1)[:, None, None, None]
    return torch.einsum("nji,njhw->nihw", c2w[:, :3, :3], normal), depth - distance, known


class MonocularObjective(nn.Module):
    """The network and its loss as one module: batch in, scalar and its terms out. Every input view is a picture by itself."""

    def __init__(self, model: Monocular) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """1 - cosine of the normals and absolute error of depth, weighted by the preset, where the truth is known."""
        images, alpha, *truth = (t.flatten(0, 1) for t in (batch.images, batch.alpha, batch.normal, batch.depth, batch.c2w))
        true_normal, true_depth, known = surface(*truth)
        normal, depth = self.model(images, alpha)
        terms = {
            "normal": mean_where(1 - (normal * true_normal).sum(1, keepdim=True), known),
            "depth": mean_where((depth - true_depth).abs(), known),
        }
        total = self.model.preset.normal * terms["normal"] + self.model.preset.depth * terms["depth"]
        return total, {name: value.detach() for name, value in terms.items()}
