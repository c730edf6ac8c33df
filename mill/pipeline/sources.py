"""Where assets come from: the table of sources, and which source makes which index.

To add a source, write a package with a config model and a `generate(config, seed, index) -> Asset`, make a `Source` of them
here, and name it in `SOURCES`. An installed package adds its own (`versemill.plugins`); a pipeline may also name one as
`package.module:NAME`. Everything else (preview, report, shipping, fingerprint, docs) reads the table.
"""

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from versemill import seeds
from versemill.asset import Asset
from versemill.config import Config
from versemill.curation.config import LoadLimits
from versemill.curation.ingest import SUFFIXES
from versemill.detailverse.config import DetailverseConfig
from versemill.errors import AssetError, ConfigError
from versemill.files import open_regular
from versemill.mill.pipeline import parts, shares
from versemill.mill.pipeline.parts import Split
from versemill.mill.pipeline.shares import Shares
from versemill.plugins import Table
from versemill.zeroverse.config import ZeroverseConfig

MESH_SUFFIXES = frozenset(SUFFIXES)
COMPANION_SUFFIXES = frozenset(
    {".mtl", ".bin", ".png", ".jpg", ".jpeg", ".webp", ".tga", ".bmp", ".tif", ".tiff", ".gif", ".dds", ".ktx2", ".exr"}
)
"""Files that a mesh may refer to; a change of one changes what the mesh is."""


class FilesConfig(Config):
    """Source `files`: a folder of meshes, searched recursively, in the order of their relative paths.

    Links are followed as long as they end inside the folder, and whatever a mesh names must lie in it too.
    """

    path: str = Field(default="", description="folder of mesh files; relative to the working directory")
    limits: LoadLimits = Field(default=LoadLimits(), description="what a file may ask of this machine")

    @property
    def root(self) -> Path:
        """The folder; ~ is the home directory, which no shell expands in the middle of a word."""
        return Path(self.path).expanduser()


@dataclass(frozen=True)
class Source:
    """One way to get assets.

    Attributes:
        config: the pydantic model of its settings.
        generate: (config, seed, index, item) -> Asset; `item` is this source's entry of `items`, else None.
        items: (config) -> its finite supply, in order; None where the supply is endless.
        description: one line for the command line and the docs.
        shares: (its part of the resolved configuration, provenance of its assets) -> what the configuration gives shares
            to and what was drawn, for the report; None where nothing is drawn by shares.
        parts: (config) -> the parts that a curriculum draws by shares of its own; None: it is one part.
    """

    config: type[Config]
    generate: Callable[[Any, int, int, str | None], Asset]
    items: Callable[[Any], list[str]] | None = None
    description: str = ""
    shares: Callable[[Mapping[str, Any], Sequence[Mapping[str, Any]]], Iterable[Shares]] | None = None
    parts: Callable[[Any], Split] | None = None


def _zeroverse(config: ZeroverseConfig, seed: int, index: int, _: str | None) -> Asset:
    from versemill import zeroverse

    return zeroverse.generate(config, seed, index)


def of_one_family(config: DetailverseConfig, seed: int, index: int) -> DetailverseConfig:
    """The config with one family alone, picked by a stratified draw, so that a small dataset too holds each family's share.

    No other choice of an asset moves: DetailVerse draws each from a stream of its own.
    """
    family = list(config.shares)[int(seeds.choose(list(config.shares.values()), seeds.spread(seed, index, "mill/families")))]
    return config.model_copy(update={"categories": {family: 1.0}})


def _detailverse(config: DetailverseConfig, seed: int, index: int, _: str | None) -> Asset:
    from versemill import detailverse

    return detailverse.generate(of_one_family(config, seed, index), seed, index)


def _file(config: FilesConfig, seed: int, index: int, item: str | None) -> Asset:
    import dataclasses

    from versemill import curation

    assert item is not None
    asset = curation.load(config.root / item, config.limits, config.root)
    provenance = {**asset.provenance, "file": item}
    return dataclasses.replace(asset, seed=seed, index=index, source="files", provenance=provenance)


def mesh_files(config: FilesConfig) -> list[str]:
    """Relative paths of the folder's mesh files, sorted; hidden files and folders are skipped.

    Raises:
        ConfigError: there is no such folder, or no mesh in it.
    """
    meshes = [name for name in _files(config) if Path(name).suffix.lower() in MESH_SUFFIXES]
    if not meshes:
        raise ConfigError(f"no mesh file in '{config.path}' ({', '.join(sorted(MESH_SUFFIXES))})")
    return meshes


