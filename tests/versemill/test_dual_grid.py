"""Dual grids against crossings found by brute force, and against surfaces whose dual mesh is known."""

import sys

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from versemill.dual_grid import dual_grid
from versemill.queries import MeshQuery

CORNERS = {0: [(0, 0, 0), (0, 1, 0), (0, 1, 1), (0, 0, 1)], 1: [(0, 0, 0), (0, 0, 1), (1, 0, 1), (1, 0, 0)],
           2: [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)]}  # fmt: skip
"""The four voxels round an edge along each axis, in turn."""


def dual_mesh(grid, resolution):
    """Quads between dual vertices, as triangles: written from the format's description, with a dictionary of voxels."""
    where = {tuple(voxel): k for k, voxel in enumerate(grid.voxels.tolist())}
    faces = []
    for voxel, flags in zip(grid.voxels.tolist(), grid.crossed.tolist(), strict=True):
        for axis in range(3):
            if flags[axis]:
                a, b, c, d = (where[tuple(np.add(voxel, step).tolist())] for step in CORNERS[axis])
                faces += [(a, b, c), (a, c, d)]
    return trimesh.Trimesh((grid.voxels + grid.vertices) / resolution - 0.5, faces, process=False)


def brute_crossings(vertices, faces, resolution):
    """(axis, i, j, k) of the crossed edges, by a line against each triangle; i and j are the line's, k the edge's along it."""
    crossed = set()
    grid = (vertices + 0.5) * resolution
    lines = np.stack(np.meshgrid(*[np.arange(1, resolution)] * 2, indexing="ij"), -1).reshape(-1, 2)
    for axis in range(3):
        others = [(axis + 1) % 3, (axis + 2) % 3]
        for a, b, c in grid[faces]:
            base = np.stack([(b - a)[others], (c - a)[others]], 1)
            if abs(np.linalg.det(base)) < 1e-12:
                continue
            s, t = np.linalg.solve(base, (lines - a[others]).T)
            inside = (s >= 0) & (t >= 0) & (s + t <= 1)
            height = a[axis] + s * (b - a)[axis] + t * (c - a)[axis]
            crossed |= {
                (axis, i, j, int(k)) for (i, j), k in zip(lines[inside].tolist(), np.floor(height[inside]), strict=True)
            }
    return crossed


def distances(mesh, other, count=20_000):
    """Means of the distances from points of each surface to the other, and the largest of all."""
    there, back = (
        MeshQuery(b.vertices, b.faces).closest(a.sample(count, seed=0))[0] for a, b in ((mesh, other), (other, mesh))
    )
    return there.mean(), back.mean(), max(there.max(), back.max())


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 5, 8, 16]))
def test_crossed_edges_are_those_of_brute_force(seed, resolution):
    rng = np.random.default_rng(seed)
    vertices, faces = rng.uniform(-0.499, 0.499, (12, 3)), rng.integers(0, 12, (9, 3))
    grid = dual_grid(vertices, faces, resolution)
    edges = set()
    for voxel, flags in zip(grid.voxels.tolist(), grid.crossed.tolist(), strict=True):
        for axis in np.flatnonzero(flags).tolist():
            edges.add((axis, voxel[(axis + 1) % 3] + 1, voxel[(axis + 2) % 3] + 1, voxel[axis]))
    assert edges == brute_crossings(vertices, faces, resolution)
    around = set()
    for axis, i, j, k in edges:
        for di in (0, 1):
            for dj in (0, 1):
                voxel = [0, 0, 0]
                voxel[(axis + 1) % 3], voxel[(axis + 2) % 3], voxel[axis] = i - di, j - dj, k
                around.add(tuple(voxel))
    assert around == set(map(tuple, grid.voxels.tolist()))
    assert len(around) == len(grid.voxels)
    assert (grid.vertices >= 0).all()
    assert (grid.vertices <= 1).all()


def test_voxels_follow_mortons_curve():
    grid = dual_grid(*sphere(2), 32)
    codes = [
        int("".join(f"{x >> b & 1}{y >> b & 1}{z >> b & 1}" for b in range(4, -1, -1)), 2) for x, y, z in grid.voxels.tolist()
    ]
    assert codes == sorted(set(codes))


