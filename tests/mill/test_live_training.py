"""Training on live data: the losses of shards of the same indices, resuming, the curriculum and its record."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from versemill import seeds
from versemill.errors import ConfigError, VersemillError
from versemill.generation.shapes.families import SHAPE_FLOW
from versemill.mill.live import training
from versemill.mill.live.curriculum import MEASUREMENTS, Curriculum, reweighted
from versemill.mill.live.draws import epoch_seed
from versemill.mill.live.record import DRAWS, read
from versemill.mill.pipeline import config
from versemill.reconstruction import GAUSSIANS
from versemill.training.batches import Ordered
from versemill.training.loop import State, fit
from versemill.training.runs import RECORDS
from versemill.training.scenes import Scenes


class StopError(Exception):
    pass


def boxes(*more, assets=6, seed=4):
    """A pipeline of real assets, as cheap as they get: one plain primitive, five views at 16 pixels."""
    none = dict.fromkeys(("sharp_points", "near_points", "sharp_near_points", "volume_points"), 0)
    fields = json.dumps({"surface_points": 64, **none, "voxel_resolution": 8})
    own = [
        "sources.zeroverse={preset: level-9, count_weights: [1, 1], texture_size: 16, triangles: 2000}",
        "curate.resolution=32", f"fields={fields}", "shards.splits=[1,0,0]",
        "render.width=16", "render.height=16", "render.quality=fast", "render.cameras.views=5",
    ]  # fmt: skip
    return config.load("base", overrides=[*own, *more], assets=assets, seed=seed)


def records(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / RECORDS).read_text().splitlines()]


class Played(Ordered):
    """The rows of sealed datasets in the order of a record of draws."""

    def __init__(self, draws, datasets: dict[int, Scenes]) -> None:
        self.draws, self.datasets = draws, datasets
        self.indices: list[int] = []

    def __len__(self) -> int:
        return len(self.draws)

    def __getitem__(self, position: int) -> Any:
        draw = self.draws[position]
        scenes = self.datasets[draw.epoch]
        return scenes[scenes.indices.index(draw.index)]


def test_losses_are_those_of_shards_of_the_same_indices(toy_preset, mill_here, tmp_path) -> None:
    """To the bit: the rows are the same, and so is what is drawn of them. Two epochs, each next to the dataset of its seed."""
    pipeline = boxes()
    recipe = toy_preset.model_copy(update={"steps": 5})
    summary = training.train(GAUSSIANS, pipeline, recipe, tmp_path / "live", 3, "cpu", here=True)
    draws = read(tmp_path / "live" / DRAWS)
    assert sorted(draws) == list(range(10))
    assert {draw.epoch for draw in draws.values()} == {0, 1}
    datasets = {}
    for epoch in (0, 1):
        mill_here(boxes(seed=epoch_seed(4, epoch)), tmp_path / f"epoch-{epoch}")
        datasets[epoch] = Scenes(tmp_path / f"epoch-{epoch}", ("train",), recipe.size, keep=True)
    fit(GAUSSIANS, Played(draws, datasets), recipe, tmp_path / "shards", 3, "cpu")
    assert records(tmp_path / "live") == records(tmp_path / "shards")
    assert summary["live"]["drawn"] == 10
    assert summary["objects"] == 6
    assert 0 < summary["wait_share"] < 1
    assert config.load(pipeline.name, tmp_path / "live" / "pipeline.yaml").digest == pipeline.digest
    # Another pipeline, or a dataset, does not go on with the run.
    with pytest.raises(ConfigError, match="another origin"):
        training.train(GAUSSIANS, boxes(seed=5), recipe, tmp_path / "live", 3, "cpu", here=True)
    with pytest.raises(ConfigError, match="another origin"):
        fit(GAUSSIANS, Played(draws, datasets), recipe, tmp_path / "live", 3, "cpu")


def curriculum_pipeline(*more):
    own = ["live.ahead=3", "live.curriculum={every: 2, held_out: 1, strength: 2.0, bound: 2.0}"]
    return boxes(*own, *more, assets=8)


@pytest.fixture(scope="module")
def taught(toy_preset, tmp_path_factory) -> tuple[Path, Any]:
    """A run of eight steps with a curriculum, undisturbed."""
    out = tmp_path_factory.mktemp("taught")
    recipe = toy_preset.model_copy(update={"steps": 8, "save_every": 3, "batch": 2})
    training.train(GAUSSIANS, curriculum_pipeline(), recipe, out, 0, "cpu", here=True, curriculum=True)
    return out, recipe


def measurements(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / MEASUREMENTS).read_text().splitlines()]


def test_the_draws_of_a_curriculum_follow_from_its_record(taught) -> None:
    """By a direct formula: the part at each position is the share that the index's stratified draw falls into."""
    out, _ = taught
    lines = measurements(out)
    assert [line["step"] for line in lines] == [2, 4, 6]
    assert [line["position"] for line in lines] == [2 * 2 + 3, 4 * 2 + 3, 6 * 2 + 3]
    parts = Curriculum(curriculum_pipeline(), 2, out).parts
    base = {part.name: part.share for part in parts}
    assert set(base) == set(lines[0]["shares"]) == {
        f"zeroverse: {augmentation}, {count}"
        for augmentation in ("boolean", "no augmentation") for count in ("1 primitive", "2 primitives")
    }  # fmt: skip
    for draw in read(out / DRAWS).values():
        known = [line["shares"] for line in lines if line["position"] <= draw.position]
        shares = known[-1] if known else base
        where = float(seeds.spread(draw.seed, draw.index, "mill/sources"))
        edges = np.cumsum(list(shares.values()))
        names = list(shares)
        assert draw.part == names[min(int(np.searchsorted(edges, where * edges[-1], side="right")), len(names) - 1)]
    for line in lines:
        errors, shares = (np.array(list(line[key].values())) for key in ("errors", "shares"))
        np.testing.assert_allclose(shares, reweighted(np.array(list(base.values())), errors, 2.0, 2.0), rtol=0, atol=0)


