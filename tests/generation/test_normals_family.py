"""The family `normals` on shards: training, exact resume, evaluation, photographs, meshes, and the command."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch
from PIL import Image
from torch import distributed
from typer.testing import CliRunner

from versemill import training
from versemill.errors import ConfigError
from versemill.generation.normals import photographs
from versemill.generation.normals.data import ViewSet
from versemill.generation.normals.family import NORMALS
from versemill.generation.normals.presets import NormalsRecipe
from versemill.mill.cli import app
from versemill.mill.pipeline.models import FAMILIES
from versemill.mill.proof import ablation
from versemill.training.loop import State, train, try_step
from versemill.training.processes import Team
from versemill.training.runs import RECORDS, load

CPU = torch.device("cpu")
TOY = NormalsRecipe(
    name="toy", hardware="any", time="seconds", expected="nothing", view=32, crop=16, widths=(8, 16), decoder=(8,), steps=6,
    batch=2, optimizer="muon", lr=1e-3, warmup=2, clean=0.5, clean_source="", save_every=2, amp="off", divergence=1e6,
)  # fmt: skip


@pytest.fixture(scope="module")
def run(box_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("normals")
    train(NORMALS, box_dataset, TOY, out, device="cpu")
    return out


def test_views_are_those_of_the_shards(box_dataset):
    views = ViewSet(box_dataset, ("train", "val"), TOY, None, keep=True)
    assert len(views) == 5
    first = views[0]
    assert first is views[0]
    assert first.rgba.shape == (6, 4, 32, 32)
    assert first.source
    length = np.linalg.norm(first.normal.astype(np.float64), axis=1)
    known = length > 0
    np.testing.assert_allclose(length[known], 1, atol=2e-3)
    # Camera-space normals of visible sides point towards the camera, within the field of view.
    assert (first.normal[:, 2][known] < 0.5).all()
    assert first.normal[:, 2][known].mean() < -0.5
    assert ViewSet(box_dataset, ("train",), TOY, {first.index}, keep=False).indices == [first.index]
    mean = views.mean_normal
    direct = sum(v.normal.astype(np.float64).sum((0, 2, 3)) for v in views)
    np.testing.assert_allclose(mean, direct / np.linalg.norm(direct), atol=1e-5)


def test_too_small_views_are_refused(box_dataset):
    with pytest.raises(ConfigError, match="32 x 32 pixels; preset tiny needs square ones of 256"):
        train(NORMALS, box_dataset, "tiny", box_dataset / "no", device="cpu")


def test_a_stopped_training_goes_on_exactly_across_the_stages(box_dataset, tmp_path):
    family = dataclasses.replace(NORMALS, preview=None)
    train(family, box_dataset, TOY, tmp_path / "whole", device="cpu")
    for stop_at in (3, 5):  # in the first stage and in the second; both past a checkpoint

        def stop(step, count, record, stop_at=stop_at):
            if step == stop_at:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            train(family, box_dataset, TOY, tmp_path / "parts", device="cpu", progress=stop)
    train(family, box_dataset, TOY, tmp_path / "parts", device="cpu")
    assert (tmp_path / "parts" / RECORDS).read_text() == (tmp_path / "whole" / RECORDS).read_text()
    one, two = (load(NORMALS, tmp_path / name, CPU)[0].state_dict() for name in ("whole", "parts"))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_training_twice_gives_the_same_records_and_another_seed_others(box_dataset, tmp_path, run):
    train(NORMALS, box_dataset, TOY, tmp_path / "again", device="cpu")
    assert (tmp_path / "again" / RECORDS).read_text() == (run / RECORDS).read_text()
    train(NORMALS, box_dataset, TOY, tmp_path / "other", seed=1, device="cpu")
    assert (tmp_path / "other" / RECORDS).read_text() != (run / RECORDS).read_text()


def test_the_frozen_stage_trains_in_a_group_of_processes(box_dataset, tmp_path):
    """Distributed training waits for every gradient unless it knows that some do not come. The group here is this process."""
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/group", rank=0, world_size=1)
    try:
        state = State(NORMALS, TOY, 0, CPU, team=Team(0, 2))
        batches = NORMALS.batches(ViewSet(box_dataset, ("train",), TOY, None, keep=True), TOY, 0, 0, 1)
        for step in (0, 3, 4):
            before = {name: p.clone() for name, p in state.network.named_parameters()}
            state.advance(batches[step])
            moved = {name for name, p in state.network.named_parameters() if not torch.equal(p, before[name])}
            assert any(name.startswith("noisy.") for name in moved)
            assert any(name.startswith("clean.") for name in moved) == (step == 0)
    finally:
        distributed.destroy_process_group()


def test_one_step_of_the_smallest_preset():
    assert "trained one step of preset micro" in try_step(NORMALS, "cpu")


def test_an_evaluation_has_every_method_metric_and_picture(box_dataset, run, tmp_path):
    (tmp_path / "case").mkdir()
    _write_case(tmp_path / "case")
    judging = NORMALS.judging(views=2, against=str(run), photographs=str(tmp_path))
    result = training.evaluate(NORMALS, run, box_dataset, judging=judging, device="cpu", out=tmp_path / "out")
    assert list(result.summary) == ["model", "untrained model", "the other run", "facing the camera", "mean normal"]
    for values in result.summary.values():
        assert set(values) == {m.key for m in NORMALS.metrics}
    assert result.summary["the other run"] == result.summary["model"]
    for metric in NORMALS.metrics:  # a fresh network says that everything faces the camera
        assert result.summary["untrained model"][metric.key] == pytest.approx(
            result.summary["facing the camera"][metric.key], abs=1e-3
        )
    page = Path(result.table).read_text()
    for words in (
        "model below facing the camera",
        "model below the other run",
        "Energy of the error",
        "Photographs of",
        "| case |",
        "| mean |",
        "The other run is",
    ):
        assert words in page
    assert Image.open(result.files["sheet"][0]).size == (5 * 32, 2 * 2 * 32)  # two objects, as rendered and as photographs
    assert (tmp_path / "out" / "photographs.png").exists()
    spectra = json.loads(Path(result.files["spectra"][0]).read_text())
    assert len(spectra["bands"]) - 1 == len(spectra["shares"]["model"])
    again = training.evaluate(NORMALS, run, box_dataset, judging=judging, device="cpu", out=tmp_path / "again")
    assert again.summary == result.summary


def test_noise_at_test_is_a_setting_and_repeats(box_dataset, run):
    case = NORMALS.case(ViewSet(box_dataset, ("val",), TOY, None, False)[0], NORMALS.judging(views=2))
    network, _ = load(NORMALS, run, CPU)
    noisy = NORMALS.judging(views=2, test_noise=True)
    plain = NORMALS.score(network, [case], NORMALS.judging(views=2), CPU)
    first, second = (NORMALS.score(network, [case], noisy, CPU) for _ in range(2))
    assert first == second
    assert first != plain


def test_meshes_are_judged_from_even_directions(run, box_dataset, boxes, tmp_path):
    result = training.evaluate_assets(
        NORMALS, run, [("a", boxes[0]), ("b", boxes[1])], box_dataset, NORMALS.judging(views=2), "cpu", tmp_path
    )
    assert [item["name"] for item in result.objects] == ["a", "b"]
    assert "meshes, 2 objects" in Path(result.table).read_text()
    case = NORMALS.mesh_case("a", boxes[0], TOY, NORMALS.judging(views=4))
    assert case.normal.shape == (4, 3, 32, 32)
    assert (case.normal[:, 2][case.known] < 0.5).all()


def test_an_object_without_sharp_pixels_is_left_out_of_that_metric_alone(run, box_dataset):
    views = ViewSet(box_dataset, ("val",), TOY, None, False)[0]
    flat = np.zeros_like(views.normal)
    flat[:, 2, 8:24, 8:24] = -1
    case = NORMALS.case(dataclasses.replace(views, normal=flat), NORMALS.judging(views=2))
    network, _ = load(NORMALS, run, CPU)
    scores = NORMALS.score(network, [case], NORMALS.judging(views=2), CPU)
    assert np.isfinite(scores["normal_error"]).all()
    assert np.isnan(scores["sharp_normal_error"]).all()


def test_the_shipped_arms_have_equal_parameters_and_steps():
    base, tests, ablations = ablation.known()
    plan = ablation.plan("nirne", ablations["nirne"], base, tests, ablation.budget(assets=2, test_assets=2))
    sizes = {}
    with torch.device("meta"):
        for trial in plan.trials:
            sizes[trial.name] = sum(p.numel() for p in trial.family.network(trial.recipe).parameters())
    assert max(sizes.values()) / min(sizes.values()) < 1.01, sizes
    assert len({(trial.recipe.steps, trial.recipe.batch, trial.recipe.crop, trial.recipe.view) for trial in plan.trials}) == 1


@pytest.mark.slow
def test_an_ablation_of_normals_judges_in_four_metrics(mill_here, monkeypatch, tmp_path):
    from versemill.mill.run import driver

    monkeypatch.setattr(driver, "run", mill_here)
    words = ("name", "hardware", "time", "expected")
    settings = {**{k: v for k, v in TOY.model_dump(mode="json").items() if k not in words}, "steps": 2}
    small = {"render.cameras.views": 1, "sources.zeroverse.texture_size": 32, "sources.detailverse": None}
    file = tmp_path / "mine.yaml"
    file.write_text(json.dumps({"ablations": {"streams": {
        "question": "two or one?", "family": "normals", "preset": "micro", "base": {"pipeline": "normals", "set": small},
        "tests": {"zeroverse": {}}, "arms": {"two": {"train": settings}, "one": {"train": {**settings, "streams": 1}}},
    }}}))  # fmt: skip
    budget = ablation.budget(seeds=1, assets=3, test_assets=2, judging={"views": 1})
    outcome = ablation.ablate("streams", tmp_path / "out", budget, file, device="cpu")
    assert outcome.metrics[0].key == "normal_error"
    assert set(outcome.baselines["zeroverse"]) == {"facing the camera", "mean normal"}
    assert "NaN" not in (tmp_path / "out" / "ablation.json").read_text()


# Photographs


def _write_case(folder: Path, size: int = 40) -> np.ndarray:
    """A ball of 16-bit photographs under two lights, DiLiGenT's way; returns its normals (H, W, 3), y up."""
    y, x = np.mgrid[:size, :size] + 0.5 - size / 2
    radius = 0.45 * size
    inside = x * x + y * y < radius**2
    z = np.sqrt(np.maximum(radius**2 - x * x - y * y, 0))
    normal = np.where(inside[..., None], np.stack([x, -y, z], -1) / radius, 0)
    Image.fromarray((inside * 255).astype(np.uint8)).save(folder / "mask.png")
    scipy.io.savemat(folder / "Normal_gt.mat", {"Normal_gt": normal})
    import cv2

    for k, light in enumerate(([0.3, 0.4, 0.86], [-0.5, 0, 0.87])):
        shade = np.clip(normal @ light, 0, 1)
        cv2.imwrite(str(folder / f"{k + 1:03d}.png"), (shade[..., None].repeat(3, -1) * 40000).astype(np.uint16))
    return normal


