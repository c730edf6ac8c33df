"""Tiny networks of novel views for the tests."""

import torch

from versemill.generation import MAP_VIEWS, MULTI_VIEWS, NOVEL_VIEWS

MICRO = NOVEL_VIEWS.preset("micro").model_copy(
    update={"width": 32, "steps": 6, "warm": 3, "batch": 2, "warmup": 2, "save_every": 3, "amp": "off", "divergence": 1e6}
)
MULTI = MULTI_VIEWS.preset("micro").model_copy(
    update={"width": 32, "steps": 6, "warm": 3, "batch": 2, "warmup": 2, "save_every": 3, "amp": "off", "divergence": 1e6}
)
MAPS = MAP_VIEWS.preset("micro").model_copy(
    update={"width": 32, "steps": 6, "warm": 3, "batch": 2, "warmup": 2, "save_every": 3, "amp": "off", "divergence": 1e6}
)
UNET = NOVEL_VIEWS.preset("small").model_copy(
    update={
        "size": 16, "width": 32, "heads": 4, "layers": 1, "levels": (1, 2, 2), "attended": 2, "context": 32, "amp": "off",
        "batch": 2, "steps": 4, "workers": 0,
    }
)  # fmt: skip


def awake(network):
    """An untrained network answers 0: its zeroed layers get weights."""
    torch.manual_seed(1)
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    return network.eval()
