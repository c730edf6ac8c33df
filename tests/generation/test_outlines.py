"""Outlines of shapes against a camera's own projection, and the choice among candidates against one made by hand."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.path import Path
from scipy import ndimage
from scipy.spatial import ConvexHull

from versemill.generation.shapes import drawing, extraction, looks, outlines
from versemill.generation.shapes.families import SHAPE_FLOW
from versemill.generation.shapes.vae_judging import extracted

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


BALL, SLAB = (extraction.mesh(field, 64) for field in (ball, slab))


@settings(max_examples=15, deadline=None)
@given(st.floats(-90, 90), st.floats(-80, 80))
def test_a_box_is_seen_where_a_camera_projects_its_corners(azimuth, elevation):
    corners = np.array(list(itertools.product([-1, 1], [-0.5, 0.5], [-0.25, 0.25])), np.float32)
    pixels, _ = looks.front(64, elevation, azimuth - 90).project(corners)
    low, high = pixels.min(0), pixels.max(0)
    at = ((pixels - (low + high) / 2) / (high - low).max() * 0.9 + 0.5) * outlines.SIDE
    rows, columns = np.indices((outlines.SIDE, outlines.SIDE)) + 0.5
    inside = Path(at[ConvexHull(at).vertices]).contains_points(np.stack([columns, rows], -1).reshape(-1, 2))
    shown = outlines.seen(SLAB, azimuth, elevation, 0.9)
    differing = shown ^ inside.reshape(shown.shape)
    assert not ndimage.binary_erosion(differing, np.ones((3, 3))).any()  # along the edge, and nowhere wide


@pytest.mark.parametrize("azimuth", [-60.0, 0.0, 90.0])
def test_a_ball_is_a_disc_from_anywhere(azimuth):
    shown = outlines.seen(BALL, azimuth, 30.0, 0.9)
    rows, columns = np.indices(shown.shape) + 0.5
    disc = np.hypot(rows - outlines.SIDE / 2, columns - outlines.SIDE / 2) < 0.45 * outlines.SIDE
    assert (shown & disc).sum() / (shown | disc).sum() > 0.95


def test_the_outline_of_a_picture_is_its_alpha_in_the_crop():
    alpha = torch.zeros(50, 80)
    alpha[10:20, 30:70] = 1
    shown = outlines.outline(alpha, 0.75)
    rows, columns = np.nonzero(shown)
    assert (columns.min(), columns.max() + 1) == (6, 42)
    assert abs(rows.min() - 19.5) <= 0.5
    assert abs(rows.max() + 1 - 28.5) <= 0.5


def test_the_most_similar_shape_agrees_most():
    front = outlines.seen(SLAB, 0.0, 0.0, 0.9)
    likes = [outlines.agreement(mesh, front, 0.9, "camera") for mesh in (SLAB, BALL)]
    assert likes[0] == 1
    assert likes[1] < 0.5
    side = outlines.seen(SLAB, 60.0, 15.0, 0.9)
    assert outlines.agreement(SLAB, side, 0.9, "asset") == 1
    assert outlines.agreement(SLAB, side, 0.9, "camera") < 1
    assert outlines.agreement(extraction.NOTHING, side, 0.9, "camera") == 0


def test_of_several_candidates_the_most_similar_is_drawn():
    torch.manual_seed(0)
    network = SHAPE_FLOW.fresh(FLOW, 0)
    torch.nn.init.normal_(network.flow.latent_out.weight)
    torch.nn.init.normal_(network.vae.field_out.weight)
    shown = [drawing.Shown(torch.rand(3, 32, 32), outlines.seen(mesh, 0.0, 0.0, 0.9)) for mesh in (SLAB, BALL)]
    how = drawing.Drawing(steps=2, candidates=3)
    for number, (picture, field) in enumerate(zip(shown, drawing.draw(network, shown, [0, 1], how, CPU), strict=True)):
        noise = torch.stack([drawing.noise_of(FLOW, network.vae.channels, number, k) for k in range(3)])
        latents = network.draw(picture.pixels[None].expand(3, -1, -1, -1), noise, 2, how.guidance)
        meshes = [extracted(network.decode(one[None]), drawing.CELLS, CPU) for one in latents]
        likes = [outlines.agreement(mesh, picture.outline, 0.9, "camera") for mesh in meshes]
        best = network.decode(latents[int(np.argmax(likes))][None])
        points = torch.rand(1, 20, 3)
        torch.testing.assert_close(field(points), best(points), atol=1e-4, rtol=1e-4)
    free = next(drawing.draw(network, None, [5], how, CPU))
    alone = network.draw(None, drawing.noise_of(FLOW, network.vae.channels, 5)[None], 2, how.guidance)
    torch.testing.assert_close(free(points), network.decode(alone)(points), atol=1e-4, rtol=1e-4)
