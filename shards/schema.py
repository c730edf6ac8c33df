"""The row: one asset, in four groups (`meta`, `mesh`, `views`, `fields`), each a struct whose leaves are read apart.

`COLUMNS` is the one source: the Arrow schema and the table of docs/shards.md both follow it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from versemill.fields import FIELD_ARRAYS
from versemill.markdown import table
from versemill.views import PASSES

SCHEMA_VERSION = 3
"""Rises when a column changes its meaning or goes; a new column that old readers can ignore does not raise it."""

READABLE = (1, 2, 3)
"""Versions that every reader takes. Version 1 knew no colour filter; its cells say what they are, its rows lack columns. Up to
version 2 an id began with the seed, so that those of two datasets could be equal."""


@dataclass(frozen=True)
class Column:
    """One leaf: its Arrow type and what a reader of the documentation needs to know."""

    type: pa.DataType
    shape: str
    dtype: str
    frame: str
    unit: str
    meaning: str


def _text(meaning: str) -> Column:
    return Column(pa.string(), "", "string", "", "", meaning)


def _number(kind: str, meaning: str, frame: str = "", unit: str = "", shape: str = "") -> Column:
    leaf = {
        "u8": pa.uint64(),
        "i4": pa.int32(),
        "i8": pa.int64(),
        "f4": pa.float32(),
        "f8": pa.float64(),
        "bool": pa.bool_(),
    }[kind]
    for _ in shape.split(",") if shape else ():
        leaf = pa.list_(leaf)
    name = {"u8": "uint64", "i4": "int32", "i8": "int64", "f4": "float32", "f8": "float64", "bool": "bool"}[kind]
    return Column(leaf, shape and f"({shape})", name, frame, unit, meaning)


def _array(shape: str, dtype: str, frame: str, unit: str, meaning: str) -> Column:
    return Column(pa.binary(), f"({shape})", dtype, frame, unit, meaning)


META = {
    "id": _text('"<head of config_digest>-<index, 8 digits>": unique among datasets, without dots'),
    "seed": _number("u8", "dataset seed"),
    "index": _number("u8", "asset index; rows of a shard rise by it"),
    "source": _text("the stage that made the asset: zeroverse, detailverse, files"),
    "split": _text("train, val or test: a stratified draw of (seed, index)"),
    "caption": _text("one sentence"),
    "tags": Column(pa.list_(pa.string()), "(n)", "string", "", "", "words of the asset, its curation and its views, sorted"),
    "licences": Column(pa.list_(pa.string()), "(n)", "string", "", "", "licences of the materials, sorted"),
    "content_hash": _text("SHA-256 of geometry, ids and materials"),
    "center": _number("f8", "source position = center + scale * position", "source", "source units", "3"),
    "scale": _number("f8", "source units per world unit", "", "source units"),
    "depth_to_surface": _number("f8", "mean distance of unprojected depth to the SDF's zero set; null if not measured",
                                "world", "world units"),
    "convention_version": _number("i4", "version of frames, units and signs"),
    "schema_version": _number("i4", "version of this table"),
    "config_digest": _text("SHA-256 of the resolved configuration"),
    "fingerprint_digest": _text("SHA-256 of the package versions, processor and render device"),
    "provenance": _text("JSON: every drawn value; enough to remake the asset"),
    "metrics": _text("JSON: scores, features, Chamfer, counts of repairs"),
    "methods": _text("JSON: which watertight method was used, which were tried"),
}  # fmt: skip

MESH = {
    "glb": Column(pa.binary(), "", "GLB file", "Y up, as glTF", "world units", "the textured mesh that the views show"),
    "vertex_count": _number("i8", "vertices of the textured mesh, shared across seams"),
    "face_count": _number("i8", "triangles of the textured mesh"),
    "watertight_vertices": _array("n, 3", "float32", "world", "world units", "vertices of the closed surface of `fields`"),
    "watertight_faces": _array("m, 3", "int32", "", "", "its triangles, counter-clockwise from outside"),
}


def _pass(name: str) -> Column:
    kind = PASSES[name]
    shape = "V: H, W" + (f", {kind.channels}" if kind.channels else "")
    meaning = kind.meaning + ("; codes 1..65535 span the range, 0 is background" if kind.quantised else "")
    return Column(pa.list_(pa.binary()), f"({shape})", kind.stored, kind.frame, kind.unit, meaning)


VIEWS = {
    "count": _number("i4", "number of views V"),
    "width": _number("i4", "image width W", "", "pixels"),
    "height": _number("i4", "image height H", "", "pixels"),
    "c2w": _number("f8", "camera to world, row-major 4x4; OpenCV axes (x right, y down, z forward)", "world", "world units",
                   "V, 16"),
    "K": _number("f8", "intrinsics, row-major 3x3; the centre of pixel (0, 0) is (0.5, 0.5)", "image", "pixels", "V, 9"),
    "orthographic": _number("bool", "rays are parallel; K's focal entries are pixels per world unit", shape="V"),
    "lighting": _number("i4", "which lighting a view is lit by; views of one camera may differ in it alone", shape="V"),
    "covisibility": _number("f4", "(i, j): share of view i's foreground that view j sees; null without depth", shape="V, V"),
    "tags": Column(pa.list_(pa.string()), "(n)", "string", "", "", "findings of the renderer, sorted"),
    "info": _text("JSON: engine, device, preset, lighting and every drawn value"),
    **{
        f"{name}_range": _number("f8", f"values of codes 1 and 65535 of `{name}`", kind.frame, kind.unit, "V, 2")
        for name, kind in PASSES.items()
        if kind.quantised
    },
    **{name: _pass(name) for name in PASSES},
}  # fmt: skip

_FIELD_MEANINGS = {
    "surface": "points and unit outward normals, uniform by area",
    "sharp_surface": "points on sharp edges with a normal; empty where there are none",
    "near_points": "points around the surface at several sigmas",
    "near_sdf": "their signed distance, negative inside",
    "sharp_near_points": "points around the sharp edges",
    "sharp_near_sdf": "their signed distance, negative inside",
    "vol_points": "points uniform in [-1.05, 1.05]^3",
    "vol_sdf": "their signed distance, negative inside",
    "voxels": "occupied cells of a 64^3 surface grid over [-1, 1]^3",
}

FIELDS = {
    **{
        name: _array(
            "n, " + str(columns) if columns else "n",
            "uint8" if name == "voxels" else "float32",
            "grid" if name == "voxels" else "world",
            "cells" if name == "voxels" else "world units",
            _FIELD_MEANINGS[name],
        )
        for name, columns in FIELD_ARRAYS.items()
    },
    "stats": _text("JSON: sigmas, thresholds and measurements"),
}

COLUMNS: dict[str, dict[str, Column]] = {"meta": META, "mesh": MESH, "views": VIEWS, "fields": FIELDS}
"""Group -> leaf -> column. A pass, a field array or a whole group that was not made is null."""


def schema(metadata: dict[str, str] | None = None) -> pa.Schema:
    """The Arrow schema of a shard, with the schema version and `metadata` in its key-value metadata."""
    groups = [
        pa.field(group, pa.struct([pa.field(name, column.type) for name, column in columns.items()]))
        for group, columns in COLUMNS.items()
    ]
    return pa.schema(groups, metadata={"versemill.schema_version": str(SCHEMA_VERSION), **(metadata or {})})


SCHEMA = schema()


def refusal(metadata: Mapping[bytes, bytes] | None) -> str | None:
    """Why a file with this key-value metadata can't be read, or None: files of the versions `READABLE` are."""
    text = (metadata or {}).get(b"versemill.schema_version", b"none").decode(errors="replace")
    if text in map(str, READABLE):
        return None
    way = "mill the dataset again into another folder, or read it with the versemill that its dataset.json names"
    if text.isdecimal() and int(text) > SCHEMA_VERSION:
        way = "upgrade versemill"
    return f"schema version {text}, this versemill reads {', '.join(map(str, READABLE))}; {way}"


