"""Judging against direct formulas; what is written to the folder."""

import json

import numpy as np
import pytest
import torch
import trimesh
from analytic import BOX, COLORS, Oracle, box

from versemill import gltf
from versemill.errors import AssetError, ConfigError
from versemill.generation.distillation import answers, cameras, export, judging, methods
from versemill.generation.distillation.arms import spread, total_calls
from versemill.generation.distillation.fields import Splats
from versemill.generation.distillation.judging import Truth, agreement, cameras_of, truth_of
from versemill.generation.distillation.methods import Draws
from versemill.generation.distillation.models import Prior
from versemill.generation.distillation.optimisation import Picture, State
from versemill.generation.distillation.settings import Cameras, Distillation, Inversion, Scoring
from versemill.training.geometry import rays
from versemill.training.scenes import Scene
from versemill.training.splats import Rendering

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
    assert [scores[key] for key in ("random_features", "janus", "two_faced", "diverged")] == [0, 0, 0, 0]
    same = judging.mesh_agreement(trimesh.Trimesh(*mesh, process=False), known)
    assert same["chamfer"] < 1e-5
    assert same["normal_consistency"] > 0.999
    assert judging.mesh_agreement(None, known)["chamfer"] == 2
    assert judging.mesh_agreement(None, Truth(scene)) == {}


def test_a_front_on_every_side_is_janus_and_white_is_divergence():
    scene, _ = truth()
    known = Truth(scene)
    front = scene.over_white[:1].expand(5, -1, -1, -1)
    everywhere = agreement(front, scene.alpha[1:, 0], known)
    assert (everywhere["janus"], everywhere["two_faced"]) == (1, 1)
    half = scene.over_white[1:].clone()
    half[2] = scene.over_white[0]  # at 180 degrees
    third = agreement(half, scene.alpha[1:, 0], known)
    assert third["janus"] == pytest.approx(1 / 3), "of 120, 180 and 240 degrees"
    assert third["two_faced"] == 0
    noise = torch.rand(5, 3, 20, 20, generator=torch.Generator().manual_seed(0))
    assert agreement(noise, scene.alpha[1:, 0], known)["diverged"] == 1
    assert agreement(scene.over_white[1:] * torch.nan, scene.alpha[1:, 0], known)["diverged"] == 1
    assert judging.janus(scene.over_white[1:2], scene.over_white[:2], scene.c2w[:2]) is None
    assert "two_faced" not in agreement(scene.over_white[1:2], scene.alpha[1:2, 0], Truth(truth(azimuths=(0.0, 60.0))[0]))


def test_what_looks_the_same_from_everywhere_has_no_wrong_face():
    scene, _ = truth()
    alike = scene.over_white[:1].expand(6, -1, -1, -1)
    assert judging.janus(alike[1:], alike, scene.c2w) == 0


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


def test_gains_are_positive_where_the_first_is_better():
    by_key = {metric.key: metric for metric in judging.EVERY}
    first, second = np.array([0.5, 1.0, 2.0]), np.array([0.25, 2.0, 0.5])
    np.testing.assert_allclose(judging.gain(by_key["psnr"], first, second), first - second)
    np.testing.assert_allclose(judging.gain(by_key["chamfer"], first, second), second - first)
    np.testing.assert_allclose(judging.gain(by_key["sharpness"], first, second), [np.log(2), np.log(2), 0], atol=1e-12)


def test_gradient_variance_is_the_share_that_is_noise():
    """A gradient g + s n with unit noise n has variance s^2 over g^2 + s^2."""
    steady, noisy = torch.full((1, 4000), 3.0), torch.full((1, 4000), 0.0)

    def gradient(draws: Draws) -> torch.Tensor:
        noise = draws.normal(torch.zeros(3, 4000))
        return torch.cat([steady, steady, noisy]) + torch.tensor([[0.0], [4.0], [1.0]]) * noise

    shares = judging.gradient_variance(gradient, draws=200)
    torch.testing.assert_close(shares, torch.tensor([0.0, 16 / 25, 1.0]), atol=0.02, rtol=0)


