"""How much of the views of ordinary assets is white or black: what the limits of `render.exposure` have to leave alone."""

import numpy as np

from benchmarks.common import Benchmark, Table
from versemill import curation
from versemill.curated import Rejected
from versemill.mill.pipeline import config
from versemill.mill.pipeline.sources import SOURCES
from versemill.render import render
from versemill.render.config import ExposureConfig, RenderConfig
from versemill.render.exposure import shares

LIGHTS = ("white", "studio", "sky", "area")
VIEWS = 6
SEED = 11


def run(quick: bool, objects: int | None = None) -> Benchmark:
    """Milled assets of both generators of the pipeline `quickstart`, six views of 64² in each light."""
    count = objects or (2 if quick else 36)
    pipeline = config.load("quickstart")
    columns = ["source", "light", "views", "white: p99", "white: most", "black: p99", "black: most", "beyond a limit"]
    table = Table(f"share of each view that is white or black, first {count} indices of seed {SEED}", columns)
    figures: dict[str, float] = {}
    limits = ExposureConfig()
    for name, entry in pipeline.sources.items():
        made = [SOURCES.find(entry.source).generate(entry.config, SEED, index, None) for index in range(count)]
        curated = [each for asset in made if not isinstance(each := curation.curate(asset, pipeline.curate), Rejected)]
        for light in LIGHTS:
            settings = {
                "width": 64,
                "height": 64,
                "cameras": {"views": VIEWS},
                "lighting": {"preset": light},
                "passes": ("rgb",),
            }
            views = [render(each.asset, RenderConfig.model_validate(settings)).passes["rgb"] for each in curated]
            white, black = (np.concatenate(values) for values in zip(*map(shares, views), strict=True))
            beyond = int(((white > limits.overexposed) | (black > limits.underexposed)).sum())
            numbers = [float(f(values)) for values in (white, black) for f in (lambda v: np.quantile(v, 0.99), np.max)]
            table.rows.append([name, light, len(white), *(f"{n:.1%}" for n in numbers), beyond])
            for key, values in (("white", white), ("black", black)):
                figures[f"{name}_{light}_{key}"] = float(values.max())
    return Benchmark([table], figures)
