"""Pictures for people: a pass as colours, contact sheets of one asset and of many, and what a notebook shows."""

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from versemill.asset import Asset
from versemill.render.config import RenderConfig
from versemill.render.engine import render
from versemill.views import PASSES, Views

Picture = NDArray[np.uint8]
INK, PAPER = (40, 44, 52), (250, 250, 248)
GAP = 8
NOTEBOOK = 192
"""Pixels of one picture's side in a notebook."""


def look(resolution: int, views: int, passes: Sequence[str] = ("rgb",), device: str = "auto") -> RenderConfig:
    """The configuration of a picture for people: cameras in a ring that frame the asset tightly."""
    cameras = {"preset": "ring", "views": views, "elevation": (20, 20), "azimuth": (-60, 300), "framing": "tight"}
    return RenderConfig.model_validate(
        {"width": resolution, "height": resolution, "cameras": cameras, "passes": passes, "samples": 16, "device": device}
    )


def data_uri(shown: Asset | Views) -> str:
    """A `data:` URI: an asset from four sides, or at most eight views with a row per pass."""
    if isinstance(shown, Asset):
        asset = shown.normalized()
        sheet = grid([list(colour("rgb", render(asset, look(NOTEBOOK, 4)).passes["rgb"]))])
    else:
        first = [[_small(picture) for picture in colour(name, images[:8])] for name, images in shown.passes.items()]
        sheet = grid(first, labels=[name.replace("_", " ") for name in shown.passes])
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _small(picture: Picture) -> Picture:
    image = Image.fromarray(picture)
    image.thumbnail((NOTEBOOK, NOTEBOOK))
    return np.asarray(image)


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
