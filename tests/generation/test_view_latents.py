"""Novel views in the latents of a local autoencoder with tiny random weights."""

import dataclasses
import json
import shutil

import pytest
import torch
from view_networks import MICRO, UNET, awake

from versemill import training
from versemill.errors import ConfigError
from versemill.generation import NOVEL_VIEWS, paths
from versemill.generation.views import data, judging
from versemill.generation.views.network import NovelViews, Objective
from versemill.generation.views.sampler import Sampling, draw, zero_to_hero
from versemill.training.loop import train
from versemill.training.runs import RECORDS, load

diffusers = pytest.importorskip("diffusers")
CPU = torch.device("cpu")


def save(folder, channels=4, seed=0):
    torch.manual_seed(seed)
    diffusers.AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2, latent_channels=channels,
        block_out_channels=(8, 16), norm_num_groups=4, scaling_factor=0.5,
    ).save_pretrained(folder)  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def vae(tmp_path_factory):
    return save(tmp_path_factory.mktemp("vae"))


def in_latents(folder, **changes):
    return type(UNET)(**{**UNET.model_dump(), "vae": str(folder), "warm": 2, "save_every": 2, "divergence": 1e6, **changes})


@pytest.fixture(scope="module")
def recipe(vae):
    return in_latents(vae)


def test_a_preset_reads_what_is_drawn_from_the_folder(recipe):
    assert recipe.factor == 2
    assert recipe.shape == (4, 8, 8)
    assert UNET.shape == (3, 16, 16)
    assert NOVEL_VIEWS.restore(json.loads(recipe.model_dump_json())) == recipe


def test_pictures_go_in_and_out_by_the_autoencoder(vae, recipe):
    network = NovelViews(recipe)
    own = diffusers.AutoencoderKL.from_pretrained(vae)
    pictures = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        latents = own.encode(2 * pictures - 1).latent_dist.mean * 0.5
        torch.testing.assert_close(network.encode(pictures), latents)
        torch.testing.assert_close(network.decode(latents), ((own.decode(latents / 0.5).sample + 1) / 2).clamp(0, 1))
    pictures.requires_grad_()
    network.encode(pictures).square().sum().backward()
    assert pictures.grad.abs().sum() > 0  # distillation asks for this


def test_the_loss_is_that_of_the_latents_and_leaves_the_autoencoder_alone(recipe, box_dataset):
    seen = data.SeenViews(box_dataset, ("train",), recipe, None, False)
    batch = NOVEL_VIEWS.batches(seen, recipe, 0, 0, 1)[3]
    assert batch.noise.shape == (2, 1, 4, 8, 8)
    assert not batch.blank.any()
    network = awake(NOVEL_VIEWS.fresh(recipe, 0))
    total, _ = Objective(network)(batch)
    path = paths.DDPM(prediction=recipe.prediction)
    t = path.times(batch.uniform.flatten() ** (1 / recipe.high_noise))
    with torch.no_grad():
        latents = network.encode(batch.target.flatten(0, 1))
        x = paths.mix(path, latents, batch.noise.flatten(0, 1), t)
        answer = network(x, 1000 * t, network.look(batch.source, batch.c2w, batch.K, batch.keep))
        expected = (answer - paths.target(path, latents, batch.noise.flatten(0, 1), t)).square().mean()
    torch.testing.assert_close(total, expected)
    total.backward()
    assert all(p.grad is None for p in network.core.codec.parameters())
    network.train()
    assert not any(module.training for module in network.core.codec.modules())


def test_views_are_drawn_in_latents_and_shown_as_pictures(recipe):
    network = awake(NovelViews(recipe.model_copy(update={"targets": 2})))
    batch = data.noise(network.recipe, torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(0)
    for sampling in (Sampling(steps=2), zero_to_hero()):
        views = draw(
            network, batch.source, batch.c2w, batch.K, lambda: torch.randn(1, 2, 4, 8, 8, generator=generator), sampling
        )
        assert views.shape == (1, 2, 3, 16, 16)
    case = torch.ones(1, 2)
    context = network.look(batch.source, batch.c2w, batch.K, case)
    with torch.no_grad():
        assert network.regressed(context, 2).shape == (2, 3, 16, 16)


def test_a_stopped_training_goes_on_exactly_and_needs_the_folder_no_more(box_dataset, tmp_path):
    folder = save(tmp_path / "vae")
    recipe, family = in_latents(folder), dataclasses.replace(NOVEL_VIEWS, preview=None)
    train(family, box_dataset, recipe, tmp_path / "whole", device="cpu")

    def stop(step, count, record):
        if step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(family, box_dataset, recipe, tmp_path / "parts", device="cpu", progress=stop)
    shutil.rmtree(folder)
    train(family, box_dataset, recipe, tmp_path / "parts", device="cpu")
    assert (tmp_path / "parts" / RECORDS).read_text() == (tmp_path / "whole" / RECORDS).read_text()
    networks = [load(NOVEL_VIEWS, tmp_path / name, CPU)[0] for name in ("whole", "parts")]
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(*(network.decode(latents) for network in networks))
    settings = judging.ViewsJudging(poses=2, seeds=1, sampling=Sampling(steps=1))
    outcome = training.evaluate(NOVEL_VIEWS, tmp_path / "parts", box_dataset, judging=settings, device="cpu")
    assert set(outcome.summary["model"]) >= {"psnr", "iou", "wrong_pose"}


def test_what_can_not_be_is_refused(vae, tmp_path):
    with pytest.raises(ConfigError, match="take network: unet"):
        type(MICRO)(**{**MICRO.model_dump(), "vae": str(vae)})
    with pytest.raises(ConfigError, match="size 20 is not a multiple of 8"):
        in_latents(vae, size=20)
    for name, content, words in (
        ("none", None, "is no AutoencoderKL as diffusers saves it"),
        ("text", "no json", "is no AutoencoderKL"),
        ("list", "[]", "is no AutoencoderKL"),
        (
            "unet",
            json.dumps({"_class_name": "UNet2DConditionModel"}),
            "holds 'UNet2DConditionModel'; an AutoencoderKL is needed",
        ),
        ("empty", json.dumps({"_class_name": "AutoencoderKL", "block_out_channels": [], "latent_channels": 4}), "no levels"),
    ):
        (tmp_path / name).mkdir()
        if content is not None:
            (tmp_path / name / "config.json").write_text(content)
        with pytest.raises(ConfigError, match=words):
            in_latents(tmp_path / name)
    recipe = in_latents(vae)
    other = recipe.model_copy(update={"vae": str(save(tmp_path / "other", channels=3))})
    with pytest.raises(ConfigError, match="holds another autoencoder"):
        NovelViews(other)
    bare = tmp_path / "bare"
    bare.mkdir()
    shutil.copy(vae / "config.json", bare)
    with pytest.raises(ConfigError, match="can't load the autoencoder"):
        NovelViews(in_latents(bare))
