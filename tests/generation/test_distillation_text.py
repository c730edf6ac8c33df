"""A text-to-image folder as the 2D model, with a tiny Stable Diffusion of random weights."""

import json

import pytest
import torch

from versemill.errors import ConfigError
from versemill.generation.distillation import cameras, optimisation
from versemill.generation.distillation.arms import total_calls
from versemill.generation.distillation.settings import Cameras, Distillation, Scoring

diffusers = pytest.importorskip("diffusers")
transformers = pytest.importorskip("transformers")
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("stable")
    torch.manual_seed(0)
    blocks = {"block_out_channels": (8, 16), "norm_num_groups": 4}
    diffusers.UNet2DConditionModel(
        sample_size=8, in_channels=4, out_channels=4, layers_per_block=1, cross_attention_dim=16, attention_head_dim=8,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), **blocks,
    ).save_pretrained(root / "unet")  # fmt: skip
    diffusers.AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2, latent_channels=4, **blocks
    ).save_pretrained(root / "vae")
    diffusers.DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear").save_pretrained(
        root / "scheduler"
    )
    words = [chr(k) for k in range(33, 127)]
    vocabulary = [*words, *(w + "</w>" for w in words), "<|startoftext|>", "<|endoftext|>"]
    tokenizer = root / "tokenizer"
    tokenizer.mkdir()
    (tokenizer / "vocab.json").write_text(json.dumps({word: k for k, word in enumerate(vocabulary)}))
    (tokenizer / "merges.txt").write_text("#version: 0.2\n")
    (tokenizer / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 40, "pad_token": "<|endoftext|>"}))
    config = transformers.CLIPTextConfig(
        vocab_size=len(vocabulary), hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=40, bos_token_id=len(vocabulary) - 2, eos_token_id=len(vocabulary) - 1,
    )  # fmt: skip
    transformers.CLIPTextModel(config).save_pretrained(root / "text_encoder")
    return root


def test_text_and_side_decide_the_answer(folder):
    from versemill.generation.distillation.stable import TextModel, sides

    model = TextModel(folder, "a cup", CPU)
    assert model.size == 16
    c2w, K = cameras.posed([0.0, 90.0, 180.0, 10.0], [0.0, 0.0, 0.0, 80.0], Cameras(), 16)
    assert sides(c2w).tolist() == [0, 1, 2, 3]
    x = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0)).expand(4, -1, -1, -1)
    t = torch.tensor(0.5)
    with torch.no_grad():
        conditional, unconditional = model.estimators(c2w, K)
        answers, free = conditional(x, t)[1], unconditional(x, t)[1]
        other = TextModel(folder, "a mug", CPU).estimators(c2w, K)[0](x, t)[1]
        direct = model.unet(x[:1], torch.tensor(499.0), encoder_hidden_states=model.texts[:1]).sample
    torch.testing.assert_close(answers[:1], direct, atol=1e-4, rtol=1e-4)
    assert (answers.flatten(1).unsqueeze(0) - answers.flatten(1).unsqueeze(1)).norm(dim=2)[
        ~torch.eye(4, dtype=bool)
    ].min() > 1e-6
    torch.testing.assert_close(free[0], free[1], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(answers, other, atol=1e-7)
    pictures = torch.rand(2, 3, 16, 16, requires_grad=True)
    latents = model.encode(pictures)
    assert latents.shape == (2, 4, 8, 8)
    latents.square().sum().backward()
    assert float(pictures.grad.abs().max()) > 0
    assert model.decode(latents.detach()).shape == (2, 3, 16, 16)


def test_a_text_is_distilled(folder):
    from versemill.generation.distillation.stable import TextModel

    model = TextModel(folder, "a cup", CPU)
    given = Distillation(scoring=Scoring(highest=0.3), field="gaussians", gaussians=30, iterations=2)
    state = optimisation.optimise(given, model, None, 0)
    assert state.step == 2
    assert state.calls == total_calls(given)
    assert all(bool(torch.isfinite(p).all()) for p in state.field.parameters())


def test_a_folder_of_something_else_is_refused(folder, tmp_path):
    from versemill.generation.distillation.stable import TextModel

    with pytest.raises(ConfigError, match="not a Stable Diffusion folder"):
        TextModel(tmp_path, "a cup", CPU)
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix != ".safetensors":
            target = tmp_path / path.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    (tmp_path / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"\x80\x04.")  # a pickle is never opened
    with pytest.raises(ConfigError, match="safetensors"):
        TextModel(tmp_path, "a cup", CPU)
