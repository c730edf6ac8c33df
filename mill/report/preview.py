"""Contact sheets: one asset with its passes, or a grid of many. For eyes, not for training."""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from versemill import curation, gltf
from versemill.asset import Asset
from versemill.errors import ConfigError
from versemill.mill.pipeline import config, sources
from versemill.mill.pipeline.sources import Source
from versemill.mill.run.progress import steps
from versemill.render import render
from versemill.render.pictures import colour, gallery, look, passes_sheet

SHEET = ("rgb", "normal", "depth", "mask", "part")
"""Passes of the sheet of one asset."""


def write(
    source: str,
    picture: Path,
    seed: int,
    index: int,
    count: int,
    resolution: int,
    glb: Path | None,
    overrides: Sequence[str],
    root: Path | None = None,
) -> None:
    """Makes assets of a source and writes their contact sheet, and the first asset as GLB if asked.

    Args:
        source: a name in `mill.pipeline.sources.SOURCES`, `package.module:NAME`, or a mesh file.
        count: 1 shows all passes of one asset from four sides; more shows a grid, one picture each.
        overrides: "key=value" of the source's own configuration. root: see `curation.load`.

    Raises:
        ConfigError: no such source, item or file, an invalid setting, an output that can't be written.
        AssetError: a file that can't be read as a mesh.
    """
    for path in (picture, glb):
        if path is not None and not path.resolve().parent.is_dir():
            raise ConfigError(f"can't write {path}: there is no folder {path.resolve().parent}")
    if Image.registered_extensions().get(picture.suffix.lower()) not in Image.SAVE:
        raise ConfigError(f"can't write {picture}: no image format ends in '{picture.suffix}'; take .png, .jpg or .webp")
    if source in sources.SOURCES or ":" in source:
        assets = _generated(sources.SOURCES.find(source), source, overrides, seed, range(index, index + count))
    elif overrides or count > 1:
        raise ConfigError(f"--set and --count are for sources; '{source}' is one file")
    elif not Path(source).is_file():
        raise ConfigError(f"'{source}' does not exist: name a mesh file, or a source ({', '.join(sources.SOURCES)})")
    else:
        assets = iter([curation.load(Path(source), root=root).normalized()])
    first = next(assets)
    if count == 1:
        sheet = passes_sheet(first, render(first, look(resolution, 4, SHEET)))
    else:
        one = look(resolution, 1)
        pictures = []
        with steps("drawing") as progress:
            for asset in itertools.chain([first], assets):
                pictures.append(colour("rgb", render(asset, one).passes["rgb"])[0])
                progress(len(pictures), count, {})
        sheet = gallery(pictures, columns=min(count, 6), title=f"{source}, seed {seed}, from index {index}")
    Image.fromarray(sheet).save(picture)
    if glb is not None:
        glb.write_bytes(gltf.to_glb(first))


def _generated(source: Source, name: str, overrides: Sequence[str], seed: int, indices: range) -> Iterator[Asset]:
    settings = config.settings(name, source.config, overrides)
    items = None if source.items is None else source.items(settings)
    if items is not None and indices.stop > len(items):
        raise ConfigError(f"source '{name}' has {len(items)} items; index {indices.stop - 1} asked for")
    return (source.generate(settings, seed, i, None if items is None else items[i]).normalized() for i in indices)
