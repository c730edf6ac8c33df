"""Normals from a picture: loss, noise, masks and errors against direct computations; what network and batches promise."""

import math

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch.nn import functional as F

from versemill import seeds
from versemill.errors import ConfigError
from versemill.generation.normals import domains, errors, losses
from versemill.generation.normals.answers import channels, estimate
from versemill.generation.normals.data import NormalBatch, Staged, Views, photographed, plain
from versemill.generation.normals.family import NORMALS
from versemill.generation.normals.network import LITE0, Normals
from versemill.generation.normals.presets import PRESETS, NormalsRecipe
from versemill.generation.normals.spectra import BANDS, Spectra, power
from versemill.training.loop import State

SMALL = NormalsRecipe(
    name="toy", hardware="any", time="seconds", expected="nothing", view=32, crop=16, widths=(8, 16), decoder=(8,), steps=10,
    batch=3, optimizer="muon", lr=1e-3, warmup=2, save_every=4, amp="off", divergence=1e6,
)  # fmt: skip


def changed(**settings) -> NormalsRecipe:
    return NormalsRecipe(**{**SMALL.model_dump(), **settings})


def ball(size=32, radius=12.0, source="detailverse", index=0) -> Views:
    """A ball seen from two sides by parallel rays, coloured by its normals."""
    y, x = np.mgrid[:size, :size] + 0.5 - size / 2
    inside = x * x + y * y < radius**2
    z = -np.sqrt(np.maximum(radius**2 - x * x - y * y, 0))
    normal = np.where(inside, np.stack([x, y, z]) / radius, 0)
    colours = np.where(inside, 255 * (0.5 - 0.4 * normal), 0)
    rgba = np.concatenate([colours, 255.0 * inside[None]]).astype(np.uint8)
    return Views(np.stack([rgba] * 2), np.stack([normal] * 2).astype(np.float16), f"ball {index}", source, index)


class Balls(list):
    sources = property(lambda self: [views.source for views in self])
    indices = property(lambda self: [views.index for views in self])


BALLS = Balls(ball(radius=9.0 + k, source=("detailverse", "zeroverse")[k % 2], index=k) for k in range(4))


def rng(index=0):
    return seeds.stream(0, index, "test")


def started(recipe, seed=0) -> Normals:
    """A network whose zero-initialised parts are not zero."""
    network = NORMALS.fresh(recipe, seed)
    generator = torch.Generator().manual_seed(seed)
    for p in network.parameters():
        if not p.any():
            p.data = 0.1 * torch.randn(p.shape, generator=generator)
    return network


# The loss and the noise


def test_the_loss_is_one_minus_cosine_and_the_squared_distance_over_known_pixels():
    raw = torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(0))
    normal = F.normalize(torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(1)), dim=1)
    normal[0, :, :2] = 0
    cosine = squares = count = 0.0
    for n in range(2):
        for row in range(5):
            for column in range(4):
                a, b = raw[n, :, row, column].double(), normal[n, :, row, column].double()
                if b.any():
                    cosine += 1 - float(a @ b / (a.norm() * b.norm()))
                    squares += float(((a - b) ** 2).sum())
                    count += 1
    found = losses.terms(raw, normal)
    assert count == 2 * 20 - 8
    assert found["cosine"] == pytest.approx(cosine / count, rel=1e-5)
    assert found["l2"] == pytest.approx(squares / count, rel=1e-5)


@pytest.mark.parametrize("weights", [(1.0, 0.0), (0.3, 2.0)])
def test_the_objective_weighs_the_terms(weights):
    recipe = changed(cosine=weights[0], l2=weights[1])
    batch = NORMALS.batches(BALLS, recipe, 0, 0, 1)[0]
    total, parts = losses.Objective(started(recipe))(batch)
    torch.testing.assert_close(total.detach(), weights[0] * parts["cosine"] + weights[1] * parts["l2"])


