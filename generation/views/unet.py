"""Zero-1-to-3's U-Net, from diffusers (Liu et al. 2023, section 3.2): the noisy target joined with the clean source in
channels, and one token of picture and pose by cross-attention. Its self-attention goes through our hook.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from versemill.errors import MissingDependencyError
from versemill.generation.encoders import PictureTransformer
from versemill.generation.views.attention import Hook, fused
from versemill.generation.views.cameras import relative_pose
from versemill.generation.views.latents import codec
from versemill.generation.views.presets import ViewsRecipe

try:
    from diffusers import UNet2DConditionModel
except ImportError as error:
    raise MissingDependencyError("Zero-1-to-3's U-Net needs diffusers: pip install 'versemill[generation]'") from error

POSE = 4
"""Numbers of a relative pose."""


@dataclass(frozen=True, eq=False)
class Context:
    """What is known of R targets: their sources (R, C, s, s), and a token of picture and pose (R, 1, context)."""

    source: Tensor
    token: Tensor


@dataclass
class Glance:
    """The sizes of the picture encoder; see `encoders.ViTSizes`."""

    picture: int
    patch: int
    encoder_width: int = 256
    encoder_heads: int = 4
    encoder_layers: int = 4


class Hooked:
    """A processor of diffusers' attention that leaves queries, keys and values of self-attention to a hook.

    Args:
        layer: the number of this layer among those that attend to themselves; None: cross-attention, never hooked.
    """

    def __init__(self, layer: int | None) -> None:
        self.layer = layer

    def __call__(
        self, attn: Any, hidden_states: Tensor, encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None, hook: Hook = fused,
    ) -> Tensor:  # fmt: skip
        """As `diffusers.models.attention_processor.AttnProcessor2_0` inside a transformer block: tokens (B, L, C), no mask."""
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        queries, keys, values = (
            part.unflatten(-1, (attn.heads, -1)).transpose(1, 2)
            for part in (attn.to_q(hidden_states), attn.to_k(context), attn.to_v(context))
        )
        attend = fused if self.layer is None else hook
        answer = attend(-1 if self.layer is None else self.layer, queries, keys, values)
        return attn.to_out[1](attn.to_out[0](answer.transpose(1, 2).flatten(2)))


def attend_by_hook(unet: Any) -> tuple[list[int], list[int]]:
    """Puts `Hooked` into a `UNet2DConditionModel`.

    Returns:
        its layers of self-attention, in the order in which they run; and those of mutual self-attention: of the decoder's two
        largest resolutions that attend (Zero-to-Hero, section 4.3).
    """
    names = sorted(
        (name for name in unet.attn_processors if ".attn1." in name), key=lambda name: ("down", "mid_", "up_b").index(name[:4])
    )
    numbers = {name: number for number, name in enumerate(names)}
    unet.set_attn_processor({name: Hooked(numbers.get(name)) for name in unet.attn_processors})
    ups = {k: int(name.split(".")[1]) for k, name in enumerate(names) if name.startswith("up_blocks")}
    blocks = sorted(set(ups.values()))[-2:]
    return list(range(len(names))), [k for k, block in ups.items() if block in blocks]


class ConditionedUNet(nn.Module):
    """See the module. What is drawn is (B, C, s, s): pictures in [-1, 1], or their latents."""

    def __init__(self, recipe: ViewsRecipe) -> None:
        super().__init__()
        self.codec = codec(recipe.vae, recipe.vae_config)
        channels, side, _ = recipe.shape
        widths = [recipe.width * factor for factor in recipe.levels]
        attended = [level >= len(widths) - recipe.attended for level in range(len(widths))]
        self.unet: Any = UNet2DConditionModel(
            sample_size=side,
            in_channels=2 * channels,
            out_channels=channels,
            down_block_types=tuple("CrossAttnDownBlock2D" if a else "DownBlock2D" for a in attended),
            up_block_types=tuple("CrossAttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attended)),
            block_out_channels=tuple(widths),
            layers_per_block=recipe.layers,
            attention_head_dim=recipe.heads,  # diffusers calls the number of heads so
            cross_attention_dim=recipe.context,
            norm_num_groups=16 if recipe.width % 32 else 32,
        )
        self.encoder = PictureTransformer(Glance(recipe.size, recipe.size // 8))
        self.token_in = nn.Linear(self.encoder.width + POSE, recipe.context)
        self.layers, self.late = attend_by_hook(self.unet)

    def look(self, source: Tensor, c2w: Tensor, K: Tensor, keep: Tensor) -> Context:
        """The context of B * T targets; see `NovelViews.look`. A withheld picture or pose is zeros."""
        count = c2w.shape[1] - 1
        shown, posed = keep[:, 0], keep[:, 1]
        seen = self.encoder(source).mean(1) * shown[:, None]
        pose = relative_pose(c2w) * posed[:, None, None]
        token = self.token_in(torch.cat([seen[:, None].expand(-1, count, -1), pose.to(seen.dtype)], -1))
        with torch.no_grad():
            hidden = self.codec.encode(source) * shown[:, None, None, None]
        return Context(hidden.repeat_interleave(count, 0), token.flatten(0, 1)[:, None])

    def forward(self, x: Tensor, time: Tensor, context: Context, hook: Hook = fused) -> Tensor:
        """(R, C, s, s) from noisy targets x (R, C, s, s) at times (R,) in 0 to 1000."""
        both = torch.cat([x, context.source], 1)
        return self.unet(both, time, context.token, cross_attention_kwargs={"hook": hook}).sample

    def hidden(self) -> list[nn.Parameter]:
        """The matrices of its transformer blocks."""
        return [p for name, p in self.unet.named_parameters() if p.ndim == 2 and "transformer_blocks" in name]
