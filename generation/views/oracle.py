"""Maps of the truth: the attention that a network would have if it knew what it is to draw (Zero-to-Hero, section 3)."""

import torch
from torch import Tensor

from versemill.generation import paths
from versemill.generation.views import judging
from versemill.generation.views.attention import Kept
from versemill.generation.views.network import NovelViews

NEARLY_CLEAN = 0.005
"""The time at which the maps are taken: step 5 of the paper's 1,000."""


def true_maps(network: NovelViews, case: judging.Case, device: torch.device) -> dict[int, Tensor]:
    """By layer, the self-attention logits (rows, heads, L, S) of one pass over a case's true targets, hardly noised."""
    kept, targets = Kept(), case.targets.to(device)
    source, c2w, K = judging.together([case], device)
    noise = judging.noise_of([case.seen.index], [1], (len(targets), *network.shape), device)()[0]
    t = torch.full((len(targets),), NEARLY_CLEAN, device=device)
    with torch.no_grad():
        x = paths.mix(network.path, network.encode(targets), noise, t)
        network(x, network.path.seen(t)[1], network.look(source, c2w, K, torch.ones(len(source), 2, device=device)), kept)
    return kept.maps
