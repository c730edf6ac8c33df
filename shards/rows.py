"""Rows: an asset with its views and fields becomes one row, and a row becomes arrays again."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow import fs as pafs

from versemill import CONVENTION_VERSION
from versemill.camera import Camera
from versemill.config import canonical_json
from versemill.covisibility import covisibility
from versemill.curated import Curated
from versemill.errors import AssetError, ShardError
from versemill.fields import FIELD_ARRAYS, Fields
from versemill.gltf import to_glb
from versemill.shards.codecs import decode_array, decode_colour, dequantise, encode_array, encode_colour, quantise
from versemill.shards.config import ShardsConfig
from versemill.shards.extensions import Extension, find_extensions, joined, touches
from versemill.shards.folder import open_shard
from versemill.shards.schema import COLUMNS, SCHEMA, SCHEMA_VERSION, completed, refusal
from versemill.shards.storage import open_storage
from versemill.views import PASSES, Pass, Views

DIGEST_DIGITS = 8
"""How many digits of a dataset's digest stand before the index in an id."""


def row_id(digest: str, index: int) -> str:
    """The id of an asset, unique among datasets too: the head of its dataset's digest, "-", the index with 8 digits.

    The digest covers config, seed and source files, and not the number of assets: `extend` changes no id.
    """
    return f"{digest[:DIGEST_DIGITS]}-{index:08d}"


def encode_row(
    curated: Curated,
    views: Views | None,
    fields: Fields | None,
    *,
    config: ShardsConfig,
    digest: str,
    fingerprint: str,
    split: str,
    depth_to_surface: float | None = None,
) -> pa.Table:
    """One row of `SCHEMA`. Groups that were not made (`views`, `fields` None) are null.

    Args:
        digest: SHA-256 of the resolved pipeline configuration; its head goes into the id.
        fingerprint: SHA-256 of package versions, processor and render device.
        split: "train", "val" or "test".
        depth_to_surface: mean distance of unprojected depth to the SDF's zero set, in world units.

    Raises:
        AssetError: reason "not_finite": a pass, a field or the mesh holds NaN or infinity.
    """
    asset = curated.asset
    asset.check()
    _finite("watertight_vertices", curated.watertight_vertices)
    tags = set(asset.tags) | set(curated.tags) | set(views.tags if views else ())
    meta = {
        "id": row_id(digest, asset.index),
        "seed": asset.seed,
        "index": asset.index,
        "source": asset.source,
        "split": split,
        "caption": asset.caption,
        "tags": sorted(tags),
        "licences": sorted({material.licence for material in asset.materials}),
        "content_hash": asset.content_hash,
        "center": list(asset.center),
        "scale": asset.scale,
        "depth_to_surface": depth_to_surface,
        "convention_version": CONVENTION_VERSION,
        "schema_version": SCHEMA_VERSION,
        "config_digest": digest,
        "fingerprint_digest": fingerprint,
        "provenance": canonical_json(asset.provenance),
        "metrics": canonical_json(curated.metrics),
        "methods": canonical_json(curated.methods),
    }
    mesh = {
        "glb": to_glb(asset, textures=config.mesh_textures),
        "vertex_count": len(asset.vertices),
        "face_count": len(asset.faces),
        "watertight_vertices": _encode_table(curated.watertight_vertices, config),
        "watertight_faces": _encode_table(curated.watertight_faces, config, delta=True),
    }
    row = {
        "meta": meta,
        "mesh": mesh,
        "views": None if views is None else encode_views(views, config),
        "fields": None if fields is None else _encode_fields(fields, config),
    }
    return pa.Table.from_pylist([row], schema=SCHEMA)


def _finite(name: str, array: NDArray[Any]) -> None:
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise AssetError("not_finite", f"{int((~np.isfinite(array)).sum())} of {array.size} values of '{name}' are not finite")


def _encode_table(array: NDArray[Any], config: ShardsConfig, delta: bool = False) -> bytes:
    """An (n, c) table, stored column after column, where neighbours are alike; (n,) stays as it is."""
    return encode_array(array.T, "delta" if delta else "shuffle", config.zstd_level)


