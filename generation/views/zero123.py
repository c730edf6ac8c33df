"""Zero-1-to-3 itself, from a folder as diffusers saves it, behind the hook and the sampler of the networks here.

Each part is loaded by its own class from safetensors, so that a folder can name no other code to run. Nothing is downloaded.
"""

import json
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from versemill.errors import ConfigError, MissingDependencyError
from versemill.generation import paths
from versemill.generation.views.attention import Hook, fused
from versemill.generation.views.cameras import relative_pose
from versemill.generation.views.latents import MAX_CONFIG

PARTS = ("unet", "vae", "image_encoder", "scheduler")
PROJECTIONS = ("cc_projection", "clip_camera_projection")
"""Folders of the layer of picture embedding and pose, as two conversions of the weights call it."""
POSE = 4
SCALE = 0.5
"""Zero-1-to-3's unit of length over ours: its objects' longest side is 1, ours 2."""
MEAN, DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""Of CLIP's pictures."""


def is_folder(folder: Path) -> bool:
    """Whether a folder is one of diffusers, of whatever model, and not a training run."""
    return (
        any((folder / name).exists() for name in ("model_index.json", "unet", "controlnet"))
        or _class_of(folder / "config.json") is not None
    )


class Zero123(nn.Module):
    """A `sampler.Drawer` in the folder's latents; see there for the attributes.

    The clean source goes in as latents that are not scaled, the embedding of picture and pose as one token, both 0 without the
    condition: as in Zero-1-to-3's own sampler. `keep` withholds both with the picture; it never went without a pose.

    Raises:
        MissingDependencyError: diffusers or transformers is not installed.
        ConfigError: the folder holds another kind of model, or not all of this one.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        try:
            from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
            from safetensors import SafetensorError
            from safetensors.torch import load_file
            from transformers import CLIPVisionModelWithProjection
        except ImportError as error:
            raise MissingDependencyError(
                f"{folder} needs diffusers and transformers ({error}): pip install 'versemill[generation]'"
            ) from error
        from versemill.generation.views.unet import attend_by_hook

        projection = _checked(folder)
        weights = {"local_files_only": True, "use_safetensors": True}
        try:
            unet, vae, encoder = (
                kind.from_pretrained(folder / name, **weights).float()
                for kind, name in ((UNet2DConditionModel, "unet"), (AutoencoderKL, "vae"),
                                   (CLIPVisionModelWithProjection, "image_encoder"))
            )  # fmt: skip
            scheduler = DDIMScheduler.from_pretrained(folder / "scheduler", local_files_only=True)
            linear = load_file(folder / projection / "diffusion_pytorch_model.safetensors")
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            raise ConfigError(
                f"can't load {folder}; weights must be safetensors (of .bin files: load and save them with diffusers and "
                f"safe_serialization=True): {' '.join(str(error).split())[:200]}"
            ) from error
        self.unet, self.vae, self.encoder, self.token_in = unet, vae, encoder, _linear(folder / projection, linear)
        self._fits(folder)
        kind = scheduler.config.prediction_type
        if kind not in paths.PREDICTION_TYPES:
            raise ConfigError(f"{folder}/scheduler predicts '{kind}'; known are {', '.join(paths.PREDICTION_TYPES)}")
        self.path = paths.Tabulated(tuple(scheduler.alphas_cumprod.double().tolist()), paths.PREDICTION_TYPES[kind])
        side = int(unet.config.sample_size)
        self.shape = (int(vae.config.latent_channels), side, side)
        self.size = side * 2 ** (len(vae.config.block_out_channels) - 1)
        numbers, self.late = attend_by_hook(unet)
        self.layers, self.mutual = len(numbers), True
        self.eval().requires_grad_(False)

    def look(self, source: Tensor, c2w: Tensor, K: Tensor, keep: Tensor) -> tuple[Tensor, Tensor]:
        """Of B * T targets: latents of their sources (B * T, C, s, s), and tokens (B * T, 1, context).

        Args:
            source: (B, 3, size, size) in [0, 1] over white. c2w: (B, 1 + T, 4, 4), the source first. K: not used, the lens is
                the one it was trained with. keep: (B, 2), 0 where the picture is withheld.
        """
        count, shown = c2w.shape[1] - 1, keep[:, 0]
        latents = self.vae.encode(2 * source - 1).latent_dist.mode() * shown[:, None, None, None]
        pose = relative_pose(c2w) * torch.tensor([1.0, 1.0, 1.0, SCALE], device=c2w.device)
        seen = self._embedded(source)[:, None].expand(-1, count, -1)
        token = self.token_in(torch.cat([seen, pose.to(seen)], -1)) * shown[:, None, None]
        return latents.repeat_interleave(count, 0), token.flatten(0, 1)[:, None]

    def forward(self, x: Tensor, time: Tensor, context: tuple[Tensor, Tensor], hook: Hook = fused) -> Tensor:
        """(R, C, s, s), what the path asks for at x (R, C, s, s) and steps (R,)."""
        latents, token = context
        return self.unet(torch.cat([x, latents], 1), time, token, cross_attention_kwargs={"hook": hook}).sample

    def decode(self, data: Tensor) -> Tensor:
        """Pictures (R, 3, size, size) in [0, 1] of scaled latents."""
        return ((self.vae.decode(data / self.vae.config.scaling_factor).sample + 1) / 2).clamp(0, 1)

    def _embedded(self, source: Tensor) -> Tensor:
        """(B, E) CLIP's embedding of pictures (B, 3, S, S) in [0, 1]."""
        side = int(self.encoder.config.image_size)
        small = F.interpolate(source, (side, side), mode="bicubic", align_corners=True)
        mean, deviation = (torch.tensor(v, device=source.device)[:, None, None] for v in (MEAN, DEVIATION))
        return self.encoder((small - mean) / deviation).image_embeds

    def _fits(self, folder: Path) -> None:
        unet, latents = self.unet.config, int(self.vae.config.latent_channels)
        if not isinstance(unet.sample_size, int):
            raise ConfigError(f"{folder}/unet is made for {unet.sample_size} cells; square views are drawn")
        if unet.in_channels != 2 * latents or unet.out_channels != latents:
            raise ConfigError(
                f"{folder}/unet takes {unet.in_channels} channels; Zero-1-to-3's takes {2 * latents}: noisy latents, then the "
                "picture's. This is another kind of model"
            )
        sizes = (self.token_in.in_features, self.token_in.out_features)
        if sizes != (int(self.encoder.config.projection_dim) + POSE, unet.cross_attention_dim):
            raise ConfigError(
                f"the projection of {folder} maps {sizes[0]} numbers to {sizes[1]}; picture embedding and pose are "
                f"{int(self.encoder.config.projection_dim) + POSE}, the U-Net's context is {unet.cross_attention_dim}"
            )