def test_what_is_unknown_does_not_count():
    batch = NORMALS.batches(BALLS, SMALL, 0, 0, 1)[0]
    raw = torch.randn(batch.normal.shape)
    other = torch.where((batch.normal == 0).all(1, keepdim=True), raw + 5, raw)
    for name, value in losses.terms(raw, batch.normal).items():
        torch.testing.assert_close(losses.terms(other, batch.normal)[name], value)


@given(st.floats(0, 0.99))
def test_noise_keeps_the_mean_square_of_a_standard_picture(sigma):
    """z = sqrt(alpha) x + sqrt(1 - alpha) noise, with sigma = sqrt(1 - alpha): of unit variance where x is."""
    generator = torch.Generator().manual_seed(0)
    x, noise = torch.randn(2, 1, 3, 64, 64, generator=generator)
    z = 2 * losses.noised((x + 1) / 2, noise, sigma) - 1
    alpha = 1 - sigma**2
    torch.testing.assert_close(z, math.sqrt(alpha) * x + math.sqrt(1 - alpha) * noise, atol=1e-5, rtol=1e-5)
    assert float(z.square().mean()) == pytest.approx(1, abs=0.05)


def test_without_noise_the_picture_stays():
    picture = torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(losses.noised(picture, torch.randn(1, 3, 8, 8), 0.0), picture)


# Masks and errors


def window(mask, row, column, before, after, pick):
    """`pick` of a boolean mask over rows and columns -before .. +after; what lies outside does not count."""
    rows = slice(max(0, row - before), row + after + 1)
    columns = slice(max(0, column - before), column + after + 1)
    return pick(mask[rows, columns])


@given(hnp.arrays(bool, (24, 19), elements=st.booleans(), fill=st.just(True)))
def test_the_inner_mask_is_an_erosion_by_ten_pixels(mask):
    expected = [[window(mask, r, c, 5, 4, np.all) for c in range(19)] for r in range(24)]
    np.testing.assert_array_equal(errors.inner(mask), expected)


def crease(size=64, degrees=60.0):
    """Two planes that meet in a vertical line at column size / 2."""
    half = np.radians(degrees / 2)
    left = np.arange(size) < size // 2
    x = np.where(left, -np.sin(half), np.sin(half))
    normal = np.stack([x, 0 * x, np.full(size, -np.cos(half))])[:, None].repeat(size, 1)
    known = np.zeros((size, size), bool)
    known[4:-4, 4:-4] = True
    return np.where(known, normal, 0), known


def test_the_sharp_mask_is_cannys_edges_dilated_within_the_inner_mask():
    normal, known = crease()
    found = errors.sharp(normal, known)
    picture = np.zeros((64, 64, 3), np.uint8)
    for row, column in zip(*np.nonzero(known), strict=True):
        x, y, z = normal[:, row, column]
        picture[row, column] = [round((x + 1) * 127.5), round((-y + 1) * 127.5), round((-z + 1) * 127.5)]
    grey = np.round(picture @ [0.299, 0.587, 0.114]).astype(np.uint8)
    edges = cv2.Canny(grey, 50, 100) > 0
    dilated = np.array([[window(edges, r, c, 1, 1, np.any) for c in range(64)] for r in range(64)])
    eroded = np.array([[window(known, r, c, 5, 4, np.all) for c in range(64)] for r in range(64)])
    np.testing.assert_array_equal(found, dilated & eroded)
    # What it marks is the crease, three pixels wide, and nothing of the outline.
    columns = np.flatnonzero(found.any(0))
    assert len(columns) == 3
    assert set(columns) <= {30, 31, 32, 33}
    assert not errors.sharp(*crease(degrees=0.0)).any()


