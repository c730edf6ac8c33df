"""Contact sheets: one asset with its passes, or a grid of many. For eyes, not for training."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from versemill.mill.pipeline import config, sources
from versemill.mill.pipeline.sources import Source
from versemill.render import RenderConfig, render

from versemill import curation, gltf
from versemill.asset import Asset
from versemill.errors import ConfigError
from versemill.views import PASSES, Views

Picture = NDArray[np.uint8]
INK, PAPER = (40, 44, 52), (250, 250, 248)
GAP = 8


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
        raise ConfigError(f"'{source}' is neither a source ({', '.join(sources.SOURCES)}) nor a mesh file")
    else:
        assets = iter([curation.load(Path(source), root=root).normalized()])
    first = next(assets)
    if count == 1:
        sheet = passes_sheet(first, render(first, _render_config(resolution, 4)))
    else:
        one = _render_config(resolution, 1)
        pictures = [colour("rgb", render(asset, one).passes["rgb"])[0] for asset in (first, *assets)]
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


def _render_config(resolution: int, views: int) -> RenderConfig:
    cameras = {"preset": "ring", "views": views, "elevation": (20, 20), "azimuth": (-60, 300), "framing": "tight"}
    passes = ("rgb", "normal", "depth", "mask", "part") if views > 1 else ("rgb",)
    return RenderConfig.model_validate(
        {"width": resolution, "height": resolution, "cameras": cameras, "passes": passes, "samples": 16, "device": "auto"}
    )


def colour(name: str, images: NDArray[Any]) -> Picture:
    """One pass (N, H, W[, C]) of `versemill.views.PASSES` as sRGB pictures (N, H, W, 3) uint8 on paper white.

    Normals show as (n + 1) / 2, depth from near (light) to far (dark), ids in fixed distinct colours.
    """
    kind = PASSES[name]
    covered = np.ones(images.shape, bool) if kind.kind == "coverage" else kind.covered(images)
    if kind.channels == 4:
        alpha = images[..., 3:].astype(np.float32) / 255
        return (images[..., :3] * alpha + np.array(PAPER) * (1 - alpha) + 0.5).astype(np.uint8)
    if kind.kind in ("direction", "position"):
        shown = (images + 1) * 127.5
    elif kind.kind == "distance":
        near, far = (images[covered].min(), images[covered].max()) if covered.any() else (0.0, 1.0)
        shown = _grey(230 - 190 * (images - near) / max(far - near, 1e-9))
    elif kind.kind == "coverage":
        shown = _grey(np.where(images, 40, 235))
    elif kind.kind == "id":
        shown = np.stack([80 + (images * k) % 160 for k in (97, 57, 151)], -1)
    elif kind.channels:
        shown = np.concatenate([images, np.zeros((*images.shape[:3], 3 - kind.channels), images.dtype)], -1)
    else:
        shown = _grey(images)
    return np.where(covered[..., None], np.clip(shown, 0, 255), PAPER).astype(np.uint8)


def _grey(values: NDArray[Any]) -> NDArray[Any]:
    return np.repeat(values[..., None], 3, -1)


def grid(rows: Sequence[Sequence[Picture]], labels: Sequence[str] = (), title: str = "") -> Picture:
    """Rows of equal-sized pictures on one sheet, a label before each row (or under each cell for a flat grid).

    Args:
        rows: pictures (H, W, 3) uint8.
        labels: one per row, or empty.
        title: one line above the sheet, or empty.
    """
    height, width = rows[0][0].shape[:2]
    columns = max(len(row) for row in rows)
    left = 96 if labels else 0
    top = 40 if title else 0
    sheet = Image.new("RGB", (left + columns * (width + GAP) + GAP, top + len(rows) * (height + GAP) + GAP), PAPER)
    draw = ImageDraw.Draw(sheet)
    if title:
        draw.text((GAP + 4, 12), fitted(title, sheet.width - 2 * GAP, 16), fill=INK, font=ImageFont.load_default(16))
    for r, row in enumerate(rows):
        y = top + GAP + r * (height + GAP)
        if labels:
            draw.text((GAP + 4, y + height // 2 - 8), labels[r], fill=INK, font=ImageFont.load_default(14))
        for c, picture in enumerate(row):
            sheet.paste(Image.fromarray(picture), (left + GAP + c * (width + GAP), y))
    return np.asarray(sheet)


def fitted(text: str, width: int, size: int) -> str:
    """The text, cut with an ellipsis where it is wider than `width` pixels in the sheet's font."""
    font = ImageFont.load_default(size)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + " ...") > width:
        text = text[:-1]
    return text + " ..."


def passes_sheet(asset: Asset, views: Views) -> Picture:
    """One asset: a row per pass, a column per view, captioned."""
    rows = [list(colour(name, images)) for name, images in views.passes.items()]
    title = f"{asset.source} #{asset.index}: {asset.caption}" if asset.caption else f"{asset.source} #{asset.index}"
    return grid(rows, labels=[name.replace("_", " ") for name in views.passes], title=title)


def gallery(pictures: Sequence[Picture], columns: int = 6, title: str = "") -> Picture:
    """Many assets, one picture each, in a grid; the last row is filled with paper."""
    blank = np.full_like(pictures[0], PAPER[0])
    filled = list(pictures) + [blank] * (-len(pictures) % columns)
    return grid([filled[k : k + columns] for k in range(0, len(filled), columns)], title=title)
