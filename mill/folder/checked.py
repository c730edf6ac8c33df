"""JSON whose first line is the digest of all the bytes that follow it: one flipped bit anywhere in the file is noticed."""

import hashlib
import json
import re
from typing import Any

KEY = "check"
HEAD = re.compile(rb'\{\n "([^"]*)": "([0-9a-f]{64})",\n')


def encode(value: Any, indent: int | None = 1) -> bytes:
    """A value as JSON; a dictionary that is not empty gets the digest.

    A file name that is not UTF-8 holds lone surrogates; as JSON escapes they survive.
    """
    separators = None if indent else (",", ":")
    text = json.dumps(value, indent=indent, separators=separators, ensure_ascii=False, allow_nan=False) + "\n"
    data = text.encode(errors="backslashreplace")
    if not isinstance(value, dict) or not value:
        return data
    rest = data[1:].lstrip(b"\n")
    return b'{\n "%b": "%b",\n' % (KEY.encode(), hashlib.sha256(rest).hexdigest().encode()) + rest


def decode(data: bytes) -> Any:
    """The value without its digest, or of a file that an older version wrote without one.

    Raises:
        ValueError: it is not JSON, or its bytes are not those that were written.
    """
    head = HEAD.match(data)
    if head and (head[1] != KEY.encode() or hashlib.sha256(data[head.end() :]).hexdigest().encode() != head[2]):
        raise ValueError("its content does not match its digest")
    try:
        value = json.loads(data)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    if isinstance(value, dict) and value.pop(KEY, None) is not None and not head:
        raise ValueError("its digest is damaged")
    return value


def has_digest(data: bytes) -> bool:
    """Whether the file was written with one: older versions did not."""
    return HEAD.match(data) is not None
