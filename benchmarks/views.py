"""Novel views: what explicit logits and Zero-to-Hero cost, the oracle that says how much filtering could gain at most, and a
filter that is learned from it.

`--folder DIR` holds `data` (a dataset of the pipeline `views`) and `run` (a training on it); without it both are made, small.
"""

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pyarrow import fs as pafs

from benchmarks.common import Benchmark, Table, measure
from versemill import shards
from versemill.curated import Rejected
from versemill.generation import NOVEL_VIEWS
from versemill.generation.views import data, judging, learned
from versemill.generation.views.attention import Hook, explicit, fused, replayed
from versemill.generation.views.network import NovelViews
from versemill.generation.views.oracle import true_maps
from versemill.generation.views.sampler import Sampling, draw, zero_to_hero
from versemill.generation.views.zero_to_hero import Filtering, Weigher
from versemill.mill.pipeline import config as pipelines
from versemill.mill.pipeline import stages
from versemill.mill.pipeline.plan import Plan
from versemill.training.loop import train
from versemill.training.runs import load
from versemill.training.statistics import interval

CPU = torch.device("cpu")
ROWS, REPEATS = 12, 5
"""Targets of one call, and calls that are timed."""
FILTER = "filter.json"
"""The learned filter, in the run's folder."""
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
        hooks: dict[str, Hook] = {"samples": explicit, "with maps of the truth": replayed(true_maps(network, case, CPU))}
        for name, hook in hooks.items():
            noise = judging.noise_of([case.seen.index], [0], (len(case.targets), *network.shape), CPU)
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


def learned_filter(quick: bool, folder: str | None = None) -> Benchmark:
    """Fits a filter on training objects against maps of the truth, writes it to the run's folder, and judges it held out."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as made:
        place = Path(folder) if folder else _made(Path(made), quick)
        loaded: Any
        loaded, recipe = load(NOVEL_VIEWS, place / "run", CPU)
        settings = judging.ViewsJudging(seeds=1 if quick else 3)
        known, held = (
            [judging.case_of(seen[k], settings) for k in range(min(len(seen), most))]
            for seen, most in (
                (data.SeenViews(place / "data", ("train",), recipe, None, False), 2 if quick else 24),
                (data.SeenViews(place / "data", ("val", "test"), recipe, None, True), 2 if quick else 40),
            )
        )
        fitting = learned.Fitting(rows=8, steps=5) if quick else learned.Fitting()
        with measure() as span:
            fitted = learned.fit(loaded, known, fitting, CPU)
        file = place / "run" / FILTER
        file.write_text(fitted.model_dump_json(indent=1) + "\n")
        filters: dict[str, Any] = {"resampling alone": None, "the paper's filter": Filtering(), "learned filter": fitted}
        figures = {"fit_core_s": span.cpu, **_judged(loaded, held, filters, settings, fitting)}
    weights = Table("weights of the learned filter, means over layers", ["times down to", "pooling", "current", "update"])
    for k, border in enumerate(fitted.borders):
        parts = (fitted.pooling, fitted.current, fitted.update)
        weights.rows.append([f"{border:g}", *(float(np.mean([row[k] for row in part])) for part in parts)])
    table = Table(f"filters on {len(held)} held-out objects, fitted on {len(known)}", ["filter", "KL", "PSNR, dB", "IoU"])
    for name in filters:
        table.rows.append([name, *(figures[f"{name}: {key}"] for key in ("KL", "psnr", "iou"))])
    for key in ("psnr", "iou"):
        gain, low, high = (figures.get(f"learned over paper: {key}{end}") for end in ("", ", low", ", high"))
        shown = f"{gain:+.3f}" + ("" if low is None else f" ({low:+.3f} to {high:+.3f})")
        table.rows.append([f"learned over the paper's, {key} (95 % over objects, from 20 on)", shown, "", ""])
    return Benchmark([table, weights], figures, "the paper's fixed values; KL of attention from maps of the truth")


def _judged(
    network: Any, cases: list[judging.Case], filters: dict[str, Any], settings: judging.ViewsJudging, fitting: learned.Fitting
) -> dict[str, float]:
    """Per filter the mean KL over layers, PSNR and IoU; and what the learned one gains on the paper's, object by object."""
    figures: dict[str, float] = {}
    scores: dict[str, dict[str, list[float]]] = {}
    until = fitting.borders[-1]
    for name, filtering in filters.items():
        sampling = learned.sampling_of(filtering)
        traces = learned.watched(network, cases, sampling, fitting.rows, 0, CPU)
        weigher: Weigher = filtering or Filtering(pooled_until=2.0, filtered_until=2.0)
        each = [float(learned.divergence(trace, layer, sampling.calls(), weigher, until)) for layer, trace in enumerate(traces)]
        scores[name] = judging.score(network, cases, settings.model_copy(update={"sampling": sampling}), CPU)
        figures |= {f"{name}: KL": float(np.mean(each))}
        figures |= {f"{name}: {key}": float(np.mean(scores[name][key])) for key in ("psnr", "iou")}
    for key in ("psnr", "iou"):
        pairs = zip(scores["learned filter"][key], scores["the paper's filter"][key], strict=True)
        gains = [a - b for a, b in pairs]
        figures[f"learned over paper: {key}"] = float(np.mean(gains))
        if bounds := interval(gains):
            figures |= {f"learned over paper: {key}, {end}": v for end, v in zip(("low", "high"), bounds, strict=True)}
    return figures


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


PARTS = {"attention": attention, "oracle": oracle, "learned": learned_filter}


def run(quick: bool, folder: str | None = None) -> Benchmark:
    """All parts."""
    parts = [attention(quick), oracle(quick, folder), learned_filter(quick, folder)]
    figures = {name: value for part in parts for name, value in part.figures.items()}
    return Benchmark([table for part in parts for table in part.tables], figures, "; ".join(part.peer for part in parts))
