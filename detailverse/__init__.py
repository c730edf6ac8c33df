"""DetailVerse: specifications of richly detailed objects, and the watertight, painted, captioned assets built from them."""

# Both packages come first: whichever were imported later would take the place of the function of its name below.
import versemill.detailverse.families
import versemill.detailverse.operators  # noqa: F401
from versemill.detailverse.build import build, generate, rebuild
from versemill.detailverse.config import DetailverseConfig
from versemill.detailverse.registry import Family, Operator, Slot, families, operators
from versemill.detailverse.specification import OperatorSpec, PartSpec, Specification, sample_spec

__all__ = [
    "DetailverseConfig",
    "Family",
    "Operator",
    "OperatorSpec",
    "PartSpec",
    "Slot",
    "Specification",
    "build",
    "families",
    "generate",
    "operators",
    "rebuild",
    "sample_spec",
]
