"""Latents: a frozen `AutoencoderKL` of diffusers from a local folder, in which views are drawn. Nothing is downloaded."""

import json
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from versemill.errors import ConfigError, MissingDependencyError

MAX_CONFIG = 1 << 20
"""Bytes of a config.json that is read."""


def read_config(folder: Path) -> dict[str, Any]:
    """The config.json of an AutoencoderKL, without diffusers' own notes on where it came from.

    Raises:
        ConfigError: the folder holds no AutoencoderKL.
    """
    path = folder / "config.json"
    try:
        with path.open("rb") as file:
            config = json.loads(file.read(MAX_CONFIG))
        if config["_class_name"] != "AutoencoderKL":
            raise ConfigError(f"{folder} holds '{config['_class_name']}'; an AutoencoderKL is needed")
        if not config["block_out_channels"] or int(config["latent_channels"]) < 1:
            raise ValueError("no levels, or no channels")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{folder} is no AutoencoderKL as diffusers saves it (config.json and safetensors): {error}"
        ) from error
    return {key: value for key, value in config.items() if key == "_class_name" or not key.startswith("_")}


class Latents(nn.Module):
    """Pictures to latents and back; never trained. Its weights are in every checkpoint, so that a run needs no other folder.

    Args:
        folder: where the weights are; where it is not, they come with a checkpoint. config: see `read_config`.

    Raises:
        ConfigError: the folder's weights are not those of the config.
    """

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        super().__init__()
        try:
            from diffusers import AutoencoderKL
            from safetensors import SafetensorError
        except ImportError as error:
            raise MissingDependencyError("latents need diffusers: pip install 'versemill[generation]'") from error
        try:
            if folder.is_dir():
                self.vae: Any = AutoencoderKL.from_pretrained(folder, local_files_only=True, use_safetensors=True)
            else:
                self.vae = AutoencoderKL.from_config(config)
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            raise ConfigError(f"can't load the autoencoder of {folder}: {' '.join(str(error).split())[:200]}") from error
        own = self.vae.config
        if any(json.loads(json.dumps(own[key])) != value for key, value in config.items() if key in own):
            raise ConfigError(f"{folder} holds another autoencoder than the preset was made for: name the folder that it was")
        self.vae.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> "Latents":
        """Stays in evaluation mode."""
        return super().train(False)

    def encode(self, pictures: Tensor) -> Tensor:
        """(B, C, s, s) of pictures (B, 3, S, S) in [0, 1]: the posterior's mean, scaled; differentiable."""
        return self.vae.encode(2 * pictures - 1).latent_dist.mean * self.vae.config.scaling_factor

    def decode(self, data: Tensor) -> Tensor:
        """(B, 3, S, S) in [0, 1]."""
        return ((self.vae.decode(data / self.vae.config.scaling_factor).sample + 1) / 2).clamp(0, 1)


class Pixels(nn.Module):
    """No latents: pictures themselves, in [-1, 1]."""

    def encode(self, pictures: Tensor) -> Tensor:
        """See `Latents.encode`."""
        return 2 * pictures - 1

    def decode(self, data: Tensor) -> Tensor:
        """See `Latents.decode`."""
        return ((data + 1) / 2).clamp(0, 1)


def codec(folder: str, config: dict[str, Any]) -> Latents | Pixels:
    """What a recipe's `vae` and `vae_config` say."""
    return Latents(Path(folder), config) if config else Pixels()
