"""Cells straight from a local shard: of a row's views only those that are drawn are read from the file.

A shard is written so that a binary column of a row group is one uncompressed page. Such a page lays its values end to end,
each after its length (https://parquet.apache.org/docs/file-format/data-pages/encodings/, PLAIN), so a walk over the lengths
finds every cell. Where a file is laid out in another way (by an older version, or rewritten by other tools), the answer is
None, and Arrow reads the whole column. Plain reads, not a memory map: a fault costs more than the copy it saves.
"""

import os
import struct
from collections.abc import Sequence
from typing import Any

import pyarrow.parquet as pq

from versemill.errors import ShardError
from versemill.shards.schema import leaves

DATA_PAGE = 0
"""Type of a page with values, version 1, in its Thrift header."""

HEADER = 64
"""Bytes that hold the first three fields of a page's header."""

PATHS = {path.removesuffix(".list.element"): path for path in leaves()}
"""Column as readers name it -> path of its leaf in the file."""


class LocalShard:
    """A Parquet file on a local disk; `parquet` reads it in the ordinary way.

    Raises:
        OSError, pyarrow.ArrowException: the file is missing or damaged.
    """

    def __init__(self, path: str) -> None:
        self.path, self._file = path, os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.parquet = pq.ParquetFile(path)
        group = self.parquet.metadata.row_group(0) if self.parquet.num_row_groups else None
        self._columns = {group.column(c).path_in_schema: c for c in range(group.num_columns)} if group else {}

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            os.close(self._file)

    def close(self) -> None:
        """Closes what `parquet` holds; cells that are still held stay readable."""
        self.parquet.close()

    def read(self, at: int, size: int) -> bytes:
        """`size` bytes of the file. Raises ShardError where it ends before."""
        data = os.pread(self._file, size, at)
        if len(data) != size:
            raise ShardError(f"shard '{self.path}' ends within a cell at byte {at}; `versemill verify` tells more")
        return data

    def cells(self, group: int, column: str) -> "Cells | None":
        """All cells of a binary column ("views.rgb") of a row group, in order; None where they don't lie in one plain page, or
        where one is null.
        """
        number = self._columns.get(PATHS.get(column, column))
        if number is None:
            return None
        chunk = self.parquet.metadata.row_group(group).column(number)
        if chunk.compression != "UNCOMPRESSED" or chunk.has_dictionary_page or "PLAIN" not in chunk.encodings:
            return None
        levels = self.parquet.schema.column(number)
        lists = int(levels.max_repetition_level > 0) + int(levels.max_definition_level > 0)
        places = self._walk(chunk.data_page_offset, chunk.data_page_offset + chunk.total_compressed_size, lists)
        return Cells(self, places) if len(places) == chunk.num_values else None

    def _walk(self, begin: int, end: int, lists: int) -> list[tuple[int, int]]:
        """(offset, size) of the values of a column chunk of one page: a header, `lists` lists of levels, the values."""
        size = _page_size(self.read(begin, min(HEADER, end - begin)))
        if not 0 < size < end - begin:
            return []
        at, places = end - size, []
        while at < end:
            (length,) = struct.unpack("<I", self.read(at, 4))
            if at + 4 + length > end:  # several pages: what looked like a length was none
                return []
            places.append((at + 4, length))
            at += 4 + length
        return places[lists:]


class Cells(Sequence[Any]):
    """Cells of a local shard, read from the file when asked for."""

    def __init__(self, shard: LocalShard, places: list[tuple[int, int]]) -> None:
        self._shard, self._places = shard, places

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, item: Any) -> Any:
        if isinstance(item, slice):
            return Cells(self._shard, self._places[item])
        return self._shard.read(*self._places[item])


def _page_size(header: bytes) -> int:
    """Bytes that follow a page's header: its third field; 0 where the page is not one of plain values.

    Thrift's compact protocol: 0x15 begins the next field, a 32-bit number in groups of seven bits, zigzag.
    """
    numbers, at = [], 0
    for _ in range(3):
        if header[at] != 0x15:
            return 0
        value, shift, more = 0, 0, True
        while more:
            at += 1
            value |= (header[at] & 0x7F) << shift
            shift, more = shift + 7, header[at] >= 0x80
        numbers.append((value >> 1) ^ -(value & 1))
        at += 1
    kind, plain, stored = numbers
    return stored if kind == DATA_PAGE and plain == stored else 0
