"""Exact booleans of shapes through manifold3d: UV nodes and surface ids come back with the geometry."""

from collections.abc import Sequence

import manifold3d
import numpy as np
from manifold3d import Manifold

from versemill.errors import AssetError
from versemill.zeroverse.shape import Shape


def solid(shape: Shape) -> Manifold:
    """The closed shape as a solid; each surface is a run of triangles, so that it can be identified afterwards.

    Positions become float32 here, as they are in an asset, so that nothing collapses later.

    Raises:
        AssetError: "not_manifold" when it is not closed or has no volume.
    """
    order = np.argsort(shape.surfaces, kind="stable")
    surfaces = shape.surfaces[order]
    starts = np.flatnonzero(np.r_[True, surfaces[1:] != surfaces[:-1]])
    used, first = np.unique(shape.nodes, return_index=True)
    keeper = np.empty(len(shape.vertices), np.int64)
    keeper[used] = first
    target = keeper[shape.nodes]
    doubled = np.flatnonzero(target != np.arange(len(target)))
    made = Manifold(
        manifold3d.Mesh(
            vert_properties=np.concatenate([shape.vertices[shape.nodes], shape.uvs], 1).astype(np.float32),
            tri_verts=shape.triangles[order].astype(np.uint32),
            merge_from_vert=doubled.astype(np.uint32),
            merge_to_vert=target[doubled].astype(np.uint32),
            run_index=(np.r_[starts, len(surfaces)] * 3).astype(np.uint32),
            run_original_id=surfaces[starts].astype(np.uint32),
        )
    )
    return checked(made, "not_manifold")


def checked(made: Manifold, reason: str) -> Manifold:
    """The solid itself, once it is known to be sound.

    Raises:
        AssetError: with this reason when manifold3d reports an error, or the volume is not positive.
    """
    if made.status() != manifold3d.Error.NoError:
        raise AssetError(reason, f"manifold3d reports {made.status()}")
    if not made.volume() > 0:
        raise AssetError(reason, f"the solid has volume {made.volume():.3g}; it must be positive")
    return made


def union(solids: Sequence[Manifold]) -> Manifold:
    """Exact union; raises AssetError "union_failed" when it is not sound."""
    return checked(Manifold.batch_boolean(list(solids), manifold3d.OpType.Add), "union_failed")


def without_crumbs(made: Manifold, least: float) -> tuple[Manifold, int]:
    """The solid without loose pieces (or bubbles) of a volume below `least`, and how many they were."""
    pieces = made.decompose()
    kept = [piece for piece in pieces if abs(piece.volume()) >= least]
    if len(kept) in (0, len(pieces)):
        return made, 0
    return checked(Manifold.compose(kept), "difference_failed"), len(pieces) - len(kept)


def shape(made: Manifold) -> Shape:
    """The solid as a shape: vertices stay shared exactly as manifold3d shares them, nothing is merged by position."""
    mesh = made.to_mesh()
    properties = np.asarray(mesh.vert_properties, np.float64)
    target = np.arange(len(properties))
    target[mesh.merge_from_vert] = mesh.merge_to_vert
    kept, nodes = np.unique(target, return_inverse=True)
    lengths = np.diff(mesh.run_index) // 3
    return Shape(
        vertices=properties[kept, :3],
        nodes=nodes,
        uvs=properties[:, 3:5],
        triangles=np.asarray(mesh.tri_verts, np.int64),
        surfaces=np.repeat(np.asarray(mesh.run_original_id, np.int64), lengths),
    )
