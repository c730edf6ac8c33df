"""Binary little-endian PLY files."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def header(elements: Mapping[str, tuple[int, Sequence[str]]]) -> bytes:
    """The header of a file.

    Args:
        elements: name -> how many there are, and its properties with their types: "float x", "list uchar int vertex_indices".
    """
    lines = ["ply", "format binary_little_endian 1.0"]
    for name, (count, properties) in elements.items():
        lines += [f"element {name} {count}", *(f"property {each}" for each in properties)]
    return ("\n".join([*lines, "end_header"]) + "\n").encode()


def to_ply(
    vertices: NDArray[np.floating[Any]],
    faces: NDArray[np.integer[Any]] | None = None,
    ids: Mapping[str, NDArray[np.integer[Any]]] | None = None,
) -> bytes:
    """A file of points (V, 3), or of a triangle mesh with faces (F, 3); positions are stored as float32.

    Args:
        ids: property name -> (F,) integers that each face carries, stored as int32.
    """
    elements: dict[str, tuple[int, list[str]]] = {"vertex": (len(vertices), ["float x", "float y", "float z"])}
    body = vertices.astype("<f4").tobytes()
    if faces is not None:
        named = ids or {}
        elements["face"] = (len(faces), ["list uchar int vertex_indices", *(f"int {name}" for name in named)])
        records = np.empty(len(faces), np.dtype([("n", "u1"), ("v", "<i4", (3,)), *((name, "<i4") for name in named)]))
        records["n"], records["v"] = 3, faces
        for name, values in named.items():
            records[name] = values
        body += records.tobytes()
    return header(elements) + body
