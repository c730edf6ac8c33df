"""A joint transformer over the patches of two views: each patch is a token, and says where it looks by its rays.

The source's tokens see each other, the target's see both views. So the source is worked out once per picture, whatever the
number of targets and of sampling steps. With `recipe.together` the targets of a source are one sequence and see each other too.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from versemill.generation.transformer import Attention, FeedForward, time_code
from versemill.generation.views.attention import Hook, fused
from versemill.generation.views.cameras import plucker, turned
from versemill.generation.views.latents import Pixels
from versemill.generation.views.presets import ViewsRecipe

RAY = 6
"""Channels of a ray."""


@dataclass(frozen=True, eq=False)
class Context:
    """What is known of targets before anything is sampled.

    Attributes:
        rays: (Q, L, width), their rays as tokens, in Q sequences of one target or of all targets of a source.
        memory: per block, keys and values (Q, heads, N, d) of the sequences' sources.
    """

    rays: Tensor
    memory: list[tuple[Tensor, Tensor]]


class Block(nn.Module):
    """Attention, then feed-forward, both scaled, shifted and gated by the noise level (DiT), by a table of the block's own and
    one map that all blocks share (PixArt-alpha, section 2.3)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width, elementwise_affine=False)
        self.feed_norm = nn.LayerNorm(width, elementwise_affine=False)
        self.attention, self.feed = Attention(width, heads), FeedForward(width)
        self.table = nn.Parameter(torch.tensor([[0.0], [0.0], [1.0]] * 2).expand(6, width).clone())

    def forward(
        self, tokens: Tensor, level: Tensor, memory: tuple[Tensor, Tensor] | None, layer: int, hook: Hook
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Tokens (B, N, width) after the block, and their own keys and values.

        Args:
            level: (B, 1, 6, width). memory: keys and values that the tokens see in front of their own.
        """
        shift, scale, gate, feed_shift, feed_scale, feed_gate = (self.table + level).unbind(2)
        inside = self.attention_norm(tokens) * (1 + scale) + shift
        own = self.attention.keys_values(inside)
        keys, values = own if memory is None else (torch.cat([m, o], 2) for m, o in zip(memory, own, strict=True))
        answer = hook(layer, self.attention.queries(inside), keys, values)
        tokens = tokens + gate * self.attention.out(answer.transpose(1, 2).flatten(2))
        inside = self.feed_norm(tokens) * (1 + feed_scale) + feed_shift
        return tokens + feed_gate * self.feed(inside), own


class JointTransformer(nn.Module):
    """See the module."""

    def __init__(self, recipe: ViewsRecipe) -> None:
        super().__init__()
        self.codec = Pixels()
        width, cell = recipe.width, recipe.patch
        self.size, self.cell, self.width, self.together = recipe.size, cell, width, recipe.together
        self.layers = list(range(recipe.layers))
        self.picture_in = nn.Linear(3 * cell**2, width)
        self.target_in = nn.Linear(3 * cell**2, width)
        self.rays_in = nn.Linear(RAY * cell**2, width)
        self.place = nn.Parameter(0.02 * torch.randn(1, (recipe.size // cell) ** 2, width))
        self.role = nn.Parameter(0.02 * torch.randn(2, 1, width))
        levels = nn.Linear(width, 6 * width)
        nn.init.zeros_(levels.weight)
        nn.init.zeros_(levels.bias)
        self.time_in = nn.Sequential(nn.Linear(width, width), nn.SiLU(), levels)
        self.blocks = nn.ModuleList(Block(width, recipe.heads) for _ in self.layers)
        self.out_norm, self.picture_out = nn.LayerNorm(width), nn.Linear(width, 3 * cell**2)
        nn.init.zeros_(self.picture_out.weight)
        nn.init.zeros_(self.picture_out.bias)

    @property
    def late(self) -> list[int]:
        """Layers in which mutual self-attention acts: a transformer has no decoder, these are its second half."""
        return self.layers[len(self.layers) // 2 :]

    def look(self, source: Tensor, c2w: Tensor, K: Tensor, keep: Tensor) -> Context:
        """The context of B * T targets.

        Args:
            source: (B, 3, S, S) in [0, 1]. c2w, K: (B, 1 + T, 4, 4) and (B, 1 + T, 3, 3), the source first.
            keep: (B, 2), 0 where the picture, or the pose, is withheld: zeros take its place.
        """
        sequences = 1 if self.together else c2w.shape[1] - 1  # of each source
        rays = plucker(turned(c2w), K, self.size) * keep[:, 1, None, None, None, None]
        rays = self.rays_in(self._patches(rays.flatten(0, 1))).unflatten(0, rays.shape[:2])
        picture = self._patches(self.codec.encode(source) * keep[:, 0, None, None, None])
        tokens = self.picture_in(picture) + rays[:, 0] + self.place + self.role[0]
        level = self._level(torch.zeros(len(source), device=source.device))
        memory = []
        for layer, block in enumerate(self.blocks):
            tokens, own = block(tokens, level, None, layer, fused)
            memory.append((own[0].repeat_interleave(sequences, 0), own[1].repeat_interleave(sequences, 0)))
        return Context(rays[:, 1:].reshape(len(source) * sequences, -1, self.width), memory)

    def forward(self, x: Tensor, time: Tensor, context: Context, hook: Hook = fused) -> Tensor:
        """(R, 3, S, S) from noisy targets x (R, 3, S, S) at times (R,) in 0 to 1000, one for all targets of a sequence."""
        tokens = self.target_in(self._patches(x)) + self.place + self.role[1]
        tokens = tokens.reshape(context.rays.shape) + context.rays
        level = self._level(time[:: len(time) // len(context.rays)])
        for layer, (block, memory) in enumerate(zip(self.blocks, context.memory, strict=True)):
            tokens, _ = block(tokens, level, memory, layer, hook)
        patches = self.picture_out(self.out_norm(tokens)).reshape(len(x), -1, 3 * self.cell**2)
        return F.pixel_shuffle(patches.transpose(1, 2).unflatten(2, 2 * (self.size // self.cell,)), self.cell)

    def hidden(self) -> list[nn.Parameter]:
        """The matrices between tokens."""
        return [p for name, p in self.blocks.named_parameters() if p.ndim == 2 and "table" not in name]

    def _patches(self, maps: Tensor) -> Tensor:
        return F.pixel_unshuffle(maps, self.cell).flatten(2).transpose(1, 2)

    def _level(self, time: Tensor) -> Tensor:
        return self.time_in(time_code(time, self.width)).unflatten(-1, (1, 6, self.width))
