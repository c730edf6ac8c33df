"""Section `live` of a pipeline: how its assets are drawn while a model trains on them."""

from typing import Self

from pydantic import Field, model_validator

from versemill.config import Config


class CurriculumConfig(Config):
    """What `train --live --curriculum` does: it draws more of the parts on which the model's held-out error is large."""

    every: int = Field(default=100, description="steps between measurements of the held-out errors", ge=1)
    held_out: int = Field(default=4, description="assets of each part that errors are measured on; none is trained on", ge=1)
    strength: float = Field(
        default=1.0, description="exponent of a part's error, divided by the mean error; 0: the pipeline's own shares", ge=0
    )
    bound: float = Field(
        default=4.0, description="a part's share stays within its share in the pipeline divided and multiplied by this", ge=1
    )


class LiveConfig(Config):
    """Section `live`: how assets are drawn for `train --live` and `LiveDataset`. It changes no row."""

    repeats: int = Field(
        default=1,
        description="times that the assets of an epoch are drawn, each time in another order, before the next epoch's seed; "
        "more than 1 needs a cache",
        ge=1,
    )
    ahead: int = Field(
        default=32,
        description="assets that are milled, or wait, before their turn: this bounds the memory",
        ge=1,
        le=4096,
    )
    lost: float = Field(
        default=0.5, description="share of the assets that may be rejected or fail; beyond it training stops", ge=0, le=1
    )
    cache: str = Field(default="", description="folder on a local disk where rows are kept for later draws; empty: no cache")
    cache_mb: int = Field(default=1024, description="MB that the cache may hold; what was used longest ago goes first", ge=1)
    curriculum: CurriculumConfig = Field(default=CurriculumConfig(), description="for `train --live --curriculum`")

    @model_validator(mode="after")
    def _repeats_are_kept(self) -> Self:
        if self.repeats > 1 and not self.cache:
            raise ValueError(
                f"repeats is {self.repeats}, and without a cache each repeat mills all again: set cache to a folder"
            )
        return self
