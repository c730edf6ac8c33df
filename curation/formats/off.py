"""OFF: positions, polygons, and colours of vertices (COFF) or faces."""

import numpy as np
from numpy.typing import NDArray

from versemill.curation.config import LoadLimits
from versemill.curation.formats.obj import decoded
from versemill.curation.formats.polygons import triangulate
from versemill.curation.formats.soup import Soup, check_counts, check_geometry
from versemill.curation.place import Place
from versemill.errors import AssetError


def read(data: bytes, place: Place, limits: LoadLimits) -> Soup:
    """Reads an ASCII OFF, whose header may be left out or joined with the counts.

    Raises:
        AssetError: "unreadable", "truncated", "too_large", "empty", "not_finite" or "bad_index".
    """
    name = place.model.name
    try:
        kind, rows, vertex_count, face_count = _header(decoded(data))
        check_counts(name, vertex_count, face_count, 1, limits)
        if vertex_count + face_count > len(data):
            raise AssetError("truncated", f"{name} claims {vertex_count + face_count} items in {len(data)} bytes")
        if len(rows) < vertex_count + face_count:
            raise ValueError(f"{vertex_count} vertices and {face_count} faces are said, {len(rows)} lines follow")
        width = min(map(len, rows[:vertex_count]), default=0)
        table = np.array([row[:width] for row in rows[:vertex_count]], np.float64)
        if table.ndim != 2 or table.shape[1] < 3:
            raise ValueError("a vertex has fewer than three coordinates")
        vertices = np.ascontiguousarray(table[:, :3])
        polygons = [[int(word) for word in row[: int(row[0]) + 1]] for row in rows[vertex_count : vertex_count + face_count]]
        tails = [row[int(row[0]) + 1 :] for row in rows[vertex_count : vertex_count + face_count]]
        if any(len(polygon) != polygon[0] + 1 for polygon in polygons):
            raise ValueError("a face has fewer corners than it says")
        sizes = np.array([polygon[0] for polygon in polygons], np.int64)
        corners = np.array([k for polygon in polygons for k in polygon[1:]], np.int64)
        colors = [_color(tail) for tail in tails]
        own = _color_table(table[:, 6 if "N" in kind else 3 :]) if "C" in kind else None
    except (ValueError, IndexError) as error:
        raise AssetError("unreadable", f"{name} is not readable OFF: {error}") from error
    check_geometry(name, vertices, corners.reshape(-1, 1))
    local, owner = triangulate(vertices, sizes, corners)
    faces = corners[local]
    check_geometry(name, vertices, faces)
    if own is None and any(color is not None for color in colors):
        white = np.full(4, 255, np.uint8)
        painted = np.stack([white if color is None else color for color in colors])[owner]
        return Soup(vertices, faces, colors=np.repeat(painted[:, None], 3, 1))
    return Soup(vertices, faces, colors=None if own is None else own[faces])


def _header(text: str) -> tuple[str, list[list[str]], int, int]:
    """Letters before "OFF", the lines after the counts, and the counts of vertices and faces."""
    rows = [words for line in text.splitlines() if (words := line.split("#")[0].split())]
    kind = ""
    if rows and rows[0][0].upper().endswith("OFF"):
        kind = rows[0][0].upper().removesuffix("OFF")
        rows[0] = rows[0][1:]
        if rows[0][:1] == ["BINARY"]:
            raise ValueError("binary OFF is not read")
        rows = rows if rows[0] else rows[1:]
    if not rows or len(rows[0]) < 2:
        raise ValueError("the counts of vertices and faces are missing")
    return kind, rows[1:], int(rows[0][0]), int(rows[0][1])


def _color(words: list[str]) -> NDArray[np.uint8] | None:
    """(4,) sRGB code of a face's three or four numbers: whole ones are codes, others fractions."""
    if len(words) not in (3, 4):
        return None
    return _color_table(np.array([words], np.float64), whole=all("." not in word for word in words))[0]


def _color_table(values: NDArray[np.float64], whole: bool | None = None) -> NDArray[np.uint8]:
    """(N, 4) codes of (N, 3 or more) numbers, fractions unless one is above 1."""
    whole = bool(values.max(initial=0.0) > 1) if whole is None else whole
    codes = np.full((len(values), 4), 255.0)
    codes[:, : min(values.shape[1], 4)] = values[:, :4] * (1 if whole else 255)
    return np.rint(np.clip(codes, 0, 255)).astype(np.uint8)