def sphere(levels, radius=0.49999):
    mesh = trimesh.creation.icosphere(levels, radius)
    return np.asarray(mesh.vertices), np.asarray(mesh.faces)


@pytest.mark.parametrize("resolution", [32, 64])
def test_a_closed_surface_stays_closed(resolution):
    mesh = dual_mesh(dual_grid(*sphere(4), resolution), resolution)
    there, back, most = distances(mesh, trimesh.Trimesh(*sphere(4)))
    assert max(there, back) < 0.05 / resolution
    assert most < 0.5 / resolution
    assert mesh.is_watertight


def test_an_open_sheet_survives_as_one_layer():
    """Bent, so that no grid line lies in it; its rim reaches the source's to half a voxel."""
    x, y = np.meshgrid(np.linspace(-0.45, 0.45, 40), np.linspace(-0.3, 0.3, 30), indexing="ij")
    vertices = np.stack([x, y, 0.1 * np.sin(5 * x) + 0.03 * y], -1).reshape(-1, 3)
    corner = (np.arange(39)[:, None] * 30 + np.arange(29)).reshape(-1)
    faces = np.concatenate([np.stack([corner, corner + 30, corner + 31], 1), np.stack([corner, corner + 31, corner + 1], 1)])
    sheet = trimesh.Trimesh(vertices, faces)
    mesh = dual_mesh(dual_grid(vertices, faces, 64), 64)
    there, back, most = distances(mesh, sheet)
    assert max(there, back, most) < 1 / 64
    assert not mesh.is_watertight
    assert mesh.area == pytest.approx(sheet.area, rel=0.03)
    assert np.abs(mesh.bounds - sheet.bounds).max() < 0.5 / 64


@pytest.mark.parametrize("height", [0.0, 0.003])
def test_a_flat_sheet_lies_in_its_plane(height):
    """Also where that plane is one of the grid's."""
    vertices = np.array([[-0.4, -0.4, height], [0.4, -0.4, height], [0.4, 0.4, height], [-0.4, 0.4, height]])
    mesh = dual_mesh(dual_grid(vertices, [[0, 1, 2], [0, 2, 3]], 32), 32)
    assert np.abs(mesh.triangles[..., 2] - height).max() < 1e-6
    assert np.abs(mesh.bounds[:, :2] - [[-0.4, -0.4], [0.4, 0.4]]).max() < 0.1 / 32
    assert mesh.area == pytest.approx(0.64, rel=0.02)


@pytest.mark.parametrize("slope", [(0.25, 0.0), (-0.5, 1.0), (1.0, 1.0), (0.5, -0.25)])
def test_a_surface_through_the_corners_of_voxels_has_no_holes(slope):
    """z = a x + b y, all of it in binary fractions: whole rows of grid points lie exactly in the sheet."""
    x, y = np.meshgrid(np.linspace(-0.25, 0.25, 9), np.linspace(-0.25, 0.25, 9), indexing="ij")
    vertices = np.stack([x, y, slope[0] * x + slope[1] * y], -1).reshape(-1, 3)
    corner = (np.arange(8)[:, None] * 9 + np.arange(8)).reshape(-1)
    faces = np.concatenate([np.stack([corner, corner + 9, corner + 10], 1), np.stack([corner, corner + 10, corner + 1], 1)])
    mesh = dual_mesh(dual_grid(vertices * 0.96875, faces, 32), 32)
    edges, counts = np.unique(mesh.edges_sorted, axis=0, return_counts=True)
    rim = np.abs(mesh.vertices[edges[counts == 1]].mean(1)[:, :2]).max(1)
    assert (rim > 0.2421875 - 1 / 32).all()


def test_shells_within_shells_are_all_kept():
    radii, meshes = (0.49, 0.35, 0.2), []
    for radius in radii:
        meshes.append(trimesh.Trimesh(*sphere(4, radius), process=False))
    nested = trimesh.util.concatenate(meshes)
    parts = dual_mesh(dual_grid(nested.vertices, nested.faces, 64), 64).split(only_watertight=True)
    parts = sorted((part for part in parts), key=lambda part: -part.extents[0])
    assert len(parts) == 3
    for part, radius in zip(parts, radii, strict=True):
        assert np.abs(np.linalg.norm(part.triangles_center, axis=1) - radius).max() < 0.25 / 64