def test_errors_are_mean_angles_over_the_two_masks():
    normal, known = crease()
    answer = normal.copy()
    tilt = np.zeros((64, 64))
    tilt[:, 31:33] = 30.0  # wrong by 30 degrees beside the crease alone
    cos, sin = np.cos(np.radians(tilt)), np.sin(np.radians(tilt))
    answer[1], answer[2] = cos * normal[1] - sin * normal[2], sin * normal[1] + cos * normal[2]
    direct = np.degrees(np.arccos(np.clip((answer * normal).sum(0), -1, 1)))
    found = errors.errors(answer, normal, known)
    assert found[0] == pytest.approx(direct[errors.inner(known)].mean())
    assert found[1] == pytest.approx(direct[errors.sharp(normal, known)].mean())
    assert found[1] > 5 * found[0] > 0
    assert errors.errors(normal, normal, known) == pytest.approx((0, 0), abs=1e-5)
    assert errors.errors(-normal, normal, known) == pytest.approx((180, 180), abs=1e-5)


def test_a_view_without_such_pixels_has_no_error():
    normal, known = crease(degrees=0.0)
    assert np.isnan(errors.errors(normal, normal, known)[1])
    assert np.isnan(errors.errors(normal, normal, np.zeros_like(known))).all()


def test_energy_by_band_sums_to_the_sum_of_squares():
    values, known = rng().normal(size=(3, 20, 33)), rng(1).random((20, 33)) < 0.7
    centred = np.where(known, values - (values[:, known].mean(1))[:, None, None], 0)
    assert power(values, known).sum() == pytest.approx((centred**2).sum())
    x = np.arange(64)
    for cycles, band in ((0.02, 1), (0.09, 3), (0.2, 4), (0.4, 5)):
        wave = np.broadcast_to(np.sin(2 * np.pi * round(cycles * 64) / 64 * x), (3, 64, 64))
        assert power(wave, np.ones((64, 64), bool)).argmax() == band, BANDS


def test_any_constant_answer_misses_all_energy():
    truth = ball(size=128, radius=48.0).normal.astype(np.float64)
    known = (truth != 0).any(1)
    spectra = Spectra()
    flat = np.broadcast_to(np.array([0.6, 0, -0.8])[:, None, None], truth.shape)
    spectra.add({"flat": flat, "perfect": truth}, truth, known)
    shares = spectra.shares()
    np.testing.assert_allclose(shares["flat"], 1, rtol=1e-6)
    np.testing.assert_allclose(shares["perfect"], 0, atol=1e-9)
    assert "1/64 to 1/32" in spectra.note()


# The network


def test_two_streams_start_as_their_clean_stream_alone():
    one, two = (NORMALS.fresh(changed(streams=streams), 3) for streams in (1, 2))
    for p in one.head.parameters():
        torch.nn.init.normal_(p)
    two.head.load_state_dict(one.head.state_dict())
    pictures = torch.rand(2, 3, 16, 32)
    answer = one(pictures)
    assert answer.std() > 0.1
    torch.testing.assert_close(two(pictures, torch.rand(2, 3, 16, 32)), answer, atol=0, rtol=0)
    for p in two.merge.parameters():
        torch.nn.init.normal_(p)
    assert (two(pictures, torch.rand(2, 3, 16, 32)) - answer).abs().max() > 1e-3


def test_an_untrained_network_says_that_everything_faces_the_camera():
    answer = NORMALS.fresh(SMALL, 0).answer(torch.rand(1, 3, 16, 16))
    torch.testing.assert_close(answer, torch.tensor([0.0, 0.0, -1.0])[:, None, None].expand(1, 3, 16, 16))


def test_pictures_of_any_size_get_unit_normals_of_that_size():
    network = started(SMALL)
    answer = network.answer(torch.rand(1, 3, 21, 37))
    assert answer.shape == (1, 3, 21, 37)
    torch.testing.assert_close(answer.norm(dim=1), torch.ones(1, 21, 37))


def test_one_stream_sees_the_noised_picture_and_two_see_both():
    a, b = torch.rand(2, 1, 3, 16, 16)
    one, two = started(changed(streams=1)), started(SMALL)
    torch.testing.assert_close(one(a, b), one(b, b))
    assert (two(a, b) - two(b, b)).abs().max() > 1e-4
    assert (two(a, b) - two(a, a)).abs().max() > 1e-4


