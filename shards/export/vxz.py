"""The `.vxz` container of sparse voxels with byte attributes, as TRELLIS.2's package `o_voxel` reads it (o_voxel/io/vxz.py).

Bytes: `VXZ`, version 0, the offset of the binary part (big-endian uint32), a JSON header, the binary part. Space is cut into
chunks of 256^3 voxels. A chunk holds an octree, then each attribute in the order of the octree's leaves; each block is a
Zstandard frame that states its size. The octree is one byte a node, depth first, bit k for child k; the bits of k are those of
x, y and z, x the highest. The header's own description calls attributes {"name", "chs"}, but reader and writer use pairs, and
so does this.
"""

import json

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from versemill.mesh import morton_codes

CHUNK = 256
DEPTH = 8
"""Levels of a chunk's octree: 2^8 = 256."""

LEVEL = 9
"""Of Zstandard."""


def encode(voxels: NDArray[np.int32], attributes: dict[str, NDArray[np.uint8]]) -> bytes:
    """The file of voxels (n, 3), each once, in [0, 1024), with attributes (n, channels); n is at least 1."""
    codes = morton_codes(voxels[:, ::-1].astype(np.uint32))
    order = np.argsort(codes, kind="stable")
    _, starts = np.unique(codes[order] >> np.uint32(3 * DEPTH), return_index=True)
    codec = pa.Codec("zstd", LEVEL)
    entries, parts, start = [], [], 0
    for rows in np.split(order, starts[1:]):
        local = codes[rows] & np.uint32(CHUNK**3 - 1)
        entry, at = {"idx": (voxels[rows[0]] // CHUNK).tolist()}, 0
        for name, data in {"svo": _octree(local), **{name: values[rows] for name, values in attributes.items()}}.items():
            block = codec.compress(data.tobytes(), asbytes=True)
            entry[name] = [at, len(block)]
            parts.append(block)
            at += len(block)
        entries.append(entry | {"ptr": [start, at]})
        start += at
    raw = voxels.size * 4 + sum(values.size for values in attributes.values())
    header = {
        "num_voxel": len(voxels),
        "chunk_size": CHUNK,
        "filter": "none",
        "compression": "zstd",
        "compression_level": LEVEL,
        "raw_size": raw,
        "compressed_size": start,
        "compress_ratio": raw / start,
        "attr_interleave": "as_is",
        "attr": [[name, values.shape[1]] for name, values in attributes.items()],
        "chunks": entries,
    }
    text = json.dumps(header).encode()
    return b"".join([b"VXZ\0", (len(text) + 8).to_bytes(4, "big"), text, *parts])


def _octree(codes: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """The nodes of the octree over leaves (n,), Morton codes that rise."""
    below, masks, places = codes, [], []
    for height in range(1, DEPTH + 1):
        above = below >> np.uint32(3)
        first = np.flatnonzero(np.r_[True, above[1:] != above[:-1]])
        masks.append(np.bitwise_or.reduceat(np.uint8(1) << (below & np.uint32(7)).astype(np.uint8), first))
        below = above[first]
        # Depth first: a node stands where its first possible leaf does, after the nodes above it.
        places.append((below << np.uint32(3 * height + 3)) | np.uint32(DEPTH - height))
    return np.concatenate(masks)[np.argsort(np.concatenate(places))]
