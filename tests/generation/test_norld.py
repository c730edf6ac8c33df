"""NoRLD: normal maps as conditions, rays that meet decoded surfaces, the loss by its formula, training and the bridge."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F
from typer.testing import CliRunner

from versemill import seeds
from versemill.errors import ConfigError
from versemill.generation import NORLD, SHAPE_FLOW, SHAPE_VAE, conditions
from versemill.generation.normals.family import NORMALS
from versemill.generation.shapes import flow_training as flow
from versemill.generation.shapes import norld
from versemill.generation.shapes.flow_training import SeenShapes
from versemill.mill.cli import app
from versemill.training.loop import train, try_step
from versemill.training.runs import RECORDS

SMALL = {"width": 32, "heads": 4, "steps": 4, "batch": 2, "warmup": 2, "save_every": 2, "amp": "off", "divergence": 1e6}


@pytest.fixture(scope="module")
def vae_run(shape_dataset, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("vae")
    small = {
        **SMALL, "channels": 4, "encoder_layers": 1, "decoder_layers": 1, "octaves": 4, "tokens": (8,), "input_points": 256,
        "near_queries": 64, "volume_queries": 64, "surface_queries": 32,
    }  # fmt: skip
    recipe = SHAPE_VAE.preset("tiny").model_copy(update=small)
    train(dataclasses.replace(SHAPE_VAE, preview=None), shape_dataset, recipe, out, device="cpu")
    return out


@pytest.fixture(scope="module")
def recipe(vae_run) -> norld.NorldRecipe:
    small = {
        **SMALL, "vae": str(vae_run), "tokens": 8, "pairs": 1, "picture": 32, "encoder_width": 32, "encoder_layers": 1,
        "normal_share": 1.0, "normal_noise": 1.0, "normal_points": 40, "normal": 0.7,
    }  # fmt: skip
    return norld.NorldRecipe(**{**NORLD.preset("tiny").model_dump(), **small})


def changed(recipe: norld.NorldRecipe, **settings: object) -> norld.NorldRecipe:
    return norld.NorldRecipe(**{**recipe.model_dump(), **settings})


def seen_shapes(shape_dataset: Path, recipe: norld.NorldRecipe) -> SeenShapes:
    return SeenShapes(shape_dataset, ("train",), recipe, None, False)


def sphere_map(size: int) -> torch.Tensor:
    """The normal map of a sphere that fills the frame, OpenCV axes."""
    steps = (torch.arange(size) + 0.5) / size * 2 - 1
    x, y = torch.meshgrid(steps, steps, indexing="xy")
    alpha = (x * x + y * y < 0.9).float()
    normals = torch.stack([x, y, -(1 - (x * x + y * y).clamp_max(1)).sqrt()])
    return conditions.normal_map(normals, alpha)


@pytest.mark.parametrize(("roll", "mirror"), [(0.0, True), (30.0, False), (90.0, True), (-10.0, False)])
def test_a_sphere_looks_the_same_turned_and_mirrored(roll, mirror):
    """Pixels and vectors turn together, so that nothing moves where turning changes nothing."""
    before = sphere_map(128)
    after = conditions.turned_normals(before, roll, mirror)
    turned = conditions.crop(after.flip(-1) if mirror else after, 64, 0.9, roll)
    inside = conditions.crop(torch.cat([torch.zeros(3, 128, 128), before[3:]]), 64, 0.9, roll)[0] < 0.01
    torch.testing.assert_close(
        turned[:, inside], conditions.crop(before, 64, 0.9)[:, inside], atol=0.03, rtol=0
    )  # edges of the box of a digital disc differ by a pixel


def test_a_map_holds_the_views_normals_in_the_cameras_axes(shape_dataset, recipe):
    seen = seen_shapes(shape_dataset, recipe).seen(0)
    for view in range(len(seen.rgba)):
        picture = seen.maps(view)
        vectors = (2 * picture[:3].double().numpy() - 1) * np.array([1, -1, -1])[:, None, None]
        shown = np.linalg.norm(seen.normals[view], axis=0) > 0.5
        world = np.einsum("ij,jhw->ihw", seen.cameras[view].c2w[:3, :3], vectors)
        np.testing.assert_allclose(world[:, shown], seen.normals[view][:, shown], atol=1e-5)
        assert (vectors[2][shown] < 0.05).all()  # a visible surface faces the camera


def test_rays_meet_a_sphere_where_they_should():
    rng = np.random.default_rng(0)
    targets = rng.standard_normal((1, 50, 3))
    targets = 0.6 * targets / np.linalg.norm(targets, axis=-1, keepdims=True)
    eye = np.array([0.0, -4.0, 1.0])
    aimed = targets - eye
    directions = aimed / np.linalg.norm(aimed, axis=-1, keepdims=True)
    rays = torch.tensor(np.concatenate([np.broadcast_to(eye, targets.shape), directions], -1), dtype=torch.float32)
    aside = rays.clone()
    aside[..., 3:] = torch.tensor([0.0, 0.0, 1.0])

    def field(points: torch.Tensor) -> torch.Tensor:
        return ((points.norm(dim=-1) - 0.6) / 0.03).clamp(-1, 1)

    places, met = norld.meet(field, rays)
    assert met.all()
    # |o + t d|^2 = r^2: the smaller root.
    along = (eye * directions).sum(-1)
    nearest = -along - np.sqrt(along**2 - (eye @ eye - 0.36))
    np.testing.assert_allclose(places, eye + nearest[..., None] * directions, atol=0.03)
    assert torch.allclose(places.norm(dim=-1), torch.tensor(0.6), atol=0.015)
    assert not norld.meet(field, aside)[1].any()


def test_rays_of_a_view_meet_the_box_with_their_normals(shape_dataset, recipe, boxes):
    shapes = seen_shapes(shape_dataset, changed(recipe, normal_by="rendering"))
    seen = shapes.seen(0)
    box = boxes[seen.shape.index]
    for view, mirror in ((0, False), (3, True)):
        placement = seen.placement(view, "camera", mirror)
        rays = norld.view_rays(seen, view, placement, 60, seeds.stream(0, 0, "test")).astype(np.float64)
        corners = placement.points(box.vertices).astype(np.float64)[box.faces]
        for ray in rays:
            hit = first_face(ray[:3], ray[3:6], corners)
            assert hit is not None
            assert abs(hit @ ray[6:]) > 0.999
            assert ray[3:6] @ ray[6:] < 0


def first_face(origin, direction, corners):
    """Unit normal (either way) of the first triangle (F, 3, 3) on a ray: Möller and Trumbore 1997."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    p = np.cross(direction, c - a)
    scale = ((b - a) * p).sum(1)
    s = origin - a
    u = (s * p).sum(1) / scale
    q = np.cross(s, b - a)
    v = (q @ direction) / scale
    t = ((c - a) * q).sum(1) / scale
    inside = (u >= -1e-4) & (v >= -1e-4) & (u + v <= 1 + 1e-4) & (t > 0)
    if not inside.any():
        return None
    face = np.flatnonzero(inside)[t[inside].argmin()]
    normal = np.cross(b[face] - a[face], c[face] - a[face])
    return normal / np.linalg.norm(normal)


