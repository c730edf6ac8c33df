"""The model: rays, patches, and Gaussians that sit on their own pixels' rays."""

import numpy as np
import pytest
import torch

from versemill.camera import Camera
from versemill.errors import ConfigError
from versemill.reconstruction import GAUSSIANS
from versemill.reconstruction import model as lrm
from versemill.reconstruction.presets import GaussiansRecipe
from versemill.training.splats import invert, project


def inputs_of(scene, count: int) -> list[torch.Tensor]:
    return [t[None, :count] for t in (scene.over_white, scene.alpha, scene.c2w, scene.K)]


def test_rays_are_those_of_the_camera(balls) -> None:
    scene = balls[0]
    origins, directions = lrm.rays(scene.c2w[None], scene.K[None], 16)
    expected_origins, expected = Camera(scene.c2w[1].double().numpy(), scene.K[1].double().numpy(), 16, 16).rays()
    expected /= np.linalg.norm(expected, axis=-1, keepdims=True)
    np.testing.assert_allclose(directions[0, 1].permute(1, 2, 0), expected, atol=1e-6)
    np.testing.assert_allclose(origins[0, 1].permute(1, 2, 0), expected_origins, atol=1e-6)


def test_patches_keep_pixels_in_place(toy_preset: GaussiansRecipe) -> None:
    """Per-patch outputs that name their own cell come back at that cell."""
    n, side = toy_preset.size // toy_preset.patch, toy_preset.patch // toy_preset.stride
    cells = torch.arange(2 * n * n * side * side, dtype=torch.float32).reshape(1, 2, n, side, n, side)
    raw = cells.permute(0, 1, 2, 4, 3, 5).reshape(1, 2 * n * n, 1, side * side).expand(-1, -1, lrm.OUTPUTS, -1).flatten(2)
    maps = lrm._from_patches(raw, 2, toy_preset)
    assert torch.equal(maps[0, :, 3], cells.reshape(2, n * side, n * side))
    pixels = torch.arange(16 * 16, dtype=torch.float32).reshape(1, 1, 1, 16, 16)
    assert torch.equal(lrm._to_patches(pixels, 4)[0, 5], pixels[0, 0, 0, 4:8, 4:8].flatten())


