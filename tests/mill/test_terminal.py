"""Names of files and texts of datasets act on no terminal, and are no markup."""

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Group
from rich.control import strip_control_codes
from rich.table import Table
from rich.text import Text

from versemill.mill.terminal import CONTROL, Terminal, printable

NAMES = [
    "a[/red]b",
    "[bold]x",
    "[link=http://x]y",
    ":smile:",
    "\x1b]0;owned\x07",
    "\x1b[2J\x1b[31mred",
    "b\x9b31m",
    "a\rb",
    "\u202etxt.glb",
    "x\x00y\x08",
]


def shown(*objects, **options):
    file = io.StringIO()
    Terminal(file=file, width=200, force_terminal=True, color_system="standard").print(*objects, **options)
    return file.getvalue()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "wrap", [str, Text, lambda name: Group(Text(name)), lambda name: Text.assemble(("kept", "green"), f" {name}")]
)
def test_a_name_is_shown_as_it_is(name, wrap):
    text = shown(wrap(name), soft_wrap=True)
    assert printable(strip_control_codes(name)) in text  # Rich takes some out itself
    for own in ("\x1b[32m", "\x1b[0m"):
        text = text.replace(own, "")
    assert not CONTROL.search(text)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_in_a_table(name):
    table = Table("name", name, box=None)
    table.add_row(name, "1")
    assert not CONTROL.search(re.sub("\x1b\\[[0-9;]*m", "", shown(table)))


@given(st.text())
def test_what_is_printable_stays_and_nothing_else_is_left(text):
    clean = printable(text)
    assert not CONTROL.search(clean)
    assert printable(clean) == clean
    assert "".join(c for c in text if not CONTROL.match(c)) in clean or CONTROL.search(text)
    assert [line.count("\t") for line in text.split("\n")] == [line.count("\t") for line in clean.split("\n")]
