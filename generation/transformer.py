"""Parts that every token model here is made of: attention, feed-forward, experts, Fourier features, the code of a time."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class HeadNorm(nn.RMSNorm):
    """RMSNorm whose weight takes the precision of what it scales: torch fuses no mix of both, and warns of one."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., d) -> (..., d)."""
        return F.rms_norm(x, self.normalized_shape, None if self.weight is None else self.weight.to(x.dtype), self.eps)


def attention(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """softmax(q k^T / sqrt(d)) v of (B, heads, L or S, d).

    On a CPU the backward pass of torch's fused kernel is much slower in bfloat16 than these three products.
    """
    if queries.device.type == "cpu" and queries.dtype == torch.bfloat16 and queries.requires_grad:
        logits = (queries @ keys.mT).float() * queries.shape[-1] ** -0.5
        return logits.softmax(-1).to(values.dtype) @ values
    return F.scaled_dot_product_attention(queries, keys, values)


class Attention(nn.Module):
    """Multi-head attention of tokens (B, L, width) to a context (B, S, context); by default to themselves.

    With `qk_norm` each head's queries and keys are RMS-normalised (SD3, section 5.3.2), which keeps the logits bounded.
    """

    def __init__(self, width: int, heads: int, context: int | None = None, qk_norm: bool = True) -> None:
        super().__init__()
        source = context or width
        self.heads = heads
        self.q = nn.Linear(width, width, bias=False)
        self.k = nn.Linear(source, width, bias=False)
        self.v = nn.Linear(source, width, bias=False)
        self.out = nn.Linear(width, width)
        nn.init.zeros_(self.out.weight)  # a block starts as the identity
        head = width // heads
        self.q_norm = HeadNorm(head, eps=1e-6) if qk_norm else nn.Identity()
        self.k_norm = HeadNorm(head, eps=1e-6) if qk_norm else nn.Identity()

    def keys_values(self, context: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (B, heads, S, width / heads) of a context: computed once where many queries follow."""
        return self.k_norm(self._split(self.k(context))), self._split(self.v(context))

    def queries(self, tokens: Tensor) -> Tensor:
        """Queries (B, heads, L, width / heads) of tokens (B, L, width)."""
        return self.q_norm(self._split(self.q(tokens)))

    def attend(self, tokens: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """The answer (B, L, width) of keys and values to tokens (B, L, width)."""
        answer = attention(self.queries(tokens), keys, values)
        return self.out(answer.transpose(1, 2).flatten(2))

    def forward(self, tokens: Tensor, context: Tensor | None = None) -> Tensor:
        """(B, L, width), see the class."""
        return self.attend(tokens, *self.keys_values(tokens if context is None else context))

    def _split(self, tokens: Tensor) -> Tensor:
        return tokens.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class PlacedAttention(Attention):
    """Attention from tokens at points to a context at places.

    From the logit of each pair a head takes its sharpness times the squared distance, and what a place answers is affine in
    the offset to it, a + B (x - p), so that a sharp head is a moving least squares of the places' planes (IMLS, Shen et al.
    2004) before it has learned anything. 3DILG (Zhang et al. 2022) has latents at places, TripoSG leaves all of it to learning.
    """

    def __init__(self, width: int, heads: int, context: int | None = None) -> None:
        super().__init__(width, heads, context)
        self.slopes = nn.Linear(context or width, 3 * width, bias=False)
        self.sharpness = nn.Parameter(torch.linspace(1.0, 5.0, heads))  # log; from half of [-1, 1] to a tenth

    def placed(self, context: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """Keys (B, heads, S, d) and values (B, heads, S, 4 d) of a context at places (B, S, 3): a - B p, then B's columns."""
        keys, constant = self.keys_values(context)
        slopes = [self._split(part).float() for part in self.slopes(context).chunk(3, -1)]
        constant = constant.float()
        for axis, slope in enumerate(slopes):
            constant = constant - slope * places[:, None, :, axis, None]
        return keys, torch.cat([constant, *slopes], -1)

    def attend_at(self, tokens: Tensor, points: Tensor, keys: Tensor, values: Tensor, places: Tensor) -> Tensor:
        """The answer (B, L, width) to tokens (B, L, width) at points (B, L, 3)."""
        queries = self.queries(tokens)
        logits = (queries @ keys.to(queries.dtype).mT).float() * keys.shape[-1] ** -0.5
        gaps = (points[:, :, None] - places[:, None]).square().sum(-1)[:, None]
        weights = (logits - self.sharpness.exp()[:, None, None] * gaps).softmax(-1)
        with torch.autocast(tokens.device.type, enabled=False):  # a - B p and B x nearly cancel
            constant, *slopes = (weights @ values).chunk(4, -1)
            for axis, slope in enumerate(slopes):
                constant = constant + slope * points[:, None, :, axis, None]
        return self.out(constant.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    """Linear, GELU, Linear; four times as wide inside."""

    def __init__(self, width: int, ratio: int = 4) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(width, ratio * width), nn.Linear(ratio * width, width)
        nn.init.zeros_(self.down.weight)

    def forward(self, tokens: Tensor) -> Tensor:
        """(..., width) -> (..., width)."""
        return self.down(F.gelu(self.up(tokens)))


class Experts(nn.Module):
    """Mixture of experts (Fedus et al. 2021 for the loss; TripoSG section 3.1.3 for the shape).

    A router sends each token to its `top` experts, whose answers are added by their probabilities, renormalised over the
    chosen; one shared expert sees every token. `balance` is, after each forward pass, the load-balancing loss
    n * sum_i f_i p_i, with f_i the share of choices that went to expert i and p_i its mean probability: 1 when even.
    """

    def __init__(self, width: int, count: int = 8, top: int = 2, ratio: int = 4) -> None:
        super().__init__()
        self.top = top
        self.router = nn.Linear(width, count, bias=False)
        self.experts = nn.ModuleList(FeedForward(width, ratio) for _ in range(count))
        self.shared = FeedForward(width, ratio)
        self.balance = torch.zeros(())

    def start_from(self, dense: FeedForward) -> None:
        """Every expert becomes the dense layer, and the shared one answers with zero: the block computes what it did."""
        for expert in (*self.experts, self.shared):
            expert.load_state_dict(dense.state_dict())
        nn.init.zeros_(self.shared.down.weight)
        nn.init.zeros_(self.shared.down.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """(..., width) -> (..., width)."""
        flat = tokens.reshape(-1, tokens.shape[-1])
        chances = self.router(flat).float().softmax(-1)
        weights, chosen = chances.topk(self.top, dim=-1)
        weights = weights / weights.sum(-1, keepdim=True)
        self.balance = balance_loss(chances, chosen)
        answer = self.shared(flat)
        for number, expert in enumerate(self.experts):
            rows, place = (chosen == number).nonzero(as_tuple=True)
            answer = answer.index_add(0, rows, (expert(flat[rows]) * weights[rows, place, None]).to(answer.dtype))
        return answer.view_as(tokens)


def balance_loss(chances: Tensor, chosen: Tensor) -> Tensor:
    """n * sum_i f_i p_i of probabilities (T, n) and chosen experts (T, top); Fedus et al. 2021, equation 4."""
    count = chances.shape[-1]
    share = torch.zeros(count, device=chances.device).index_add(
        0, chosen.flatten(), torch.ones_like(chosen.flatten(), dtype=torch.float)
    )
    return count * (share / chosen.numel() * chances.mean(0)).sum()


class Block(nn.Module):
    """Pre-norm transformer block: self-attention and, in parallel with nothing, a feed-forward layer."""

    def __init__(self, width: int, heads: int, qk_norm: bool = True) -> None:
        super().__init__()
        self.attention_norm, self.attention = nn.LayerNorm(width), Attention(width, heads, qk_norm=qk_norm)
        self.feed_norm, self.feed = nn.LayerNorm(width), FeedForward(width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, L, width) -> (B, L, width)."""
        tokens = tokens + self.attention(self.attention_norm(tokens))
        return tokens + self.feed(self.feed_norm(tokens))


def fourier(points: Tensor, octaves: int) -> Tensor:
    """(..., D) -> (..., D + 2 D octaves): the values, then sin and cos of 2^k times them (3DShape2VecSet; no pi)."""
    angles = points[..., None] * 2.0 ** torch.arange(octaves, device=points.device, dtype=points.dtype)
    return torch.cat([points, angles.sin().flatten(-2), angles.cos().flatten(-2)], -1)


def time_code(times: Tensor, width: int) -> Tensor:
    """(B,) -> (B, width) cosines and sines with periods from 2 pi to 2 pi 10^4 (DDPM's timesteps: 0 to 1000)."""
    rates = torch.exp(-math.log(10_000) * torch.arange(width // 2, device=times.device) / (width // 2))
    angles = times.float()[:, None] * rates
    return torch.cat([angles.cos(), angles.sin()], -1)
