"""Wireframes: closed struts around every edge; Catmull-Clark against its known values."""

import numpy as np
import pytest

from versemill import mesh
from versemill.zeroverse import solids, wireframe
from versemill.zeroverse.config import KINDS


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("subdivision", ["none", "simple", "smooth"])
def test_struts_are_one_closed_solid(kind, subdivision):
    made = wireframe.struts(kind, 0.4, 0.02, subdivision, tile=1.0, surface=7)
    assert mesh.topology(made.faces).watertight
    assert mesh.components(made.faces).max() == 0
    assert set(made.surfaces) == {7}
    assert solids.solid(made).num_tri() > 0
    assert 96 <= len(made.triangles) <= 8000
    corners = made.uvs[made.triangles]
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    assert (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] > 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_genus_is_that_of_the_edge_graph(kind):
    """The struts' surface bounds a tubular neighbourhood of the edges: genus E - V + 1."""
    made = wireframe.struts(kind, 0.4, 0.02, "none", tile=1.0, surface=0)
    _, quads = wireframe.cage(kind, 0.4)
    ends = np.sort(np.stack([quads, np.roll(quads, -1, 1)], -1).reshape(-1, 2), axis=1)
    cycles = len(np.unique(ends, axis=0)) - (quads.max() + 1) + 1
    topology = mesh.topology(made.faces)
    euler = len(made.vertices) - topology.edges + len(made.triangles)
    assert (2 - euler) // 2 == cycles


def test_thickness_is_the_struts_own():
    thin, thick = (wireframe.struts("cube", 0.5, t, "none", 1.0, 0).volume for t in (0.01, 0.02))
    assert 3.5 < thick / thin < 4.5


def test_catmull_clark_of_a_cube():
    vertices, quads = wireframe.cage("cube", 1.0)
    smooth, split = wireframe.subdivide(vertices, quads, smooth=True)
    assert len(split) == 24
    assert np.allclose(np.abs(smooth[:8]), 5 / 9)
    plain, same = wireframe.subdivide(vertices, quads, smooth=False)
    assert np.array_equal(plain[:8], vertices)
    assert np.array_equal(split, same)
    assert np.allclose(np.abs(plain).max(1), 1)
