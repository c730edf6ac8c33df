"""DetailVerse: specifications of richly detailed objects, and the watertight, painted, captioned assets built from them."""

# Both packages come first: whichever were imported later would take the place of the function of its name below.
import detailverse.families
import detailverse.operators  # noqa: F401
from detailverse.build import build, generate
from detailverse.config import DetailverseConfig
from detailverse.registry import Family, Operator, Slot, families, operators
from detailverse.specification import OperatorSpec, PartSpec, Specification, sample_spec

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
    "sample_spec",
]
