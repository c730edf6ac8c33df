"""The two families on a dataset of boxes: what they draw, how shapes stand, what truth scores, exact resume, the command."""

import dataclasses
import json
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F
from typer.testing import CliRunner

from versemill import gltf, seeds, training
from versemill.directions import fibonacci
from versemill.errors import AssetError, ConfigError
from versemill.generation import SHAPE_FLOW, SHAPE_VAE, paths
from versemill.generation.shapes import flow_judging, vae_judging
from versemill.generation.shapes import losses as losses
from versemill.generation.shapes.data import Placement, ShapeSet, about_z, balanced, input_points
from versemill.generation.shapes.extraction import NOTHING
from versemill.generation.shapes.flow_training import SeenShapes, around, nearest
from versemill.generation.shapes.flow_training import example as flow_example
from versemill.generation.shapes.vae_training import Objective, example
from versemill.mesh import topology, volume
from versemill.mill.cli import app
from versemill.training.loop import train, try_step
from versemill.training.runs import RECORDS, load

CPU = torch.device("cpu")
VAE = SHAPE_VAE.preset("tiny").model_copy(
    update={
        "width": 32, "heads": 4, "channels": 4, "encoder_layers": 1, "decoder_layers": 1, "octaves": 4, "tokens": (8, 16),
        "input_points": 256, "near_queries": 64, "volume_queries": 64, "surface_queries": 32, "steps": 6, "batch": 2,
        "warmup": 2, "save_every": 3, "amp": "off", "divergence": 1e6,
    }
)  # fmt: skip


def rng(purpose="test"):
    return seeds.stream(0, 0, purpose)


@pytest.fixture(scope="module")
def shapes(shape_dataset):
    return ShapeSet(shape_dataset, ("train",))


