"""Zero-1-to-3 from a folder of diffusers with tiny random weights: sampled as its own pipeline does, and filtered like ours."""

import json
import shutil
import socket

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from versemill.errors import ConfigError
from versemill.generation.views.attention import explicit, fused
from versemill.generation.views.cameras import orbit
from versemill.generation.views.sampler import Sampling, draw, zero_to_hero
from versemill.generation.views.zero123 import MEAN, Zero123, is_folder
from versemill.mill.cli import app

diffusers = pytest.importorskip("diffusers")
transformers = pytest.importorskip("transformers")
EMBEDDING, CONTEXT = 12, 16
BLOCKS = {"block_out_channels": (8, 16), "norm_num_groups": 4}


def unet(channels=8, **changes):
    return diffusers.UNet2DConditionModel(
        sample_size=8, in_channels=channels, out_channels=4, layers_per_block=1, cross_attention_dim=CONTEXT,
        attention_head_dim=2,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        **{**BLOCKS, **changes},
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("zero123")
    torch.manual_seed(0)
    unet().save_pretrained(root / "unet")
    diffusers.AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2, latent_channels=4, **BLOCKS
    ).save_pretrained(root / "vae")
    diffusers.DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear").save_pretrained(
        root / "scheduler"
    )
    config = transformers.CLIPVisionConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=16, patch_size=8,
        projection_dim=EMBEDDING,
    )  # fmt: skip
    transformers.CLIPVisionModelWithProjection(config).save_pretrained(root / "image_encoder")
    (root / "cc_projection").mkdir()
    weights = {"projection.weight": torch.randn(CONTEXT, EMBEDDING + 4), "projection.bias": torch.randn(CONTEXT)}
    save_file(weights, root / "cc_projection" / "diffusion_pytorch_model.safetensors")
    (root / "model_index.json").write_text(json.dumps({"_class_name": "Zero1to3StableDiffusionPipeline"}))
    return root


@pytest.fixture(scope="module")
def model(folder):
    return Zero123(folder)


def cameras(*poses):
    return torch.tensor(np.stack([orbit(*pose) for pose in poses]), dtype=torch.float32)[None]


POSES = ((10.0, 20.0, 3.0), (70.0, 50.0, 4.0), (-40.0, -10.0, 3.0))


@pytest.fixture(scope="module")
def inputs():
    generator = torch.Generator().manual_seed(1)
    c2w = cameras(*POSES)
    return torch.rand(1, 3, 16, 16, generator=generator), c2w, torch.eye(3).expand(1, 3, 3, 3)


def test_views_are_those_of_the_pipeline_written_out(folder, model, inputs):
    """Zero-1-to-3's sampler: DDIM, guidance against zeros, the source's latents unscaled; diffusers' own attention."""
    parts = {"unet": diffusers.UNet2DConditionModel, "vae": diffusers.AutoencoderKL}
    network, vae = (kind.from_pretrained(folder / name) for name, kind in parts.items())
    encoder = transformers.CLIPVisionModelWithProjection.from_pretrained(folder / "image_encoder")
    layer = load_file(folder / "cc_projection" / "diffusion_pytorch_model.safetensors")
    signal = diffusers.DDIMScheduler.from_pretrained(folder / "scheduler").alphas_cumprod
    noise, guidance = torch.randn(1, 2, 4, 8, 8, generator=torch.Generator().manual_seed(2)), 3.0
    rows = []
    with torch.no_grad():
        mean, deviation = torch.tensor(MEAN), torch.tensor([0.26862954, 0.26130258, 0.27577711])
        pixels = ((inputs[0][0].permute(1, 2, 0) - mean) / deviation).permute(2, 0, 1)[None]
        seen = encoder(pixels).image_embeds[0]
        latents = vae.encode(2 * inputs[0] - 1).latent_dist.mode()
        for k, (azimuth, elevation, distance) in enumerate(POSES[1:]):
            around, up = np.radians(azimuth - POSES[0][0]), np.radians(POSES[0][1] - elevation)
            pose = torch.tensor([up, np.sin(around), np.cos(around), (distance - POSES[0][2]) / 2], dtype=torch.float32)
            token = layer["projection.weight"] @ torch.cat([seen, pose]) + layer["projection.bias"]
            x = noise[0, k : k + 1]
            for step, following in ((999, 799), (799, 599), (599, 399), (399, 199), (199, None)):
                answers = [
                    network(torch.cat([x, on * latents], 1), step, on * token[None, None]).sample for on in (1.0, 0.0)
                ]  # fmt: skip
                epsilon = answers[1] + guidance * (answers[0] - answers[1])
                before, after = signal[step], signal[following] if following is not None else torch.tensor(1.0)
                clean = (x - (1 - before).sqrt() * epsilon) / before.sqrt()
                x = after.sqrt() * clean + (1 - after).sqrt() * epsilon
            rows.append(((vae.decode(x / vae.config.scaling_factor).sample[0] + 1) / 2).clamp(0, 1))
    ours = draw(model, *inputs, lambda: noise * 1.0, Sampling(steps=5, guidance=guidance))
    start = model.path.level(torch.tensor(1.0))[1]  # the sampler scales its noise to the level of step 1,000
    assert float(start) == pytest.approx(1, abs=0.01)
    again = draw(model, *inputs, lambda: noise / start, Sampling(steps=5, guidance=guidance))
    torch.testing.assert_close(again[0], torch.stack(rows), atol=1e-4, rtol=0)
    torch.testing.assert_close(ours, again, atol=0.05, rtol=0)
    assert float(again.std()) > 0.01


