"""Part solids: a partition of the watertight surface's volume. The oracles are solids joined by manifold3d."""

from types import SimpleNamespace

import manifold3d
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from versemill import seeds
from versemill.asset import Asset
from versemill.errors import AssetError
from versemill.materials import Material
from versemill.mesh import components, topology, volume
from versemill.queries import MeshQuery
from versemill.shards.export.solids import Solid, part_solids, tidied

Manifold = manifold3d.Manifold


def box(low, high) -> Manifold:
    low, high = np.array(low, float), np.array(high, float)
    return Manifold.cube(tuple(high - low)).translate(tuple(low))


def asset_of(body: Manifold, originals: list[int], names: tuple[str, ...]) -> Asset:
    """The asset of a joined body, whose faces belong to the originals that they came from."""
    mesh = body.to_mesh()
    faces = np.ascontiguousarray(mesh.tri_verts, np.int32)
    runs = np.diff(np.asarray(mesh.run_index, np.int64)) // 3
    parts = np.repeat([originals.index(int(i)) for i in mesh.run_original_id], runs).astype(np.int32)
    vertices = np.ascontiguousarray(mesh.vert_properties[:, :3], np.float32)
    zero = np.zeros((len(faces), 3, 2), np.float32)
    return Asset(vertices, faces, zero, np.zeros(len(faces), np.int32), parts, (Material(),), names)


def union(*bodies: Manifold) -> Asset:
    originals = [body.as_original() for body in bodies]
    whole = Manifold.batch_boolean(originals, manifold3d.OpType.Add)
    return asset_of(whole, [o.original_id() for o in originals], tuple(f"part {k}" for k in range(len(bodies))))


def check_partition(asset: Asset, solids, points: int = 3000) -> None:
    """Closed, inside the whole, and every point of the whole in exactly one solid."""
    whole = volume(asset.vertices, asset.faces)
    sizes = {part: volume(solid.vertices, solid.faces) for part, solid in solids.items()}
    assert sum(sizes.values()) == pytest.approx(whole, rel=1e-6)
    assert min(sizes.values()) > 0
    low, high = asset.vertices.min(0), asset.vertices.max(0)
    drawn = seeds.stream(0, 0, "tests/partition").uniform(low, high, (points, 3))
    surface = MeshQuery(asset.vertices, asset.faces, winding=True)
    signed = surface.signed_distance(drawn)
    covered = np.zeros(points, int)
    for solid in solids.values():
        assert topology(solid.faces).watertight
        assert (solid.vertices >= low - 1e-6).all()
        assert (solid.vertices <= high + 1e-6).all()
        assert surface.signed_distance(solid.vertices).max() < 1e-4
        covered += MeshQuery(solid.vertices.astype(np.float32), solid.faces, winding=True).signed_distance(drawn) < 0
    clear = np.abs(signed) > 1e-4
    assert (covered[clear] == (signed[clear] < 0)).mean() > 0.999


@pytest.fixture(scope="module")
def table() -> SimpleNamespace:
    """A plate of 2 x 1 x 0.2 on four legs of 0.2 x 0.2 x 0.8 that reach 0.1 into it, and a ball that stands on it."""
    legs = [box((x, y, -1), (x + 0.2, y + 0.2, -0.1)) for x in (-1, 0.8) for y in (-0.5, 0.3)]
    plate = box((-1, -0.5, -0.2), (1, 0.5, 0))
    ball = Manifold.sphere(0.3, 64).translate((0.1, 0, 0.2))
    return SimpleNamespace(asset=union(plate, legs[0] + legs[1] + legs[2] + legs[3], ball), ball=ball, plate=plate)


def test_a_table_is_cut_at_its_legs_and_at_its_ball(table):
    solids = part_solids(table.asset, table.asset.vertices, table.asset.faces)
    check_partition(table.asset, solids)
    sizes = [volume(solids[part].vertices, solids[part].faces) for part in range(3)]
    # Lids lie in the plate's faces: the legs end below it, the ball is cut where it enters.
    assert sizes[0] == pytest.approx(0.4, rel=1e-5)
    assert sizes[1] == pytest.approx(4 * 0.2 * 0.2 * 0.8, rel=1e-5)
    above = table.ball.trim_by_plane((0, 0, 1), 0).volume()
    assert sizes[2] == pytest.approx(above, rel=1e-5)
    assert solids[1].vertices[:, 2].max() == pytest.approx(-0.2, abs=1e-6)