def test_diligents_layout_is_read(tmp_path):
    (tmp_path / "ballPNG").mkdir()
    normal = _write_case(tmp_path / "ballPNG")
    (case,) = photographs.read(tmp_path)
    assert case.name == "ballPNG"
    np.testing.assert_allclose(case.normal, (normal * [1, -1, -1]).transpose(2, 0, 1), atol=1e-6)
    np.testing.assert_array_equal(case.known, case.rgba[3] > 0.5)
    assert case.rgba[:3, 20, 20].max() > 0.7  # both lights, brought to full range
    # The same normals as numbers and as a picture of 16 bits.
    import cv2

    (tmp_path / "ballPNG" / "Normal_gt.mat").unlink()
    np.save(tmp_path / "ballPNG" / "normal.npy", normal)
    (again,) = photographs.read(tmp_path)
    np.testing.assert_allclose(again.normal, case.normal, atol=1e-6)
    (tmp_path / "ballPNG" / "normal.npy").unlink()
    coded = ((normal + 1) / 2 * 65535).round().astype(np.uint16)
    cv2.imwrite(str(tmp_path / "ballPNG" / "normal.png"), coded[..., ::-1])
    (picture,) = photographs.read(tmp_path)
    np.testing.assert_allclose(picture.normal, case.normal, atol=1e-3)