@pytest.fixture(scope="module")
def vae_run(shape_dataset, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("vae")
    train(SHAPE_VAE, shape_dataset, VAE, out, device="cpu")
    return out


@pytest.fixture(scope="module")
def flow(vae_run):
    small = {
        "vae": str(vae_run), "tokens": 8, "width": 32, "heads": 4, "pairs": 1, "picture": 32, "encoder_width": 32,
        "encoder_layers": 1, "steps": 6, "batch": 2, "warmup": 2, "save_every": 3, "amp": "off", "divergence": 1e6,
    }  # fmt: skip
    preset = SHAPE_FLOW.preset("tiny")
    return type(preset)(**{**preset.model_dump(), **small})


@pytest.fixture(scope="module")
def flow_run(shape_dataset, flow, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("flow")
    train(SHAPE_FLOW, shape_dataset, flow, out, device="cpu")
    return out


def test_a_placement_fits_the_box_and_keeps_distances_true(shapes):
    shape = shapes[0]
    placement = Placement.fitting(shape.surface, about_z(0.7, mirror=True))
    moved = placement.oriented(shape.surface)
    assert np.ptp(moved[:, :3], axis=0).max() == pytest.approx(2, abs=1e-5)
    assert np.linalg.norm(moved[:, 3:], axis=1) == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(placement.undone(moved[:, :3]), shape.surface[:, :3], atol=1e-5)
    # A box turned: the distance of a point outside it to 2,048 surface points, before and after, in the new scale.
    near = placement.measured(shape.near)
    gaps = [
        np.linalg.norm(p[:200, None, :3] - s[None, :, :3], axis=-1).min(1)
        for p, s in ((shape.near, shape.surface), (near, moved))
    ]
    np.testing.assert_allclose(gaps[1], gaps[0] * placement.scale, atol=1e-4)
    np.testing.assert_allclose(near[:, 3], shape.near[:, 3] * placement.scale, rtol=1e-5)


def test_half_of_the_queries_lie_inside_however_thin_the_shape_is():
    points = np.zeros((1000, 4), np.float32)
    points[:, 3] = 1
    points[:3, 3] = -1
    drawn = balanced(points, 100, rng())
    assert (drawn[:, 3] < 0).sum() == 50
    assert (balanced(points[3:], 100, rng())[:, 3] > 0).all()


def test_sharp_input_brings_points_of_edges(shapes):
    shape = shapes[0]
    drawn = input_points(shape, 200, 0.5, rng())
    edges = {tuple(p) for p in shape.sharp}
    assert sum(tuple(p) in edges for p in drawn) == 100
    none = dataclasses.replace(shape, sharp=shape.sharp[:0])
    assert input_points(none, 200, 0.5, rng()).shape == (200, 6)


def test_an_example_is_what_the_recipe_asks_for(shapes):
    whole = example(shapes[0], VAE, rng())
    assert whole.surface.shape == (256, 6)
    assert whole.chosen.shape == (16,)
    assert len(set(whole.chosen.tolist())) == 16
    assert whole.points.shape == (128, 3)
    assert (whole.sdf < 0).sum() == 64
    assert whole.surface[:, :3].abs().max() <= 1 + 1e-5
    # Truth of a box that was turned about Z: field points and surface moved together.
    gaps = torch.cdist(whole.points, whole.surface[:, :3]).min(1).values
    assert (gaps >= whole.sdf.abs() - 1e-4).all()
    plain = example(shapes[0], VAE.model_copy(update={"augment": False}), rng())
    known = {tuple(p) for p in shapes[0].surface}
    assert all(tuple(p) in known for p in plain.surface.numpy())


def test_the_loss_is_the_weighted_sum_of_its_terms(shapes):
    torch.manual_seed(0)
    recipe = VAE.model_copy(update={"normal": 0.4, "eikonal": 0.2, "kl": 0.1, "latent_noise": 0.3})
    network = SHAPE_VAE.network(recipe)
    for p in network.parameters():
        if not p.any():
            torch.nn.init.normal_(p, std=0.1)
    batch = SHAPE_VAE.batches(shapes, recipe, 0, 0, 1)[0]
    tokens = recipe.tokens[int(batch.which[0])]
    network.latent_deviation.fill_(1.7)
    total, terms = Objective(network)(batch)
    posterior = network.encode(batch.surface, batch.chosen[:, :tokens])
    assert ((batch.share >= 0) & (batch.share <= 1)).all()
    assert batch.share.any()
    noise = 0.3 * batch.share
    drawn = posterior.mean + (posterior.log_variance / 2).exp() * batch.noise[:, :tokens]
    field = network.decode(drawn + noise[:, None, None] * 1.7 * batch.blur[:, :tokens], noise)
    torch.testing.assert_close(terms["sdf"], losses.distance_loss(field(batch.points), (batch.sdf / 0.03).clamp(-1, 1)))
    points = batch.on_surface[..., :3].clone().requires_grad_()
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        gradient = torch.autograd.grad(field(points).sum(), points)[0]
    torch.testing.assert_close(
        terms["normal"], 1 - F.cosine_similarity(gradient, batch.on_surface[..., 3:], dim=-1).mean(), atol=1e-5, rtol=1e-4
    )
    torch.testing.assert_close(terms["eikonal"], ((gradient.norm(dim=-1) * 0.03 - 1) ** 2).mean(), atol=1e-5, rtol=1e-4)
    expected = terms["sdf"] + 0.4 * terms["normal"] + 0.2 * terms["eikonal"] + 0.1 * terms["kl"]
    torch.testing.assert_close(total.detach(), expected)
    network.latent_deviation.fill_(1.7)  # a step in training moves it
    quarter = Objective(network)(dataclasses.replace(batch, slope=0.25 * batch.slope))[0]
    torch.testing.assert_close(quarter.detach(), expected - 0.3 * terms["normal"] - 0.15 * terms["eikonal"])
    assert set(Objective(network)(dataclasses.replace(batch, slope=0 * batch.slope))[1]) == {"kl", "sdf"}
    occupancy = Objective(SHAPE_VAE.network(VAE.model_copy(update={"field": "occupancy", "normal": 0, "eikonal": 0})))(batch)[1]
    assert set(occupancy) == {"kl", "occupancy"}


def test_gradient_terms_come_in_by_the_ramp(shapes):
    recipe = VAE.model_copy(update={"steps": 10, "ramp": (0.4, 0.8)})
    slopes = [SHAPE_VAE.batches(shapes, recipe, 0, 0, 1)[step].slope for step in range(10)]
    expected = torch.tensor([0, 0, 0, 0, 0, 0.25, 0.5, 0.75, 1, 1])[:, None].expand(10, recipe.batch)
    torch.testing.assert_close(torch.stack(slopes), expected)
    at_once = SHAPE_VAE.batches(shapes, recipe.model_copy(update={"ramp": (0.0, 0.0)}), 0, 0, 1)
    assert (at_once[0].slope == 1).all()


def test_latents_have_stored_mean_and_deviation(vae_run):
    network, _ = load(SHAPE_VAE, vae_run, CPU)
    assert network.latent_mean.any()
    assert (network.latent_deviation != 1).all()
    torch.manual_seed(0)
    latents = torch.randn(4, 50, 4) * 3 + 2
    for _ in range(400):
        network.remember(latents)
    torch.testing.assert_close(network.latent_mean, latents.flatten(0, 1).mean(0), atol=1e-2, rtol=1e-2)
    torch.testing.assert_close(network.latent_deviation, latents.flatten(0, 1).std(0), atol=1e-2, rtol=1e-2)


@pytest.mark.parametrize("family", [SHAPE_VAE, SHAPE_FLOW])
def test_a_stopped_training_goes_on_exactly(family, shape_dataset, flow, tmp_path):
    recipe = VAE if family is SHAPE_VAE else flow
    family = dataclasses.replace(family, preview=None)
    train(family, shape_dataset, recipe, tmp_path / "whole", device="cpu")

    def stop(step, count, record):
        if step == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(family, shape_dataset, recipe, tmp_path / "parts", device="cpu", progress=stop)
    train(family, shape_dataset, recipe, tmp_path / "parts", device="cpu")
    assert (tmp_path / "parts" / RECORDS).read_text() == (tmp_path / "whole" / RECORDS).read_text()


@pytest.mark.parametrize("family", [SHAPE_VAE, SHAPE_FLOW])
def test_one_step_of_the_smallest_preset(family):
    assert "trained one step" in try_step(family, "cpu")


def test_the_truth_scores_full_marks(shape_dataset, flow):
    seen = SeenShapes(shape_dataset, ("val",), flow, None, judged=True)
    for view in range(6):
        case = flow_judging.case_of(seen[0], flow_judging.FlowJudging(view=view))
        vertices, faces = case.seen.mesh
        scores = flow_judging.agreement((case.placement.points(vertices), faces), case)
        assert scores["silhouette_iou"] > 0.95
        assert scores["view_normal_error"] < 1
        assert scores["iou"] > 0.999


def test_the_hull_of_a_picture_has_its_silhouette(shape_dataset, flow):
    seen = SeenShapes(shape_dataset, ("test",), flow, None, judged=True)
    case = flow_judging.case_of(seen[0], flow_judging.FlowJudging())
    answers = flow_judging.plain_answers(case, SeenShapes(shape_dataset, ("train",), flow, None, judged=False))
    scores = {name: flow_judging.agreement(mesh, case) for name, mesh in answers.items()}
    assert scores[flow_judging.HULL]["silhouette_iou"] > 0.9
    assert scores[vae_judging.CUBOID]["iou"] > 0.95


@pytest.mark.parametrize("view", range(6))
def test_in_the_cameras_frame_a_view_is_the_front(shape_dataset, flow, view):
    seen = SeenShapes(shape_dataset, ("train",), flow, None, judged=False).seen(0)
    placement = seen.placement(view, "camera")
    eye = placement.turn @ seen.cameras[view].center
    assert abs(eye[0]) < 1e-3
    assert eye[1] < -1
    # A mirrored picture shows the mirrored shape: left and right change sides, nothing else does.
    mirrored = seen.placement(view, "camera", mirror=True)
    points = seen.shape.surface[:50, :3]
    np.testing.assert_allclose(mirrored.points(points), placement.points(points) * [-1, 1, 1], atol=2e-3)
    flipped = seen.picture(view, 32, 0.9, mirror=True)
    torch.testing.assert_close(flipped.flip(-1), seen.picture(view, 32, 0.9), atol=0.02, rtol=0.02)


def test_latents_are_those_of_the_shape_as_it_stands(shape_dataset, flow):
    shapes = SeenShapes(shape_dataset, ("train",), flow, None, judged=False)
    first, again = (
        shapes.latents(1, 2, True),
        SeenShapes(shape_dataset, ("train",), flow, None, judged=False).latents(1, 2, True),
    )
    torch.testing.assert_close(first.mean, again.mean)
    assert not torch.equal(first.mean, shapes.latents(1, 2, False).mean)
    # Anchored latents hold places, in the stored units, in their first three channels: those of a mirrored shape mirror.
    batch = flow_example(shapes[0], flow, rng())
    assert batch.latents.shape == batch.noise.shape == (8, 4)
    assert batch.picture.shape == (3, 32, 32)
    assert 0 < batch.uniform < 1


def test_the_flows_loss_is_the_error_of_its_target(shape_dataset, flow):
    network = SHAPE_FLOW.fresh(flow, 0)
    batch = SHAPE_FLOW.batches(SeenShapes(shape_dataset, ("train",), flow, None, judged=False), flow, 0, 0, 1)[0]
    total, terms = SHAPE_FLOW.objective(network, None)(batch)
    # An untrained network answers 0, so the loss is the mean square of noise - data.
    torch.testing.assert_close(terms["flow"], (batch.noise - batch.latents).square().mean())
    guesses = [(guess - batch.latents[..., :3]).square().mean() for guess in network.flow.guesses]
    assert len(guesses) == len(network.flow.blocks)
    torch.testing.assert_close(terms["guess"], torch.stack(guesses).mean().detach())
    torch.testing.assert_close(total.detach(), terms["flow"] + flow.guess * terms["guess"])
    for objective in ("ddpm", "edm"):
        other = flow.model_copy(update={"objective": objective})
        loss = SHAPE_FLOW.objective(SHAPE_FLOW.fresh(other, 0), None)(batch)[1]["flow"]
        path = other.path
        expected = paths.target(path, batch.latents, batch.noise, path.times(batch.uniform)).square().mean()
        torch.testing.assert_close(loss, expected)


def test_the_nearest_order_is_the_best_of_all():
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        latents, noise = torch.randn(2, 6, 3, generator=generator)
        cost = {order: (latents - noise[list(order)]).square().sum() for order in permutations(range(6))}
        best = min(cost, key=cost.__getitem__)
        assert nearest(latents, noise).tolist() == list(best)


def test_tokens_around_a_sphere_keep_their_sides():
    sphere = torch.from_numpy(fibonacci(48)).float()
    shuffled = torch.randperm(48, generator=torch.Generator().manual_seed(0))
    places = (torch.tensor([1.0, 0.8, 0.6]) * sphere)[shuffled]  # an ellipsoid, its points in no order
    assert shuffled[around(places)].tolist() == list(range(48))


@pytest.mark.parametrize(("coupling", "order"), [("independent", "none"), ("assigned", "noise")])
def test_a_run_of_before_has_its_order(flow, coupling, order):
    settings = flow.model_dump()
    del settings["order"]
    assert SHAPE_FLOW.restore({**settings, "coupling": coupling}).order == order


def test_a_drawn_shape_is_judged_at_the_size_of_an_asset():
    vertices = np.random.default_rng(0).uniform([1, -3, 0], [1.5, 0, 2], (40, 3)).astype(np.float32)
    faces = np.arange(39, dtype=np.int32).reshape(-1, 3)
    sized = flow_judging.sized((vertices, faces))
    np.testing.assert_allclose((sized[0].min(0) + sized[0].max(0)) / 2, 0, atol=1e-6)
    assert np.ptp(sized[0], axis=0).max() == pytest.approx(2, abs=1e-6)
    np.testing.assert_allclose(
        np.ptp(sized[0], axis=0) / np.ptp(vertices, axis=0), 2 / np.ptp(vertices, axis=0).max(), rtol=1e-5
    )
    assert flow_judging.sized(NOTHING) is NOTHING


def test_a_withheld_picture_is_no_picture(flow):
    network = SHAPE_FLOW.fresh(flow, 0)
    tokens = network.condition(torch.rand(2, 3, 32, 32), torch.tensor([1.0, 0.0]))
    assert tokens[0].any()
    assert not tokens[1].any()


def test_a_mixture_starts_from_a_dense_run(flow, flow_run):
    dense, _ = load(SHAPE_FLOW, flow_run, CPU)
    mixed = SHAPE_FLOW.fresh(flow.model_copy(update={"moe_blocks": 1, "dense": str(flow_run)}), 0)
    noise, pictures = torch.randn(1, 8, 4), torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(mixed.draw(pictures, noise, 4), dense.draw(pictures, noise, 4), atol=1e-5, rtol=1e-5)


def test_a_flow_without_a_vae_says_what_to_name(shape_dataset, tmp_path):
    with pytest.raises(ConfigError, match="--set vae=RUN"):
        train(SHAPE_FLOW, shape_dataset, "tiny", tmp_path, device="cpu")
    with pytest.raises(ConfigError, match="not a training run"):
        type(SHAPE_FLOW.preset("tiny"))(**{**SHAPE_FLOW.preset("tiny").model_dump(), "vae": str(tmp_path / "none")})


def test_a_dataset_without_points_is_refused(box_dataset, tmp_path):
    with pytest.raises(ConfigError):
        train(SHAPE_VAE, box_dataset, VAE, tmp_path, device="cpu")


def test_evaluations_have_every_method_and_metric(shape_dataset, vae_run, flow_run):
    evaluation = training.evaluate(
        SHAPE_VAE, vae_run, shape_dataset, judging=vae_judging.ShapeJudging(resolution=32), device="cpu"
    )
    expected = {"model", "untrained model", "nearest training shape", "best ellipsoid", "best box"}
    assert set(evaluation.summary) == expected
    assert set(evaluation.summary["best box"]) == {m.key for m in vae_judging.METRICS}
    assert evaluation.summary["best box"]["iou"] > 0.95
    for key, (mean, _, _) in evaluation.all_gains["best box"].items():
        metric = next(m for m in vae_judging.METRICS if m.key == key)
        difference = evaluation.summary["model"][key] - evaluation.summary["best box"][key]
        assert mean == pytest.approx(difference if metric.higher_is_better else -difference)
    assert "By thickness" in "\n".join(evaluation.notes)
    assert Image.open(evaluation.files["sheet"][0]).size == (4 * 160, 2 * 160)
    judging = flow_judging.FlowJudging(steps=3, resolution=32, free=4)
    evaluation = training.evaluate(SHAPE_FLOW, flow_run, shape_dataset, judging=judging, device="cpu")
    assert set(evaluation.summary["model"]) == {m.key for m in flow_judging.METRICS}
    assert {"shuffled pictures", "visual hull"} < set(evaluation.summary)
    text = "\n".join(evaluation.notes)
    assert "coverage" in text
    assert "Nearest training shape of a sample" in text


def test_baselines_are_of_the_dataset_that_the_model_was_trained_on(shape_dataset, held_dataset, vae_run, tmp_path):
    same = {"judging": vae_judging.ShapeJudging(resolution=16), "device": "cpu", "out": tmp_path / "out"}
    with pytest.raises(ConfigError, match=r"no assets in train.*--dataset"):
        training.evaluate(SHAPE_VAE, vae_run, held_dataset, **same)
    apart = training.evaluate(SHAPE_VAE, vae_run, held_dataset, trained_on=shape_dataset, **same)
    whole = training.evaluate(SHAPE_VAE, vae_run, shape_dataset, ("train", "val", "test"), **same)
    assert len(whole.objects) == 6
    assert {o["name"]: o for o in apart.objects} == {o["name"]: o for o in whole.objects}


def test_a_mesh_that_can_not_be_judged_is_left_out(shape_dataset, vae_run, boxes, tmp_path):
    lid = dataclasses.replace(boxes[0], **{n: getattr(boxes[0], n)[:2] for n in ("faces", "uvs", "material_ids", "part_ids")})
    judging = vae_judging.ShapeJudging(resolution=32)
    both = [("lid", lid), ("box", boxes[1])]
    evaluation = training.evaluate_assets(SHAPE_VAE, vae_run, both, shape_dataset, judging, "cpu", tmp_path)
    assert [item["name"] for item in evaluation.objects] == ["box"]
    assert any("of lid encloses nothing" in note for note in evaluation.notes)
    with pytest.raises(AssetError, match="of lid encloses nothing"):
        training.evaluate_assets(SHAPE_VAE, vae_run, both[:1], shape_dataset, judging, "cpu", tmp_path)


def test_noise_at_judgement_is_in_deviations_of_the_latents(shapes, vae_run):
    network, _ = load(SHAPE_VAE, vae_run, CPU)
    plain, noisy = (vae_judging.decoded(network, shapes[0], None, CPU, noise) for noise in (0.0, 0.5))
    again = vae_judging.decoded(network, shapes[0], None, CPU, 0.5)
    torch.testing.assert_close(noisy.places, again.places, rtol=0, atol=0)
    moved = (noisy.places - plain.places) / (0.5 * network.latent_deviation[:3])  # places are the first three channels
    assert 0.5 < float(moved.std()) < 2


def test_half_of_the_shapes_are_decoded_without_noise(shapes):
    recipe = VAE.model_copy(update={"batch": 2000, "input_points": 64, "near_queries": 2, "volume_queries": 2})
    shares = torch.stack([example(shapes[0], recipe, np.random.default_rng(k)).share for k in range(400)])
    assert 0.4 < float((shares == 0).float().mean()) < 0.6
    assert 0.4 < float(shares[shares > 0].mean()) < 0.6


@pytest.mark.parametrize("most", [0.0, 0.3])
def test_a_decoder_that_is_trained_on_noise_is_shown_it(most):
    torch.manual_seed(0)
    network = SHAPE_VAE.network(VAE.model_copy(update={"latent_noise": most}))
    for p in network.parameters():
        if not p.any():
            torch.nn.init.normal_(p, std=0.1)
    latents, points = torch.randn(1, 8, network.channels), torch.rand(1, 50, 3)
    exact, noisy = (network.decode(latents, torch.full((1,), noise))(points) for noise in (0.0, 0.3))
    assert torch.equal(exact, noisy) == (most == 0)


def test_a_mesh_of_anyones_is_judged_by_the_solid_it_encloses(boxes):
    case = SHAPE_VAE.mesh_case("box", boxes[0], VAE, None)
    assert case.shape.surface.shape == (256, 6)
    np.testing.assert_array_equal(case.mesh[1], boxes[0].faces)
    # The same box, its corners unshared: open by its edges, closed in space.
    soup = dataclasses.replace(
        boxes[0], vertices=boxes[0].vertices[boxes[0].faces].reshape(-1, 3), faces=np.arange(36, dtype=np.int32).reshape(-1, 3)
    )
    vertices, faces = SHAPE_VAE.mesh_case("soup", soup, VAE, None).mesh
    assert topology(faces).watertight
    assert volume(vertices, faces) == pytest.approx(volume(boxes[0].vertices, boxes[0].faces), rel=0.03)
    lid = dataclasses.replace(boxes[0], **{n: getattr(boxes[0], n)[:2] for n in ("faces", "uvs", "material_ids", "part_ids")})
    with pytest.raises(AssetError, match="of lid encloses nothing"):
        SHAPE_VAE.mesh_case("lid", lid, VAE, None)


def test_generate_writes_a_closed_glb_from_a_picture_and_from_none(flow_run, tmp_path):
    picture = np.full((60, 80, 3), 240, np.uint8)
    picture[10:50, 20:60] = (200, 30, 30)
    Image.fromarray(picture).save(tmp_path / "x.png")
    run = CliRunner().invoke
    options = ["--steps", "3", "--resolution", "64", "--device", "cpu"]
    for source in (["--image", str(tmp_path / "x.png")], ["--unconditional"]):
        answer = run(app, ["generate", str(flow_run), *source, "--out", str(tmp_path / "x.glb"), *options])
        if answer.exit_code:  # six steps of training may leave nothing inside
            assert isinstance(answer.exception, AssetError), answer.exception
            assert "came out empty" in str(answer.exception)
            continue
        asset = gltf.from_glb((tmp_path / "x.glb").read_bytes())
        assert np.ptp(asset.vertices, axis=0).max() == pytest.approx(2, abs=1e-4)
    for wrong in ([], ["--unconditional", "--image", str(tmp_path / "x.png")]):
        assert isinstance(
            run(app, ["generate", str(flow_run), *wrong, "--out", str(tmp_path / "y.glb")]).exception, ConfigError
        )


@pytest.mark.slow
def test_one_box_is_learned_by_heart(shape_dataset, tmp_path):
    recipe = VAE.model_copy(
        update={"steps": 250, "assets": 1, "augment": False, "tokens": (16,), "near_queries": 256, "warmup": 20}
    )
    train(dataclasses.replace(SHAPE_VAE, preview=None), shape_dataset, recipe, tmp_path, device="cpu")
    evaluation = training.evaluate(
        SHAPE_VAE, tmp_path, shape_dataset, "train", vae_judging.ShapeJudging(resolution=64), objects=1
    )
    assert evaluation.summary["model"]["iou"] > 0.9
    assert json.loads((tmp_path / "evaluation" / "evaluation.json").read_text())["family"] == "shape-vae"
