"""Pictures of rejected assets, which have no row: a few are remade, from config and seed, by a program of their own.

python -m versemill.mill.report.rejected INDEX... < DIR     one line per picture: index, data URI

The location comes by standard input: every user of the machine sees a program's arguments, and a URI may hold credentials.
"""

import base64
import io
import os
import subprocess
import sys
from collections.abc import Sequence

from PIL import Image

from versemill.errors import AssetError
from versemill.mill.folder.dataset import Dataset
from versemill.mill.pipeline.plan import Plan
from versemill.mill.report.gallery import Whole

MOST = 12
"""Pictures; a page needs no more, and each costs a second or two."""

DEADLINE_S = 120.0
SIDE = 128


def pictures(directory: str, indices: Sequence[int]) -> dict[int, str]:
    """Index -> a picture of the asset as its source made it; an asset that can't be made again is left out.

    In a process of its own with a deadline: what was rejected is what native code is most likely to choke on.
    """
    if not indices:
        return {}
    paths = os.pathsep.join(path for path in sys.path if path)  # a source of the user's own is found as it is here
    command = [sys.executable, "-m", "versemill.mill.report.rejected", *map(str, indices[:MOST])]
    try:
        done = subprocess.run(
            command,
            input=directory.encode(),
            capture_output=True,
            timeout=DEADLINE_S,
            check=False,
            env={**os.environ, "PYTHONPATH": paths},
        )
    except subprocess.TimeoutExpired as error:
        output = error.stdout or b""
    else:
        output = done.stdout
    uris: dict[int, str] = {}
    for line in output.splitlines():
        index, _, data = line.decode(errors="replace").partition(" ")
        if data.startswith("data:image/webp;base64,") and index.isdigit():
            uris[int(index)] = Whole(data)
    return uris


def draw(directory: str, indices: Sequence[int]) -> None:
    """Prints "index data-URI" for each asset that can be made and has something to see."""
    from versemill.mill.pipeline.sources import SOURCES
    from versemill.mill.upkeep.maintenance import pipeline_of
    from versemill.render import RenderConfig, render

    dataset = Dataset.open(directory)
    plan = Plan.of(pipeline_of(dataset), dataset.info["files"])
    cameras = {"preset": "ring", "views": 1, "elevation": (20, 20), "azimuth": (-60, -60), "framing": "tight"}
    config = RenderConfig.model_validate(
        {"width": SIDE, "height": SIDE, "cameras": cameras, "passes": ("rgb",), "samples": 8, "device": "cpu"}
    )
    for index in indices:
        order = plan.order(index)
        entry = plan.pipeline.sources[order.entry]
        try:
            made = SOURCES.find(entry.source).generate(entry.config, plan.pipeline.run.seed, index, order.item)
            image = render(made.normalized(), config).passes["rgb"][0]
        except AssetError:
            continue
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "WEBP", quality=75)
        sys.stdout.write(f"{index} data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    draw(sys.stdin.read(), [int(index) for index in sys.argv[1:]])
