"""Procedural 3D training data: assets, curated geometry, posed images, signed distances, shards.

The words that all stages share are here (`Asset`, `Camera`, `Views`, `Fields` ...); each stage is a subpackage, loaded when it
is first used: `versemill.zeroverse`, `detailverse`, `curation`, `render`, `shards`, `training`, `reconstruction`, `generation`.

    >>> import versemill
    >>> versemill.zeroverse.generate(seed=1, index=7)
    Asset(zeroverse #7: 4,992 vertices, 9,960 faces, 22 materials, 6 parts)
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from versemill import errors, seeds
    from versemill.asset import Asset
    from versemill.camera import Camera
    from versemill.curated import Curated, Rejected
    from versemill.errors import AssetError, ConfigError, MissingDependencyError, ShardError, VersemillError
    from versemill.fields import Fields
    from versemill.materials import Material
    from versemill.views import Views

__version__ = "0.2.0"

CONVENTION_VERSION = 1
"""Version of the frames, units and signs of docs/architecture.md; written into every shard."""

__all__ = [
    "CONVENTION_VERSION",
    "Asset",
    "AssetError",
    "Camera",
    "ConfigError",
    "Curated",
    "Fields",
    "Material",
    "MissingDependencyError",
    "Rejected",
    "ShardError",
    "VersemillError",
    "Views",
    "__version__",
    "errors",
    "seeds",
]

# Nothing is imported before it is used: `import versemill` costs milliseconds.
__getattr__, _lazy_dir, _ = lazy_loader.attach(
    __name__,
    submodules=(
        "curation",
        "detailverse",
        "errors",
        "generation",
        "mill",
        "reconstruction",
        "render",
        "seeds",
        "shards",
        "training",
        "zeroverse",
    ),
    submod_attrs={
        "asset": ["Asset"],
        "camera": ["Camera"],
        "curated": ["Curated", "Rejected"],
        "errors": ["AssetError", "ConfigError", "MissingDependencyError", "ShardError", "VersemillError"],
        "fields": ["Fields"],
        "materials": ["Material"],
        "views": ["Views"],
    },
)


def __dir__() -> list[str]:
    return sorted({*_lazy_dir(), *__all__})
