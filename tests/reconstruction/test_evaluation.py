"""Evaluation and the gate, on a dataset folder with real shards and on meshes."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from versemill.errors import ConfigError
from versemill.reconstruction import GAUSSIANS
from versemill.reconstruction.evaluation import PosedJudging
from versemill.reconstruction.methods import HULL, MEAN, METHODS, METRICS, NEAREST, OPTIMUM
from versemill.reconstruction.presets import GaussiansRecipe
from versemill.training import evaluate, evaluate_assets, train, validate
from versemill.training.family import MODEL, UNTRAINED
from versemill.training.pictures import PLY, SH0, write_splats
from versemill.training.splats import Gaussians
from versemill.training.tables import markdown


@pytest.fixture(scope="module")
def toy_run(box_dataset: Path, toy_preset: GaussiansRecipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    preset = toy_preset.model_copy(update={"input_views": 4})
    summary = train(GAUSSIANS, box_dataset, preset, out, device="cpu")
    assert summary["objects"] == 4
    assert 0 <= summary["wait_share"] <= 1
    return out


def read_ply(path: Path) -> np.ndarray:
    head, body = path.read_bytes().split(b"end_header\n", 1)
    names = [line.split()[-1].decode() for line in head.splitlines() if line.startswith(b"property float")]
    assert names == list(PLY)
    return np.frombuffer(body, "<f4").reshape(-1, len(names))


def test_all_methods_are_measured_on_the_held_out_assets(toy_run: Path, box_dataset: Path) -> None:
    result = evaluate(GAUSSIANS, toy_run, box_dataset)
    assert len(result.objects) == 2
    assert list(result.summary) == list(METHODS)
    for method in METHODS:
        mean = np.mean([o[method]["psnr"] for o in result.objects])
        assert result.summary[method]["psnr"] == pytest.approx(mean)
    full = {"psnr", "ssim", "mask_iou", "depth_error", "normal_error"}
    assert set(result.summary[MODEL]) == set(result.summary[HULL]) == full
    assert set(result.summary[NEAREST]) == {"psnr", "ssim", "mask_iou"}
    assert 0 < result.summary[HULL]["normal_error"] < 90
    # What sees the answers has to be better than what does not.
    assert result.summary[OPTIMUM]["psnr"] > max(result.summary[m]["psnr"] for m in METHODS if m != OPTIMUM) + 3
    assert "LPIPS is not measured" in result.notes[0]
    assert set(result.summary[MEAN]) == {"psnr", "ssim"}
    gain = result.summary[MODEL]["psnr"] - result.summary[MEAN]["psnr"]
    assert result.gains[MEAN] == (pytest.approx(gain), None, None)
    assert result.intervals == {}
    saved = json.loads((toy_run / "evaluation" / "evaluation.json").read_text())
    assert saved["summary"] == result.summary
    with Image.open(result.files["grid"][0]) as picture:
        assert np.asarray(picture).std() > 10
    assert all(len(read_ply(Path(p))) > 0 for p in result.files["splats"])
    for path in result.files["meshes"]:
        mesh = trimesh.load(path)
        assert np.abs(mesh.bounds).max() < 1.101
        assert mesh.visual.vertex_colors.shape == (len(mesh.vertices), 4)


def test_a_quick_evaluation_leaves_out_what_takes_seconds(toy_run: Path, box_dataset: Path, tmp_path: Path) -> None:
    seen: list[int] = []
    result = evaluate(
        GAUSSIANS,
        toy_run,
        box_dataset,
        split="val",
        full=False,
        out=tmp_path,
        progress=lambda done, total, facts: seen.append(total),
    )
    assert OPTIMUM not in result.summary
    assert result.files["meshes"] == []
    assert seen == [1]


def test_the_hull_of_a_box_beats_the_mean_image(toy_run: Path, box_dataset: Path) -> None:
    summary = evaluate(GAUSSIANS, toy_run, box_dataset, split="val").summary
    assert summary[HULL]["psnr"] > summary[MEAN]["psnr"]
    assert summary[HULL]["mask_iou"] > 0.5


def test_evaluation_says_what_it_lacks(toy_run: Path, box_dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="leave none of 6"):
        evaluate(GAUSSIANS, toy_run, box_dataset, judging=PosedJudging(views=8))
    with pytest.raises(ConfigError, match="no trained model"):
        evaluate(GAUSSIANS, tmp_path, box_dataset)


@pytest.mark.parametrize("views", [4, 8])
def test_meshes_are_seen_by_the_papers_cameras(toy_run: Path, box_dataset: Path, boxes, tmp_path: Path, views: int) -> None:
    result = evaluate_assets(
        GAUSSIANS, toy_run, [("box", boxes[2])], box_dataset, PosedJudging(views=views), out=tmp_path, full=False
    )
    assert result.objects[0]["name"] == "box"
    assert np.isfinite(result.summary[MODEL]["psnr"])
    assert result.summary[HULL]["mask_iou"] > 0.6


@pytest.mark.parametrize("count", [19, 20])
def test_the_table_says_what_the_figures_are(count: int) -> None:
    objects = [{"name": f"cup|{k}", MODEL: {"psnr": 20.0 + k}, HULL: {"psnr": 18.0 + k, "ssim": 0.25}} for k in range(count)]
    many = count >= 20
    page = markdown(
        "cups",
        "20 cups.",
        METRICS[:2],
        objects,
        summary={MODEL: {"psnr": 30.126}, HULL: {"psnr": 28.126, "ssim": 0.25}},
        intervals={MODEL: (29.0, 31.0), HULL: (27.0, 29.0)} if many else {},
        gains={HULL: {"psnr": (2.0, 1.5, 2.5) if many else (2.0, None, None), "ssim": (0.1, None, None)}},
        notes=[],
    )
    bounds = ("| 95 % of PSNR ", "| 29.00 to 31.00 ", "| 27.00 to 29.00 ", " (+1.50 to +2.50)") if many else ("",) * 4
    assert f"|  | PSNR (dB) | SSIM {bounds[0]}| the model's gain |" in page
    assert f"| model | 30.13 |  {bounds[1]}|  |" in page
    assert f"| visual hull | 28.13 | 0.250 {bounds[2]}| +2.00{bounds[3]} |" in page
    assert ("| cup\\|3 | 23.00 | 21.00 |" in page) is not many
    assert ("| visual hull | +2.00 (+1.50 to +2.50) | +0.100 |" in page) is many


def test_splats_come_back_from_the_file(tmp_path: Path) -> None:
    g = torch.Generator().manual_seed(0)
    opacities = torch.tensor([[0.5, 0.9, 0.001]])
    start = Gaussians(
        torch.randn(1, 3, 3, generator=g), torch.randn(1, 3, 4, generator=g), torch.rand(1, 3, 3, generator=g) + 0.01,
        opacities, torch.rand(1, 3, 3, generator=g),
    )  # fmt: skip
    assert write_splats(tmp_path / "a.ply", start) == 2
    table = read_ply(tmp_path / "a.ply")
    np.testing.assert_allclose(table[:, :3], start.means[0, :2], rtol=1e-6)
    np.testing.assert_allclose(0.5 + SH0 * table[:, 3:6], start.colors[0, :2], atol=1e-6)
    np.testing.assert_allclose(1 / (1 + np.exp(-table[:, 6])), opacities[0, :2], atol=1e-6)
    np.testing.assert_allclose(np.exp(table[:, 7:10]), start.scales[0, :2], rtol=1e-5)


def test_the_gate_says_why(box_dataset: Path, toy_preset: GaussiansRecipe, tmp_path: Path, monkeypatch) -> None:
    for name, steps in (("toy", 6), ("still", 1)):
        preset = toy_preset.model_copy(
            update={"name": name, "steps": steps, "input_views": 4, "lr": 1e-9 if steps == 1 else 1e-3}
        )
        monkeypatch.setitem(GAUSSIANS.presets, name, preset)
        verdict = validate(GAUSSIANS, box_dataset, tmp_path / name, name, device="cpu")
        gains = verdict.metrics["evaluation"]["gains"]
        assert verdict.passed == (gains[MEAN][0] > 0 and gains[UNTRAINED][0] > 0)
        assert verdict.sentence.startswith("passed" if verdict.passed else "failed")
        assert "dB against the mean image" in verdict.sentence
        assert verdict.metrics["training"]["steps"] == steps
        json.dumps(verdict.metrics)


def test_the_gate_refuses_an_unknown_preset(toy_run: Path, box_dataset: Path) -> None:
    with pytest.raises(ConfigError, match="no preset 'giant'"):
        validate(GAUSSIANS, box_dataset, toy_run, "giant")


def test_the_gate_refuses_what_it_cannot_judge_before_it_trains(box_dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="leave none of 6"):
        validate(GAUSSIANS, box_dataset, tmp_path / "run", judging=PosedJudging(views=8), device="cpu")
    assert not (tmp_path / "run").exists()
