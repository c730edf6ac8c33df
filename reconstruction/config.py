"""The settings of the gate: what `validate` trains, on what and how it judges."""

from typing import Literal

from pydantic import Field, field_validator
from versemill.reconstruction import presets

from versemill.config import Config


class ValidateConfig(Config):
    """Section `validate` of a pipeline."""

    preset: str = Field(default="micro", description="preset that is trained: micro, tiny, small, base, paper")
    seed: int = Field(default=0, description="training seed", ge=0, lt=2**63)
    views: Literal[4, 8] = Field(default=4, description="input views at evaluation")
    objects: int = Field(default=32, description="held-out assets at most that are judged (val, then test)", ge=1)
    max_drop: float | None = Field(
        default=1.0, description="dB that the gain over the mean image may lie below the last that passed; null: any", gt=0
    )
    device: str = Field(default="auto", description="torch device: auto, cpu, cuda, cuda:1")

    @field_validator("preset")
    @classmethod
    def _draws(cls, preset: str) -> str:
        """Refused here, before anything is milled for a gate that could not judge."""
        if presets.get(preset).family == "monocular":
            raise presets.no_pictures(presets.get(preset))
        return preset
