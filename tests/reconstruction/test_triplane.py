"""The triplane model: rays through the box, volume rendering against closed forms, planes in place, one asset by heart."""

from pathlib import Path

import pytest
import torch

from versemill.reconstruction import GAUSSIANS, MONOCULAR, TRIPLANE
from versemill.reconstruction.presets import GaussiansRecipe, TriplaneRecipe
from versemill.reconstruction.triplane import AXES, Triplane, TriplaneLRM, box_crossing
from versemill.training.geometry import rays
from versemill.training.images import psnr
from versemill.training.loop import fit
from versemill.training.runs import load


@pytest.fixture
def preset(toy_preset: GaussiansRecipe) -> TriplaneRecipe:
    own = toy_preset.model_dump(exclude={"stride", "scale_clip"})
    return TriplaneRecipe(**own, plane=16, plane_channels=4, samples=64)


@pytest.fixture
def field(preset: TriplaneRecipe) -> TriplaneLRM:
    torch.manual_seed(0)
    return TriplaneLRM(preset)


def test_rays_enter_and_leave_the_box() -> None:
    g = torch.Generator().manual_seed(0)
    origins = torch.randn(200, 3, generator=g) * 2
    directions = torch.nn.functional.normalize(torch.randn(200, 3, generator=g), dim=1)
    near, far = box_crossing(origins, directions)
    along = torch.linspace(0, 8, 4001)
    inside = ((origins[:, None] + along[:, None] * directions[:, None]).abs() <= 1).all(-1)
    length = inside.sum(1) * 8 / 4000
    torch.testing.assert_close(far - near, length, atol=5e-3, rtol=0)
    assert (near >= 0).all()


def test_a_uniform_fog_absorbs_by_its_length(field: TriplaneLRM, balls) -> None:
    c2w, K = balls[0].c2w[None, :2], balls[0].K[None, :2]
    with torch.no_grad():
        for parameter in field.field.parameters():
            parameter.zero_()
        field.field[-1].bias.copy_(torch.tensor([0.0, 2.0, -2.0, 0.5]))
        got = field.draw(Triplane(torch.zeros(1, 3, 4, 16, 16)), c2w, K, 16)
    density = 10 * torch.nn.functional.softplus(torch.tensor(-0.5))
    near, far = box_crossing(*(t.permute(0, 1, 3, 4, 2) for t in rays(c2w, K, 16)))
    alpha = (1 - torch.exp(-density * (far - near)))[:, :, None]
    torch.testing.assert_close(got.alpha, alpha, atol=1e-4, rtol=0)
    torch.testing.assert_close(got.rgb, alpha * torch.sigmoid(torch.tensor([0.0, 2.0, -2.0]))[:, None, None], atol=1e-4, rtol=0)
    assert (got.depth[got.alpha > 0.5] > 0).all()


def test_planes_are_read_at_their_own_axes(field: TriplaneLRM) -> None:
    """A plane that holds its own coordinates gives them back."""
    P = 16
    cells = (torch.arange(P) + 0.5) / P * 2 - 1
    planes = torch.zeros(1, 3, 4, P, P)
    planes[0, :, 0], planes[0, :, 1] = cells[None, None, :], cells[None, :, None]
    seen = []
    field.field.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    points = torch.rand(1, 50, 3, generator=torch.Generator().manual_seed(1)) * 1.8 - 0.9
    field.at(planes, points)
    for k, axes in enumerate(AXES):
        torch.testing.assert_close(seen[0][..., 4 * k : 4 * k + 2], points[..., axes], atol=1e-5, rtol=0)


def test_chunks_change_nothing(field: TriplaneLRM, balls, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [t[None, :3] for t in (balls[0].over_white, balls[0].alpha, balls[0].c2w, balls[0].K)]
    planes, depth = field(*parts)
    assert depth is None
    whole = field.draw(planes, *parts[2:], 16)
    monkeypatch.setattr("versemill.reconstruction.triplane.CHUNK", 64 * 100)
    torch.testing.assert_close(field.draw(planes, *parts[2:], 16).rgb, whole.rgb)


def test_every_family_builds() -> None:
    with torch.device("meta"):
        for family in (GAUSSIANS, TRIPLANE, MONOCULAR):
            for each in family.presets.values():
                assert family.network(each.model_copy(update={"layers": 1})).recipe.name == each.name


def test_sizes_that_do_not_divide_are_refused(preset: TriplaneRecipe) -> None:
    with pytest.raises(ValueError, match="plane 18 must be a multiple of 4"):
        TriplaneLRM(preset.model_copy(update={"plane": 18}))


@pytest.mark.slow
def test_one_asset_is_learned_by_heart(make_ball, preset: TriplaneRecipe, tmp_path: Path) -> None:
    recipe = preset.model_copy(
        update={
            "plane": 16, "plane_channels": 8, "samples": 24, "width": 32, "steps": 250, "warmup": 20,
            "lr": 3e-3, "batch": 1, "augment": False, "input_views": 3, "target_views": 4, "ema": 0.9, "weight_decay": 0.0,
            "divergence": 10.0, "save_every": 300,
        }
    )  # fmt: skip
    scene, inputs = make_ball(0, 16, 4), [0, 1, 2]
    fit(TRIPLANE, [scene], recipe, tmp_path, 0, "cpu")
    model, _ = load(TRIPLANE, tmp_path, torch.device("cpu"))
    with torch.no_grad():
        planes, _ = model(*(t[None, inputs] for t in (scene.over_white, scene.alpha, scene.c2w, scene.K)))
        image = model.draw(planes, scene.c2w[None], scene.K[None], 16).over(1.0)[0]
    assert psnr(image, scene.over_white).mean() > 28