def test_a_stopped_curriculum_resumes_to_the_same_draws_and_losses(taught, tmp_path) -> None:
    out, recipe = taught

    def stop(step: int, total: int, record: dict[str, float]) -> None:
        if step == 5:
            raise StopError

    arguments = (GAUSSIANS, curriculum_pipeline(), recipe, tmp_path, 0, "cpu")
    with pytest.raises(StopError):
        training.train(*arguments, stop, here=True, curriculum=True)
    assert len(records(tmp_path)) <= 5
    training.train(*arguments, here=True, curriculum=True)
    for name in (RECORDS, DRAWS, MEASUREMENTS):
        assert (tmp_path / name).read_bytes() == (out / name).read_bytes(), name


def test_a_record_replays_the_draws_without_measuring(taught, tmp_path) -> None:
    out, recipe = taught
    replay = {"here": True, "draws": out / DRAWS}
    training.train(GAUSSIANS, curriculum_pipeline(), recipe, tmp_path / "again", 0, "cpu", **replay)
    for name in (RECORDS, DRAWS):
        assert (tmp_path / "again" / name).read_bytes() == (out / name).read_bytes(), name
    assert not (tmp_path / "again" / MEASUREMENTS).exists()
    longer = recipe.model_copy(update={"steps": 9})
    with pytest.raises(ConfigError, match="holds 16 draws, and 9 steps need 18"):
        training.train(GAUSSIANS, curriculum_pipeline(), longer, tmp_path / "longer", 0, "cpu", **replay)
    with pytest.raises(ConfigError, match="leave --curriculum or --draws out"):
        training.train(GAUSSIANS, curriculum_pipeline(), recipe, tmp_path / "both", 0, "cpu", curriculum=True, **replay)
    other = curriculum_pipeline("sources.zeroverse=null", "sources.mine={source: zeroverse}")
    with pytest.raises(ConfigError, match=r"draws from 'zeroverse: .*', which this pipeline does not have"):
        training.train(GAUSSIANS, other, recipe, tmp_path / "other", 0, "cpu", **replay)


