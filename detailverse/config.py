"""What a DetailVerse run may choose: which families and operators, how fine, how large the textures."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from versemill.config import Config

Quality = Literal["fast", "default"]

FACE_BUDGET: dict[str, int] = {"fast": 60_000, "default": 200_000}
"""Most faces of a finished asset, per level of detail, unless the config says otherwise."""


def _as_shares(value: object) -> object:
    """A list of names means equal shares."""
    return dict.fromkeys(value, 1.0) if isinstance(value, list | tuple) else value


class DetailverseConfig(Config):
    """Configuration of `detailverse.generate`."""

    categories: Annotated[dict[str, float], BeforeValidator(_as_shares)] = Field(
        default={}, description="family name -> share, or a list of names for equal shares; empty means every family alike"
    )
    operators: tuple[str, ...] = Field(
        default=(), description="the only detail operators that may be drawn; empty means all of them"
    )
    ornament: float = Field(
        default=0.5,
        ge=0.0,
        le=1.0,
        description="share of the parts allowed to carry ornament that do carry it",
    )
    wild: float = Field(
        default=0.1,
        ge=0.0,
        le=1.0,
        description="share of assets in any colours and patterns (camouflage, spots, neon), whatever they are made of",
    )
    detail: Quality = Field(default="default", description="sampling density: 'fast' for trials, 'default' for corpora")
    texture_size: int = Field(default=512, ge=32, le=4096, description="side of every baked texture in pixels")
    face_budget: int | None = Field(
        default=None,
        ge=2_000,
        le=2_000_000,
        description="most faces of a finished asset; by default 60000 fast, 200000 default",
    )

    @property
    def faces(self) -> int:
        """The face budget in force."""
        return self.face_budget or FACE_BUDGET[self.detail]

    @property
    def shares(self) -> dict[str, float]:
        """Family -> share, of any sum, for the families that may be drawn, sorted by name."""
        from versemill.detailverse import registry

        shares = self.categories or dict.fromkeys(registry.families(), 1.0)
        return {name: shares[name] for name in sorted(shares) if shares[name] > 0}

    @model_validator(mode="after")
    def _known(self) -> "DetailverseConfig":
        from versemill.detailverse import registry

        for kind, names, known in (
            ("category", self.categories, registry.families()),
            ("operator", self.operators, registry.operators()),
        ):
            for name in names:
                if name not in known:
                    raise ValueError(f"unknown {kind} '{name}'; known: {', '.join(known)}")
        if self.categories and (min(self.categories.values()) < 0 or not sum(self.categories.values()) > 0):
            raise ValueError(f"category shares must be non-negative with a positive sum, got {self.categories}")
        return self
