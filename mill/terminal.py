"""The terminal: what is printed there holds names of files and texts of datasets that others wrote, which must stay texts."""

import re
from collections.abc import Iterator
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Characters that move the cursor, colour, ring, or turn the direction of reading; not the tab and the end of a line."""


def printable(text: str) -> str:
    """The text with each character that would act on a terminal as the escape that Python writes for it."""
    return CONTROL.sub(lambda match: match.group().encode("unicode_escape").decode(), text)


class Terminal(Console):
    """A console that takes text as text: no markup, no emoji codes, no control characters.

    Colours come from `style` and from `rich.text.Text`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """Rich's own, with each piece of text made `printable`; its own control sequences pass."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)
