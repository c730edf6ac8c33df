"""The two answers of curation: an asset that is ready to render and sample, or a reasoned rejection."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from versemill.asset import Asset


@dataclass(frozen=True, eq=False)
class Curated:
    """An asset that passed.

    Attributes:
        asset: cleaned, normalised, with textures: what the views show.
        watertight_vertices: (W, 3) float32, and
        watertight_faces: (G, 3) int32: the closed, consistently wound surface that the fields describe.
        metrics: JSON-able numbers: scores, features, Chamfer, counts of repairs.
        methods: JSON-able words: which watertight method was used, which were tried and why they failed.
        tags: findings that are not failures; sorted.
    """

    asset: Asset
    watertight_vertices: NDArray[np.float32]
    watertight_faces: NDArray[np.int32]
    metrics: dict[str, Any] = field(default_factory=dict)
    methods: dict[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()

    def __repr__(self) -> str:
        method = self.methods.get("watertight", "given")
        return f"Curated({self.asset!r}, watertight surface of {len(self.watertight_faces):,} faces by {method})"


@dataclass(frozen=True)
class Rejected:
    """An asset that was refused on purpose; counted by `reason` in the ledger.

    Attributes:
        stage: which step rejected it: "ingest", "filter", "watertight", "render", "fields" ...
        reason: short snake_case code.
        message: one sentence with the value and the limit.
        value, threshold: the numbers compared, where there are any.
    """

    stage: str
    reason: str
    message: str
    value: float | None = None
    threshold: float | None = None