def test_variance_falls_where_noise_does_not_change():
    """SDI's and ISM's kappa is a function of the picture, SDS's is not; where the oracle is sure, it does not matter."""
    model = Oracle(12, deviation=0.4)
    c2w, K = cameras.posed([0.0, 90.0, 180.0], [25.0] * 3, Cameras(), 12)
    x, t = model.encode(box(c2w, K, 12)[0].flip(0)), torch.tensor(0.5)
    prior = Prior(model.path, *model.estimators(c2w, K))
    spreads = {}
    for method in ("sds", "ism"):
        scoring = settings().scoring.model_copy(update={"method": method})
        spreads[method] = judging.gradient_variance(
            lambda draws, scoring=scoring: x - methods.target(prior, x, t, scoring, draws)
        )
    assert spreads["sds"].shape == (3,)
    assert (spreads["sds"] > 1e-3).all()
    assert float(spreads["ism"].max()) == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize("method", ["sdi", "sds", "ism", "vsd"])
def test_a_distillation_says_how_steady_it_is(method):
    """By its own method, also where that needs a network of its own; nothing that is optimised changes."""
    scene, _ = truth(size=12)
    given = settings(gaussians=40)
    state = State(
        given.model_copy(update={"scoring": given.scoring.model_copy(update={"method": method})}), Oracle(12), None, 0
    )
    before = [parameter.clone() for parameter in state.field.parameters()]
    value = spread(state, Truth(scene))
    assert value == spread(state, Truth(scene))
    assert (value < 1e-6) == (method in ("ism", "vsd")), "VSD's second network starts as the first, guidance is 1"
    assert 0 <= value <= 1
    assert all(torch.equal(a, b) for a, b in zip(before, state.field.parameters(), strict=True))


def test_what_is_drawn_is_judged():
    """Views and mesh of one object, as its own renderer draws it: here a box by exact rays."""
    scene, mesh = truth()

    def draw(c2w, K, size):
        rgb, hit = box(c2w[0], K[0], size)
        alpha = hit[:, None].float()
        origins, directions = (r[0] for r in rays(c2w, K, size))
        half = BOX.view(1, 3, 1, 1)
        ends = torch.stack([(-half - origins) / directions, (half - origins) / directions])
        depth = ends.amin(0).amax(1, keepdim=True) * (directions * c2w[0, :, :3, 2, None, None]).sum(1, keepdim=True)
        return Rendering((rgb * alpha)[None], alpha[None], (depth * alpha)[None])

    scores, rgb = judging.judged(draw, Truth(scene, mesh), 48)
    assert scores["psnr"] == 100
    torch.testing.assert_close(rgb, scene.over_white[1:])
    assert scores["chamfer"] < 0.05
    assert scores["normal_consistency"] > 0.9
    assert "chamfer" not in judging.judged(draw, Truth(scene), 48)[0]


def test_truths_are_read_with_views_and_mesh(box_dataset, boxes):
    known = judging.truths(box_dataset, ("train",), 16, 3)
    assert len(known) == 3
    for each, asset in zip(known, [boxes[0], boxes[1], boxes[3]], strict=True):
        assert each.scene.rgb.shape == (6, 3, 16, 16)
        assert float(torch.atan2(each.scene.c2w[0, 1, 3], each.scene.c2w[0, 0, 3])) == pytest.approx(0, abs=1e-5)
        np.testing.assert_allclose(
            np.sort(np.linalg.norm(each.mesh[0], axis=1)), np.sort(np.linalg.norm(asset.vertices, axis=1)), atol=1e-5
        )
    with pytest.raises(ConfigError, match="no assets"):
        judging.truths(box_dataset, (), 16, 3)


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
    state = State(settings(), Oracle(8), None, 0)
    with torch.no_grad():
        state.field.opacities.fill_(-20.0)
    (tmp_path / "asset.glb").write_bytes(b"of an earlier try")
    assert set(export.write(state, tmp_path)) == {"splats", "turntable"}
    assert not (tmp_path / "asset.glb").exists()
    assert isinstance(state.field, Splats)