def test_its_attention_goes_through_the_hook(model, inputs):
    context = model.look(*inputs, torch.ones(1, 2))
    x = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    layers = []

    def noted(layer, queries, keys, values):
        layers.append(layer)
        return explicit(layer, queries, keys, values)

    with torch.no_grad():
        difference = model(x, torch.full((2,), 500.0), context, noted) - model(x, torch.full((2,), 500.0), context, fused)
    assert float(difference.abs().max()) < 1e-5
    assert layers == list(range(model.layers))
    assert set(model.late) <= set(layers)
    assert model.late == layers[-2:]  # the decoder's only attending block, two layers


def test_what_is_withheld_is_zeros(model, inputs):
    latents, token = model.look(*inputs, torch.zeros(1, 2))
    assert not latents.any()
    assert not token.any()
    shown = model.look(*inputs, torch.ones(1, 2))
    assert all(part.abs().mean() > 0.01 for part in shown)


def command(*arguments):
    answer = CliRunner().invoke(app, ["views", *map(str, arguments), "--device", "cpu"])
    if answer.exception is not None and not isinstance(answer.exception, SystemExit):
        raise answer.exception
    return answer.stdout


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    path = tmp_path_factory.mktemp("picture") / "cup.png"
    pixels = np.zeros((32, 32, 4), np.uint8)
    pixels[6:26, 8:24] = (200, 60, 20, 255)
    Image.fromarray(pixels).save(path)
    return path


def test_the_command_draws_from_the_folder_and_downloads_nothing(folder, picture, tmp_path, monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("a name was looked up")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    base = [folder, "--image", picture, "--azimuth", "30,-60", "--elevation", "10", "--guidance", "3"]
    shown = []
    for name, calls, how in (("plain", 3, ["--steps", "3"]), ("hero", 66, ["--filter", "zero-to-hero"])):
        assert f"{calls} calls of the network" in command(*base, *how, "--out", tmp_path / name)
        shown.append(np.asarray(Image.open(tmp_path / name / "azimuth-30.png")))
    assert shown[0].shape == (16, 16, 3)
    assert (shown[0] != shown[1]).any()


def test_all_of_zero_to_hero_runs_on_it(model, inputs):
    calls = []
    handle = model.unet.register_forward_hook(lambda module, given, answer: calls.append(len(given[0])))
    generator = torch.Generator().manual_seed(0)
    try:
        views = draw(model, *inputs, lambda: torch.randn(1, 2, 4, 8, 8, generator=generator), zero_to_hero(guidance=3.0))
    finally:
        handle.remove()
    assert calls == [6] * 53 + [4] * 13  # two targets and the source's own branch, both halves of guidance
    assert views.shape == (1, 2, 3, 16, 16)


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "model")


def test_the_other_name_of_the_projection_is_known(folder, copy):
    (copy / "cc_projection").rename(copy / "clip_camera_projection")
    path = copy / "clip_camera_projection" / "diffusion_pytorch_model.safetensors"
    weights = load_file(path)
    save_file({"proj.weight": weights["projection.weight"], "proj.bias": weights["projection.bias"]}, path)
    assert torch.equal(Zero123(copy).token_in.weight, Zero123(folder).token_in.weight)


def test_other_layouts_are_refused_by_name(copy, picture, tmp_path):
    def refused(words, path=copy):
        with pytest.raises(ConfigError, match=words):
            command(path, "--image", picture, "--azimuth", "30", "--out", tmp_path / "out")

    (copy / "controlnet").mkdir()
    refused("holds a ControlNet, which draws from a text and a map")
    (copy / "controlnet").rmdir()
    single = tmp_path / "controlnet"
    single.mkdir()
    (single / "config.json").write_text(json.dumps({"_class_name": "ControlNetModel"}))
    refused("holds a ControlNet", single)
    config = copy / "unet" / "config.json"
    before = config.read_text()
    config.write_text(json.dumps({**json.loads(before), "_class_name": "MultiViewUNetModel"}))
    refused("is a 'MultiViewUNetModel', as MVDream's is one of its own")
    config.write_text(before)
    (copy / "image_encoder").rename(tmp_path / "aside")
    refused("image_encoder missing")
    (tmp_path / "aside").rename(copy / "image_encoder")
    assert not (tmp_path / "out").exists()


def test_weights_that_do_not_fit_are_refused(copy):
    def refused(words):
        with pytest.raises(ConfigError, match=words):
            Zero123(copy)

    path = copy / "cc_projection" / "diffusion_pytorch_model.safetensors"
    weights = load_file(path)
    save_file({"projection.weight": weights["projection.weight"]}, path)
    refused("does not hold one linear layer")
    save_file({**weights, "projection.weight": weights["projection.weight"][:, :-1].contiguous()}, path)
    refused("maps 15 numbers to 16; picture embedding and pose are 16")
    save_file(weights, path)
    shutil.rmtree(copy / "unet")
    unet(channels=4).save_pretrained(copy / "unet")
    refused("takes 4 channels; Zero-1-to-3's takes 8")
    shutil.rmtree(copy / "unet")
    unet().save_pretrained(copy / "unet", safe_serialization=False)
    refused("weights must be safetensors")


def test_a_training_run_is_no_such_folder(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"family": "novel-views"}))
    assert not is_folder(tmp_path)
