"""NiRNE's network in small: a clean and a noise-injected stream, merged by zero-initialised convolutions into one decoder.

The streams are the encoders of U-Nets (Ronneberger et al. 2015). The noisy stream joins as ControlNet does (Zhang et al.
2023): every one of its feature maps passes a 1 x 1 convolution that starts at zero, so that a fresh network with two streams
answers what its clean stream alone answers. One step, no sampler.
"""

from itertools import pairwise
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from versemill.generation.encoders import Dino, lite0, normalised
from versemill.generation.normals.presets import NormalsRecipe
from versemill.training.recipe import mixed_precision

GROUPS = 8
"""Of the channels, in every group norm."""
LITE0 = ((1, 16), (3, 24), (5, 40), (11, 112), (16, 320))
"""Of EfficientNet-Lite0's stages at strides 2, 4, 8, 16, 32: how many blocks lie before their end, and their channels."""


class Block(nn.Module):
    """Two convolutions of 3 x 3 next to a skip: (N, before, h, w) to (N, after, h, w)."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.skip = nn.Identity() if before == after else nn.Conv2d(before, after, 1)
        self.branch = nn.Sequential(
            nn.Conv2d(before, after, 3, padding=1), nn.GroupNorm(GROUPS, after), nn.GELU(),
            nn.Conv2d(after, after, 3, padding=1), nn.GroupNorm(GROUPS, after),
        )  # fmt: skip

    def forward(self, maps: Tensor) -> Tensor:
        """See the class."""
        return F.gelu(self.skip(maps) + self.branch(maps))


class Plain(nn.Module):
    """Pictures (N, 3, H, W) in [-1, 1] to feature maps, finest first; level k has cells of patch * 2^k pixels."""

    def __init__(self, recipe: NormalsRecipe) -> None:
        super().__init__()
        self.patch = recipe.patch
        self.stem = nn.Conv2d(3 * recipe.patch**2, recipe.widths[0], 3, padding=1)
        self.blocks = nn.ModuleList(Block(a, b) for a, b in pairwise([recipe.widths[0], *recipe.widths]))

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """See the class."""
        maps = self.stem(F.pixel_unshuffle(pictures, self.patch))
        levels: list[Tensor] = []
        for block in self.blocks:
            levels.append(block(F.avg_pool2d(levels[-1], 2) if levels else maps))
        return levels


class Pretrained(nn.Module):
    """The same from EfficientNet-Lite0 with ImageNet weights. It is trained along; its batch norms keep their statistics."""

    def __init__(self, recipe: NormalsRecipe) -> None:
        super().__init__()
        self.network: Any = lite0()
        stages = LITE0[: len(recipe.widths)]
        self.ends = [blocks for blocks, _ in stages]
        self.network._blocks = self.network._blocks[: self.ends[-1]]
        del self.network._conv_head, self.network._bn1, self.network._fc  # what only classes need
        self.network.eval()
        self.to_width = nn.ModuleList(
            nn.Conv2d(channels, width, 1) for (_, channels), width in zip(stages, recipe.widths, strict=True)
        )

    def train(self, mode: bool = True) -> "Pretrained":
        """The ImageNet part stays in evaluation mode."""
        return self

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """See the class."""
        net = self.network
        maps = net._swish(net._bn0(net._conv_stem(normalised((pictures + 1) / 2))))
        levels: list[Tensor] = []
        for done, block in enumerate(net._blocks, 1):
            maps = block(maps)
            if done in self.ends:
                levels.append(maps)
        return [to_width(level) for to_width, level in zip(self.to_width, levels, strict=True)]


class Normals(nn.Module):
    """Pictures to camera-space normals; see the module."""

    def __init__(self, recipe: NormalsRecipe) -> None:
        super().__init__()
        self.recipe = recipe
        self.clean = Plain(recipe) if recipe.encoder == "plain" else Pretrained(recipe)
        above = [*recipe.decoder, recipe.widths[-1]]
        self.up = nn.ModuleList(
            Block(below + side, here) for below, side, here in zip(above[1:], recipe.widths, recipe.decoder, strict=False)
        )
        self.head = _zero(nn.Conv2d(recipe.decoder[0], 3 * recipe.patch**2, 1))
        self.dino = Dino(recipe.dino) if recipe.dino else None
        if self.dino is not None:
            self.from_dino = _zero(nn.Conv2d(self.dino.width, recipe.widths[-1], 1))
        # Last, so that one and two streams of equal widths start with the same weights.
        if recipe.streams == 2:
            self.noisy = Plain(recipe)
            self.merge = nn.ModuleList(_zero(nn.Conv2d(width, width, 1)) for width in recipe.widths)

    def forward(self, pictures: Tensor, noised: Tensor | None = None, frozen: bool = False) -> Tensor:
        """The raw answer; its direction is the normal, its length is near 1 where the network is sure.

        Args:
            pictures: (N, 3, H, W) sRGB in [0, 1]; H and W are multiples of `recipe.stride`.
            noised: the same with noise (see `losses.noised`); None: without. With one stream, all that is seen.
            frozen: the clean stream gets no gradient.

        Returns:
            (N, 3, H, W) float32 in the camera's frame, OpenCV axes: what faces the camera is (0, 0, -1).
        """
        recipe = self.recipe
        noised = pictures if noised is None else noised
        with torch.autocast(pictures.device.type, torch.bfloat16, enabled=mixed_precision(recipe, pictures.device)):
            with torch.set_grad_enabled(torch.is_grad_enabled() and not frozen):
                seen = pictures if recipe.streams == 2 else noised
                levels = self.clean(seen * 2 - 1)
                if self.dino is not None:
                    cells = (levels[-1].shape[-2], levels[-1].shape[-1])
                    levels[-1] = levels[-1] + self.from_dino(self.dino.grid(seen, cells))
            if recipe.streams == 2:
                details = self.noisy(noised * 2 - 1)
                levels = [a + merge(b) for a, merge, b in zip(levels, self.merge, details, strict=True)]
            maps = levels.pop()
            for block in reversed(self.up):
                maps = block(torch.cat([F.interpolate(maps, scale_factor=2.0, mode="nearest"), levels.pop()], 1))
            raw = F.pixel_shuffle(self.head(maps), recipe.patch).float()
        return raw + raw.new_tensor([0.0, 0.0, -1.0])[:, None, None]

    def answer(self, pictures: Tensor, noised: Tensor | None = None) -> Tensor:
        """Unit normals (N, 3, H, W) of pictures of any size; see `forward`. The border is repeated up to the stride."""
        height, width = pictures.shape[-2:]
        stride = self.recipe.stride
        extra = (0, -width % stride, 0, -height % stride)
        padded = [None if t is None else F.pad(t, extra, mode="replicate") for t in (pictures, noised)]
        with torch.no_grad():
            raw = self.forward(cast(Tensor, padded[0]), padded[1])
        return F.normalize(raw[..., :height, :width], dim=1)

    def hidden(self) -> list[nn.Parameter]:
        """The kernels between feature maps, which Muon may take: not those of stems, head, merges and pretrained networks."""
        own = [self.up, *(m.blocks for m in (self.clean, getattr(self, "noisy", None)) if isinstance(m, Plain))]
        return [p for module in own for p in module.parameters() if p.ndim == 4]


def _zero(convolution: nn.Conv2d) -> nn.Conv2d:
    for parameter in convolution.parameters():
        nn.init.zeros_(parameter)
    return convolution
