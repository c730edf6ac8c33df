"""Stable Diffusion as the 2D model: a folder that diffusers saved, and a text. Needs the extra `generation`.

Each part is loaded by its own class from safetensors, so that a folder can name no other code to run. Nothing is downloaded.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from versemill.errors import ConfigError, MissingDependencyError
from versemill.generation.paths import PREDICTION_TYPES, Tabulated
from versemill.generation.sampling import Estimator, estimator

SIDES = ("front view", "side view", "back view", "overhead view")
"""What is added to the text by direction (DreamFusion, section 3.2)."""
FRONT, BACK, OVERHEAD = 45.0, 135.0, 60.0
"""Degrees: azimuth of the front up to the first, of the back beyond the second; elevation beyond the third is overhead."""


class TextModel:
    """A latent text-to-image model; see `models.ViewModel`. Without the condition it has the empty text.

    Raises:
        MissingDependencyError: diffusers or transformers is not installed. ConfigError: the folder does not hold such a model.
    """

    def __init__(self, folder: Path, prompt: str, device: torch.device) -> None:
        try:
            from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
            from transformers import CLIPTextModel, CLIPTokenizer
        except ImportError as error:
            raise MissingDependencyError(
                f"--prompt needs diffusers and transformers ({error}): pip install 'versemill[generation]'"
            ) from error
        self.device = device
        weights = {"local_files_only": True, "use_safetensors": True}
        try:
            unet, vae, text = (
                kind.from_pretrained(folder / name, **weights).to(device).eval().requires_grad_(False)
                for kind, name in ((UNet2DConditionModel, "unet"), (AutoencoderKL, "vae"), (CLIPTextModel, "text_encoder"))
            )
            tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
            scheduler = DDPMScheduler.from_pretrained(folder / "scheduler", local_files_only=True)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"{folder} is not a Stable Diffusion folder with safetensors, as diffusers saves it (unet, vae, text_encoder, "
                f"tokenizer, scheduler): {' '.join(str(error).split())[:200]}"
            ) from error
        self.unet, self.vae = unet, vae
        kind = scheduler.config.prediction_type
        if kind not in PREDICTION_TYPES:
            raise ConfigError(f"{folder}/scheduler predicts '{kind}'; known are {', '.join(PREDICTION_TYPES)}")
        self.path = Tabulated(tuple(scheduler.alphas_cumprod.double().tolist()), PREDICTION_TYPES[kind])
        self.size = int(unet.config.sample_size) * 2 ** (len(vae.config.block_out_channels) - 1)
        texts = [f"{prompt}, {side}" for side in SIDES] + [""]
        tokens = tokenizer(
            texts, padding="max_length", truncation=True, max_length=tokenizer.model_max_length, return_tensors="pt"
        )
        with torch.no_grad():
            self.texts: Tensor = text(tokens.input_ids.to(device))[0]

    def encode(self, pictures: Tensor) -> Tensor:
        """The mean of the autoencoder's latents, scaled; differentiable."""
        return self.vae.encode(2 * pictures - 1).latent_dist.mean * self.vae.config.scaling_factor

    def decode(self, data: Tensor) -> Tensor:
        """Pictures of latents."""
        with torch.no_grad():
            return ((self.vae.decode(data / self.vae.config.scaling_factor).sample + 1) / 2).clamp(0, 1)

    def estimators(self, c2w: Tensor, K: Tensor) -> tuple[Estimator, Estimator]:
        """With the text and the side that each camera sees, and with the empty text."""
        return self._estimator(self.texts[sides(c2w)]), self._estimator(self.texts[-1:].expand(len(c2w), -1, -1))

    def _estimator(self, texts: Tensor) -> Estimator:
        def network(x: Tensor, time: Tensor) -> Any:
            return self.unet(x, time.to(x), encoder_hidden_states=texts).sample

        return estimator(self.path, network)


def sides(c2w: Tensor) -> Tensor:
    """(V,) numbers of `SIDES` for cameras (V, 4, 4) that look at the origin; azimuth 0 is the front."""
    x, y, z = F.normalize(c2w[:, :3, 3], dim=1).unbind(1)
    around, height = torch.rad2deg(torch.atan2(y, x)).abs(), torch.rad2deg(torch.arcsin(z.clamp(-1, 1)))
    side = (around > FRONT).long() + (around > BACK).long()
    return torch.where(height > OVERHEAD, len(SIDES) - 1, side)
