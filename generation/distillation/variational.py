"""VSD (ProlificDreamer, Wang et al. 2023): the noise that is taken off is what a second network sees in the renders.

The second network is the 2D model plus a small correction that is trained with it; ProlificDreamer's is a LoRA of the model.
"""

import torch
from torch import Tensor, nn

from versemill.generation.distillation.methods import Draws
from versemill.generation.distillation.models import Prior
from versemill.generation.distillation.settings import Scoring
from versemill.generation.paths import mix

WIDTH, RATE = 32, 1e-3
"""Channels of the correction, and Adam's rate."""


class Variational(nn.Module):
    """The correction and its optimiser. It starts at 0: the second network starts as the first, as a LoRA does.

    Args:
        channels: of the pictures.
    """

    def __init__(self, channels: int, seed: int, device: torch.device) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.first = nn.Conv2d(channels, WIDTH, 3, padding=1)
            self.middle = nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
            self.last = nn.Conv2d(WIDTH, channels, 3, padding=1, bias=False)
            self.place = nn.Sequential(nn.Linear(4, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH))
        nn.init.zeros_(self.last.weight)
        self.to(device)
        self.optimizer = torch.optim.Adam(self.parameters(), lr=RATE)

    def forward(self, x_t: Tensor, t: Tensor, c2w: Tensor) -> Tensor:
        """The correction of the noise (V, C, h, w) in x_t at time (), seen from cameras (V, 4, 4)."""
        place = torch.cat([c2w[:, :3, 3], t.expand(len(x_t), 1).to(x_t)], 1)
        hidden = nn.functional.silu(self.first(x_t) + self.place(place)[:, :, None, None])
        return self.last(nn.functional.silu(self.middle(hidden) + hidden))

    def target(self, prior: Prior, x: Tensor, t: Tensor, c2w: Tensor, scoring: Scoring, draws: Draws) -> Tensor:
        """x - sigma / alpha (noise of the model - noise of the second network), of x with random noise."""
        alpha, sigma = prior.path.level(t)
        x_t = mix(prior.path, x, draws.normal(x), t)
        predicted = prior.estimate(x_t, t, scoring.denoising)[1]
        with torch.no_grad():
            own = prior.estimate(x_t, t, 1.0)[1] + self(x_t, t, c2w)
        return x - sigma / alpha * (predicted - own)

    def learn(self, prior: Prior, x: Tensor, c2w: Tensor, draws: Draws) -> float:
        """One step on renders x: the noise put in against the noise seen, at a time of its own. Returns the loss."""
        t = torch.tensor(0.02 + 0.96 * float(draws.stream("vsd-time").random()), device=x.device)
        noise = draws.normal(x, "vsd-noise")
        x_t = mix(prior.path, x, noise, t)
        loss = (prior.estimate(x_t, t, 1.0)[1] + self(x_t, t, c2w) - noise).square().mean()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return float(loss.detach())
