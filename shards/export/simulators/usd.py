"""USD: one `<id>.usdz` per asset, with UsdPreviewSurface materials, a prim per part, and UsdPhysics mass and colliders.

A .usdz is one file that holds its textures. Its layer is binary (.usdc), a fifth of the text's size, and the archive is written
here, because USD's own writer puts the clock into it: the same row gives the same bytes.
"""

import importlib.util
import io
import struct
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from versemill.errors import MissingDependencyError
from versemill.shards.export import Entry, Format, per_asset
from versemill.shards.export.item import Item, save
from versemill.shards.export.simulators.body import SimulationConfig, body_of
from versemill.shards.export.solids import KERNELS

ALIGNMENT = 64
"""Bytes that each file of a .usdz starts at a multiple of."""


def write(item: Item, out: Path, config: SimulationConfig) -> Entry:
    """Writes one asset's file."""
    if importlib.util.find_spec("pxr") is None:
        raise MissingDependencyError("the usd export needs usd-core: pip install 'versemill[simulators]'")
    from versemill.shards.export.simulators.usd_stage import write_stage

    body = body_of(item, config)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "asset.usdc"
        textures = write_stage(path, item.id, body)
        layer = path.read_bytes()
    save(out / f"{item.id}.usdz", archive({"asset.usdc": layer, **textures}))
    return {"mass": body.rigid.mass, "hulls": len(body.hulls)}


def archive(files: Mapping[str, bytes]) -> bytes:
    """A .usdz: an uncompressed ZIP whose files start at multiples of 64 bytes; the first one is the layer that is opened."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as zipped:
        for name, data in files.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            start = out.tell() + 30 + len(name.encode())  # a local header has 30 bytes and the name
            pad = -start % ALIGNMENT
            # Padding is an extra field, which takes 4 bytes at least; its tag is the one that USD's writer uses.
            pad += ALIGNMENT if 0 < pad < 4 else 0
            info.extra = struct.pack("<HH", 0x1986, pad - 4) + bytes(pad - 4) if pad else b""
            zipped.writestr(info, data)
    return out.getvalue()


FORMAT = Format(
    summary="USD: a .usdz with UsdPreviewSurface and a prim per part; mass, convex colliders (UsdPhysics); metres, Z up",
    columns=("mesh",),
    write=per_asset(write),
    kernels=KERNELS,
    settings=SimulationConfig,
)