@pytest.mark.parametrize("stride", [1, 2])
def test_every_gaussian_projects_onto_its_own_pixel(balls, toy_preset: GaussiansRecipe, stride: int) -> None:
    preset = toy_preset.model_copy(update={"stride": stride})
    torch.manual_seed(0)
    gaussians, depth = lrm.LRM(preset)(*inputs_of(balls[0], 3))
    assert gaussians.means.shape == (1, 3 * (16 // stride) ** 2, 3)
    scene = balls[0]
    splats = project(gaussians, invert(scene.c2w[None, :3]), scene.K[None, :3], (16, 16))
    count = (16 // stride) ** 2
    centers = (torch.arange(16 // stride) + 0.5) * stride
    y, x = torch.meshgrid(centers, centers, indexing="ij")
    for view in range(3):
        own = slice(view * count, (view + 1) * count)
        torch.testing.assert_close(splats.xy[view, own], torch.stack([x, y], -1).reshape(-1, 2), atol=0.02, rtol=0)
        torch.testing.assert_close(splats.features[view, own, 3], depth[0, view].flatten(), atol=1e-4, rtol=0)


def test_gaussians_stay_in_the_sphere_around_the_world_box(balls, toy_preset: GaussiansRecipe) -> None:
    torch.manual_seed(1)
    net = lrm.LRM(toy_preset)
    with torch.no_grad():
        net.head.weight.mul_(300)  # extreme raw outputs
    gaussians, depth = net(*inputs_of(balls[1], 3))
    assert gaussians.means.norm(dim=-1).max() <= 1.02 * lrm.RADIUS
    assert depth.min() > 0
    assert gaussians.scales.max() <= np.exp(toy_preset.scale_clip) + 1e-6
    assert all(torch.isfinite(getattr(gaussians, n)).all() for n in ("means", "quats", "scales", "opacities", "colors"))


def test_background_pixels_get_no_gaussian_unless_the_preset_has_no_masks(balls, toy_preset: GaussiansRecipe) -> None:
    torch.manual_seed(0)
    empty = lrm.pool(balls[0].alpha[None, :3], 2).flatten() == 0
    assert empty.any()
    masked, _ = lrm.LRM(toy_preset)(*inputs_of(balls[0], 3))
    assert not masked.opacities[0][empty].any()
    unmasked, _ = lrm.LRM(toy_preset.model_copy(update={"masked": False}))(*inputs_of(balls[0], 3))
    assert unmasked.opacities[0][empty].all()


def test_the_order_of_input_views_only_reorders_the_gaussians(balls, toy_preset: GaussiansRecipe) -> None:
    torch.manual_seed(0)
    net = lrm.LRM(toy_preset)
    parts = inputs_of(balls[2], 3)
    order = [2, 0, 1]
    a, b = net(*parts)[0], net(*(t[:, order] for t in parts))[0]
    for name in ("means", "opacities", "colors"):
        x, y = getattr(a, name).unflatten(1, (3, -1))[:, order], getattr(b, name).unflatten(1, (3, -1))
        torch.testing.assert_close(x, y, atol=1e-5, rtol=1e-4)


def test_a_rays_waves_are_those_of_its_point_nearest_to_the_origin(balls) -> None:
    origins, directions = lrm.rays(balls[0].c2w[None], balls[0].K[None], 16)
    sines, cosines = lrm.ray_waves(directions, torch.cross(origins, directions, dim=2), 1)
    point = torch.atan2(sines, cosines) / (torch.pi / 2)
    near = point.norm(dim=2) < 1.9  # beyond 2 the angle has wrapped
    assert (point * directions).sum(2)[near].abs().max() < 1e-4
    torch.testing.assert_close(
        torch.cross(point - origins, directions, dim=2).norm(dim=2)[near], torch.zeros(int(near.sum())), atol=1e-4, rtol=0
    )
    assert lrm.ray_waves(directions, origins, 0) == []


def test_mixed_precision_is_what_the_preset_says_or_what_the_hardware_has(toy_preset: GaussiansRecipe) -> None:
    cpu = torch.device("cpu")
    for name, expected in (("off", {False}), ("bfloat16", {True}), ("auto", {False, True})):
        assert lrm.mixed_precision(toy_preset.model_copy(update={"amp": name}), cpu) in expected


def test_bfloat16_stays_close_to_float32(balls, toy_preset: GaussiansRecipe) -> None:
    predictions = []
    for amp in ("off", "bfloat16"):
        torch.manual_seed(0)
        predictions.append(lrm.LRM(toy_preset.model_copy(update={"amp": amp}))(*inputs_of(balls[0], 3))[0])
    assert predictions[1].means.dtype == torch.float32
    assert not torch.equal(predictions[0].means, predictions[1].means)
    torch.testing.assert_close(predictions[0].means, predictions[1].means, atol=0.02, rtol=0)


def test_checkpointing_changes_memory_not_gradients(balls, toy_preset: GaussiansRecipe) -> None:
    grads = []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        net = lrm.LRM(toy_preset.model_copy(update={"checkpointing": checkpointing})).train()
        net(*inputs_of(balls[0], 3))[0].means.square().sum().backward()
        grads.append(net.patchify.weight.grad)
    torch.testing.assert_close(*grads)


def test_presets_build_and_are_found_by_name() -> None:
    assert list(GAUSSIANS.presets) == ["micro", "tiny", "small", "base", "paper"]
    assert GAUSSIANS.preset(None).name == "micro"
    with pytest.raises(ConfigError, match=r"'huge'.*micro, tiny"):
        GAUSSIANS.preset("huge")


def test_sizes_that_do_not_divide_are_refused(toy_preset: GaussiansRecipe) -> None:
    with pytest.raises(ValueError, match="multiple of patch 5"):
        lrm.LRM(toy_preset.model_copy(update={"patch": 5, "stride": 1}))


def test_the_paper_preset_has_the_papers_size() -> None:
    with torch.device("meta"):
        count = sum(p.numel() for p in lrm.LRM(GAUSSIANS.presets["paper"]).parameters())
    assert 290e6 < count < 320e6
