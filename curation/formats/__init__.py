"""Readers of OBJ, PLY, STL and OFF: bytes in, a `Soup` of triangles in the file's own axes and units out.

To add a format: a module with `read(data, place, limits) -> Soup`, and a line in `READERS`.
"""

from collections.abc import Callable

from versemill.curation.config import LoadLimits
from versemill.curation.formats import obj, off, ply, stl
from versemill.curation.formats.soup import Soup
from versemill.curation.place import Place

READERS: dict[str, Callable[[bytes, Place, LoadLimits], Soup]] = {
    ".obj": obj.read,
    ".ply": ply.read,
    ".stl": stl.read,
    ".off": off.read,
}

__all__ = ["READERS", "Soup"]
