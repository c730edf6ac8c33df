"""Booleans: exact volumes, and UVs and surface ids that survive them."""

from dataclasses import replace

import numpy as np
import pytest

from versemill import mesh
from versemill.errors import AssetError
from versemill.zeroverse import solids
from versemill.zeroverse.primitives import primitive
from versemill.zeroverse.shape import euler_matrix, join, winding_numbers


def box(axes=(1, 1, 1), offset=(0, 0, 0), first=0, cells=(3, 3, 3)):
    made = primitive("cube", axes, cells)
    return made.shape(made.vertices, 1.0, first).moved(np.eye(3), np.asarray(offset, float))


def test_round_trip_keeps_everything():
    before = box(cells=(4, 3, 5))
    after = solids.shape(solids.solid(before))
    assert mesh.topology(after.faces).watertight
    assert after.volume == pytest.approx(8)
    for surface in range(6):
        area = [mesh.face_areas(s.vertices, s.faces)[s.surfaces == surface].sum() for s in (before, after)]
        assert area[0] == pytest.approx(area[1])


def test_union_and_difference_volumes():
    a, b = solids.solid(box()), solids.solid(box(offset=(1, 0, 0), first=6))
    assert solids.shape(solids.union([a, b])).volume == pytest.approx(12)
    assert solids.shape(a - b).volume == pytest.approx(4)


def test_uvs_and_ids_survive_a_cut():
    """On a flat face UV is an affine map of position: it must stay the same map on every piece that is left."""
    base = box(cells=(5, 5, 5))
    cutter = box((0.5, 0.5, 0.5), first=6, cells=(2, 2, 2)).moved(euler_matrix((20, 30, 40)), np.array([0.9, 0.8, 0.95]))
    left = solids.shape(solids.solid(base) - solids.solid(cutter))
    assert mesh.topology(left.faces).watertight
    assert {0, 2, 4, 6} <= set(left.surfaces)

    def affine(shape, surface):
        chosen = shape.triangles[shape.surfaces == surface].ravel()
        positions = np.c_[shape.vertices[shape.nodes[chosen]], np.ones(len(chosen))]
        return positions, shape.uvs[chosen]

    for whole in (base, cutter):
        for surface in np.intersect1d(whole.surfaces, left.surfaces):
            positions, uvs = affine(whole, surface)
            solution = np.linalg.lstsq(positions, uvs, rcond=None)[0]
            positions, uvs = affine(left, surface)
            assert np.abs(positions @ solution - uvs).max() < 1e-5


def test_a_cut_face_lies_on_the_cutter():
    ball = primitive("sphere", (0.5, 0.5, 0.5), (12, 12, 12))
    cutter = ball.shape(ball.vertices, 1.0, 6).moved(np.eye(3), np.array([1.0, 0, 0]))
    left = solids.shape(solids.solid(box()) - solids.solid(cutter))
    on_cut = left.vertices[np.unique(left.faces[left.surfaces == 6])]
    assert np.abs(np.linalg.norm(on_cut - [1, 0, 0], axis=1) - 0.5).max() < 0.01
    # What was cut free faces into the hole.
    normals = mesh.face_normals(left.vertices, left.faces)[left.surfaces == 6]
    middle = left.vertices[left.faces[left.surfaces == 6]].mean(1) - [1, 0, 0]
    assert ((normals * middle).sum(1) < 0).all()


def test_crumbs_are_swept_and_the_rest_keeps_its_ids():
    crumb = box((0.05, 0.05, 0.05), offset=(2, 0, 0), first=6)
    both = solids.union([solids.solid(box()), solids.solid(crumb)])
    rest, swept = solids.without_crumbs(both, 0.01)
    assert swept == 1
    assert solids.without_crumbs(both, 1e-6)[1] == 0
    left = solids.shape(rest)
    assert left.volume == pytest.approx(8)
    assert set(left.surfaces) == set(range(6))


def test_what_is_no_solid_is_refused():
    whole = box()
    with pytest.raises(AssetError) as open_shell:
        solids.solid(replace(whole, triangles=whole.triangles[1:], surfaces=whole.surfaces[1:]))
    assert open_shell.value.reason == "not_manifold"
    with pytest.raises(AssetError) as inverted:
        solids.solid(replace(whole, triangles=whole.triangles[:, ::-1].copy()))
    assert inverted.value.reason == "not_manifold"


def test_winding_number_counts_the_solids_around_a_point():
    both = join([box(), box((0.5, 0.5, 0.5), first=6)])
    points = np.array([[0, 0, 0], [0.75, 0, 0], [1.5, 0, 0]], float)
    assert np.allclose(winding_numbers(points, both), [2, 1, 0], atol=1e-9)
