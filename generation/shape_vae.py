"""A shape as a set of latents: surface points in, a field of truncated signed distances out (3DShape2VecSet, TripoSG)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from versemill.generation.transformer import Attention, Block, FeedForward, fourier


@dataclass(frozen=True)
class Posterior:
    """A diagonal Gaussian per latent. mean, log_variance: (B, M, C)."""

    mean: Tensor
    log_variance: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """mean + deviation * noise, (B, M, C)."""
        return self.mean + (0.5 * self.log_variance).exp() * noise


class VaeSizes:
    """What `ShapeVae` reads of a preset: `width`, `heads`, `channels`, `encoder_layers`, `decoder_layers`, `octaves`."""

    width: int
    heads: int
    channels: int
    encoder_layers: int
    decoder_layers: int
    octaves: int


class ShapeVae(nn.Module):
    """Vector-set autoencoder. No token has a position code, so weights serve any number of tokens.

    Encoder: query points, a subset of the surface, look at all of it once, then at each other; a linear layer gives mean
    and log variance. Decoder: self-attention among the tokens, then one cross-attention from each coordinate asked for.
    """

    def __init__(self, sizes: VaeSizes) -> None:
        super().__init__()
        width, heads = sizes.width, sizes.heads
        self.octaves, self.channels = sizes.octaves, sizes.channels
        coded = 3 + 6 * sizes.octaves
        self.surface_in = nn.Linear(coded + 3, width)
        self.look_norm, self.surface_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.look, self.look_feed_norm, self.look_feed = Attention(width, heads), nn.LayerNorm(width), FeedForward(width)
        self.encoder = nn.Sequential(*(Block(width, heads) for _ in range(sizes.encoder_layers)))
        self.encoder_norm = nn.LayerNorm(width)
        self.posterior = nn.Linear(width, 2 * sizes.channels)
        # A new latent space carries signal from the first step instead of being all noise.
        nn.init.constant_(self.posterior.bias[sizes.channels :], LOG_VARIANCE)

        self.latent_in = nn.Linear(sizes.channels, width)
        self.decoder = nn.Sequential(*(Block(width, heads) for _ in range(sizes.decoder_layers)))
        self.query_in = nn.Linear(coded, width)
        self.query_norm, self.token_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.ask = Attention(width, heads)
        self.ask_feed_norm, self.ask_feed = nn.LayerNorm(width), FeedForward(width)
        self.field_norm, self.field_out = nn.LayerNorm(width), nn.Linear(width, 1)

    def encode(self, surface: Tensor, chosen: Tensor) -> Posterior:
        """The posterior of surfaces (B, N, 6), positions and unit normals, in as many tokens as `chosen` (B, M) has indices."""
        points = self.surface_in(torch.cat([fourier(surface[..., :3], self.octaves), surface[..., 3:]], -1))
        tokens = points.gather(1, chosen[..., None].expand(-1, -1, points.shape[-1]))
        tokens = tokens + self.look(self.look_norm(tokens), self.surface_norm(points))
        tokens = tokens + self.look_feed(self.look_feed_norm(tokens))
        mean, log_variance = self.posterior(self.encoder_norm(self.encoder(tokens))).float().chunk(2, -1)
        return Posterior(mean, log_variance.clamp(-20, 10))

    def decode(self, latents: Tensor) -> "Field":
        """The field that latents (B, M, C) stand for."""
        tokens = self.token_norm(self.decoder(self.latent_in(latents)))
        return Field(self, *self.ask.keys_values(tokens))


@dataclass(frozen=True)
class Field:
    """B fields, ready for any number of questions. keys, values: (B, heads, M, width / heads)."""

    vae: ShapeVae
    keys: Tensor
    values: Tensor

    def __call__(self, points: Tensor) -> Tensor:
        """(B, Q) float32 values at points (B, Q, 3): signed distance over the truncation width, negative inside."""
        vae = self.vae
        asked = vae.query_in(fourier(points, vae.octaves))
        asked = asked + vae.ask.attend(vae.query_norm(asked), self.keys, self.values)
        asked = asked + vae.ask_feed(vae.ask_feed_norm(asked))
        return vae.field_out(vae.field_norm(asked))[..., 0].float()


LOG_VARIANCE = -6.0
"""Where log variances start; from 0 the latents are noise, and learning took several times as long."""


def farthest_points(points: Tensor, count: int) -> Tensor:
    """(B, count) int64 indices of points (B, N, 3): the first one, then always the one farthest from those chosen."""
    batch = torch.arange(len(points), device=points.device)
    chosen = torch.zeros(len(points), count, dtype=torch.int64, device=points.device)
    distance = torch.full(points.shape[:2], torch.inf, device=points.device)
    for place in range(1, count):
        last = points[batch, chosen[:, place - 1]]
        distance = torch.minimum(distance, (points - last[:, None]).square().sum(-1))
        chosen[:, place] = distance.argmax(1)
    return chosen
