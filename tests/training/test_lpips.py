"""LPIPS from local files: here with drawn weights, which every property but the published values can be tested with."""

from pathlib import Path

import pytest
import torch

from versemill.errors import ConfigError, MissingDependencyError
from versemill.reconstruction import GAUSSIANS
from versemill.reconstruction.presets import GaussiansRecipe
from versemill.training.loop import fit
from versemill.training.lpips import BACKBONE, HEADS, STAGES, Lpips
from versemill.training.runs import CONFIG

LAYERS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
"""Positions of VGG-16's convolutions in torchvision's list."""


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lpips")
    g = torch.Generator().manual_seed(0)
    shapes = [(a, b) for first, out, count in STAGES for a, b in zip([first] + [out] * count, [out] * count, strict=False)]
    backbone = {}
    for layer, (a, b) in zip(LAYERS, shapes, strict=True):
        backbone[f"features.{layer}.weight"] = torch.randn(b, a, 3, 3, generator=g) * (2 / (9 * a)) ** 0.5
        backbone[f"features.{layer}.bias"] = torch.randn(b, generator=g) * 0.1
    torch.save(backbone, folder / BACKBONE)
    torch.save({f"lin{k}.model.1.weight": torch.rand(1, out, 1, 1, generator=g) for k, (_, out, _) in enumerate(STAGES)},
               folder / HEADS)  # fmt: skip
    return folder


def pictures(seed: int) -> torch.Tensor:
    return torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(seed))


def test_it_is_a_distance(weights: Path) -> None:
    distance, a, b = Lpips(weights), pictures(1), pictures(2)
    assert distance(a, a).tolist() == [0, 0]
    assert (distance(a, b) > distance(a, a + 0.1 * (b - a))).all()
    torch.testing.assert_close(distance(a, b), distance(b, a))
    assert distance(a, b).shape == (2,)
    assert distance(a[..., :16, :16], b[..., :16, :16]).isfinite().all()


def test_it_is_the_definition_on_torchvisions_layout(weights: Path) -> None:
    """By the flat list of layers: convolution, ReLU, pooling, as torchvision numbers them."""
    vgg, heads = (torch.load(weights / name, weights_only=True) for name in (BACKBONE, HEADS))
    features = []
    for image in (pictures(1), pictures(2)):
        x = (image * 2 - 1 - torch.tensor([-0.030, -0.088, -0.188])[:, None, None]) / torch.tensor([0.458, 0.448, 0.450])[:, None, None]  # noqa: E501  # fmt: skip
        taken = []
        for layer in range(31):
            if layer in LAYERS:
                x = torch.nn.functional.conv2d(x, vgg[f"features.{layer}.weight"], vgg[f"features.{layer}.bias"], padding=1)
            elif layer in (4, 9, 16, 23, 30):
                taken.append(x / x.norm(dim=1, keepdim=True))
                x = torch.nn.functional.max_pool2d(x, 2)
            else:
                x = x.relu()
        features.append(taken)
    expected = sum(
        torch.nn.functional.conv2d((a - b) ** 2, heads[f"lin{k}.model.1.weight"]).mean((1, 2, 3))
        for k, (a, b) in enumerate(zip(*features, strict=True))
    )
    torch.testing.assert_close(Lpips(weights)(pictures(1), pictures(2)), expected, atol=1e-4, rtol=1e-4)


def test_missing_or_foreign_weights_are_named(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingDependencyError, match=BACKBONE):
        Lpips(tmp_path)
    torch.save({}, tmp_path / BACKBONE)
    torch.save({}, tmp_path / HEADS)
    with pytest.raises(MissingDependencyError, match="does not hold"):
        Lpips(tmp_path)


def test_training_takes_it_as_the_perceptual_loss(weights: Path, balls, toy_preset: GaussiansRecipe, tmp_path: Path) -> None:
    preset = toy_preset.model_copy(update={"steps": 1})
    fit(GAUSSIANS, balls, preset, tmp_path, 0, "cpu", lpips=weights)
    assert Lpips(weights).digest in (tmp_path / CONFIG).read_text()
    with pytest.raises(ConfigError, match="another lpips"):
        fit(GAUSSIANS, balls, preset, tmp_path, 0, "cpu")
