"""The report: one page that shows what the ledger holds and needs nothing from outside."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from test_run import run

from mill import report
from versemill.errors import ConfigError


class Page(HTMLParser):
    """Open tags and the references of a page; complains about tags that don't match."""

    def __init__(self, text):
        super().__init__()
        self.stack, self.references, self.wrong = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.references += [value for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img", "br", "rect", "link"):
            self.stack.append(tag)

    def handle_endtag(self, tag):
        if not self.stack or self.stack.pop() != tag:
            self.wrong.append(tag)


@pytest.fixture(scope="module")
def page(two_workers, tmp_path_factory):
    import json

    from mill import config

    folder = tmp_path_factory.mktemp("report")
    (folder / "faults.json").write_text(json.dumps({"3": "raise"}))
    overrides = ["sources.zeroverse=null", "sources.<t>.source=millstones:TRIVIAL", "sources.<t>.reject_every=7"]
    faults = f"sources.<t>.faults={folder / 'faults.json'}"
    run(config.load("base", overrides=[*overrides, faults, "shards.assets_per_shard=8"], assets=20), folder / "a")
    path = report.write(folder / "a")
    return path.read_text()


def test_the_page_is_well_formed_and_self_contained(page):
    parsed = Page(page)
    assert (parsed.stack, parsed.wrong) == ([], [])
    assert all(reference.startswith("data:") for reference in parsed.references)


def test_the_page_shows_what_the_ledger_holds(page):
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    for shown in ("16 assets", "3 rejected", "1 failed", "filter: unwanted", "7 is a multiple of 7", "deliberate", "CC0-1.0"):
        assert shown in words, shown
    assert page.count('class="asset"') == 16


def test_names_are_escaped(page):
    assert "<t>" not in page
    assert "&lt;t&gt;" in page


def test_pictures_are_small_and_whole():
    import base64
    import io

    from PIL import Image

    data = report.picture(np.full((400, 300, 3), 90, np.uint8))
    image = Image.open(io.BytesIO(base64.b64decode(data.split(",")[1])))
    assert max(image.size) == report.SIDE
    assert np.abs(np.asarray(image.convert("RGB")).astype(int) - 90).max() < 4


def test_a_folder_without_a_dataset_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="holds no dataset"):
        report.write(tmp_path)
