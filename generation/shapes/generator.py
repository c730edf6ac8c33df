"""Pictures to shapes: a frozen autoencoder, a picture encoder, and the transformer that draws latents between them."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from versemill.errors import ConfigError
from versemill.generation import sampling
from versemill.generation.encoders import Dino, Lite0, PictureTransformer
from versemill.generation.shapes.flow import ShapeFlow
from versemill.generation.shapes.flow_presets import ShapeFlowRecipe
from versemill.generation.shapes.vae import Field, ShapeVae
from versemill.training.recipe import mixed_precision
from versemill.training.runs import CHECKPOINT

SAMPLERS: dict[str, Callable[..., Tensor]] = {"euler": sampling.euler, "heun": sampling.heun, "ddim": sampling.ddim}


class ShapeGenerator(nn.Module):
    """What `shape-flow` trains. The autoencoder's weights are in every checkpoint, so that a run needs no other folder."""

    def __init__(self, recipe: ShapeFlowRecipe) -> None:
        super().__init__()
        self.recipe = recipe
        self.vae = ShapeVae(recipe.vae_recipe)
        if recipe.vae and (Path(recipe.vae) / CHECKPOINT).exists():
            self.vae.load_state_dict(averaged(recipe.vae))
        self.vae.requires_grad_(False)
        self.encoder: nn.Module
        match recipe.encoder:
            case "vit":
                self.encoder = PictureTransformer(recipe)
            case "dino":
                self.encoder = Dino(recipe.encoder_folder, recipe.picture)
            case "lite0":
                self.encoder = Lite0(recipe.picture)
        self.flow = ShapeFlow(recipe, self.vae.channels, int(self.encoder.width), self.vae.anchored)
        if recipe.dense:
            self._start_from(recipe)

    def condition(self, pictures: Tensor, keep: Tensor) -> Tensor:
        """Picture tokens (B, T, width) of pictures (B, 3, S, S) over white; zeros, no condition, where keep (B,) is not."""
        return self.encoder(pictures) * keep[:, None, None].to(pictures.dtype)

    def draw(
        self, pictures: Tensor | None, noise: Tensor, steps: int = 50, guidance: float = 3.0, sampler: str = "euler"
    ) -> Tensor:
        """Latents (B, M, C), ready for the decoder.

        Args:
            pictures: (B, 3, S, S) over white, cut as in training; None: shapes of no picture.
            noise: (B, M, C) standard normal. guidance: 1 switches it off.
        """
        path, device = self.recipe.path, noise.device
        shown = pictures if pictures is not None else torch.ones(len(noise), 3, *(2 * (self.recipe.picture,)), device=device)
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=mixed_precision(self.recipe, device)):
            tokens = self.condition(shown, torch.ones(len(noise), device=device))
            without = sampling.estimator(path, lambda x, t: self.flow(x, t, 0 * tokens).float())
            with_it = sampling.estimator(path, lambda x, t: self.flow(x, t, tokens).float())
            estimate = without if pictures is None else sampling.guided(with_it, without, guidance)
            times = path.steps(steps).to(device)
            latents = SAMPLERS[sampler](path, estimate, path.level(times[0])[1] * noise, times)
        return latents * self.vae.latent_deviation + self.vae.latent_mean

    def decode(self, latents: Tensor) -> Field:
        """The fields of latents (B, M, C), which are taken to have as much noise as the autoencoder was trained to decode."""
        with torch.no_grad():
            return self.vae.decode(latents, torch.full((len(latents),), self.vae.recipe.latent_noise, device=latents.device))

    def hidden(self) -> list[nn.Parameter]:
        """The matrices between tokens, which Muon may take."""
        inner = [self.flow.blocks, *([self.encoder.blocks] if isinstance(self.encoder, PictureTransformer) else [])]
        return [p for module in inner for n, p in module.named_parameters() if p.ndim == 2 and "router" not in n]

    def _start_from(self, recipe: ShapeFlowRecipe) -> None:
        """A dense run's weights, its layers in every expert's place."""
        if not (Path(recipe.dense) / CHECKPOINT).exists():
            return  # a finished run is loaded on a machine where the dense one is no more
        dense = ShapeGenerator(recipe.model_copy(update={"moe_blocks": 0, "dense": ""}))
        dense.load_state_dict(averaged(recipe.dense))
        self.encoder.load_state_dict(dense.encoder.state_dict())
        self.flow.start_experts(dense.flow)


def averaged(run_dir: str | Path) -> dict[str, Tensor]:
    """The averaged weights of a run, on the CPU.

    Raises:
        ConfigError: the folder holds no trained network.
    """
    path = Path(run_dir) / CHECKPOINT
    if not path.exists():
        raise ConfigError(f"{run_dir} holds no trained network: train it first")
    weights: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)["average"]
    return weights
