"""The ablation bench: its statistics on known numbers, its arms as data, and a small one run to the end, twice."""

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from versemill.errors import ConfigError
from versemill.mill.live import training as live
from versemill.mill.proof import ablation
from versemill.mill.run import driver
from versemill.reconstruction import GAUSSIANS, MONOCULAR
from versemill.training.comparison import Outcome
from versemill.training.family import Family
from versemill.training.statistics import bootstrap, compare

PSNR, NORMAL_ERROR = GAUSSIANS.metric, MONOCULAR.metric


def scores(mean: float, seeds: int = 3, objects: int = 40, luck: float = 0.05, seed: int = 0) -> np.ndarray:
    """Objects of their own difficulty, the same for every arm; trainings of their own luck."""
    difficulty = np.random.default_rng(99).normal(0, 3, objects)
    rng = np.random.default_rng(seed)
    return mean + difficulty + rng.normal(0, luck, (seeds, 1)) + rng.normal(0, 0.2, (seeds, objects))


def test_a_plain_difference_is_found_whatever_the_objects_vary() -> None:
    (verdict,) = compare({"a": scores(20.5, seed=1), "b": scores(20.0, seed=2)}, "test", PSNR)
    assert verdict.verdict == "'a' is better than 'b' in PSNR"
    assert verdict.low < verdict.gain < verdict.high
    assert verdict.gain == pytest.approx(0.5, abs=0.15)
    (turned,) = compare({"b": scores(20.0, seed=2), "a": scores(20.5, seed=1)}, "test", PSNR)
    assert turned.verdict == verdict.verdict
    assert turned.gain == pytest.approx(-verdict.gain)


def test_of_an_error_the_lower_is_better() -> None:
    (verdict,) = compare({"a": scores(20.0, seed=1), "b": scores(20.5, seed=2)}, "test", NORMAL_ERROR)
    assert verdict.verdict == "'a' is better than 'b' in normal error"
    assert 0 < verdict.low < verdict.gain < verdict.high
    assert verdict.gain == pytest.approx(0.5, abs=0.15)
    assert NORMAL_ERROR.title == "normal error in degrees, lower is better"
    assert PSNR.title == "PSNR in dB"


def test_what_the_luck_of_a_training_explains_is_no_difference() -> None:
    (verdict,) = compare({"a": scores(20.0, luck=0.8, seed=3), "b": scores(20.0, luck=0.8, seed=4)}, "test", PSNR)
    assert verdict.verdict == "no difference in PSNR shown"


@pytest.mark.parametrize(("seeds", "objects", "why"), [(2, 40, "2 of 3 seeds"), (3, 19, "19 of 20 objects")])
def test_too_little_is_not_tested(seeds: int, objects: int, why: str) -> None:
    (verdict,) = compare({"a": scores(30, seeds, objects), "b": scores(20, seeds, objects)}, "test", PSNR)
    assert verdict.verdict == f"not tested ({why})"
    assert verdict.low is None
    assert verdict.gain == pytest.approx(10)


def test_a_diverged_training_is_left_out_of_both_arms() -> None:
    a, b = scores(21, 4), scores(20, 4)
    a[1] = np.nan
    (verdict,) = compare({"a": a, "b": b}, "test", PSNR)
    assert verdict.seeds == 3
    assert verdict.gain == pytest.approx(1)
    b[:] = np.nan
    assert compare({"a": a, "b": b}, "test", PSNR)[0].gain is None


def test_every_pair_is_compared() -> None:
    arms = {name: scores(20, seed=k) for k, name in enumerate("abcd")}
    assert [(c.first, c.second) for c in compare(arms, "t", PSNR)] == [
        ("a", "b"), ("a", "c"), ("a", "d"), ("b", "c"), ("b", "d"), ("c", "d")]  # fmt: skip


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    """Twelve seeds, many objects, 60 ablations of a true gain of 0.3: nearly all intervals hold it."""
    held = 0
    for trial in range(60):
        rng = np.random.default_rng(trial)
        values = 0.3 + rng.normal(0, 0.2, (12, 1)) + rng.normal(0, 0.5, (1, 50)) + rng.normal(0, 0.3, (12, 50))
        low, high = bootstrap(values, draws=400)
        held += low <= 0.3 <= high
    assert 50 <= held <= 60