def _checked(folder: Path) -> str:
    """Which of `PROJECTIONS` a folder has.

    Raises:
        ConfigError: it is not Zero-1-to-3's.
    """
    kinds = [_class_of(folder / part / "config.json") for part in (".", "unet")]
    if (folder / "controlnet").is_dir() or "ControlNetModel" in kinds:
        raise ConfigError(
            f"{folder} holds a ControlNet, which draws from a text and a map; `views` has a picture and a pose to give. "
            "docs/views.md says what a model of your own needs to be sampled and filtered here"
        )
    if kinds[1] not in (None, "UNet2DConditionModel"):
        raise ConfigError(
            f"the U-Net of {folder} is a '{kinds[1]}', as MVDream's is one of its own: code that comes with weights is not "
            "run. UNet2DConditionModel is needed"
        )
    projection = next((name for name in PROJECTIONS if (folder / name).is_dir()), None)
    missing = [name for name in PARTS if not (folder / name).is_dir()] + ([] if projection else [PROJECTIONS[0]])
    if missing or projection is None:
        raise ConfigError(
            f"{folder} is not Zero-1-to-3 as diffusers saves it: {', '.join(missing)} missing; it has {', '.join(PARTS)} and "
            f"{' or '.join(PROJECTIONS)}"
        )
    return projection


def _class_of(path: Path) -> str | None:
    """The class that a config.json of diffusers names."""
    try:
        with path.open("rb") as file:
            name = json.loads(file.read(MAX_CONFIG)).get("_class_name")
    except (OSError, ValueError, AttributeError):
        return None
    return None if name is None else str(name)


def _linear(folder: Path, weights: dict[str, Tensor]) -> nn.Linear:
    """The one layer that a file of weights holds, by whatever name."""
    matrix = [value for name, value in weights.items() if name.endswith("weight") and value.ndim == 2]
    bias = [value for name, value in weights.items() if name.endswith("bias") and value.ndim == 1]
    if len(weights) != 2 or len(matrix) != 1 or len(bias) != 1 or len(bias[0]) != len(matrix[0]):
        raise ConfigError(f"{folder} does not hold one linear layer: {', '.join(sorted(weights)[:4])}")
    layer = nn.Linear(matrix[0].shape[1], matrix[0].shape[0])
    layer.load_state_dict({"weight": matrix[0].float(), "bias": bias[0].float()})
    return layer
