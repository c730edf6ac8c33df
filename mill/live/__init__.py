"""Assets that are milled while a model trains on them: the order of draws, the milling ahead, the dataset, the curriculum."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from versemill.mill.live.dataset import LiveDataset

__all__ = ["LiveDataset"]

# Torch is loaded only for those who draw.
__getattr__, __dir__, _ = lazy_loader.attach(__name__, submod_attrs={"dataset": ["LiveDataset"]})