def test_what_is_shipped_resolves_and_arms_differ_only_as_they_say() -> None:
    base, tests, ablations = ablation.known()
    assert set(ablations) == {
        "zeroverse-mix", "height-field", "boolean", "augmentations", "wireframe", "complexity", "primitive-count", "lighting",
        "curriculum",
        "detail", "nirne", "nirne-noise", "stability", "vae-terms", "vae-sharp", "flow-skip", "flow-objective",
        "flow-order", "flow-moe", "norld-lambda", "norld-bridge", "curation", "zero-to-hero", "filter-multi-views",
        "filter-map-views",
    }  # fmt: skip
    for name, body in ablations.items():
        plan = ablation.plan(name, body, base, tests, ablation.Budget())
        for trial in plan.trials:
            assert trial.pipeline.shards.splits == (1, 0, 0)
            assert trial.pipeline.render.width >= trial.family.needs(trial.recipe).resolution
        kinds = {(t.data, t.run, t.judging.model_dump_json()) for t in plan.trials}
        assert len(kinds) == len(plan.trials), f"two arms of {name} are the same"
        assert all(p.run.seed == plan.budget.dataset_seed + 1 for p in plan.tests.values())
        assert all(p.shards.splits == (0, 0, 1) for p in plan.tests.values())


def test_settings_of_every_arm_give_way_to_an_arms_own() -> None:
    base, tests, bodies = ablation.known()
    budget = ablation.Budget(train={"skips": False, "width": 64})
    plan = ablation.plan("flow-skip", bodies["flow-skip"], base, tests, budget)
    assert [(t.recipe.skips, t.recipe.width) for t in plan.trials] == [(True, 64), (False, 64)]
    with pytest.raises(ConfigError, match="nonsense"):
        ablation.plan("flow-skip", bodies["flow-skip"], base, tests, ablation.Budget(train={"nonsense": 1}))


OWN = """
base:
  pipeline: base
  set:
    sources.zeroverse: {texture_size: 16, composition: raw}
    curate.resolution: 32
    render.cameras.views: 5
    fields: {surface_points: 64, sharp_points: 0, near_points: 0, sharp_near_points: 0, volume_points: 0, voxel_resolution: 8}
tests:
  zeroverse: {}
ablations:
  count:
    question: "one or more?"
    arms:
      one: {set: {sources.zeroverse.count_weights: [1]}}
      two/more: {set: {sources.zeroverse.count_weights: [0, 1, 1]}}
      wild: {train: {lr: 1.0e+20}}
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "judged", "baselines"),
    [
        (GAUSSIANS, "assets per arm. Scores: PSNR in dB.", {"mean image", "nearest view", "visual hull"}),
        (MONOCULAR, "assets per arm. Scores: normal error in degrees, lower", {"facing the camera"}),
    ],
)
def test_an_ablation_runs_to_the_end_and_goes_on_with_more_seeds(
    family: Family, judged: str, baselines: set[str], mill_here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "run", mill_here)
    monkeypatch.setitem(family.presets, "micro", family.presets["micro"].model_copy(update={"batch": 2}))
    (tmp_path / "own.yaml").write_text(OWN)
    out = tmp_path / "out"

    def go(seeds: int, assets: int = 3) -> Outcome:
        budget = ablation.Budget(family=family.name, steps=3, seeds=seeds, assets=assets, test_assets=2)
        return ablation.ablate("count", out, budget, tmp_path / "own.yaml", device="cpu")

    first = go(1)
    kept = {path: path.read_bytes() for path in out.glob("scores/*/seed-0.json")}
    assert len(kept) == 3
    assert 1 <= first.objects <= 3
    assert all(c.verdict.startswith("not tested") for c in first.comparisons)
    assert first.diverged["wild"].keys() == {0}
    assert first.scores["zeroverse"][family.metric.key]["wild"] == [None]
    result = go(2)
    assert {path: path.read_bytes() for path in kept} == kept
    now, before = (outcome.scores["zeroverse"][family.metric.key] for outcome in (result, first))
    assert [len(now[arm]) for arm in ("one", "two/more")] == [2, 2]
    assert now["one"][0] == before["one"][0]
    assert result.metrics == (family.metric,)
    assert set(result.baselines["zeroverse"]) == baselines
    saved = json.loads((out / "ablation.json").read_text())
    assert saved["name"] == "count"
    assert saved["metrics"] == [asdict(family.metric)]
    page = (out / "table.md").read_text()
    assert "not tested (2 of 3 seeds)" in page
    assert "two/more" in page
    assert judged in page
    assert (out / "plot.png").stat().st_size > 5000
    with pytest.raises(ConfigError, match="another budget"):
        go(2, assets=5)


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'boolean'"):
        ablation.ablate("bolean", tmp_path / "out")
    (tmp_path / "own.yaml").write_text("ablations: {x: {question: y, arms: {a: {sett: {}}, b: {}}}}")
    with pytest.raises(ConfigError, match="sett"):
        ablation.ablate("x", tmp_path / "out", file=tmp_path / "own.yaml")
    with pytest.raises(ConfigError, match="seeds"):
        ablation.budget(seeds=0)
    (tmp_path / "own.yaml").write_text("ablations: {x: {question: y, arms: {a: {}, b: {family: monocular}}}}")
    with pytest.raises(ConfigError, match="judged by PSNR and normal error"):
        ablation.ablate("x", tmp_path / "out", file=tmp_path / "own.yaml")
    assert not (tmp_path / "out").exists()


ARMS = """
ablations:
  model-and-sampler:
    question: "what differs?"
    arms:
      plain: {}
      no depth: {train: {depth: 0.0}}
      eight views: {judge: {views: 8}}
      other data: {set: {sources.zeroverse.texture_size: 32}}