def test_muon_takes_the_kernels_between_maps_and_nothing_else():
    network = NORMALS.fresh(SMALL, 0)
    hidden = {id(p) for p in NORMALS.hidden(network)}
    names = {name for name, p in network.named_parameters() if id(p) in hidden}
    assert names
    assert all(name.endswith("weight") for name in names)
    assert not any(word in name for name in names for word in ("stem", "head", "merge"))
    assert len(names) == sum(
        p.ndim == 4 for n, p in network.named_parameters() if not any(w in n for w in ("stem", "head", "merge"))
    )


def test_the_pretrained_stream_has_maps_at_every_stride():
    pytest.importorskip("efficientnet_lite_pytorch")
    recipe = changed(encoder="lite0", view=64, crop=64, widths=(8, 16, 24, 32, 40), decoder=(8, 8, 8, 8))
    network = started(recipe)
    levels = network.clean(torch.rand(1, 3, 64, 64))
    assert [tuple(t.shape[1:]) for t in levels] == [(8, 32, 32), (16, 16, 16), (24, 8, 8), (32, 4, 4), (40, 2, 2)]
    short = NORMALS.fresh(changed(encoder="lite0"), 0)
    assert len(short.clean.network._blocks) == LITE0[1][0]
    # Batch norms and dropped connections draw nothing and remember nothing in training.
    network.train()
    before = {name: value.clone() for name, value in network.named_buffers()}
    torch.testing.assert_close(network(torch.ones(1, 3, 64, 64)), network(torch.ones(1, 3, 64, 64)))
    assert all(torch.equal(value, before[name]) for name, value in network.named_buffers())


def test_dino_joins_at_the_coarsest_level_and_starts_at_nothing(tmp_path):
    transformers = pytest.importorskip("transformers")
    config = transformers.Dinov2Config(hidden_size=24, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14)
    transformers.Dinov2Model(config).save_pretrained(tmp_path)
    recipe = changed(dino=str(tmp_path))
    network = NORMALS.fresh(recipe, 0)
    assert network.dino.grid(torch.rand(1, 3, 16, 32), (4, 8)).shape == (1, 24, 4, 8)
    torch.nn.init.normal_(network.head.weight)
    picture = torch.rand(1, 3, 16, 32)
    before = network(picture)
    torch.nn.init.normal_(network.from_dino.weight)
    assert (network(picture) - before).abs().max() > 1e-4
    assert not any(p.requires_grad for p in network.dino.parameters())


