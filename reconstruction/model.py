"""The model: GS-LRM as LRM-Zero trains it. Posed images to one 3D Gaussian per pixel (LRM-Zero section 3; GS-LRM section 3)."""

import math
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from versemill.reconstruction.presets import GaussiansRecipe, PosedRecipe
from versemill.training.baselines import RADIUS
from versemill.training.geometry import pool, rays
from versemill.training.recipe import mixed_precision
from versemill.training.splats import Gaussians, Rendering
from versemill.training.splatting import render

OUTPUTS = 12
"""Raw numbers per Gaussian: distance, colour 3, scale 3, rotation 4, opacity."""


class Block(nn.Module):
    """Pre-norm self-attention over all tokens of all views, then an MLP."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention = nn.LayerNorm(width, bias=False)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.query_norm = nn.RMSNorm(width // heads, eps=1e-6)
        self.key_norm = nn.RMSNorm(width // heads, eps=1e-6)
        self.out = nn.Linear(width, width, bias=False)
        self.norm_mlp = nn.LayerNorm(width, bias=False)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width, bias=False), nn.GELU(), nn.Linear(4 * width, width, bias=False))

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T, width) to the same."""
        query, key, value = self.qkv(self.norm_attention(tokens)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        with torch.autocast(tokens.device.type, enabled=False):  # norms in float32, attention in the dtype of its values
            query, key = (norm(t.float()).to(value.dtype) for norm, t in ((self.query_norm, query), (self.key_norm, key)))
        mixed = F.scaled_dot_product_attention(query, key, value)
        tokens = tokens + self.out(mixed.transpose(1, 2).flatten(2))
        return tokens + self.mlp(self.norm_mlp(tokens))


class Trunk(nn.Module):
    """What every LRM shares: posed images to patch tokens, a transformer over them, and a linear head per token."""

    def __init__(self, recipe: PosedRecipe, outputs: int) -> None:
        super().__init__()
        if recipe.size % recipe.patch or recipe.width % recipe.heads:
            raise ValueError(
                f"size {recipe.size} must be a multiple of patch {recipe.patch}, width {recipe.width} of heads {recipe.heads}"
            )
        self.recipe = recipe
        channels = 9 + recipe.masked + 6 * recipe.octaves
        self.patchify = nn.Linear(channels * recipe.patch**2, recipe.width, bias=False)
        self.norm_in = nn.LayerNorm(recipe.width, bias=False)
        self.blocks = nn.ModuleList(Block(recipe.width, recipe.heads) for _ in range(recipe.layers))
        self.norm_out = nn.LayerNorm(recipe.width, bias=False)
        self.head = nn.Linear(recipe.width, outputs, bias=False)
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                # Residual branches start small, so that depth does not raise the variance of the stream.
                shrink = math.sqrt(2 * recipe.layers) if name.endswith(("out.weight", "mlp.2.weight")) else 1.0
                nn.init.normal_(parameter, std=parameter.shape[1] ** -0.5 / shrink)
        nn.init.normal_(self.head.weight, std=0.1 * recipe.width**-0.5)

    def predict(
        self, images: Tensor, alpha: Tensor, origins: Tensor, directions: Tensor, extra: Tensor | None = None
    ) -> Tensor:
        """Head outputs (B, T, outputs) of all image tokens, ordered by view, row, column, then of the `extra` tokens.

        Args:
            images: (B, V, 3, S, S) sRGB in [0, 1] over white. alpha: (B, V, 1, S, S), seen if the recipe is `masked`.
            origins, directions: (B, V, 3, S, S) rays of the pixels. extra: (N, width) learned tokens next to the patches.
        """
        recipe = self.recipe
        moments = torch.cross(origins, directions, dim=2)
        parts = [images * 2 - 1, directions, moments] + ([alpha * 2 - 1] if recipe.masked else [])
        parts += ray_waves(directions, moments, recipe.octaves)
        pixels = torch.cat(parts, 2)
        with torch.autocast(images.device.type, torch.bfloat16, enabled=mixed_precision(recipe, images.device)):
            tokens = self.patchify(_to_patches(pixels, recipe.patch))
            if extra is not None:
                tokens = torch.cat([tokens, extra.to(tokens.dtype).expand(len(tokens), -1, -1)], 1)
            tokens = self.norm_in(tokens)
            for block in self.blocks:
                tokens = (
                    checkpoint(block, tokens, use_reentrant=False) if recipe.checkpointing and self.training else block(tokens)
                )
            return self.head(self.norm_out(tokens)).float()


class LRM(Trunk):
    """Large reconstruction model: images (B, V, 3, S, S) with cameras to V * (S / stride)^2 Gaussians per object."""

    recipe: GaussiansRecipe

    def __init__(self, recipe: GaussiansRecipe) -> None:
        if recipe.patch % recipe.stride:
            raise ValueError(f"patch {recipe.patch} must be a multiple of stride {recipe.stride}")
        super().__init__(recipe, OUTPUTS * (recipe.patch // recipe.stride) ** 2)

    def forward(self, images: Tensor, alpha: Tensor, c2w: Tensor, K: Tensor) -> tuple[Gaussians, Tensor]:
        """Predicts B sets of G = V * (S / stride)^2 Gaussians in the world frame, and their depth in their own view.

        Args:
            images: (B, V, 3, S, S) sRGB in [0, 1] over white. alpha: (B, V, 1, S, S), used if the recipe is `masked`.
            c2w: (B, V, 4, 4), OpenCV axes. K: (B, V, 3, 3) for S x S pixels.

        Returns:
            the Gaussians, ordered by view, row, column, and their centres' planar depth (B, V, 1, S / stride, S / stride).
        """
        origins, directions = rays(c2w, K, self.recipe.size)
        raw = self.predict(images, alpha, origins, directions)
        maps = _from_patches(raw, images.shape[1], self.recipe)
        gaussians, depth = self._gaussians(maps, images, origins, directions, c2w, K)
        if not self.recipe.masked:
            return gaussians, depth
        covered = pool(alpha, self.recipe.stride).flatten(1)
        return replace(gaussians, opacities=gaussians.opacities * covered), depth

    def draw(self, gaussians: Gaussians, c2w: Tensor, K: Tensor, size: int) -> Rendering:
        """The Gaussians of B objects seen by cameras (B, V): `splat.render` at size x size pixels."""
        return render(gaussians, c2w, K, (size, size))

    def splats(self, gaussians: Gaussians) -> Gaussians:
        """What is written for viewers of splats."""
        return gaussians

    def _gaussians(
        self, raw: Tensor, images: Tensor, origins: Tensor, directions: Tensor, c2w: Tensor, K: Tensor
    ) -> tuple[Gaussians, Tensor]:
        """Raw outputs (B, V, 12, s, s) to Gaussians on the pixels' rays.

        Distances lie between the ray's two crossings of the sphere of `RADIUS`, scales are relative to the pixel's
        footprint there, colours are corrections of the pixel's own: a fresh network already shows its inputs, roughly.
        """
        stride = self.recipe.stride
        colors, origins, directions = (pool(t, stride) for t in (images, origins, directions))
        directions = F.normalize(directions, dim=2)
        distance, color, scale, quat, opacity = raw.split([1, 3, 3, 4, 1], 2)
        middle = -(origins * directions).sum(2, keepdim=True)
        chord = RADIUS**2 - (origins * origins).sum(2, keepdim=True) + middle**2
        half = chord.clamp_min((0.1 * RADIUS) ** 2).sqrt()
        along = (middle + half * torch.tanh(distance - 0.3)).clamp_min(0.1)
        forward = (directions * c2w[:, :, :3, 2, None, None]).sum(2, keepdim=True)
        depth = along * forward
        footprint = stride * depth / K[:, :, 0, 0, None, None, None]
        scales = torch.exp((torch.log(0.6 * footprint) + scale.clamp(-6, 6)).clamp_max(self.recipe.scale_clip))
        quat = quat + torch.tensor([1.0, 0.0, 0.0, 0.0], device=raw.device)[:, None, None]
        colors = torch.sigmoid(torch.logit(colors.clamp(0.02, 0.98)) + color)
        flat = [t.permute(0, 1, 3, 4, 2).flatten(1, 3) for t in (origins + along * directions, quat, scales, opacity, colors)]
        means, quats, scales, opacities, colors = flat
        return Gaussians(means, quats, scales, torch.sigmoid(opacities.squeeze(-1) - 1.0), colors), depth


def ray_waves(directions: Tensor, moments: Tensor, octaves: int) -> list[Tensor]:
    """Sines and cosines of where each ray (B, V, 3, S, S) passes the origin closest, at `octaves` frequencies.

    That point is direction x moment, so it is in the Plücker coordinates already, but attention finds rays that meet
    much sooner by its waves (as NeRF's networks find places).
    """
    point = torch.cross(directions, moments, dim=2)
    angles = [point * (math.pi / 2 * 2**k) for k in range(octaves)]
    return [wave(angle) for angle in angles for wave in (torch.sin, torch.cos)]


def _to_patches(pixels: Tensor, patch: int) -> Tensor:
    """(B, V, C, S, S) to tokens (B, V * (S / patch)^2, C * patch^2)."""
    b, v, c, s, _ = pixels.shape
    n = s // patch
    return pixels.reshape(b, v, c, n, patch, n, patch).permute(0, 1, 3, 5, 2, 4, 6).reshape(b, v * n * n, c * patch * patch)


def _from_patches(raw: Tensor, views: int, recipe: GaussiansRecipe) -> Tensor:
    """Head outputs (B, T, 12 * side^2) to maps (B, V, 12, S / stride, S / stride)."""
    n, side = recipe.size // recipe.patch, recipe.patch // recipe.stride
    maps = raw.reshape(len(raw), views, n, n, OUTPUTS, side, side).permute(0, 1, 4, 2, 5, 3, 6)
    return maps.reshape(len(raw), views, OUTPUTS, n * side, n * side)
