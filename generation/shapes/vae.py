"""A shape as a set of latents: surface points in, a field of truncated signed distances out (3DShape2VecSet, TripoSG)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from versemill.generation.shapes.vae_presets import ShapeVaeRecipe
from versemill.generation.transformer import Attention, Block, FeedForward, PlacedAttention, fourier


@dataclass(frozen=True)
class Posterior:
    """A diagonal Gaussian per latent. mean, log_variance: (B, M, C)."""

    mean: Tensor
    log_variance: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """mean + deviation * noise, (B, M, C)."""
        return self.mean + (0.5 * self.log_variance).exp() * noise


class ShapeVae(nn.Module):
    """Vector-set autoencoder. No token has a position code, so weights serve any number of tokens.

    With `anchored`, the first three channels of a latent start as the place of its query point, and a coordinate looks first
    at the latents that lie near it (latents at places: 3DILG, Zhang et al. 2022). It learns several times as fast; TripoSG
    leaves all of that to be learned.

    Encoder: query points, a subset of the surface, look at all of it once, then at each other; a linear layer gives mean
    and log variance. Decoder: self-attention among the tokens, then one cross-attention from each coordinate asked for.
    """

    def __init__(self, recipe: ShapeVaeRecipe) -> None:
        super().__init__()
        self.recipe = recipe
        width, heads = recipe.width, recipe.heads
        self.octaves, self.channels = recipe.octaves, recipe.channels
        coded = 3 + 6 * recipe.octaves
        self.surface_in = nn.Linear(coded + 3, width)
        self.look_norm, self.surface_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.anchored = recipe.anchored
        attention = PlacedAttention if recipe.anchored else Attention
        self.look, self.look_feed_norm, self.look_feed = attention(width, heads), nn.LayerNorm(width), FeedForward(width)
        self.encoder = nn.Sequential(*(Block(width, heads) for _ in range(recipe.encoder_layers)))
        self.encoder_norm = nn.LayerNorm(width)
        self.posterior = nn.Linear(width, 2 * recipe.channels)
        # A new latent space carries signal from the first step instead of being all noise.
        nn.init.constant_(self.posterior.bias[recipe.channels :], LOG_VARIANCE)

        # What a generator of latents works on is (latent - mean) / deviation, per channel.
        self.latent_mean: Tensor
        self.latent_deviation: Tensor
        self.register_buffer("latent_mean", torch.zeros(recipe.channels))
        self.register_buffer("latent_deviation", torch.ones(recipe.channels))

        self.latent_in = nn.Linear(recipe.channels, width)
        self.noise_in = nn.Linear(1, width, bias=False) if recipe.latent_noise else None
        self.decoder = nn.Sequential(*(Block(width, heads) for _ in range(recipe.decoder_layers)))
        self.query_in = nn.Linear(coded, width)
        self.query_norm, self.token_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.ask = attention(width, heads)
        # Narrow: it runs once for each of a million coordinates, the blocks above once for a set of tokens.
        self.ask_feed_norm, self.ask_feed = nn.LayerNorm(width), FeedForward(width, 2)
        self.field_norm, self.field_out = nn.LayerNorm(width), nn.Linear(width, 1)

    def encode(self, surface: Tensor, chosen: Tensor) -> Posterior:
        """The posterior of surfaces (B, N, 6), positions and unit normals, in as many tokens as `chosen` (B, M) has indices."""
        points = self.surface_in(torch.cat([fourier(surface[..., :3], self.octaves), surface[..., 3:]], -1))
        tokens = points.gather(1, chosen[..., None].expand(-1, -1, points.shape[-1]))
        places = surface[..., :3].gather(1, chosen[..., None].expand(-1, -1, 3))
        tokens = tokens + _answers(self.look, self.look_norm(tokens), places, self.surface_norm(points), surface[..., :3])
        tokens = tokens + self.look_feed(self.look_feed_norm(tokens))
        mean, log_variance = self.posterior(self.encoder_norm(self.encoder(tokens))).float().chunk(2, -1)
        if self.anchored:
            mean = torch.cat([mean[..., :3] + places, mean[..., 3:]], -1)
        return Posterior(mean, log_variance.clamp(-20, 10))

    @torch.no_grad()
    def remember(self, latents: Tensor, share: float = 0.02) -> None:
        """Moves the stored mean and deviation towards those of latents (B, M, C)."""
        flat = latents.flatten(0, 1)
        self.latent_mean.lerp_(flat.mean(0), share)
        self.latent_deviation.lerp_(flat.std(0), share)

    def decode(self, latents: Tensor, noise: Tensor) -> "Field":
        """The field that latents (B, M, C) stand for, which have noise (B,) of so many of their deviations.

        A network that was trained without `latent_noise` takes them as exact.
        """
        read = self.latent_in(latents)
        if self.noise_in is not None:
            read = read + self.noise_in(noise[:, None, None] / self.recipe.latent_noise)
        tokens, places = self.token_norm(self.decoder(read)), latents[..., :3]
        if isinstance(self.ask, PlacedAttention):
            return Field(self, *self.ask.placed(tokens, places), places)
        return Field(self, *self.ask.keys_values(tokens), places)

    def hidden(self) -> list[nn.Parameter]:
        """The matrices between tokens, which Muon may take: all but those that read inputs and write answers."""
        inner = (self.look, self.look_feed, self.encoder, self.decoder, self.ask, self.ask_feed)
        return [p for module in inner for p in module.parameters() if p.ndim == 2]


@dataclass(frozen=True)
class Field:
    """B fields, ready for any number of questions.

    keys, values: (B, heads, M, ...) of the last attention. places: (B, M, 3), where latents lie if they are anchored.
    """

    vae: ShapeVae
    keys: Tensor
    values: Tensor
    places: Tensor

    def __call__(self, points: Tensor) -> Tensor:
        """(B, Q) float32 values at points (B, Q, 3): signed distance over the truncation width, negative inside."""
        vae = self.vae
        queries = vae.query_in(fourier(points, vae.octaves))
        if isinstance(vae.ask, PlacedAttention):
            answer = vae.ask.attend_at(vae.query_norm(queries), points, self.keys, self.values, self.places)
        else:
            answer = vae.ask.attend(vae.query_norm(queries), self.keys, self.values)
        queries = queries + answer
        queries = queries + vae.ask_feed(vae.ask_feed_norm(queries))
        return vae.field_out(vae.field_norm(queries))[..., 0].float()


def _answers(attention: Attention, tokens: Tensor, at: Tensor, context: Tensor, places: Tensor) -> Tensor:
    """What tokens (B, L, width) at points (B, L, 3) are answered by a context at places."""
    if isinstance(attention, PlacedAttention):
        return attention.attend_at(tokens, at, *attention.placed(context, places), places)
    return attention(tokens, context)


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