def test_the_loss_is_the_flows_and_the_squared_error_of_normals(shape_dataset, recipe):
    shapes = seen_shapes(shape_dataset, recipe)
    network = NORLD.fresh(recipe, 0)
    torch.nn.init.normal_(network.flow.latent_out.weight, std=0.05)
    batch = NORLD.batches(shapes, recipe, 0, 0, 1)[0]
    total, terms = norld.Objective(network)(batch)
    plain, _, data = flow.Objective(network).path_loss(batch)
    noise = torch.full((len(data),), network.vae.recipe.latent_noise)
    field = network.vae.decode(data * network.vae.latent_deviation + network.vae.latent_mean, noise)
    points = batch.surface[..., :3].clone().requires_grad_()
    values = field(points)
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        gradient = torch.autograd.grad(field(points).sum(), points)[0]
    sound = values.abs() < norld.BAND
    assert sound.sum() > 0
    # |n - N|^2 of unit vectors is 2 - 2 cos.
    expected = (2 - 2 * F.cosine_similarity(gradient, batch.surface[..., 3:], dim=-1))[sound].mean()
    torch.testing.assert_close(terms["normal"], expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(total, plain + 0.7 * expected, atol=1e-5, rtol=1e-4)
    total.backward()
    assert all(p.grad is None for p in network.vae.parameters())
    assert any(p.grad is not None and p.grad.abs().max() > 0 for p in network.flow.parameters())


def test_noisy_and_undecoded_examples_do_not_count(shape_dataset, recipe):
    network = NORLD.fresh(recipe, 0)
    batch = NORLD.batches(seen_shapes(shape_dataset, recipe), recipe, 0, 0, 1)[0]
    plain, _, _ = flow.Objective(network).path_loss(batch)
    undecoded = dataclasses.replace(batch, decoded=torch.zeros(2))
    torch.testing.assert_close(norld.Objective(network)(undecoded)[0], plain)
    network.recipe = changed(recipe, normal_noise=1e-6)
    torch.testing.assert_close(norld.Objective(network)(batch)[0], plain)
    network.recipe = changed(recipe, normal=0.0)
    torch.testing.assert_close(norld.Objective(network)(batch)[0], plain)


def test_without_the_loss_it_sees_what_shape_flow_sees(shape_dataset, recipe):
    """Arms of one seed differ in the loss alone: examples are drawn alike."""
    shapes = seen_shapes(shape_dataset, recipe)
    ours, plain = (family.batches(shapes, recipe, 3, 0, 1)[1] for family in (NORLD, SHAPE_FLOW))
    for name in ("picture", "keep", "latents", "noise", "uniform"):
        torch.testing.assert_close(getattr(ours, name), getattr(plain, name), rtol=0, atol=0)


@pytest.mark.parametrize("settings", [{}, {"normal_by": "rendering"}, {"condition": "rgb"}])
def test_it_trains_and_resumes_exactly(shape_dataset, recipe, settings, tmp_path):
    family, preset = dataclasses.replace(NORLD, preview=None), changed(recipe, **settings)
    train(family, shape_dataset, preset, tmp_path / "whole", device="cpu")

    def stop(step, count, record):
        if step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(family, shape_dataset, preset, tmp_path / "parts", device="cpu", progress=stop)
    train(family, shape_dataset, preset, tmp_path / "parts", device="cpu")
    assert (tmp_path / "parts" / RECORDS).read_text() == (tmp_path / "whole" / RECORDS).read_text()


def test_one_step_of_the_smallest_preset():
    assert "trained one step" in try_step(NORLD, "cpu")


def test_the_bridge_sees_pictures_as_normal_maps(shape_dataset, recipe, tmp_path):
    smallest = NORMALS.preset("micro").model_copy(
        update={"steps": 2, "batch": 2, "warmup": 1, "view": 32, "crop": 32, "clean": 0.0}
    )
    train(dataclasses.replace(NORMALS, preview=None), shape_dataset, smallest, tmp_path / "normals", device="cpu")
    predicted = changed(recipe, condition="predicted", estimator=str(tmp_path / "normals"))
    shapes = seen_shapes(shape_dataset, predicted)
    seen = shapes.seen(0)
    picture = torch.from_numpy(seen.rgba[1]).float() / 255
    torch.testing.assert_close(seen.maps(1), shapes.bridge(picture))
    vectors = 2 * seen.maps(1)[:3, picture[3] > 0.5] - 1
    torch.testing.assert_close(vectors.norm(dim=0), torch.ones(vectors.shape[1]), atol=1e-5, rtol=0)
    with pytest.raises(ConfigError, match="--set estimator=RUN"):
        seen_shapes(shape_dataset, changed(recipe, condition="predicted")).seen(0).maps(0)

    train(dataclasses.replace(NORLD, preview=None), shape_dataset, recipe, tmp_path / "norld", device="cpu")
    rgba = np.zeros((40, 40, 4), np.uint8)
    rgba[8:32, 10:30] = (200, 60, 60, 255)
    Image.fromarray(rgba).save(tmp_path / "x.png")
    command = ["generate", str(tmp_path / "norld"), "--image", str(tmp_path / "x.png"), "--out", str(tmp_path / "x.glb")]
    refused = CliRunner().invoke(app, command)
    assert isinstance(refused.exception, ConfigError)
    assert "--normals RUN" in str(refused.exception)
    quick = ["--steps", "2", "--resolution", "64", "--device", "cpu"]
    answer = CliRunner().invoke(app, [*command, "--normals", str(tmp_path / "normals"), *quick])
    assert answer.exit_code == 0 or "came out empty" in str(answer.exception)