def decode_table(cell: bytes) -> NDArray[Any]:
    """The (n, c) or (n,) array of a `fields` cell or of `mesh.watertight_*`."""
    return np.ascontiguousarray(decode_array(cell).T)


def _encode_fields(fields: Fields, config: ShardsConfig) -> dict[str, Any]:
    for name in FIELD_ARRAYS:
        _finite(name, getattr(fields, name))
    cells = {name: _encode_table(getattr(fields, name), config) for name in FIELD_ARRAYS}
    return {**cells, "stats": canonical_json(fields.stats)}


def encode_views(views: Views, config: ShardsConfig) -> dict[str, Any]:
    """The `views` group of a row.

    Raises:
        AssetError: reason "not_finite": a pass holds NaN or infinity.
    """
    camera = views.cameras[0]
    group: dict[str, Any] = {
        "count": len(views.cameras),
        "width": camera.width,
        "height": camera.height,
        "c2w": [c.c2w.reshape(-1).tolist() for c in views.cameras],
        "K": [c.K.reshape(-1).tolist() for c in views.cameras],
        "orthographic": [c.orthographic for c in views.cameras],
        "lighting": None if views.lighting is None else views.lighting.tolist(),
        "tags": sorted(views.tags),
        "info": canonical_json(views.info),
    }
    for name, images in views.passes.items():
        _finite(name, images)
        kind = PASSES[name]
        if kind.quantised:
            group[name], group[f"{name}_range"] = _encode_quantised(kind, images, config)
        elif kind.kind == "colour":
            group[name] = [encode_colour(image, config.image_codec, config.image_effort, config.zstd_level) for image in images]
        else:
            group[name] = [encode_array(_planar(image), _filter(name), config.zstd_level) for image in images]
    if "depth" in views.passes:
        group["covisibility"] = covisibility(views.cameras, views.passes["depth"]).tolist()
    return group


def _filter(name: str) -> Any:
    return "plain" if PASSES[name].dtype == "bool" else "delta"


def _planar(image: NDArray[Any]) -> NDArray[Any]:
    """(H, W, C) -> (C, H, W); (H, W) stays."""
    return np.moveaxis(image, -1, 0) if image.ndim == 3 else image


def _encode_quantised(kind: Pass, images: NDArray[Any], config: ShardsConfig) -> tuple[list[bytes], list[list[float]]]:
    cells, ranges = [], []
    for image in images:
        planar = _planar(image)
        foreground = planar != 0 if planar.ndim == 2 else (planar != 0).any(0)
        low, high = kind.span or _span(planar, foreground)
        cells.append(encode_array(quantise(planar, foreground, low, high), "delta", config.zstd_level))
        ranges.append([low, high])
    return cells, ranges


def _span(planar: NDArray[Any], foreground: NDArray[np.bool_]) -> tuple[float, float]:
    values = planar[..., foreground]
    return (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)


def decode_pass(name: str, cells: Sequence[bytes], ranges: Sequence[Sequence[float]] | None = None) -> NDArray[Any]:
    """The cells of some views of one pass as (V, C, H, W), or (V, H, W) for passes without channels.

    Args:
        ranges: the same views' entries of `<name>_range`, for quantised passes.

    Returns:
        The pass's own dtype (`versemill.views.PASSES`), background as there.
    """
    kind = PASSES[name]
    if kind.kind == "colour":
        return np.stack([_channels(decode_colour(cell), kind.channels) for cell in cells])
    arrays = (decode_array(cell) for cell in cells)
    if kind.quantised:
        assert ranges is not None
        return np.stack([dequantise(codes, low, high) for codes, (low, high) in zip(arrays, ranges, strict=True)])
    return np.stack(list(arrays))


