"""YAML as a page of JSON's types: what grows, nests or counts without end is refused before anything is built of it."""

import math
import os
import stat
from pathlib import Path
from typing import Any

import yaml

from versemill.errors import ConfigError

MOST_BYTES = 1_000_000
MOST_VALUES = 10_000
"""Values of a page, an alias counted as all that it stands for."""

MOST_DEPTH = 40
MOST_CHARACTERS = 100_000
"""Of one text."""

MOST_DIGITS = 30
FOREIGN = ("binary", "timestamp", "omap", "pairs", "set")
"""YAML's types that JSON does not have."""


class _Loader(yaml.SafeLoader):
    """Safe YAML that refuses a key given twice, where PyYAML would silently keep the last, and what is not JSON's."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        seen: set[Any] = set()
        for key in keys:
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key '{key}' is given twice", node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)

    def construct_number(self, node: yaml.ScalarNode) -> float:
        if len(node.value) > MOST_DIGITS:
            text = f"a number of {len(node.value)} digits; {MOST_DIGITS} are the limit"
            raise yaml.constructor.ConstructorError(None, None, text, node.start_mark)
        number = self.construct_yaml_int(node) if node.tag.endswith(":int") else self.construct_yaml_float(node)
        if not math.isfinite(number):
            raise yaml.constructor.ConstructorError(None, None, f"{node.value} is not a finite number", node.start_mark)
        return number

    def refuse(self, node: yaml.Node) -> None:
        kind = node.tag.rpartition(":")[2]
        text = f"a value of YAML's type {kind}; put it in quotes if it is a text"
        raise yaml.constructor.ConstructorError(None, None, text, node.start_mark)


for _kind in ("int", "float"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _Loader.construct_number)
for _kind in FOREIGN:
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _Loader.refuse)


def parse(text: str, where: str) -> Any:
    """The content of a YAML text; `where` says in the error what it is.

    Raises:
        ConfigError: it is not YAML, or more than a page of it.
    """
    try:
        _measure(text)
        return yaml.load(text, Loader=_Loader)  # a SafeLoader
    except (yaml.YAMLError, TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"{where} is not valid YAML: {' '.join(str(error).split())}") from error


def read(path: Path) -> Any:
    """The content of a YAML file.

    Raises:
        ConfigError: it can't be read, is more than a page, or is not YAML.
    """
    try:
        # A pipe would be waited for without O_NONBLOCK; a regular file does not know the flag.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ConfigError(f"can't read {path}: it is not a regular file")
            data = file.read(MOST_BYTES + 1)
        text = data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"can't read {path}: {error}") from error
    if len(data) > MOST_BYTES:
        raise ConfigError(f"can't read {path}: it is larger than {MOST_BYTES} bytes")
    return parse(text, str(path))


def _measure(text: str) -> None:
    """Counts values and depth event by event, so that nothing is built of a text that is too much.

    Raises:
        ValueError: it is.
        yaml.YAMLError: it is not YAML.
    """
    if len(text) > MOST_BYTES:
        raise ValueError(f"it has more than {MOST_BYTES} characters")
    sizes: dict[str, int] = {}
    stack: list[tuple[str | None, int]] = []  # the open collections: anchor, and values before it
    count = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in stack):
                raise ValueError(f"alias *{event.anchor} contains itself")
            count += sizes.get(event.anchor or "", 1)
        elif isinstance(event, yaml.ScalarEvent):
            count += 1
            if len(event.value) > MOST_CHARACTERS:
                raise ValueError(f"a text has more than {MOST_CHARACTERS} characters")
            if event.anchor:
                sizes[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            stack.append((event.anchor, count))
            count += 1
            if len(stack) > MOST_DEPTH:
                raise ValueError(f"it is nested deeper than {MOST_DEPTH}")
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = stack.pop()
            if anchor:
                sizes[anchor] = count - before
        if count > MOST_VALUES:
            raise ValueError(f"it holds more than {MOST_VALUES} values, its aliases written out")
