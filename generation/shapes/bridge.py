"""From pictures to normal maps, by a trained run of family `normals`: Hi3DGen's bridge between pictures and shapes."""

from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from versemill.errors import ConfigError
from versemill.generation import conditions
from versemill.generation.normals.answers import estimate
from versemill.generation.normals.family import NORMALS
from versemill.generation.normals.network import Normals
from versemill.training.runs import load


class Bridge:
    """Picture (4, H, W) in [0, 1] with straight alpha -> `conditions.normal_map` (4, H, W) of what it shows.

    Raises:
        ConfigError: the run is none of family normals, or is not trained.
    """

    def __init__(self, run_dir: str | Path, device: str = "cpu") -> None:
        if not str(run_dir):
            raise ConfigError("normals are predicted by a trained run of family normals: name it with --set estimator=RUN")
        network, recipe = load(NORMALS, run_dir, torch.device(device))
        self.network, self.size = cast(Normals, network), int(recipe.view)

    def __call__(self, rgba: Tensor) -> Tensor:
        """See the class."""
        return conditions.normal_map(estimate(self.network, rgba, self.size), rgba[3])
