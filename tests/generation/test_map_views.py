"""Views of part maps: maps as pictures, examples, what is judged, and the command."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pyarrow import fs as pafs
from typer.testing import CliRunner
from view_networks import MAPS, awake

from versemill import seeds, shards, training
from versemill.curated import Curated
from versemill.errors import ConfigError
from versemill.generation import MAP_VIEWS
from versemill.generation.views import data, judging
from versemill.generation.views.maps import BACKGROUND, PALETTE, painted, read_map, thinned
from versemill.generation.views.network import NovelViews
from versemill.generation.views.sampler import Sampling, draw
from versemill.generation.views.zero_to_hero import Filtering
from versemill.mill.cli import app
from versemill.mill.proof import ablation
from versemill.render import CameraConfig, RenderConfig, render
from versemill.training.loop import train

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def part_dataset(tmp_path_factory, boxes):
    """Boxes whose sides are parts, with part maps: 4 for training, one each for val and test; 6 views of 48 x 48."""
    folder = tmp_path_factory.mktemp("parts")
    (folder / "shards").mkdir()
    config = RenderConfig(width=48, height=48, quality="fast", cameras=CameraConfig(views=6), passes=("rgb", "mask", "part"))
    rows = []
    for asset, split in zip(boxes, ("train", "train", "val", "train", "test", "train"), strict=True):
        sides = dataclasses.replace(asset, part_ids=asset.material_ids, part_names=tuple(f"side {k}" for k in range(6)))
        rows.append(
            shards.encode_row(
                Curated(sides, sides.vertices, sides.faces), render(sides, config), None,
                config=shards.ShardsConfig(), digest="d", fingerprint="f", split=split,
            )
        )  # fmt: skip
    shards.seal(pafs.LocalFileSystem(), str(folder / "shards" / "shard-000000.parquet"), rows, {})
    return folder


@pytest.fixture(scope="module")
def parts_seen(part_dataset):
    return data.SeenViews(part_dataset, ("train",), MAPS, None, False)


@pytest.fixture(scope="module")
def run(part_dataset, tmp_path_factory):
    out = tmp_path_factory.mktemp("maps")
    train(MAP_VIEWS, part_dataset, MAPS, out, device="cpu")
    return out


@given(st.lists(st.integers(-1, 12), min_size=36, max_size=36), st.permutations(range(13)))
def test_colours_follow_area_and_not_a_parts_number(cells, order):
    ids = torch.tensor(cells).reshape(1, 6, 6)
    picture = painted(ids)[0].permute(1, 2, 0).reshape(-1, 3)
    flat = ids.flatten()
    assert (picture[flat == BACKGROUND] == 255).all()
    areas = {k: int((flat == k).sum()) for k in flat.unique().tolist() if k != BACKGROUND}
    ranks = {}
    for k in areas:
        colours = picture[flat == k].unique(dim=0)
        assert len(colours) == 1
        ranks[k] = [tuple(c) for c in PALETTE.tolist()].index(tuple(colours[0].tolist()))
    for a in areas:
        for b in areas:
            if areas[a] > areas[b]:
                assert ranks[a] < ranks[b] or ranks[a] == ranks[b] == len(PALETTE) - 1
    if len(set(areas.values())) == len(areas):  # without ties, other numbers give the same picture
        renumbered = torch.where(ids == BACKGROUND, ids, torch.tensor([*order, BACKGROUND])[ids])
        assert torch.equal(painted(renumbered), painted(ids))


def test_ids_are_thinned_to_the_middle_of_each_pixel():
    ids = torch.arange(36).reshape(1, 6, 6)
    assert torch.equal(thinned(ids, 2)[0], torch.tensor([[7, 10], [25, 28]]))
    assert torch.equal(thinned(ids, 6), ids)


def test_maps_lie_on_their_views(parts_seen):
    """Where a map shows a part the view shows something, and within a part the view has one colour but for shading."""
    item = parts_seen[0]
    shown = (item.maps < 255).any(1)
    alpha = item.rgba[:, 3] / 255.0
    assert shown[alpha == 1].all()
    assert not shown[alpha == 0].any()
    assert float((shown == (alpha > 0.5)).float().mean()) > 0.98
    assert len(item.maps[0].flatten(1).T.unique(dim=0)) >= 3
    view = item.pictures([0])[0]
    for colour in item.maps[0].flatten(1).T.unique(dim=0):
        inside = (item.maps[0] == colour[:, None, None]).all(0) & (alpha[0] > 0.99)
        if colour.min() < 255 and inside.sum() > 4:
            assert view[:, inside].std(1).max() < 0.12


def test_an_example_is_a_map_and_its_view(parts_seen):
    recipe = MAPS.model_copy(update={"permute": True})
    for number in range(20):
        item = parts_seen[number % 4]
        made = data.example(item, recipe, seeds.stream(0, number, "test"), 0.3)
        view = int((item.shown(range(6)) - made.source).square().mean((1, 2, 3)).argmin())
        torch.testing.assert_close(made.source, item.shown([view])[0])
        torch.testing.assert_close(made.target[0].sum(0), item.pictures([view])[0].sum(0))  # colour channels are permuted
        torch.testing.assert_close(made.c2w, item.c2w[[view, view]])


def test_each_target_is_drawn_from_its_own_map(part_dataset):
    held = data.SeenViews(part_dataset, ("val",), MAPS, None, True)
    settings = judging.ViewsJudging(poses=3, seeds=2, sampling=Sampling(steps=2))
    case = judging.case_of(held[0], settings)
    network = awake(NovelViews(MAPS))
    views = judging.drawn(network, [case], settings, CPU)[0]
    assert views.shape == (2, 3, 3, 16, 16)
    noise = judging.noise_of([case.seen.index], [1], (3, 3, 16, 16), CPU)()[0]
    for k in range(3):
        view = case.views[1 + k]
        cameras = (m[None, [view, view]] for m in (case.seen.c2w, case.seen.K))
        alone = draw(network, case.seen.shown([view]), *cameras, lambda k=k: noise[None, k : k + 1], settings.sampling)
        torch.testing.assert_close(views[1, k], alone[0, 0], atol=1e-5, rtol=1e-4)


def test_the_nearest_training_map_of_a_training_object_is_its_own(parts_seen):
    case = judging.case_of(parts_seen[1], judging.ViewsJudging(poses=4))
    plain = judging.plain_answers(case, parts_seen)
    torch.testing.assert_close(plain[judging.NEAREST], case.targets)
    torch.testing.assert_close(plain[judging.COPY], case.seen.shown(case.views[1:]))


def test_it_is_trained_and_judged(run, part_dataset, box_dataset):
    settings = judging.ViewsJudging(poses=3, seeds=2, sampling=Sampling(schedule="hourglass", rounds=2, filtering=Filtering()))
    outcome = training.evaluate(MAP_VIEWS, run, part_dataset, judging=settings, device="cpu")
    assert list(outcome.summary) == ["model", judging.REGRESSION, judging.COPY, judging.MEAN, judging.NEAREST]
    assert Image.open(outcome.files["sheet"][0]).width > 400
    settings = settings.model_copy(update={"sampling": Sampling(mutual_until=0.6)})
    with pytest.raises(ConfigError, match="not for multi-views and map-views"):
        training.evaluate(MAP_VIEWS, run, part_dataset, judging=settings, device="cpu")
    with pytest.raises(ConfigError, match="needs the pass 'part'"):
        train(MAP_VIEWS, box_dataset, MAPS, run.parent / "none", device="cpu")
    with pytest.raises(ConfigError, match="a map is of one view"):
        type(MAPS)(**{**MAPS.model_dump(), "targets": 2})


def command(*arguments):
    answer = CliRunner().invoke(app, ["views", *map(str, arguments), "--device", "cpu"])
    if answer.exception is not None and not isinstance(answer.exception, SystemExit):
        raise answer.exception
    return answer.stdout


def test_the_command_draws_the_view_of_a_map_whatever_its_colours(run, tmp_path):
    pixels = np.full((32, 32, 3), 255, np.uint8)
    pixels[4:20, 6:26], pixels[20:28, 6:26] = (10, 20, 30), (200, 0, 0)
    other = pixels.copy()
    other[4:20, 6:26], other[20:28, 6:26] = (0, 255, 0), (9, 9, 9)
    answers = []
    for name, drawing in (("one", pixels), ("other", other)):
        Image.fromarray(drawing).save(tmp_path / f"{name}.png")
        said = command(run, "--image", tmp_path / f"{name}.png", "--filter", "amf", "--out", tmp_path / name)
        assert "66 calls" in said
        answers.append(np.asarray(Image.open(tmp_path / name / "view.png")))
    assert (answers[0] == answers[1]).all()
    assert set(map(tuple, read_map(tmp_path / "one.png", 16).flatten(1).T.mul(255).round().int().tolist())) == {
        (255, 255, 255), tuple(PALETTE[0].tolist()), tuple(PALETTE[1].tolist()),
    }  # fmt: skip
    with pytest.raises(ConfigError, match="leave --azimuth and --turntable out"):
        command(run, "--image", tmp_path / "one.png", "--azimuth", "30", "--out", tmp_path / "no")
    with pytest.raises(ConfigError, match="not for multi-views and map-views"):
        command(run, "--image", tmp_path / "one.png", "--filter", "zero-to-hero", "--out", tmp_path / "no")
    with pytest.raises(ConfigError, match="take none, zero-to-hero, amf"):
        command(run, "--image", tmp_path / "one.png", "--filter", "hero", "--out", tmp_path / "no")


def test_what_is_no_map_is_refused(tmp_path):
    rng = np.random.default_rng(0)
    for name, pixels, words in (
        ("photo", rng.integers(0, 200, (32, 32, 3), np.uint8), "colours that are not white; a map has a flat colour"),
        ("white", np.full((32, 32, 3), 255, np.uint8), "0 colours that are not white"),
        ("small", np.zeros((8, 8, 3), np.uint8), "at least 16"),
        ("wide", np.zeros((20, 40, 3), np.uint8), "40 x 20"),
    ):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
        with pytest.raises(ConfigError, match=words):
            read_map(tmp_path / f"{name}.png", 16)


def test_its_ablation_mills_part_maps_and_trains_once():
    base, tests, known = ablation.known()
    plan = ablation.plan("filter-map-views", known["filter-map-views"], base, tests, ablation.budget())
    assert len({trial.run for trial in plan.trials}) == len({trial.data for trial in plan.trials}) == 1
    assert "part" in plan.trials[0].pipeline.render.passes
    assert [trial.judging.sampling.evaluations for trial in plan.trials] == [66, 66]
    assert [trial.judging.sampling.filtering is None for trial in plan.trials] == [True, False]