def test_what_is_no_case_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"no folder in it has a mask\.png"):
        photographs.read(tmp_path)
    case = tmp_path / "case"
    case.mkdir()
    _write_case(case)

    def refused(words):
        with pytest.raises(ConfigError, match=words):
            list(photographs.read(tmp_path))

    scipy.io.savemat(case / "Normal_gt.mat", {"Normal_gt": np.zeros((3, 3, 3))})
    refused(r"needs a variable Normal_gt of \(40, 40, 3\)")
    (case / "Normal_gt.mat").write_bytes(b"nonsense")
    refused("can't read the normals")
    (case / "Normal_gt.mat").unlink()
    refused("has no normals")
    np.save(case / "normal.npy", np.array([{"a": 1}]), allow_pickle=True)
    refused("can't read the normals")
    np.save(case / "normal.npy", np.zeros((4, 4, 3)))
    refused("the mask's size")
    np.save(case / "normal.npy", np.zeros((40, 40, 3)))
    (case / "001.png").write_bytes((case / "002.png").read_bytes()[:90])
    refused("can't read the picture")
    for name in ("001.png", "002.png"):
        (case / name).unlink()
    refused("has 0 photographs")


# The command


def versemill(*arguments: object):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def _picture(path: Path, background: int | None) -> None:
    """A red disc of 40 pixels in 90 x 60: transparent around it, or of one grey."""
    y, x = np.mgrid[:60, :90]
    inside = (x - 30) ** 2 + (y - 30) ** 2 < 20**2
    pixels = np.zeros((60, 90, 4), np.uint8)
    pixels[inside] = (200, 40, 30, 255)
    if background is not None:
        pixels[~inside] = (background, background, background, 255)
    Image.fromarray(pixels).save(path)


