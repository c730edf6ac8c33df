"""TripoSG's flow transformer: a set of latents, a time and picture tokens in; what the path asks for out."""

import math
from typing import Protocol

import torch
from torch import Tensor, nn

from versemill.generation.transformer import Attention, Experts, FeedForward, fourier, time_code

OCTAVES = 4
"""Frequencies by which the places of latents are read."""


class FlowSizes(Protocol):
    """What `ShapeFlow` reads of a preset.

    Attributes:
        pairs: N of the 2 N + 1 blocks. skips: whether block i of the second half sees the output of its partner.
        moe_blocks: in how many of the last blocks a mixture of `experts` takes the dense layer's place; of 0 experts, a dense
            layer of the same compute. aligned: whether every block guesses where its latents will lie, and looks there at the
            picture; fill: see `at_places`. feed: inner width of a feed-forward layer over its outer one. order: "sphere" gives
            each of the `tokens` an embedding of its own.
    """

    width: int
    heads: int
    pairs: int
    skips: bool
    moe_blocks: int
    experts: int
    feed: int
    aligned: bool
    fill: float
    tokens: int

    @property
    def order(self) -> str:
        """See `shape-flow`'s preset."""
        ...


class FlowBlock(nn.Module):
    """Self-attention, cross-attention to the condition, feed-forward; before them, with a skip, both halves are joined.

    The join is LayerNorm, then Linear: TripoSG's released weights have it the other way, which its own comment calls an error.
    """

    def __init__(self, width: int, heads: int, context: int, skip: bool, feed: nn.Module) -> None:
        super().__init__()
        self.join = nn.Sequential(nn.LayerNorm(2 * width), nn.Linear(2 * width, width)) if skip else None
        self.self_norm, self.self_attention = nn.LayerNorm(width), Attention(width, heads)
        self.cross_norm, self.cross_attention = nn.LayerNorm(width), Attention(width, heads, context)
        self.feed_norm, self.feed = nn.LayerNorm(width), feed

    def forward(self, tokens: Tensor, condition: Tensor, skip: Tensor | None = None) -> Tensor:
        """(B, L, width) -> (B, L, width); condition (B, S, context)."""
        if self.join is not None:
            tokens = self.join(torch.cat([tokens if skip is None else skip, tokens], -1))
        tokens = tokens + self.self_attention(self.self_norm(tokens))
        tokens = tokens + self.cross_attention(self.cross_norm(tokens), condition)
        return tokens + self.feed(self.feed_norm(tokens))


