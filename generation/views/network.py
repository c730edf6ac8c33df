"""What `novel-views` trains: one of two networks behind one face, its path, and the loss."""

from typing import Any

import torch
from torch import Tensor, nn

from versemill.errors import ConfigError
from versemill.generation import paths
from versemill.generation.views.attention import Hook, fused
from versemill.generation.views.data import ViewBatch
from versemill.generation.views.presets import ViewsRecipe
from versemill.generation.views.transformer import JointTransformer
from versemill.training.recipe import mixed_precision


class NovelViews(nn.Module):
    """A network that answers what its path asks for. Its checkpoint says which prediction that is, and refuses another."""

    def __init__(self, recipe: ViewsRecipe) -> None:
        super().__init__()
        self.recipe = recipe
        self.core: Any
        if recipe.network == "unet":
            from versemill.generation.views.unet import ConditionedUNet  # diffusers: only where it is used

            self.core = ConditionedUNet(recipe)
        else:
            self.core = JointTransformer(recipe)

    @property
    def path(self) -> paths.Path:
        """Between data and noise."""
        return self.recipe.path

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width of what is drawn."""
        return self.recipe.shape

    @property
    def layers(self) -> int:
        """Calls of the hook in a pass."""
        return len(self.core.layers)

    @property
    def late(self) -> list[int]:
        """Layers of mutual self-attention."""
        return self.core.late

    @property
    def mutual(self) -> bool:
        """Whether views are drawn alone, and from another view."""
        return not self.recipe.together and self.recipe.shown == "view"

    def encode(self, pictures: Tensor) -> Tensor:
        """What the path holds, (B, *shape), of pictures (B, 3, S, S) in [0, 1]; differentiable."""
        return self.core.codec.encode(pictures)

    def decode(self, data: Tensor) -> Tensor:
        """Pictures (B, 3, S, S) in [0, 1]."""
        with self._precision(data):
            return self.core.codec.decode(data).float()

    def look(self, source: Tensor, c2w: Tensor, K: Tensor, keep: Tensor) -> Any:
        """The context of B * T targets; what it holds is the network's own.

        Args:
            source: (B, 3, S, S) in [0, 1] over white. c2w, K: (B, 1 + T, 4, 4) and (B, 1 + T, 3, 3), the source first.
            keep: (B, 2), 0 where the picture, or the pose, is withheld.
        """
        with self._precision(source):
            return self.core.look(source, c2w, K, keep)

    def forward(self, x: Tensor, time: Tensor, context: Any, hook: Hook = fused) -> Tensor:
        """(R, *shape) float32, what the path asks for at x (R, *shape) and times (R,) in 0 to 1000."""
        with self._precision(x):
            return self.core(x, time, context, hook).float()

    def regressed(self, context: Any, rows: int) -> Tensor:
        """(rows, 3, S, S) in [0, 1]: the network's mean picture, asked at the highest noise and shown nothing of the target."""
        recipe, device = self.recipe, next(self.parameters()).device
        x, t = torch.zeros(rows, *recipe.shape, device=device), torch.ones(rows, device=device)
        return self.decode(paths.split(recipe.path, x, self(x, recipe.path.seen(t)[1], context), t)[0])

    def hidden(self) -> list[nn.Parameter]:
        """The matrices between tokens, which Muon may take."""
        return self.core.hidden()

    def get_extra_state(self) -> dict[str, str]:
        """What the weights mean."""
        return {"prediction": self.recipe.prediction, "network": self.recipe.network}

    def set_extra_state(self, state: dict[str, str]) -> None:
        """Raises ConfigError: weights of another network, or of another prediction."""
        if state != self.get_extra_state():
            raise ConfigError(f"the checkpoint is of {state}, the preset says {self.get_extra_state()}: it was changed")

    def _precision(self, tensor: Tensor) -> torch.autocast:
        device = tensor.device
        return torch.autocast(device.type, torch.bfloat16, enabled=mixed_precision(self.recipe, device))


class Objective(nn.Module):
    """The network and its loss: squared error of what the path asks for."""

    def __init__(self, network: NovelViews) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: ViewBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """The mean over all targets; of the regressed ones and the others apart."""
        network, recipe = self.network, self.network.recipe
        path, blank = recipe.path, batch.blank.flatten()
        with torch.no_grad():
            data = network.encode(batch.target.flatten(0, 1))
        noise = batch.noise.flatten(0, 1)
        drawn = path.times(batch.uniform.flatten() ** (1 / recipe.high_noise))
        t = torch.where(blank > 0, torch.ones_like(drawn), drawn)
        noise = noise * (1 - blank)[:, None, None, None]
        x = paths.mix(path, data, noise, t) * (1 - blank)[:, None, None, None]
        answer = network(x, path.seen(t)[1], network.look(batch.source, batch.c2w, batch.K, batch.keep))
        errors = (answer - paths.target(path, data, noise, t)).square().mean((1, 2, 3))
        return errors.mean(), {
            "regression": (errors.detach() * blank).sum() / blank.sum().clamp_min(1),
            "diffusion": (errors.detach() * (1 - blank)).sum() / (1 - blank).sum().clamp_min(1),
        }