def misfits(stored: pa.Schema) -> list[str]:
    """Groups that a file lacks, and leaves of another type. A leaf that is missing (older) or unknown (newer) is no misfit."""
    wrong = [group for group in COLUMNS if group not in stored.names or not pa.types.is_struct(stored.field(group).type)]
    for group in (group for group in COLUMNS if group not in wrong):
        for leaf in stored.field(group).type:
            if leaf.name in COLUMNS[group] and not leaf.type.equals(COLUMNS[group][leaf.name].type):
                wrong.append(f"{group}.{leaf.name}")
    return wrong


def completed(row: dict[str, Any], columns: Sequence[str] | None = None) -> dict[str, Any]:
    """The row, with None for each of `columns` (groups or leaves; None is all) that its file was written without."""
    for column in columns or COLUMNS:
        group, _, leaf = column.partition(".")
        if row.setdefault(group, None) is not None:
            for name in (leaf,) if leaf else COLUMNS[group]:
                row[group].setdefault(name, None)
    return row


def leaves() -> list[str]:
    """Dotted Parquet paths of all leaves, in file order: "meta.id", "views.rgb.list.element" ..."""
    paths = []
    for group, columns in COLUMNS.items():
        for name, column in columns.items():
            path, kind = f"{group}.{name}", column.type
            while pa.types.is_list(kind):
                path, kind = path + ".list.element", kind.value_type
            paths.append(path)
    return paths


def blob_leaves() -> list[str]:
    """Paths of the leaves that are compressed already: stored as they are, without statistics."""
    return [path for path in leaves() if is_blob(path)]


def is_blob(path: str) -> bool:
    """Whether the leaf with this path ("views.rgb", "views.rgb.list.element") holds cells."""
    group, name = path.split(".")[:2]
    kind = COLUMNS[group][name].type
    return kind == pa.binary() or kind == pa.list_(pa.binary())


def describe() -> str:
    """Markdown tables of every leaf, as in docs/shards.md."""
    head = ("column", "type", "shape", "dtype", "frame", "unit", "meaning")
    parts = []
    for group, columns in COLUMNS.items():
        rows = [
            (f"`{name}`", str(c.type).replace("element: ", ""), c.shape, c.dtype, c.frame, c.unit, c.meaning)
            for name, c in columns.items()
        ]
        parts.append(f"### `{group}`\n\n{table(head, rows)}")
    return "\n\n".join(parts) + "\n"
