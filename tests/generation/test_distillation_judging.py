"""Judging against direct formulas; methods side by side at equal calls; what is written to the folder."""

import json
import math

import numpy as np
import pytest
import torch
import trimesh
from analytic import BOX, COLORS, Oracle, box

from versemill import gltf
from versemill.errors import AssetError
from versemill.generation.distillation import answers, cameras, comparison, export, judging
from versemill.generation.distillation.comparison import HULL, arms, compare, iterations_for, total_calls
from versemill.generation.distillation.fields import Splats
from versemill.generation.distillation.judging import Truth, agreement, cameras_of, truth_of
from versemill.generation.distillation.optimisation import Picture
from versemill.generation.distillation.settings import Cameras, Distillation, Inversion, Scoring
from versemill.training.scenes import Scene

CPU = torch.device("cpu")


def truth(size=20, azimuths=(0.0, 60.0, 120.0, 180.0, 240.0, 300.0), turned=0.0):
    c2w, K = cameras.posed([a + turned for a in azimuths], [25.0] * len(azimuths), Cameras(), size)
    flat, _ = cameras.posed(list(azimuths), [25.0] * len(azimuths), Cameras(), size)
    rgb, hit = box(flat, K, size)
    alpha = hit[:, None].float()
    mesh = trimesh.creation.box(2 * BOX.numpy())
    scene = Scene(rgb * alpha, alpha, torch.zeros_like(alpha), torch.zeros_like(rgb), c2w, K, "box")
    return scene, (np.asarray(mesh.vertices), np.asarray(mesh.faces))


def settings(**changes):
    scoring = Scoring(guidance=1.0, highest=0.98, inversion=Inversion(steps=3, tau=0.0))
    return Distillation(
        **{
            "scoring": scoring,
            "mesh_resolution": 24,
            "views": 2,
            "field": "gaussians",
            "gaussians": 200,
            "rate": 0.04,
            **changes,
        }
    )


def test_the_truth_agrees_with_itself():
    scene, mesh = truth()
    known = Truth(scene, mesh)
    scores = agreement(scene.over_white[1:], scene.alpha[1:, 0], known)
    assert scores["psnr"] == 100
    assert (scores["iou"], scores["sharpness"], scores["saturation"]) == (1, pytest.approx(1), pytest.approx(1))
    assert (scores["random_features"], scores["janus"], scores["diverged"]) == (0, 0, 0)
    same = judging.mesh_agreement(trimesh.Trimesh(*mesh, process=False), known)
    assert same["chamfer"] < 1e-5
    assert same["normal_consistency"] > 0.999
    assert judging.mesh_agreement(None, known)["chamfer"] == 2
    assert judging.mesh_agreement(None, Truth(scene)) == {}


def test_a_front_on_every_side_is_janus_and_white_is_divergence():
    scene, _ = truth()
    known = Truth(scene)
    front = scene.over_white[:1].expand(5, -1, -1, -1)
    assert agreement(front, scene.alpha[1:, 0], known)["janus"] == 1
    half = scene.over_white[1:].clone()
    half[2] = scene.over_white[0]  # at 180 degrees
    assert agreement(half, scene.alpha[1:, 0], known)["janus"] == pytest.approx(1 / 3), "of 120, 180 and 240 degrees"
    noise = torch.rand(5, 3, 20, 20, generator=torch.Generator().manual_seed(0))
    assert agreement(noise, scene.alpha[1:, 0], known)["diverged"] == 1
    assert agreement(scene.over_white[1:] * torch.nan, scene.alpha[1:, 0], known)["diverged"] == 1
    assert math.isnan(judging.janus(scene.over_white[1:2], scene.over_white[:2], scene.c2w[:2]))


def test_sharpness_and_saturation_follow_their_formulas():
    stripes = torch.zeros(1, 3, 8, 8)
    stripes[:, 0, :, ::2] = 1.0
    # Every inner pixel of the first channel: 4 x - (0 or 2) of neighbours in the row - 2 x of those above and below.
    assert judging.laplacian(stripes) == pytest.approx(4 / 3)
    assert judging.laplacian(torch.full((1, 3, 8, 8), 0.3)) == pytest.approx(0, abs=1e-10)
    assert judging.saturation(stripes) == pytest.approx(0.5)


def test_a_truth_is_turned_until_its_picture_is_the_front():
    scene, mesh = truth(turned=70.0)
    turned = truth_of(scene, mesh)
    plain, _ = truth()
    torch.testing.assert_close(turned.scene.c2w, plain.c2w, atol=1e-5, rtol=0)
    angle = -np.deg2rad(70.0)
    spin = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    np.testing.assert_allclose(turned.mesh[0], mesh[0] @ spin.T, atol=1e-6)
    own = cameras_of(turned, Cameras(fov=30.0, distance=5.0))
    assert own.distance == pytest.approx(3.0, abs=1e-5)
    assert own.fov == pytest.approx(49.13434, abs=1e-3)
    assert own.picture_elevation == pytest.approx(25.0, abs=1e-3)


