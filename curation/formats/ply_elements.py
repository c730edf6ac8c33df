"""The container level of PLY: header, and elements of scalars and lists in any of its three encodings."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

TYPES = {
    **dict.fromkeys(("char", "int8"), "i1"),
    **dict.fromkeys(("uchar", "uint8"), "u1"),
    **dict.fromkeys(("short", "int16"), "i2"),
    **dict.fromkeys(("ushort", "uint16"), "u2"),
    **dict.fromkeys(("int", "int32"), "i4"),
    **dict.fromkeys(("uint", "uint32"), "u4"),
    **dict.fromkeys(("float", "float32"), "f4"),
    **dict.fromkeys(("double", "float64"), "f8"),
}
ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}


@dataclass(frozen=True)
class Property:
    """One property: its name (lower case), type, and the type of its count where it is a list."""

    name: str
    type: str
    count_type: str = ""


@dataclass
class Element:
    """One element: its properties, and once it is read, their values.

    Attributes:
        scalars: name -> (count,). lists: name -> lengths (count,) and all values, one list after the other.
    """

    name: str
    count: int
    properties: list[Property] = field(default_factory=list)
    scalars: dict[str, NDArray[Any]] = field(default_factory=dict)
    lists: dict[str, tuple[NDArray[np.int64], NDArray[Any]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Header:
    """What stands before the data: byte order ("" for ASCII), elements, comments, and where the data begins."""

    order: str
    elements: list[Element]
    comments: list[str]
    end: int


def header(data: bytes) -> Header:
    """Parses a header.

    Raises:
        ValueError, KeyError: it is not one.
    """
    at = data.find(b"end_header")
    if at < 0:
        raise ValueError("there is no end_header")
    end = data.find(b"\n", at)
    end = len(data) if end < 0 else end + 1
    order, elements, comments = "?", [], []
    for line in data[:at].decode("latin-1").splitlines()[1:]:
        words = line.split()
        if not words:
            continue
        if words[0] == "format":
            order = ORDERS[words[1]]
        elif words[0] in ("comment", "obj_info"):
            comments.append(line.split(None, 1)[1] if len(words) > 1 else "")
        elif words[0] == "element":
            elements.append(Element(words[1].lower(), int(words[2])))
        elif words[0] == "property" and words[1] == "list":
            elements[-1].properties.append(Property(words[4].lower(), TYPES[words[3]], TYPES[words[2]]))
        elif words[0] == "property":
            elements[-1].properties.append(Property(words[2].lower(), TYPES[words[1]]))
    if order == "?":
        raise ValueError("the header names no format")
    if any(element.count < 0 for element in elements):
        raise ValueError("an element has a negative count")
    return Header(order, elements, comments, end)


def read_elements(data: bytes, head: Header) -> None:
    """Fills the elements of a header with their values.

    Raises:
        EOFError: the data ends early. ValueError: they can't be parsed.
    """
    if head.order == "":
        words = data[head.end :].split()
        at = 0
        for element in head.elements:
            at = _of_words(element, words, at)
        return
    at = head.end
    for element in head.elements:
        at = _of_bytes(element, data, at, head.order)


def _of_words(element: Element, words: list[bytes], at: int) -> int:
    """Reads one element from the words of an ASCII file; returns where the next begins."""
    if not any(p.count_type for p in element.properties):
        width = len(element.properties)
        flat = words[at : at + width * element.count]
        if len(flat) < width * element.count:
            raise EOFError(f"{element.name} has {len(flat)} of {width * element.count} numbers")
        table = np.array(flat).reshape(element.count, width)
        for k, p in enumerate(element.properties):
            element.scalars[p.name] = _numbers(table[:, k], p.type)
        return at + width * element.count
    columns: dict[str, list[Any]] = {p.name: [] for p in element.properties}
    lengths: dict[str, list[int]] = {p.name: [] for p in element.properties if p.count_type}
    for _ in range(element.count):
        for p in element.properties:
            if at >= len(words):
                raise EOFError(f"{element.name} is cut short")
            if p.count_type:
                length = int(words[at])
                if length < 0 or at + 1 + length > len(words):
                    raise EOFError(f"{element.name} has a list of {length}")
                lengths[p.name].append(length)
                columns[p.name] += words[at + 1 : at + 1 + length]
                at += 1 + length
            else:
                columns[p.name].append(words[at])
                at += 1
    for p in element.properties:
        values = _numbers(np.array(columns[p.name], dtype="S"), p.type)
        if p.count_type:
            element.lists[p.name] = np.array(lengths[p.name], np.int64), values
        else:
            element.scalars[p.name] = values
    return at


def _numbers(words: NDArray[Any], kind: str) -> NDArray[Any]:
    """Words as numbers of a type; what exporters write as 1.0 in a column of integers is one."""
    if not len(words):
        return np.zeros(0, kind)
    return words.astype(np.float64).astype(kind)


def _of_bytes(element: Element, data: bytes, at: int, order: str) -> int:
    """Reads one element of a binary file; returns where the next begins."""
    scalars = [(p.name, order + p.type) for p in element.properties if not p.count_type]
    if len(scalars) == len(element.properties):
        rows = _rows(element, data, at, np.dtype(scalars))
        element.scalars = {p.name: rows[p.name] for p in element.properties}
        return at + rows.nbytes
    if not element.count:
        element.scalars = {name: np.zeros(0, kind) for name, kind in scalars}
        element.lists = {p.name: (np.zeros(0, np.int64), np.zeros(0, p.type)) for p in element.properties if p.count_type}
        return at
    # Nearly always all lists are as long as the first ones: then rows have one size, and are read at once.
    lengths = _lengths(element, data, at, order)
    fields: list[Any] = []
    for p in element.properties:
        if p.count_type:
            fields += [(f"#{p.name}", order + p.count_type), (p.name, order + p.type, (lengths[p.name],))]
        else:
            fields.append((p.name, order + p.type))
    kind = np.dtype(fields)
    if at + kind.itemsize * element.count <= len(data):
        rows = np.frombuffer(data, kind, element.count, at)
        if all((rows[f"#{name}"] == length).all() for name, length in lengths.items()):
            for p in element.properties:
                if p.count_type:
                    same = np.full(element.count, lengths[p.name], np.int64)
                    element.lists[p.name] = same, np.ascontiguousarray(rows[p.name]).reshape(-1)
                else:
                    element.scalars[p.name] = rows[p.name]
            return at + rows.nbytes
    return _row_by_row(element, data, at, order)


def _rows(element: Element, data: bytes, at: int, kind: np.dtype[Any]) -> NDArray[Any]:
    if at + kind.itemsize * element.count > len(data):
        raise EOFError(f"{element.name} needs {kind.itemsize * element.count} bytes, {max(len(data) - at, 0)} are left")
    return np.frombuffer(data, kind, element.count, at)


def _lengths(element: Element, data: bytes, at: int, order: str) -> dict[str, int]:
    """List lengths of the first row."""
    lengths = {}
    for p in element.properties:
        if p.count_type:
            lengths[p.name] = _count(element, data, at, order + p.count_type)
            at += np.dtype(p.count_type).itemsize + lengths[p.name] * np.dtype(p.type).itemsize
        else:
            at += np.dtype(p.type).itemsize
    return lengths


def _count(element: Element, data: bytes, at: int, kind: str) -> int:
    size = np.dtype(kind).itemsize
    if at + size > len(data):
        raise EOFError(f"{element.name} is cut short")
    length = int(np.frombuffer(data, kind, 1, at)[0])
    if not 0 <= length <= len(data):
        raise EOFError(f"{element.name} has a list of {length}")
    return length


def _row_by_row(element: Element, data: bytes, at: int, order: str) -> int:
    columns: dict[str, list[bytes]] = {p.name: [] for p in element.properties}
    lengths: dict[str, list[int]] = {p.name: [] for p in element.properties if p.count_type}
    steps = [
        (
            p.name,
            order + p.count_type if p.count_type else "",
            np.dtype(p.count_type or "u1").itemsize,
            np.dtype(p.type).itemsize,
        )
        for p in element.properties
    ]
    for _ in range(element.count):
        for name, count_type, count_size, size in steps:
            length = 1
            if count_type:
                length = _count(element, data, at, count_type)
                lengths[name].append(length)
                at += count_size
            if at + length * size > len(data):
                raise EOFError(f"{element.name} is cut short")
            columns[name].append(data[at : at + length * size])
            at += length * size
    for p in element.properties:
        values = np.frombuffer(b"".join(columns[p.name]), order + p.type)
        if p.count_type:
            element.lists[p.name] = np.array(lengths[p.name], np.int64), values
        else:
            element.scalars[p.name] = values
    return at
