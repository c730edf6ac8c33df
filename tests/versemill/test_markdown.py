"""Texts of others in Markdown stay texts."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from versemill.markdown import MOST_CHARACTERS, inert, table


@pytest.mark.parametrize("text", [
    "<script>alert(1)</script>", "![x](http://evil/x.png)", "[x](javascript:alert(1))", "a\n# heading", "`code`", "**bold**",
    "| cell |", "http://evil", "www.evil.com", "me@evil.com", "&amp;", "~~x~~", "_x_", "$x$",
])  # fmt: skip
def test_nothing_in_it_acts(text):
    shown = inert(text)
    assert not re.search(r"[<>\[\]!`*|@~$\\]|https?:/|www\.|\n|^#", shown.replace("&#", ""))
    assert html.unescape(shown) == " ".join(text.split())
    assert table(("a", "b"), [(shown, 1)]).count("\n") == 2


@given(st.text(max_size=MOST_CHARACTERS - 1))
def test_it_is_read_as_it_was(text):
    line = " ".join(text.split())
    assert "".join(chr(int(m)) if m else c for m, c in re.findall(r"&#(\d+);|(.)", inert(text), re.DOTALL)) == line


def test_plain_words_stay_as_they_are():
    for word in ("filter: blank_view", "CC-BY-4.0", "train", "ingest: too_large (3 %)"):
        assert inert(word) == word
    assert len(inert("x" * 10**6)) < MOST_CHARACTERS + 10