def test_variance_falls_where_noise_does_not_change():
    """SDI's and ISM's kappa is a function of the picture, SDS's is not; where the oracle is sure, it does not matter."""
    model = Oracle(12, deviation=0.4)
    c2w, K = cameras.posed([0.0, 90.0, 180.0], [25.0] * 3, Cameras(), 12)
    pictures = box(c2w, K, 12)[0].flip(0)
    spread = {
        method: judging.gradient_variance(
            model, pictures, c2w, K, settings().scoring.model_copy(update={"method": method}), 0.5
        )
        for method in ("sds", "ism")
    }
    assert spread["sds"].shape == (3,)
    assert (spread["sds"] > 1e-3).all()
    assert float(spread["ism"].max()) == pytest.approx(0, abs=1e-8)


def test_equal_calls_are_equal():
    given = settings(iterations=200)
    chosen = arms(given)
    assert next(iter(chosen)) == "sdi"
    spent = total_calls(given)
    assert [arm.iterations for name, arm in chosen.items() if "equal iterations" in name] == [200, 200]
    for name, arm in chosen.items():
        if "equal calls" in name:
            assert total_calls(arm) == pytest.approx(spent, rel=0.01)
            assert arm.scoring.method == "sds"
            assert arm.scoring.guidance == given.scoring.guidance
            assert arm.scoring.annealed == ("annealed" in name)
    assert iterations_for(chosen["sds plain, equal iterations"], 37) == 37


@pytest.mark.slow
def test_methods_side_by_side():
    scene, _ = truth(size=16)
    given = settings(iterations=30)
    chosen = {name: arm for name, arm in arms(given).items() if name in ("sdi", "sds annealed, equal iterations")}
    seen = []
    compared = compare([Truth(scene)], lambda known: Oracle(16), chosen, progress=lambda *a: seen.append(a[:2]))
    assert seen == [(1, 1)]
    assert list(compared.summary) == ["sdi", "sds annealed, equal iterations", HULL]
    assert compared.summary["sds annealed, equal iterations"]["calls"] == 30
    assert compared.summary["sdi"]["calls"] == total_calls(given)
    for name in chosen:
        assert compared.summary[name]["diverged"] == 0
        assert compared.summary[name]["iou"] > compared.summary[HULL]["iou"]
    assert compared.summary["sdi"]["psnr"] > compared.summary[HULL]["psnr"]
    assert compared.intervals == {name: {} for name in list(compared.summary)[1:]}, "one object has no interval"
    assert compared.markdown().count("\n") >= 4


@pytest.mark.slow
def test_everything_is_written_and_reads_back(tmp_path):
    model, given = Oracle(16), settings(iterations=60, save_every=30, mesh_resolution=40)
    rgb, hit = box(*cameras.reference(given.cameras, 16), 16)
    picture = Picture(rgb[0], hit[0].float())
    answer = answers.distill(model, picture, given, 0, tmp_path, {"picture": "a"}, CPU)
    assert set(answer.files) == {"mesh", "splats", "turntable"}
    for name in ("asset.glb", "splats.ply", "turntable.gif", "preview.png", "run.json", "checkpoint.pt", "metrics.jsonl"):
        assert (tmp_path / name).stat().st_size > 0, name
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["iterations"] == 60
    assert record["calls"] == answer.calls == total_calls(given)
    assert record["settings"] == given.model_dump(mode="json")

    asset = gltf.from_glb((tmp_path / "asset.glb").read_bytes())
    back = asset.vertices * asset.scale + np.array(asset.center)
    np.testing.assert_allclose(back.max(0), BOX, atol=0.2)
    material = asset.materials[0]
    assert material.unlit
    assert material.base_color_texture is not None
    # The texture's colours on the picture's side, +x, are those of that face of the box.
    corners = back[asset.faces]
    front = (corners[..., 0].mean(1) > 0.8 * float(BOX[0])) & (np.abs(corners[..., 1:].mean(1)) < 0.3).all(1)
    assert front.any()
    height, width = material.base_color_texture.shape[:2]
    uv = asset.uvs[front][..., :2].reshape(-1, 2)
    texels = material.base_color_texture[((1 - uv[:, 1]) * height).astype(int), (uv[:, 0] * width).astype(int), :3] / 255
    assert np.abs(texels.mean(0) - COLORS[0].numpy()).max() < 0.25
    before = (tmp_path / "asset.glb").read_bytes()
    answers.distill(model, picture, given, 0, tmp_path, {"picture": "a"}, CPU)
    assert (tmp_path / "asset.glb").read_bytes() == before


def test_an_empty_field_has_no_mesh(tmp_path):
    with pytest.raises(AssetError, match="no surface"):
        export.asset_of(None)
    state = comparison.State(settings(), Oracle(8), None, 0)
    with torch.no_grad():
        state.field.opacities.fill_(-20.0)
    (tmp_path / "asset.glb").write_bytes(b"of an earlier try")
    assert set(export.write(state, tmp_path)) == {"splats", "turntable"}
    assert not (tmp_path / "asset.glb").exists()
    assert isinstance(state.field, Splats)