def test_sheets_that_share_an_edge_all_meet_there():
    """A non-manifold edge with three sheets."""
    spokes = [np.array([np.cos(t), np.sin(t), 0.0]) * 0.4 for t in (0.3, 2.4, 4.4)]
    vertices = np.array([[0, 0, -0.4], [0, 0, 0.4], *[s + [0, 0, z] for s in spokes for z in (-0.4, 0.4)]])
    faces = [f for k in (2, 4, 6) for f in ((0, k, k + 1), (0, k + 1, 1))]
    there, back, most = distances(
        dual_mesh(dual_grid(vertices, faces, 64), 64), trimesh.Trimesh(vertices, faces, process=False)
    )
    assert max(there, back, most) < 1 / 64


def test_corners_and_edges_stay_sharp():
    box = trimesh.creation.box((0.9, 0.7, 0.5))
    box.apply_transform(trimesh.transformations.rotation_matrix(0.4, [1, 2, 3]))
    box.apply_scale(0.8)
    mesh = dual_mesh(dual_grid(box.vertices, box.faces, 64), 64)
    assert cKDTree(mesh.vertices[np.unique(mesh.faces)]).query(box.vertices)[0].max() < 0.1 / 64
    there, back, most = distances(mesh, box)
    assert max(there, back) < 0.01 / 64
    assert most < 0.25 / 64
    assert mesh.area == pytest.approx(box.area, rel=5e-3)


def test_each_voxel_knows_a_face_and_the_point_of_it_that_is_nearest():
    vertices, faces = sphere(2)
    grid = dual_grid(vertices, faces, 32)
    points = np.einsum("ni,nij->nj", grid.weights.astype(float), vertices[faces[grid.faces]])
    centers = (grid.voxels + 0.5) / 32 - 0.5
    closest = trimesh.triangles.closest_point(vertices[faces[grid.faces]], centers)
    np.testing.assert_allclose(points, closest, atol=1e-6)
    away = np.abs(points - centers).max(1)
    assert (away <= 0.5 / 32 + 0.1 / 32).mean() > 0.9


def test_the_same_mesh_gives_the_same_bits_however_many_crossings_are_in_memory(monkeypatch):
    first = dual_grid(*sphere(3), 48)
    monkeypatch.setattr(sys.modules["versemill.dual_grid"], "CROSSINGS", 7)
    second = dual_grid(*sphere(3), 48)
    for name, array in vars(first).items():
        assert array.tobytes() == getattr(second, name).tobytes()


def test_a_surface_that_crosses_no_line_has_no_voxels():
    needle = np.array([[0.01, 0.01, -0.4], [0.011, 0.01, -0.4], [0.01, 0.011, 0.4]])
    grid = dual_grid(needle, [[0, 1, 2]], 16)
    assert len(grid.voxels) == len(grid.faces) == 0


def test_faces_without_area_are_passed_over():
    vertices, faces = sphere(2)
    flat = np.concatenate([faces[:1] * 0, np.stack([faces[:, 0], faces[:, 1], faces[:, 1]], 1)[:5], faces])
    plain, more = dual_grid(vertices, faces, 32), dual_grid(vertices, flat, 32)
    np.testing.assert_array_equal(plain.voxels, more.voxels)
    np.testing.assert_array_equal(plain.faces + 6, more.faces)


@pytest.mark.parametrize(("vertices", "faces", "resolution", "why"), [
    ([[0, 0, 0], [0.5, 0, 0], [0, 0.1, 0]], [[0, 1, 2]], 16, "within"),
    ([[0, 0, 0], [np.nan, 0, 0], [0, 0.1, 0]], [[0, 1, 2]], 16, "finite"),
    (np.zeros((0, 3)), np.zeros((0, 3), int), 16, "at least one face"),
    ([[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0]], [[0, 1, 2]], 2048, "2 to 1024 voxels a side, not 2048"),
])  # fmt: skip
def test_what_no_grid_can_hold_is_refused(vertices, faces, resolution, why):
    with pytest.raises(ValueError, match=why):
        dual_grid(vertices, faces, resolution)