def test_a_pipe_through_a_box_comes_in_two_pieces():
    pipe = Manifold.cylinder(2, 0.2, 0.2, 48, True)
    asset = union(box((-0.5, -0.5, -0.5), (0.5, 0.5, 0.5)), pipe)
    solids = part_solids(asset, asset.vertices, asset.faces)
    check_partition(asset, solids)
    assert volume(solids[1].vertices, solids[1].faces) == pytest.approx(pipe.volume() / 2, rel=1e-5)


def test_a_cut_has_no_solid_of_its_own():
    block, hole = box((-1, -1, -1), (1, 1, 1)).as_original(), Manifold.sphere(0.6, 48).translate((0, 0, 1)).as_original()
    asset = asset_of(block - hole, [block.original_id(), hole.original_id()], ("block", "cut"))
    solids = part_solids(asset, asset.vertices, asset.faces)
    assert list(solids) == [0]
    check_partition(asset, solids)


def test_one_part_is_the_whole():
    asset = union(box((-1, -1, -1), (1, 1, 1)))
    solids = part_solids(asset, asset.vertices, asset.faces)
    assert volume(solids[0].vertices, solids[0].faces) == pytest.approx(8)


def test_another_watertight_surface_takes_the_part_of_the_nearest_face(table):
    """The watertight surface of the dataset may be a remeshed one: here, one with every face cut into four."""
    mesh = manifold3d.Mesh(table.asset.vertices.copy(), table.asset.faces.astype(np.uint32))
    finer = Manifold(mesh).refine(2).to_mesh()
    vertices, faces = np.asarray(finer.vert_properties[:, :3], np.float32), np.asarray(finer.tri_verts, np.int32)
    solids = part_solids(table.asset, vertices, faces)
    direct = part_solids(table.asset, table.asset.vertices, table.asset.faces)
    for part, solid in solids.items():  # needles along a rim may be taken for their neighbour
        assert volume(solid.vertices, solid.faces) == pytest.approx(volume(direct[part].vertices, direct[part].faces), rel=1e-2)
    assert sum(volume(s.vertices, s.faces) for s in solids.values()) == pytest.approx(volume(vertices, faces), rel=1e-6)


def test_a_solid_that_touches_itself_stays_closed_in_readers_that_merge_vertices():
    """Two boxes of one part that share an edge, joined through a third part: merged by place, four faces meet in the edge."""
    twins = box((0, 0, 0), (1, 1, 1)) + box((1, 1, 0), (2, 2, 1))
    asset = union(twins, box((0, 0, -0.5), (2, 2, 0.2)))
    vertices, faces = asset.vertices, asset.faces
    for solid in part_solids(asset, vertices, faces).values():
        tidy = tidied(solid, 1e-6)
        assert topology(tidy.faces).watertight
        assert len(np.unique(tidy.vertices.astype(np.float32), axis=0)) == len(tidy.vertices)
        assert volume(tidy.vertices, tidy.faces) == pytest.approx(volume(solid.vertices, solid.faces), rel=1e-4)
        distance, _, _ = MeshQuery(solid.vertices, solid.faces).closest(tidy.vertices)
        assert distance.max() < 2e-5


def test_crumbs_and_needles_are_left_out():
    crumb = box((1.5, 0, 0), (1.51, 0.01, 0.01))
    mesh = (Manifold.sphere(1, 32) + crumb).to_mesh64()
    solid = Solid(np.array(mesh.vert_properties), np.array(mesh.tri_verts, np.int32))
    tidy = tidied(solid, 1e-5)
    assert tidy.vertices[:, 0].max() == pytest.approx(1)
    assert components(tidy.faces).max() == 0


def test_what_is_not_closed_is_refused(table):
    with pytest.raises(AssetError, match="3 boundary") as caught:
        part_solids(table.asset, table.asset.vertices, table.asset.faces[1:])
    assert caught.value.reason == "not_watertight"
    with pytest.raises(AssetError, match="volume -"):
        part_solids(table.asset, table.asset.vertices, table.asset.faces[:, ::-1])


@settings(max_examples=12)
@given(st.integers(0, 2**32 - 1))
def test_any_composition_is_parted_without_gap_or_overlap(seed):
    rng = seeds.stream(seed, 0, "tests/composition")
    bodies = []
    for kind in rng.integers(0, 3, 4):
        size = rng.uniform(0.3, 0.8)
        body = (
            Manifold.sphere(size, 24),
            Manifold.cube((size, size, 2 * size), True),
            Manifold.cylinder(1.5, size / 2, size, 20),
        )
        bodies.append(body[kind].rotate(tuple(rng.uniform(0, 360, 3))).translate(tuple(rng.uniform(-0.5, 0.5, 3))))
    asset = union(*bodies)
    check_partition(asset, part_solids(asset, asset.vertices, asset.faces), 1000)