"""


def test_arms_share_what_they_do_not_differ_in(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(ARMS)
    base, tests, ablations = ablation.known(tmp_path / "own.yaml")
    plan = ablation.plan("x", ablations["model-and-sampler"], base, tests, ablation.Budget())
    assert [t.data for t in plan.trials] == ["plain", "plain", "plain", "other data"]
    assert [t.run for t in plan.trials] == ["plain", "no depth", "plain", "other data"]
    assert [t.judging.views for t in plan.trials] == [4, 4, 8, 4]
    assert plan.trials[1].recipe.depth == 0
    with pytest.raises(ConfigError, match=r"views.*got 5"):
        ablation.plan("x", ablations["model-and-sampler"], base, tests, ablation.Budget(judging={"views": 5}))


@pytest.mark.slow
def test_model_and_sampler_arms_train_and_mill_only_what_differs(
    mill_here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "run", mill_here)
    arms = ARMS.replace("ablations:", OWN[: OWN.index("ablations:")].replace("views: 5", "views: 9") + "ablations:")
    (tmp_path / "own.yaml").write_text(arms)
    budget = ablation.Budget(steps=2, seeds=2, assets=3, test_assets=2)
    outcome = ablation.ablate("model-and-sampler", tmp_path / "out", budget, tmp_path / "own.yaml", device="cpu")
    assert sorted(p.name for p in (tmp_path / "out" / "data").iterdir()) == ["other_data", "plain", "test-zeroverse"]
    assert sorted(p.name for p in (tmp_path / "out" / "runs").iterdir()) == ["no_depth", "other_data", "plain"]
    scores = outcome.scores["zeroverse"]["psnr"]
    assert all(len(runs) == 2 and None not in runs for runs in scores.values())
    assert scores["plain"] != scores["eight views"]  # one network, asked in two ways


LIVE = """
base:
  pipeline: base
  set:
    sources.zeroverse: {preset: level-9, count_weights: [1, 1], texture_size: 16, triangles: 2000}
    curate.resolution: 32
    render.cameras.views: 5
    fields: {surface_points: 64, sharp_points: 0, near_points: 0, sharp_near_points: 0, volume_points: 0, voxel_resolution: 8}
    live.ahead: 2
    live.curriculum: {every: 1, held_out: 1}
tests:
  zeroverse: {}
ablations:
  draws:
    question: "fixed, fresh, or by error?"
    arms:
      fixed: {}
      fresh: {draw: live}
      by error: {draw: curriculum}
"""


@pytest.mark.slow
def test_arms_may_mill_while_they_train(mill_here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "run", mill_here)
    monkeypatch.setattr(live, "train", partial(live.train, here=True))
    monkeypatch.setitem(GAUSSIANS.presets, "micro", GAUSSIANS.presets["micro"].model_copy(update={"batch": 2}))
    (tmp_path / "own.yaml").write_text(LIVE)
    budget = ablation.Budget(steps=3, seeds=1, assets=3, test_assets=2)
    outcome = ablation.ablate("draws", tmp_path / "out", budget, tmp_path / "own.yaml", device="cpu")
    runs = {arm: tmp_path / "out" / "runs" / arm / "seed-0" for arm in ("fixed", "fresh", "by_error")}
    first = {arm: json.loads((run / "metrics.jsonl").read_text().splitlines()[0])["loss"] for arm, run in runs.items()}
    assert len(set(first.values())) == 3  # the first batch alone differs already
    assert [(run / "curriculum.jsonl").exists() for run in runs.values()] == [False, False, True]
    drawn = {
        (draw["seed"], draw["index"]) for draw in map(json.loads, (runs["fresh"] / "draws.jsonl").read_text().splitlines())
    }
    assert outcome.drawn["fresh"] == [len(drawn)]
    assert outcome.drawn.keys() == {"fresh", "by error"}
    page = (tmp_path / "out" / "table.md").read_text()
    assert (
        f"Arms whose assets were milled while they trained drew as many different ones, by seed: fresh: {len(drawn)};" in page
    )
