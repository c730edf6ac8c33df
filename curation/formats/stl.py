"""STL, binary and ASCII. Which it is, its length decides: binary files, too, begin with "solid"."""

import re

import numpy as np

from versemill.curation.config import LoadLimits
from versemill.curation.formats.soup import Soup, check_counts, check_geometry
from versemill.curation.place import Place
from versemill.errors import AssetError

RECORD = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
VERTEX = re.compile(rb"\bvertex\s+(\S+)\s+(\S+)\s+(\S+)", re.IGNORECASE)


def read(data: bytes, place: Place, limits: LoadLimits) -> Soup:
    """Reads an STL; bytes after the last triangle are passed over.

    Raises:
        AssetError: "truncated", "unreadable", "too_large", "empty" or "not_finite".
    """
    name = place.model.name
    count = int.from_bytes(data[80:84], "little") if len(data) >= 84 else 0
    # Read as a count, four letters of an ASCII file claim more triangles than it could hold.
    if count and 84 + RECORD.itemsize * count <= len(data):
        check_counts(name, 3 * count, count, 1, limits)
        points = np.frombuffer(data, RECORD, count, 84)["corners"].astype(np.float64)
    elif re.search(rb"\bfacet\b", data[:4096], re.IGNORECASE):
        points = _ascii(name, data, limits)
    elif data[:512].lstrip()[:5].lower() == b"solid" and b"\0" not in data[:512]:
        raise AssetError("empty", f"{name} holds no triangles")
    else:
        raise AssetError("truncated", f"{name} claims {count} triangles, but has only {len(data)} bytes")
    faces = np.arange(3 * len(points), dtype=np.int64).reshape(-1, 3)
    vertices = points.reshape(-1, 3)
    check_geometry(name, vertices, faces)
    return Soup(vertices, faces)


def _ascii(name: str, data: bytes, limits: LoadLimits) -> np.ndarray:
    corners = VERTEX.findall(data)
    if len(corners) % 3:
        raise AssetError("truncated", f"{name} ends within a triangle: it has {len(corners)} vertices")
    check_counts(name, len(corners), len(corners) // 3, 1, limits)
    try:
        return np.array(corners, dtype="S32").astype(np.float64).reshape(-1, 3, 3)
    except ValueError as error:
        raise AssetError("unreadable", f"{name} is not readable STL: {error}") from error