def test_sizes_that_do_not_fit_are_refused():
    for settings, words in (
        ({"crop": 64}, "must not exceed view"), ({"decoder": (8, 8)}, "one less than widths"),
        ({"widths": (8, 12)}, "multiples of 8"), ({"crop": 18}, "multiples of the coarsest cell, 4"),
        ({"encoder": "lite0", "patch": 4}, "needs patch 2"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            changed(**settings)


def test_presets_grow():
    with torch.device("meta"):
        sizes = [
            sum(p.numel() for p in Normals(recipe).parameters()) for recipe in PRESETS.values() if recipe.encoder == "plain"
        ]
    assert sizes == sorted(sizes)


# Batches and stages


def test_batches_come_in_two_stages_of_the_right_domains():
    batches = Staged(BALLS, SMALL, 0, 0, 1)
    assert [batches.is_clean(step) for step in range(10)] == [False] * 7 + [True] * 3
    assert [bool(batches[step].second.all()) for step in range(10)] == [False] * 7 + [True] * 3
    mixed = Staged(BALLS, changed(staged=False), 0, 0, 1)
    assert sum(mixed.is_clean(step) for step in range(10)) == 3
    assert not any(mixed[step].second.any() for step in range(10))
    assert not any(Staged(BALLS, changed(clean=0.0), 0, 0, 1).is_clean(step) for step in range(10))


def test_clean_batches_are_true_and_of_the_named_source():
    clean = Staged(BALLS, changed(crop=32, augment=False, batch=8), 0, 0, 1)[9]
    truths = {
        tuple(torch.from_numpy(v.normal[0].astype(np.float32)).flatten().tolist()) for v in BALLS if v.source == "detailverse"
    }
    assert {tuple(t.flatten().tolist()) for t in clean.normal} == truths
    for picture, normal in zip(clean.picture, clean.normal, strict=True):
        assert (picture[:, (normal == 0).all(0)] == 1).all()  # over white
    with pytest.raises(ConfigError, match="no training asset is of source 'none', only of detailverse, zeroverse"):
        Staged(BALLS, changed(clean_source="none"), 0, 0, 1)
    assert Staged(BALLS, changed(clean_source="none", clean=0.0), 0, 0, 1)[0].picture.shape == (3, 3, 16, 16)


def test_mirrored_pictures_show_mirrored_normals():
    recipe = changed(crop=32, staged=False)
    whole = ball()
    seen = [plain(whole, recipe, rng(k)) for k in range(8)]
    truth = torch.from_numpy(whole.normal[0].astype(np.float32))
    # A ball is its own mirror image: mirrored pixels with mirrored vectors are the same map.
    for example in seen:
        torch.testing.assert_close(example.normal, truth, atol=1e-3, rtol=0)
    colours = {tuple(example.picture[:, 10, 12].tolist()) for example in seen}
    assert len(colours) > 2  # channels were permuted


def test_a_batch_is_a_function_of_the_step():
    one, two = (Staged(BALLS, SMALL, 5, 0, 1) for _ in range(2))
    for step in (0, 8):
        a, b = one[step], two[step]
        assert all(torch.equal(getattr(a, name), getattr(b, name)) for name in ("picture", "noise", "normal"))
    other = Staged(BALLS, SMALL, 6, 0, 1)[0]
    assert not torch.equal(one[0].noise, other.noise)


def test_in_the_second_stage_the_clean_stream_stays_to_the_bit():
    state = State(NORMALS, SMALL, 0, torch.device("cpu"))
    batches = Staged(BALLS, SMALL, 0, 0, 1)
    for step in range(7):
        state.advance(batches[step])
    before = {name: p.clone() for name, p in state.network.named_parameters()}
    state.advance(batches[7])
    moved = {name for name, p in state.network.named_parameters() if not torch.equal(p, before[name])}
    assert not any(name.startswith("clean.") for name in moved)
    for part in ("noisy.", "merge.", "up.", "head."):
        assert any(name.startswith(part) for name in moved)


def test_with_one_stream_or_mixed_domains_nothing_is_frozen():
    for recipe in (changed(streams=1), changed(staged=False)):
        state = State(NORMALS, recipe, 0, torch.device("cpu"))
        batches = Staged(BALLS, recipe, 0, 0, 1)
        for step in (0, 1):
            state.advance(batches[step])
        before = [p.clone() for p in state.network.clean.parameters()]
        state.advance(batches[9])
        assert any(not torch.equal(p, q) for p, q in zip(state.network.clean.parameters(), before, strict=True))


# Domains


def test_photographs_keep_the_object_in_place_and_replace_the_background():
    rgba = ball().rgba[0].astype(np.float32) / 255
    for look in (domains.TRAINING, domains.UNSEEN):
        photo = domains.photograph(rgba, look, rng())
        assert photo.shape == (3, 32, 32)
        assert 0 <= photo.min() <= photo.max() <= 1
        np.testing.assert_array_equal(photo, domains.photograph(rgba, look, rng()))
        assert not np.array_equal(photo, domains.photograph(rgba, look, rng(1)))
    empty = np.zeros((4, 48, 40), np.float32)
    clutter = [domains.photograph(empty, domains.UNSEEN, rng(k)).std() for k in range(8)]
    assert np.mean(clutter) > 0.05


def test_the_training_look_has_no_trait_of_the_unseen_one():
    """What is judged as a shift is one: background, blur, noise, light and qualities of kinds that training never draws."""
    a, b = domains.TRAINING, domains.UNSEEN
    assert a.background != b.background
    assert a.motion == b.blur == a.shot == b.grain == a.lamp == 0
    assert b.quality[1] < a.quality[0]


def test_scanned_labels_are_soft_at_edges_and_true_away_from_them():
    normal, known = crease()
    for index in range(6):
        label = domains.scanned(normal.astype(np.float32), rng(index))
        np.testing.assert_array_equal((label != 0).any(0), known)
        length = np.linalg.norm(label, axis=0)
        np.testing.assert_allclose(length[known], 1, atol=1e-5)
        angle = errors.angles(label, normal)
        away = known & (abs(np.arange(64) - 31.5) > 8)[None] & errors.inner(known)
        assert angle[away].max() < 1e-2
        assert angle[:, 30:34][known[:, 30:34]].mean() > 5


# Answers


class Painter(torch.nn.Module):
    """Says what the colours say: 2 rgb - 1, as a normal map is read."""

    def __init__(self):
        super().__init__()
        self.anchor = torch.nn.Parameter(torch.zeros(1))

    def answer(self, pictures):
        return F.normalize(2 * pictures - 1, dim=1)


def test_an_estimate_stands_where_the_object_stands():
    """A ball painted with its own normals, off the middle of an oblong picture: they come back where they are."""
    rgba = np.zeros((4, 90, 150), np.float32)
    views = ball(size=64, radius=24.0)
    truth = views.normal[0].astype(np.float32)
    rgba[:3, 20:84, 70:134] = (truth + 1) / 2
    rgba[3, 20:84, 70:134] = views.rgba[0, 3] / 255
    found = estimate(Painter(), torch.from_numpy(rgba), 256).numpy()
    inside = rgba[3] > 0.5
    assert (found[:, ~inside] == 0).all()
    truth_there = np.zeros((3, 90, 150), np.float32)
    truth_there[:, 20:84, 70:134] = truth
    angle = errors.angles(found, truth_there)[inside]
    assert np.median(angle) < 0.5
    assert np.mean(angle) < 2  # the rim mixes with white


def test_files_have_the_axes_of_normal_maps():
    normal, known = crease()
    picture, values = errors.picture(normal, known), channels(normal.astype(np.float32), known)
    # Right of the crease the surface faces right.
    assert tuple(picture[30, 50]) == (
        round(1.5 * 127.5),
        128,
        round((1 + math.cos(math.pi / 6)) * 127.5),
    )  # right of it faces right
    np.testing.assert_allclose(values[30, 50], [0.5, 0, math.cos(math.pi / 6), 1], atol=1e-6)
    assert not values[0, 0].any()
    np.testing.assert_array_equal(picture[known], np.round((values[known][:, :3] + 1) * 127.5))
    up = np.zeros((3, 4, 4), np.float32)
    up[1] = -1  # OpenCV's y points down
    assert tuple(errors.picture(up, np.ones((4, 4), bool))[0, 0]) == (128, 255, 128)


# Learning


def test_fifty_steps_teach_a_ball():
    recipe = changed(crop=32, steps=50, batch=4, clean=1.0, staged=False, augment=False, lr=3e-3, matrix_lr=0.05)
    state = State(NORMALS, recipe, 0, torch.device("cpu"))
    batches = Staged(BALLS, recipe, 0, 0, 1)
    losses_ = [state.advance(batches[step])["loss"] for step in range(50)]
    case = NORMALS.case(ball(radius=10.5), NORMALS.judging())
    device = torch.device("cpu")
    (trained,) = NORMALS.score(state.network.eval(), [case], NORMALS.judging(), device)["normal_error"]
    (facing,) = NORMALS.baselines([case], _Mean(), NORMALS.judging())["facing the camera"]["normal_error"]
    assert np.mean(losses_[-5:]) < 0.6 * np.mean(losses_[:5])
    assert trained < 0.7 * facing


class _Mean:
    mean_normal = np.array([0, 0, -1], np.float32)


def test_an_example_of_the_first_stage_is_complete():
    example = photographed(ball(), SMALL, rng())
    assert isinstance(example, NormalBatch)
    assert example.picture.shape == example.normal.shape == example.noise.shape == (3, 16, 16)
    assert example.noise.std() == pytest.approx(1, abs=0.15)
    assert not example.second
