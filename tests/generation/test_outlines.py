"""Outlines of shapes against a camera's own projection, and the choice among candidates against one made by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from versemill.generation.shapes import drawing, looks, outlines
from versemill.generation.shapes.families import SHAPE_FLOW

CPU = torch.device("cpu")
FLOW = SHAPE_FLOW.preset("micro").model_copy(
    update={
        "width": 32, "heads": 4, "pairs": 1, "tokens": 8, "picture": 32, "patch": 16, "encoder_width": 32, "encoder_layers": 1,
    }
)  # fmt: skip


def ball(points: torch.Tensor) -> torch.Tensor:
    return (points.norm(dim=-1) - 0.8) / 0.03


def slab(points: torch.Tensor) -> torch.Tensor:
    """A box of 2 x 1 x 0.5."""
    return ((points.abs() - torch.tensor([1.0, 0.5, 0.25])).amax(-1)) / 0.03


@settings(max_examples=40, deadline=None)
@given(st.floats(-90, 90), st.floats(-80, 80), st.integers(0, 2**32 - 1))
def test_points_are_seen_where_a_camera_sees_them(azimuth, elevation, seed):
    points = np.random.default_rng(seed).uniform(-1, 1, (40, 3)).astype(np.float32)
    pixels, _ = looks.front(64, elevation, azimuth - 90).project(points)
    low, high = pixels.min(0), pixels.max(0)
    at = ((pixels - (low + high) / 2) / (high - low).max() * 0.9 + 0.5) * outlines.SIDE
    row, column = np.nonzero(outlines.seen(points, azimuth, elevation, 0.9))
    gaps = np.linalg.norm(at[:, None] - np.stack([column, row], 1) - 0.5, axis=-1)
    assert gaps.min(0).max() < 0.75  # every marked pixel has a point in it, and every point has marked its pixel
    assert gaps.min(1).max() < 0.75


@pytest.mark.parametrize("azimuth", [-60.0, 0.0, 90.0])
def test_a_ball_is_a_disc_from_anywhere(azimuth):
    shown = outlines.seen(outlines.occupied(lambda points: ball(points), CPU), azimuth, 30.0, 0.9)
    rows, columns = np.indices(shown.shape) + 0.5
    disc = np.hypot(rows - 16, columns - 16) < 0.45 * outlines.SIDE
    assert (shown & disc).sum() / (shown | disc).sum() > 0.9


def test_the_outline_of_a_picture_is_its_alpha_in_the_crop():
    rgba = torch.ones(4, 50, 80)  # white on white: the colours do not matter
    rgba[3] = 0
    rgba[3, 10:20, 30:70] = 1
    shown = outlines.outline(rgba, 0.75)
    rows, columns = np.nonzero(shown)
    assert (columns.min(), columns.max() + 1) == (4, 28)
    assert (rows.min(), rows.max() + 1) == (13, 19)


def test_the_most_similar_shape_agrees_most():
    front = outlines.seen(outlines.occupied(lambda points: slab(points), CPU), 0.0, 0.0, 0.9)
    likes = [outlines.agreement(field, front, 0.9, "camera", CPU) for field in (slab, ball)]
    assert likes[0] == 1
    assert likes[1] < 0.5
    side = outlines.seen(outlines.occupied(lambda points: slab(points), CPU), 60.0, 15.0, 0.9)
    assert outlines.agreement(slab, side, 0.9, "asset", CPU) == 1
    assert outlines.agreement(slab, side, 0.9, "camera", CPU) < 1
    assert outlines.agreement(lambda points: points[..., 0] * 0 + 1, side, 0.9, "camera", CPU) == 0


def test_of_several_candidates_the_most_similar_is_drawn():
    torch.manual_seed(0)
    network = SHAPE_FLOW.fresh(FLOW, 0)
    torch.nn.init.normal_(network.flow.latent_out.weight)
    torch.nn.init.normal_(network.vae.field_out.weight)
    shown = [
        drawing.Shown(torch.rand(3, 32, 32), outlines.seen(outlines.occupied(field, CPU), 0.0, 0.0, 0.9))
        for field in (slab, ball)
    ]
    how = drawing.Drawing(steps=2, candidates=3)
    for number, (picture, field) in enumerate(zip(shown, drawing.draw(network, shown, [0, 1], how, CPU), strict=True)):
        noise = torch.stack([drawing.noise_of(FLOW, network.vae.channels, number, k) for k in range(3)])
        latents = network.draw(picture.pixels[None].expand(3, -1, -1, -1), noise, 2, how.guidance)
        likes = [outlines.agreement(network.decode(one[None]), picture.outline, 0.9, "camera", CPU) for one in latents]
        best = network.decode(latents[int(np.argmax(likes))][None])
        points = torch.rand(1, 20, 3)
        torch.testing.assert_close(field(points), best(points), atol=1e-4, rtol=1e-4)
    free = next(drawing.draw(network, None, [5], how, CPU))
    alone = network.draw(None, drawing.noise_of(FLOW, network.vae.channels, 5)[None], 2, how.guidance)
    torch.testing.assert_close(free(points), network.decode(alone)(points), atol=1e-4, rtol=1e-4)
