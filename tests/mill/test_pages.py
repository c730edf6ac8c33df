"""YAML that grows, nests or counts without end is refused in one line before anything is built of it."""

import contextlib
import os

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from versemill.errors import ConfigError
from versemill.mill.pipeline import config, pages

LEVELS = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 30))
BOMBS = {
    "aliases": ("l0: &l0 x\n" + LEVELS, "more than 10000 values"),
    "merged aliases": ("l0: &l0 {a: 1}\n" + LEVELS.replace("[", "{<<: [").replace("]", "]}"), "values"),
    "inside itself": ("a: &a [*a]", "contains itself"),
    "deep flow": ("a: " + "[" * 50_000, "nested deeper than 40"),
    "deep mappings": ("{a: " * 50_000, "nested deeper than 40"),
    "deep block": ("- " * 50_000, "nested deeper than 40"),
    "deep keys": ("? " * 50_000, "nested deeper than 40"),
    "digits": ("a: " + "9" * 5000, "5000 digits"),
    "hexadecimal": ("a: 0x" + "f" * 90_000, "90002 digits"),
    "binary": ("a: 0b" + "1" * 5000, "digits"),
    "sexagesimal": ("a: 1" + ":59" * 1000, "digits"),
    "infinity": ("a: .inf", "not a finite number"),
    "not a number": ("a: .nan", "not a finite number"),
    "python": ("a: !!python/object/apply:os.system [id]", "python"),
    "bytes": ("a: !!binary aGk=", "type binary"),
    "date": ("a: 2001-01-01", "type timestamp"),
    "set": ("a: !!set {b}", "type set"),
    "unhashable key": ("? [1]\n: 2", "YAML"),
    "key twice": ("a: 1\na: 2", "given twice"),
    "long text": ("a: '" + "x" * 200_000 + "'", "more than 100000 characters"),
    "long page": ("# " + "x" * 2_000_000, "1000000"),
    "many": ("[" + "1," * 30_000 + "]", "more than 10000 values"),
    "control": ("a: \x00", "YAML"),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused(name, tmp_path):
    text, said = BOMBS[name]
    path = tmp_path / "own.yaml"
    path.write_text(text)
    for attempt in (lambda: pages.parse(text, "it"), lambda: pages.read(path), lambda: config.load("base", file=path)):
        with pytest.raises(ConfigError) as caught:
            attempt()
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "text").write_bytes(b"\xff\xfe")
    for name in ("pipe", "device", "text", "nothing", "."):
        with pytest.raises(ConfigError, match="can't read"):
            pages.read(tmp_path / name)


@pytest.mark.parametrize("extends", ["[x]", "{a: b}", "3", "true", "[base, base]"])
def test_extends_is_a_name(extends, tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(f"pipelines: {{mine: {{extends: {extends}}}}}")
    with pytest.raises(ConfigError, match="the name of one pipeline"):
        config.load("mine", file=path)


@pytest.mark.parametrize("source", [":x", ".a:b", "os:path", "millstones:nothing", "\x00:a", "a" * 5000 + ":b", "versemill.:x"])
def test_a_source_that_is_none(source):
    with pytest.raises(ConfigError, match="source"):
        config.load("base", overrides=[f"sources.mine={{source: {yaml.safe_dump(source).split(chr(10))[0]}}}"])


def test_a_deep_path_of_set():
    with pytest.raises(ConfigError, match=r"section\.key=value"):
        config.load("base", overrides=[".".join("a" * 50_000) + "=1"])


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_a_page_of_jsons_types_is_read_as_it_was_written(value):
    assert pages.parse(yaml.safe_dump(value), "it") == value


@given(st.text(alphabet="abc:-[]{}&*!?|>'\"# \n0123456789.<,%@`~", max_size=60))
def test_anything_is_read_or_refused(text):
    with contextlib.suppress(ConfigError):
        pages.parse(text, "it")