def _files(config: FilesConfig) -> list[str]:
    if not config.path:
        raise ConfigError("source 'files' needs its folder: --set sources.files.path=DIR")
    root = config.root
    if not root.is_dir():
        raise ConfigError(f"source 'files' needs a folder, and '{root}' is not a directory")
    suffixes = MESH_SUFFIXES | COMPANION_SUFFIXES
    names = (path.relative_to(root) for path in _walk(root) if path.suffix.lower() in suffixes and path.is_file())
    return sorted(name.as_posix() for name in names)


def _walk(root: Path) -> Iterator[Path]:
    """Files below a folder, but for hidden ones. A folder is walked once: by its own name, else by that of a link to it. Links
    to folders outside are not followed."""
    top = Path(os.path.realpath(root))
    seen: set[str] = set()
    folders, linked = [root], deque[Path]()
    while folders or linked:
        folder = folders.pop() if folders else linked.popleft()
        real = os.path.realpath(folder)
        if real in seen or not Path(real).is_relative_to(top):
            continue
        seen.add(real)
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            if entry.name.startswith("."):
                continue
            if not entry.is_dir():
                yield folder / entry.name
            elif entry.is_symlink():
                linked.append(folder / entry.name)
            else:
                folders.append(folder / entry.name)


ZEROVERSE = Source(
    ZeroverseConfig,
    _zeroverse,
    description="compositions of textured primitives with booleans, height fields and wireframes",
    shares=shares.zeroverse,
    parts=parts.zeroverse,
)
DETAILVERSE = Source(
    DetailverseConfig,
    _detailverse,
    description="objects of described families with rich surface detail",
    shares=shares.detailverse,
    parts=parts.detailverse,
)
FILES = Source(FilesConfig, _file, mesh_files, description="a folder of your own meshes")

SOURCES = Table(
    "source",
    "sources",
    Source,
    {
        "zeroverse": f"{__name__}:ZEROVERSE",
        "detailverse": f"{__name__}:DETAILVERSE",
        "files": f"{__name__}:FILES",
    },
)
"""All sources by name."""


def assign(weights: Mapping[str, float], seed: int, count: int) -> NDArray[np.int32]:
    """Which source makes each of the first `count` indices, as positions in `weights`.

    A stratified draw (`seeds.spread`): after any number of assets, each source has made its share to within a few. An
    index keeps its source however many assets follow.

    Args:
        weights: name -> share, not negative, at least one positive; they need not sum to 1.

    Returns:
        (count,) int32.
    """
    drawn = seeds.spread(seed, np.arange(count), "mill/sources")
    return seeds.choose(list(weights.values()), drawn).astype(np.int32)


def ordinals(assigned: NDArray[np.int32]) -> NDArray[np.int64]:
    """(N,) int64: how many earlier indices have the same source; the k-th asset of a folder is its k-th file."""
    order = np.argsort(assigned, kind="stable")
    grouped = assigned[order]
    first = np.r_[0, np.flatnonzero(np.diff(grouped)) + 1] if len(grouped) else np.zeros(0, np.int64)
    starts = np.repeat(first, np.diff(np.r_[first, len(grouped)]))
    result = np.empty(len(assigned), np.int64)
    result[order] = np.arange(len(assigned)) - starts
    return result


def record(config: FilesConfig, known: Mapping[str, Any] | None = None) -> dict[str, dict[str, Any]]:
    """Relative path -> {sha256, bytes, mtime_ns} of the folder's meshes and what they may refer to.

    Args:
        known: an earlier record; a file of the same size and time is not read again.
    """
    result = {}
    for name in _files(config):
        path = config.root / name
        stat = path.stat()
        old = (known or {}).get(name)
        if old and (old["bytes"], old["mtime_ns"]) == (stat.st_size, stat.st_mtime_ns):
            result[name] = dict(old)
            continue
        try:
            if stat.st_size > config.limits.max_bytes:
                raise OSError
            with open_regular(path, [config.root]) as handle:
                sha256 = hashlib.file_digest(handle, "sha256").hexdigest()
        except (OSError, AssetError):
            sha256 = "unreadable"  # the asset's own rejection says why
        result[name] = {"sha256": sha256, "bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns}
    return result
