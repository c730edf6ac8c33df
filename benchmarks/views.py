"""Novel views: what explicit logits and Zero-to-Hero cost, and the oracle that says how much filtering could gain at most.

`--folder DIR` holds `data` (a dataset of the pipeline `views`) and `run` (a training on it); without it both are made, small.
"""

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pyarrow import fs as pafs
from torch import Tensor

from benchmarks.common import Benchmark, Table, measure
from versemill import shards
from versemill.curated import Rejected
from versemill.generation import NOVEL_VIEWS, paths
from versemill.generation.views import data, judging
from versemill.generation.views.attention import Hook, Kept, explicit, fused, replayed
from versemill.generation.views.network import NovelViews
from versemill.generation.views.sampler import Sampling, draw, zero_to_hero
from versemill.mill.pipeline import config as pipelines
from versemill.mill.pipeline import stages
from versemill.mill.pipeline.plan import Plan
from versemill.training.loop import train
from versemill.training.runs import load
from versemill.training.statistics import interval

CPU = torch.device("cpu")
NEARLY_CLEAN = 0.005
"""The time at which the oracle's maps are taken: step 5 of the paper's 1,000."""
ROWS, REPEATS = 12, 5
"""Targets of one call, and calls that are timed."""
SMALL = {"steps": 300, "warm": 200, "batch": 4, "save_every": 300}
"""Of the preset `tiny`, changed for a run that is made here."""


def attention(quick: bool) -> Benchmark:
    """The networks' steps with the library's attention and with explicit logits, and whole drawings, in core-seconds."""
    torch.set_num_threads(1)
    figures: dict[str, float] = {}
    calls = Table("one call, 12 targets", ["network", "fused, ms", "explicit, ms", "ratio", "largest difference"])
    for name, changes in (("tiny", {}), ("small", {"size": 32, "width": 64, "levels": (1, 2, 2), "attended": 2, "layers": 1})):
        recipe = NOVEL_VIEWS.preset(name).model_copy(update={"amp": "off", "targets": ROWS, **changes})
        network = _awake(NovelViews(recipe))
        batch = data.noise(recipe, torch.Generator().manual_seed(0))
        context = network.look(batch.source, batch.c2w, batch.K, batch.keep)
        x, time = batch.noise.flatten(0, 1), torch.full((ROWS,), 500.0)
        spent, answers = [], []
        for hook in (fused, explicit):
            with torch.no_grad():
                answers.append(network(x, time, context, hook))
                with measure() as span:
                    for _ in range(1 if quick else REPEATS):
                        network(x, time, context, hook)
            spent.append(1e3 * span.cpu / (1 if quick else REPEATS))
        error = float((answers[0] - answers[1]).abs().max())
        calls.rows.append([recipe.network, *spent, spent[1] / spent[0], f"{error:.1e}"])
        figures |= {f"explicit_{recipe.network}_ratio": spent[1] / spent[0], f"explicit_{recipe.network}_error": error}
    return Benchmark([calls, _drawings(quick, figures)], figures, "the library's fused attention; plain DDIM at equal calls")


def _drawings(quick: bool, figures: dict[str, float]) -> Table:
    table = Table("one drawing, 4 targets, preset tiny", ["how", "calls", "core-s", "over plain"])
    recipe = NOVEL_VIEWS.preset("micro" if quick else "tiny").model_copy(update={"amp": "off", "targets": 4})
    network = _awake(NovelViews(recipe))
    batch = data.noise(recipe, torch.Generator().manual_seed(0))
    whole = zero_to_hero()
    ways = {
        "plain": Sampling(steps=whole.evaluations),
        "resampled": whole.model_copy(update={"filtering": None, "mutual_until": None}),
        "filtered": whole.model_copy(update={"mutual_until": None}),
        "zero-to-hero": whole,
    }
    spent: dict[str, float] = {}
    for name, settings in ways.items():
        noise = partial(torch.randn, batch.noise.shape, generator=torch.Generator().manual_seed(0))
        with measure() as span:
            draw(network, batch.source, batch.c2w, batch.K, noise, settings)
        spent[name] = span.cpu
        table.rows.append([name, settings.evaluations, span.cpu, span.cpu / spent["plain"]])
        figures |= {f"{name}_calls": settings.evaluations, f"{name}_over_plain": span.cpu / spent["plain"]}
    return table


