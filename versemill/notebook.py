"""What a notebook shows of an asset or of views: a picture and the line that `repr` gives."""

import html
import importlib
from typing import Any

PICTURE = "versemill.render.pictures:data_uri"
"""Who draws. Rendering is a floor above this one, so it is named here, as plug-ins are, and loaded when a picture is due."""


def figure(shown: Any, caption: str = "") -> str:
    """HTML: the picture of an asset or of views, its `repr` and a caption. Without a picture where rendering fails."""
    from versemill.errors import VersemillError

    module, _, name = PICTURE.partition(":")
    try:
        picture = f'<img src="{getattr(importlib.import_module(module), name)(shown)}" style="max-width: 100%">'
    except VersemillError as error:
        picture = f"<em>{html.escape(str(error))}</em>"
    line = f"<code>{html.escape(repr(shown))}</code>"
    return f"<figure>{picture}<figcaption>{line} {html.escape(caption)}</figcaption></figure>"