def _channels(image: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    """(C', H, W) -> (C, H, W): an image file drops an alpha channel that is opaque everywhere."""
    if len(image) == channels:
        return image
    return np.concatenate([image, np.full((1, *image.shape[1:]), 255, np.uint8)])


def decode_cameras(views: dict[str, Any]) -> tuple[Camera, ...]:
    """The cameras of a row's `views` group (as Python values: `table.to_pylist()`)."""
    return tuple(
        Camera(np.reshape(c2w, (4, 4)), np.reshape(K, (3, 3)), views["width"], views["height"], orthographic)
        for c2w, K, orthographic in zip(views["c2w"], views["K"], views["orthographic"], strict=True)
    )


def decode_views(views: dict[str, Any]) -> Views:
    """All cameras and passes of a row's `views` group; quantised passes within their quantum, the rest exact.

    Raises:
        ShardError: a cell is damaged.
    """
    passes = {}
    for name, kind in PASSES.items():
        if views.get(name) is not None:
            images = decode_pass(name, views[name], views.get(f"{name}_range"))
            passes[name] = np.ascontiguousarray(np.moveaxis(images, 1, -1)) if kind.channels else images
    try:
        lighting = None if views.get("lighting") is None else np.array(views["lighting"], np.int32)
        return Views(decode_cameras(views), passes, json.loads(views["info"]), tuple(views["tags"]), lighting)
    except ValueError as error:
        raise ShardError(f"the views can't be read: {error}") from error


def decode_fields(fields: dict[str, Any]) -> Fields:
    """The arrays of a row's `fields` group, bit for bit.

    Raises:
        ShardError: a cell is damaged.
    """
    try:
        return Fields(**{name: decode_table(fields[name]) for name in FIELD_ARRAYS}, stats=json.loads(fields["stats"]))
    except ValueError as error:
        raise ShardError(f"the fields can't be read: {error}") from error


def decode_mesh(mesh: dict[str, Any]) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Watertight vertices (n, 3) and faces (m, 3) of a row's `mesh` group; its `glb` is for `versemill.gltf.from_glb`."""
    return decode_table(mesh["watertight_vertices"]), decode_table(mesh["watertight_faces"])


def read_rows(
    path: str | Path,
    columns: Sequence[str] | None = None,
    fs: pafs.FileSystem | None = None,
    extensions: Sequence[Extension] | None = None,
) -> Iterator[dict[str, Any]]:
    """The rows of a shard in order, as nested dictionaries; one row group in memory at a time.

    Args:
        path: of the shard's file; a URI such as s3://... where `fs` is None.
        fs: the file system that `path` lies on.
        columns: groups ("meta") or leaves ("views.rgb"); None is all. Only their bytes are read.
        extensions: what was added to the dataset and is joined to the rows (`shards.extensions`); None: all that is
            complete; (): the file alone.

    Raises:
        ShardError: the file is missing, damaged or of another schema version, a column is unknown, or an extension lacks its
            part for this shard.
    """
    check_columns(columns or ())
    if fs is None:
        fs, path = open_storage(path)
    added = find_extensions(fs, str(path)) if extensions is None and touches(columns) else extensions
    parts = open_shard(fs, str(path), added).extensions if added else ()
    others = [(extension, _rows(fs, part.path, columns)) for extension, part in parts]
    for row in _rows(fs, str(path), columns):
        for extension, more in others:
            row = joined(row, next(more), extension)
        yield row


def _rows(fs: pafs.FileSystem, path: str, columns: Sequence[str] | None) -> Iterator[dict[str, Any]]:
    """The rows of one file."""
    try:
        with pq.ParquetFile(path, filesystem=fs) as file:
            if reason := refusal(file.schema_arrow.metadata):
                raise ShardError(f"shard '{path}' is of {reason}")
            for group in range(file.num_row_groups):
                for row in file.read_row_group(group, columns=columns and list(columns)).to_pylist():
                    yield completed(row, columns)
    except (OSError, pa.ArrowException) as error:
        raise ShardError(f"shard '{path}' can't be read ({error}); remake it") from error


def check_columns(columns: Sequence[str]) -> None:
    """Raises ShardError for a column that is no group and no leaf of the schema."""
    for column in columns:
        group, _, leaf = column.partition(".")
        if group not in COLUMNS or (leaf and leaf not in COLUMNS[group]):
            known = ", ".join(COLUMNS[group]) if group in COLUMNS else ", ".join(COLUMNS)
            raise ShardError(f"unknown column '{column}'; '{group if leaf else 'a row'}' has: {known}")
