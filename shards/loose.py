"""Rows outside of shards: one asset's row with some columns, as a table, as bytes, and as what a sample is decoded from."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from versemill.errors import ShardError
from versemill.shards.rows import check_columns
from versemill.shards.schema import completed


def cut(row: pa.Table, columns: Sequence[str]) -> pa.Table:
    """The row with these leaves alone ("meta.index", "views.rgb"); a group that was not made stays out.

    Raises:
        ShardError: an unknown column.
    """
    check_columns(columns)
    groups: dict[str, list[str]] = {}
    for column in dict.fromkeys(columns):
        group, _, leaf = column.partition(".")
        groups.setdefault(group, []).append(leaf)
    arrays = {}
    for group, leaves in groups.items():
        whole = row[group].combine_chunks()
        if whole.null_count == 0:
            arrays[group] = pa.StructArray.from_arrays([whole.field(leaf) for leaf in leaves], leaves)
    return pa.table(arrays)


def pack(row: pa.Table) -> bytes:
    """The row as an Arrow stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, row.schema) as writer:
        writer.write_table(row)
    return bytes(sink.getvalue())


def unpack(data: bytes) -> pa.Table:
    """What `pack` packed; it shares the bytes' memory.

    Raises:
        ShardError: it is damaged.
    """
    try:
        return pa.ipc.open_stream(data).read_all()
    except (OSError, pa.ArrowException) as error:
        raise ShardError(f"the row can't be read: {error}") from error


def values(row: pa.Table, columns: Sequence[str]) -> dict[str, Any]:
    """The row as nested dictionaries, for `Selection.decode`; a cell is a buffer that shares the table's memory."""
    return completed({name: plain(row[name][0]) for name in row.column_names}, columns)


def plain(value: Any) -> Any:
    """A pyarrow scalar as Python values, but cells, of which a sample may need few, as buffers without a copy."""
    if not value.is_valid:
        return None
    kind = value.type
    if pa.types.is_struct(kind):
        return {name: plain(value[name]) for name in kind.names}
    if pa.types.is_binary(kind):
        return value.as_buffer()
    if pa.types.is_list(kind) and pa.types.is_binary(kind.value_type):
        return [cell.as_buffer() for cell in value.values]
    return value.as_py()
