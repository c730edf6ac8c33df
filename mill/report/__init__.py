"""The report: one self-contained HTML page about a dataset, for people who were not there.

    facts.py          everything the page shows, from the census, the ledger and a sample of rows
    gallery.py        assets with their passes; geometry.py packs their meshes for the page's viewer
    distributions.py  drawn against configured, histograms
    mill/templates/   report.html with its style and scripts; viewer.js draws the meshes with WebGL 2

However large the dataset, and whatever its texts hold, the page stays under `MOST_BYTES`: it shows a sample of assets at a
bounded size each, cuts every text, and shows fewer assets where that is not enough.
"""

import json
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from versemill.errors import VersemillError
from versemill.mill.folder.dataset import Dataset
from versemill.mill.report.facts import facts
from versemill.mill.report.gallery import THUMBNAILS, Whole
from versemill.shards import storage

FILE = "report.html"

MOST_BYTES = 16_000_000
"""No page is larger."""

TEXT_CHARACTERS = 2000
"""Of any text on the page but those that are `Whole`."""


def write(directory: str | Path, assets: int = THUMBNAILS) -> Path | str:
    """Writes DIR/report.html and returns where it is.

    Args:
        assets: how many assets the gallery shows, evenly spread; those beyond the first few are pictures alone.

    Raises:
        ConfigError: there is no dataset.
        ShardError: a shard can't be read; `versemill verify` says which.
    """
    dataset = Dataset.open(directory)
    storage.write_bytes(dataset.fs, dataset.path(FILE), bounded(facts(dataset, assets)))
    return Path(dataset.root) / FILE if dataset.local else f"{dataset.uri.rstrip('/')}/{FILE}"


def bounded(context: dict[str, Any]) -> bytes:
    """The page, with as many of the gallery's assets as fit under `MOST_BYTES`.

    Raises:
        VersemillError: it is larger without any.
    """
    while True:
        page = render(context).encode(errors="backslashreplace")
        if len(page) <= MOST_BYTES:
            return page
        if not context["gallery"]:
            raise VersemillError(
                f"the report would have {len(page)} bytes, more than {MOST_BYTES}; see `versemill status --json`"
            )
        context = {**context, "gallery": context["gallery"][: len(context["gallery"]) // 2]}


def render(context: dict[str, Any]) -> str:
    """The page of `mill.report.facts.facts`."""
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined,
                                     finalize=_cut)  # fmt: skip
    environment.filters["script"] = script
    parts = {name.replace(".", "_"): Markup(_template(name)) for name in ("report.css", "viewer.js", "report.js")}
    return environment.from_string(_template("report.html")).render(**context, **parts, slim=_slim)


def _cut(value: Any) -> Any:
    """What an expression of the template prints: a text of at most `TEXT_CHARACTERS`."""
    if not isinstance(value, str) or isinstance(value, Whole | Markup) or len(value) <= TEXT_CHARACTERS:
        return value
    return value[:TEXT_CHARACTERS] + " ..."


def _slim(card: dict[str, Any]) -> dict[str, Any]:
    """A card for the page's script, which takes the pictures from the image element that shows them."""
    pictures = card["pictures"] and {key: value for key, value in card["pictures"].items() if key != "sheet"}
    return {**card, "pictures": pictures}


def script(value: Any) -> Markup:
    """A value as JSON that may stand in a script element: no text in it can end the element."""
    return Markup(json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c"))


def _template(name: str) -> str:
    return (resources.files("versemill.mill.report") / "templates" / name).read_text(encoding="utf-8")