def test_the_command_takes_transparent_and_plain_backgrounds(run, tmp_path):
    import OpenEXR

    _picture(tmp_path / "clear.png", None)
    _picture(tmp_path / "plain.png", 230)
    done = versemill(
        "normals", run, tmp_path / "clear.png", tmp_path / "plain.png", "--out", tmp_path / "out", "--device", "cpu"
    )
    assert done.exit_code == 0, done.output
    maps = []
    for name in ("clear", "plain"):
        pixels = np.asarray(Image.open(tmp_path / "out" / f"{name}_normals.png"))
        assert pixels.shape == (60, 90, 4)
        inside = pixels[..., 3] > 0
        assert 1100 < inside.sum() < 1400  # a disc of radius 20
        assert not pixels[~inside].any()
        channels = OpenEXR.File(str(tmp_path / "out" / f"{name}_normals.exr"), separate_channels=True).channels()
        values = np.stack([np.asarray(channels[c].pixels) for c in "RGB"], -1)
        np.testing.assert_allclose(np.linalg.norm(values[inside], axis=1), 1, atol=1e-4)
        assert not values[~inside].any()
        np.testing.assert_allclose(pixels[inside][:, :3], (values[inside] + 1) * 127.5, atol=0.51)
        maps.append(values)
    # The same object, cut out of either background.
    np.testing.assert_allclose(maps[0], maps[1], atol=0.02)


def test_a_bad_picture_costs_itself_alone(run, tmp_path):
    _picture(tmp_path / "good.png", None)
    (tmp_path / "text.png").write_text("no picture")
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (40, 40, 3), np.uint8)).save(tmp_path / "crowded.png")
    # A header that promises more pixels than may be read.
    bomb = bytearray((tmp_path / "good.png").read_bytes())
    bomb[16:24] = (30_000).to_bytes(4, "big") * 2
    import zlib

    bomb[29:33] = zlib.crc32(bytes(bomb[12:29])).to_bytes(4, "big")
    (tmp_path / "bomb.png").write_bytes(bytes(bomb))
    names = ("text", "crowded", "bomb", "good")
    done = versemill("normals", run, *(tmp_path / f"{n}.png" for n in names), "--out", tmp_path / "out", "--device", "cpu")
    assert done.exit_code == 1
    lines = done.output.replace("\n", " ")
    assert "can't read the picture" in lines
    assert "cut the object out" in lines
    assert "decompression bomb" in lines
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["good_normals.exr", "good_normals.png"]


def test_the_command_refuses_other_runs_and_names_twice(run, tmp_path):
    _picture(tmp_path / "a.png", None)
    assert versemill("normals", tmp_path, tmp_path / "a.png", "--out", tmp_path / "out").exception is not None
    with pytest.raises(ConfigError, match="would both be written"):
        raise versemill("normals", run, tmp_path / "a.png", tmp_path / "a.jpg", "--out", tmp_path / "out").exception


def test_the_family_is_in_the_table():
    assert FAMILIES.find("normals") is NORMALS