def test_what_can_not_be_trained_live_is_refused_before_anything_is_milled(toy_preset, tmp_path, monkeypatch) -> None:
    def refused(match: str, family=GAUSSIANS, pipeline=None, recipe=toy_preset, **options) -> None:
        with pytest.raises(ConfigError, match=match):
            training.train(family, pipeline or boxes(), recipe, tmp_path / "run", 0, "cpu", here=True, **options)

    refused("family 'shape-flow' trains on more than an asset's own row", SHAPE_FLOW, recipe=None)
    refused(r"needs the pass 'depth': --live-set render.passes=\[rgb, depth\]", pipeline=boxes("render.passes=[rgb]"))
    refused("needs square views of 32 pixels or more", recipe=toy_preset.model_copy(update={"size": 32}))
    refused("needs 6 views, not 5", recipe=toy_preset.model_copy(update={"input_views": 5}))
    refused("has one part alone", pipeline=boxes("sources.zeroverse={preset: level-1, count_weights: [1]}"), curriculum=True)
    (tmp_path / "a.obj").write_text("v 0 0 0\n")
    folder = boxes("sources.zeroverse=null", f"sources.files.path={tmp_path}", assets=1)
    refused("source 'files' is a folder of files", pipeline=folder, curriculum=True)
    monkeypatch.setenv("WORLD_SIZE", "2")
    refused("measured by one training process", curriculum=True)


def test_shares_are_not_known_before_their_errors(tmp_path) -> None:
    course = Curriculum(curriculum_pipeline(), 2, tmp_path)
    np.testing.assert_allclose(course.shares(6), [part.share for part in course.parts])
    with pytest.raises(VersemillError, match="position 7 was drawn before the errors of step 2"):
        course.shares(7)
    with pytest.raises(VersemillError, match=r"held-out error of 'zeroverse: .*' is nan"):
        course.measured(2, np.full(len(course.parts), np.nan))


POSITIVE = st.floats(0.01, 1.0)


@given(data=st.data(), strength=st.floats(0, 4), bound=st.floats(1, 8))
def test_shares_stay_within_bounds_and_follow_the_errors(data, strength, bound) -> None:
    """The conditions that the formula's result alone fulfils."""
    raw = np.array(data.draw(st.lists(POSITIVE, min_size=2, max_size=8)))
    errors = np.array(data.draw(st.lists(st.one_of(st.just(0.0), POSITIVE), min_size=len(raw), max_size=len(raw))))
    shares = raw / raw.sum()
    result = reweighted(shares, errors, strength, bound)
    assert result.sum() == pytest.approx(1, abs=1e-9)
    assert (result <= shares * bound * (1 + 1e-12)).all()
    assert (result >= shares / bound * (1 - 1e-12)).all()
    if not errors.any():
        return
    pull = np.maximum((errors / (shares * errors).sum()) ** strength, 1e-9)
    ratio = result / shares
    free = (ratio > 1 / bound * (1 + 1e-9)) & (ratio < bound * (1 - 1e-9))
    if free.any():  # one number for all that no bound holds
        scale = ratio[free] / pull[free]
        np.testing.assert_allclose(scale, scale[0], rtol=1e-6)
        assert (scale[0] * pull[ratio <= 1 / bound] <= 1 / bound * (1 + 1e-6)).all()
        assert (scale[0] * pull[ratio >= bound] >= bound * (1 - 1e-6)).all()
    order = np.argsort(errors)
    assert (np.diff(ratio[order]) >= -1e-9).all()  # a larger error never has a smaller ratio


def test_shares_by_hand() -> None:
    even = np.full(4, 0.25)
    np.testing.assert_allclose(reweighted(even, np.array([1, 1, 1, 1.0]), 1, 4), even)
    np.testing.assert_allclose(reweighted(even, np.array([1, 1, 1, 5.0]), 1, 4), [0.125, 0.125, 0.125, 0.625])
    np.testing.assert_allclose(reweighted(even, np.array([1, 1, 1, 5.0]), 0, 4), even)
    np.testing.assert_allclose(reweighted(even, np.array([0, 0, 0, 5.0]), 1, 2), [1 / 6, 1 / 6, 1 / 6, 0.5])
    np.testing.assert_allclose(reweighted(even, np.array([1, 1, 1, 5.0]), 1, 1), even)


def test_an_objective_is_judged_without_moving_anything(toy_preset, balls) -> None:
    state = State(GAUSSIANS, toy_preset, 0, torch.device("cpu"))
    batch = GAUSSIANS.batches(balls, toy_preset, 0, 0, 1)[0]
    before = {name: value.clone() for name, value in state.average.state_dict().items()}
    first = state.error(batch)
    assert state.error(batch) == first > 0
    torch.testing.assert_close(state.average.state_dict(), before, rtol=0, atol=0)
    assert all(p.grad is None for p in state.average.parameters())
    # At the start the average is the network: its objective is the first step's loss.
    assert state.advance(batch)["loss"] == pytest.approx(first, rel=1e-6)