class Look(nn.Module):
    """A block's guess of the places of its tokens' latents, and what the picture shows there.

    Guesses are trained to be right (`ShapeFlow.guesses`): a noisy latent says little about where it will lie, and a picture is
    of use to it only there.
    """

    def __init__(self, width: int, context: int, fill: float) -> None:
        super().__init__()
        self.fill = fill
        self.norm, self.guess = nn.LayerNorm(width), nn.Linear(width, 3)
        self.read = nn.Linear(context + 3 + 6 * OCTAVES, width)
        nn.init.zeros_(self.read.weight)
        nn.init.zeros_(self.read.bias)

    def forward(self, tokens: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """What is added to tokens (B, L, width), and the guessed places (B, L, 3) in the latents' units."""
        places = self.guess(self.norm(tokens)).float()
        seen = at_places(condition, 0.5 * places.detach(), self.fill)
        return self.read(torch.cat([seen, fourier(places.detach(), OCTAVES)], -1)), places


class ShapeFlow(nn.Module):
    """2 N + 1 blocks with long skips from each of the first N to its partner among the last N.

    The time is a token in front of the latents, dropped at the end. The latents are a set: nothing says which is which. Those
    that lie at `placed` coordinates are also read by Fourier features of these, as noisy as they are: what a picture shows at a
    place, and which tokens are near, is then there to be looked up.
    """

    def __init__(self, sizes: FlowSizes, channels: int, context: int, placed: bool = False) -> None:
        super().__init__()
        width, blocks = sizes.width, 2 * sizes.pairs + 1
        self.width, self.pairs, self.placed = width, sizes.pairs, placed
        self.looks = nn.ModuleList(Look(width, context, sizes.fill) for _ in range(blocks if sizes.aligned else 0))
        self.guesses: list[Tensor] = []
        self.position = nn.Parameter(0.02 * torch.randn(sizes.tokens, width)) if sizes.order == "sphere" else None
        self.latent_in = nn.Linear(channels + placed * (3 + 6 * OCTAVES), width)
        self.time_in = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

        def feed(block: int) -> nn.Module:
            if block < blocks - sizes.moe_blocks:
                return FeedForward(width, sizes.feed)
            return Experts(width, sizes.experts, ratio=sizes.feed) if sizes.experts else FeedForward(width, 3 * sizes.feed)

        self.blocks = nn.ModuleList(
            FlowBlock(width, sizes.heads, context, sizes.skips and block > sizes.pairs, feed(block)) for block in range(blocks)
        )
        self.out_norm, self.latent_out = nn.LayerNorm(width), nn.Linear(width, channels)
        nn.init.zeros_(self.latent_out.weight)
        nn.init.zeros_(self.latent_out.bias)

    def forward(self, latents: Tensor, times: Tensor, condition: Tensor) -> Tensor:
        """(B, L, channels) from latents (B, L, channels), times (B,) in 0 to 1000 and picture tokens (B, S, context).

        A condition of zeros is no condition.
        """
        time = self.time_in(time_code(times, self.width))[:, None]
        if self.placed:
            own = self.latent_in(torch.cat([latents, fourier(latents[..., :3], OCTAVES)], -1))
        else:
            own = self.latent_in(latents)
        if self.position is not None:
            own = own + self.position
        tokens = torch.cat([time, own], 1)
        kept: list[Tensor] = []
        self.guesses = []
        for number, block in enumerate(self.blocks):
            skip = kept.pop() if number > self.pairs else None
            if self.looks:
                seen, guess = self.looks[number](tokens[:, 1:], condition)
                tokens = torch.cat([tokens[:, :1], tokens[:, 1:] + seen], 1)
                self.guesses.append(guess)
            tokens = block(tokens, condition, skip)
            if number < self.pairs:
                kept.append(tokens)
        return self.latent_out(self.out_norm(tokens[:, 1:]))

    def balance(self) -> Tensor:
        """Mean load-balancing loss of the mixtures in the last forward pass; 0 where there are none."""
        losses = [block.feed.balance for block in self.blocks if isinstance(block.feed, Experts)]
        return torch.stack(losses).mean() if losses else torch.zeros(())

    def start_experts(self, dense: "ShapeFlow") -> None:
        """Takes a dense network's weights; experts start as its layers, so that the answers are the same at first."""
        for mine, other in zip(self.blocks, dense.blocks, strict=True):
            if isinstance(mine.feed, Experts) and isinstance(other.feed, FeedForward):
                mine.feed.start_from(other.feed)
        own = self.state_dict()
        self.load_state_dict({**own, **{name: value for name, value in dense.state_dict().items() if name in own}})


def at_places(condition: Tensor, places: Tensor, fill: float) -> Tensor:
    """(B, L, context): picture tokens (B, S, context) where places (B, L, 3) are seen from the front, 0 outside the frame.

    x is right and z is up; a shape's longest side, 2, takes `fill` of the frame. That is exact for a flat front seen by
    parallel rays, and near enough elsewhere to look a place up. The last tokens are a square grid; what comes before is a class
    token.
    """
    side = math.isqrt(condition.shape[1])
    grid = condition[:, -side * side :].transpose(1, 2).unflatten(2, (side, side))
    at = torch.stack([places[..., 0], -places[..., 2]], -1)[:, :, None] * fill
    return torch.nn.functional.grid_sample(grid.float(), at.float(), align_corners=False)[..., 0].transpose(1, 2)
