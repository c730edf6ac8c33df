"""Markdown that the project writes: cards, reports, documentation."""

import re
from collections.abc import Iterable, Sequence

MOST_CHARACTERS = 200
MARKUP = re.compile(r"[^\w .,;+/%'=?():-]|:(?! )|(?<=www)\.|(?<![^\W_])_|_(?![^\W_])", re.IGNORECASE)
"""All that may be punctuation of Markdown or HTML, or make a link; letters, digits and harmless signs stay."""


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table, a line per row, without a line feed at the end; bars within cells are escaped."""
    return "\n".join([_line(head), "|" + "---|" * len(head), *map(_line, rows)])


def inert(text: str) -> str:
    """A foreign text on one line, as it stands: none of it is Markdown or HTML, and it is not endless."""
    line = " ".join(text.split())
    line = line if len(line) <= MOST_CHARACTERS else line[:MOST_CHARACTERS] + " ..."
    return MARKUP.sub(lambda match: f"&#{ord(match.group())};", line)


def _line(cells: Sequence[object]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"