def oracle(quick: bool, folder: str | None = None) -> Benchmark:
    """PSNR and IoU of samples whose attention follows maps that were taken from the true target (Zero-to-Hero, section 3)."""
    with tempfile.TemporaryDirectory() as made:
        place = Path(folder) if folder else _made(Path(made), quick)
        loaded, recipe = load(NOVEL_VIEWS, place / "run", CPU)
        held = data.SeenViews(place / "data", ("val", "test"), recipe, None, True)
        settings = judging.ViewsJudging(seeds=1, sampling=Sampling(steps=10 if quick else 50))
        cases = [judging.case_of(held[k], settings) for k in range(min(len(held), 2 if quick else 40))]
    return _headroom(loaded, cases, settings)


def _headroom(network: Any, cases: list[judging.Case], settings: judging.ViewsJudging) -> Benchmark:
    scores: dict[str, list[dict[str, float]]] = {"samples": [], "with maps of the truth": []}
    for case in cases:
        inputs = judging.together([case], CPU)
        hooks: dict[str, Hook] = {"samples": explicit, "with maps of the truth": replayed(true_maps(network, case, inputs))}
        for name, hook in hooks.items():
            noise = judging.noise_of([case.seen.index], [0], tuple(case.targets.shape), CPU)
            scores[name].append(judging.agreement(draw(network, *inputs, noise, settings.sampling, hook), case))
    table = Table(f"the oracle on {len(cases)} held-out objects", ["how", "PSNR, dB", "IoU", "cost of a wrong pose, dB"])
    for name, each in scores.items():
        table.rows.append([name, *(float(np.mean([s[key] for s in each])) for key in ("psnr", "iou", "wrong_pose"))])
    plain, best = ([s["psnr"] for s in scores[name]] for name in scores)
    gains = [b - a for a, b in zip(plain, best, strict=True)]
    bounds = interval(gains)
    shown = f" ({bounds[0]:+.2f} to {bounds[1]:+.2f})" if bounds else ""
    table.rows.append(["gain (95 % over objects, from 20 on)", f"{np.mean(gains):+.2f}{shown}", "", ""])
    return Benchmark([table], {"oracle_gain_db": float(np.mean(gains)), "samples_psnr": float(np.mean(plain))},
                     "Zero-1-to-3 on GSO: 17.2 dB, with maps of the truth 21.5")  # fmt: skip


def true_maps(network: NovelViews, case: judging.Case, inputs: tuple[Tensor, Tensor, Tensor]) -> dict[int, Tensor]:
    """All self-attention logits of one pass over the true targets, hardly noised."""
    path, kept = network.recipe.path, Kept()
    noise = judging.noise_of([case.seen.index], [1], tuple(case.targets.shape), CPU)()[0]
    t = torch.full((len(noise),), NEARLY_CLEAN)
    with torch.no_grad():
        network(paths.mix(path, 2 * case.targets - 1, noise, t), path.seen(t)[1], network.look(*inputs, torch.ones(1, 2)), kept)
    return kept.maps


def _awake(network: NovelViews) -> NovelViews:
    """Weights for what starts at zero: an untrained network attends to nothing."""
    torch.manual_seed(0)
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    return network.eval()


def _made(folder: Path, quick: bool) -> Path:
    """A dataset and a short training, with figures that only show that all of it runs."""
    assets = 8 if quick else 120
    pipeline = pipelines.load("views", overrides=["shards.splits=[0.6, 0, 0.4]"], assets=assets)
    plan = Plan.of(pipeline, {})
    made = [stages.make(plan.recipe("", ""), plan.order(index)).outcome for index in range(assets)]
    (folder / "data" / "shards").mkdir(parents=True)
    rows = [row for row in made if not isinstance(row, Rejected)]
    shards.seal(pafs.LocalFileSystem(), str(folder / "data" / "shards" / "shard-000000.parquet"), rows, {})
    changes = {"steps": 4, "warm": 2, "batch": 2, "save_every": 4} if quick else SMALL
    train(NOVEL_VIEWS, folder / "data", NOVEL_VIEWS.preset("tiny").model_copy(update=changes), folder / "run", device="cpu")
    return folder


PARTS = {"attention": attention, "oracle": oracle}


def run(quick: bool, folder: str | None = None) -> Benchmark:
    """Both parts."""
    parts = [attention(quick), oracle(quick, folder)]
    figures = {name: value for part in parts for name, value in part.figures.items()}
    return Benchmark([table for part in parts for table in part.tables], figures, "; ".join(part.peer for part in parts))
