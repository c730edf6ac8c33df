"""An asset as one rigid body: its look, its mass and its convex colliders, in metres."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import manifold3d
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from versemill.asset import Asset
from versemill.config import Config
from versemill.errors import MissingDependencyError
from versemill.mesh import face_areas
from versemill.shards.export.item import Item
from versemill.shards.export.simulators.matter import MATTER, matter_of
from versemill.shards.export.simulators.rigid import Rigid, joined, of_solid
from versemill.shards.export.solids import Solid, part_solids

SIMPLIFIED = (0.005, 0.01)
"""Tolerances, in world units, by which the surface is simplified, one after the other, before it is decomposed: ornament makes
decomposition ten times slower, and no hull keeps it."""

HULL_VERTICES = 64
"""Most vertices of a collider: PhysX's limit for a convex mesh."""


class SimulationConfig(Config):
    """What an export for physics engines may set."""

    size: float = Field(default=0.3, gt=0, description="length of the asset's longest side in metres")
    density: float | None = Field(default=None, gt=0, description="kg/m³ of every part, instead of the table's values")
    friction: float | None = Field(default=None, ge=0, description="friction coefficient, instead of the table's values")
    hulls: int = Field(default=32, gt=0, description="most convex colliders of one asset, where CoACD can merge so many")
    concavity: float = Field(
        default=0.1,
        ge=0.01,
        le=1,
        description="how concave a piece may be that one convex collider replaces: CoACD's threshold",
    )


@dataclass(frozen=True, eq=False)
class Body:
    """One asset, ready for an engine. Z up; the origin is the middle of the bounding box, as in the dataset.

    Attributes:
        asset: what is seen, with vertices in metres.
        rigid: mass, centre of mass and inertia.
        friction: Coulomb's coefficient, the mean over the surface.
        hulls: convex (n, 3) float64 vertices and (m, 3) int32 faces, in metres.
        record: JSON-able: size, mass, friction, and the matter, density, volume and mass of each part.
    """

    asset: Asset
    rigid: Rigid
    friction: float
    hulls: tuple[Solid, ...]
    record: dict[str, Any]


def body_of(item: Item, config: SimulationConfig) -> Body:
    """The rigid body of a row.

    Raises:
        AssetError: "not_watertight" or "no_volume": there is no mass.
        MissingDependencyError: without coacd.
    """
    vertices, faces = item.watertight
    solids = part_solids(item.asset, vertices, faces)
    metres = config.size / 2
    made_of = substances(item.asset, item.row["meta"]["provenance"])
    areas = face_areas(item.asset.vertices, item.asset.faces)
    parts, rigids = [], []
    for part, solid in solids.items():
        names, shares = _matter(item.asset, made_of, areas, item.asset.part_ids == part)
        density = config.density or float(sum(MATTER[name].density * share for name, share in zip(names, shares, strict=True)))
        rigid = of_solid(solid.vertices * metres, solid.faces, density)
        rigids.append(rigid)
        matter = "set" if config.density else " and ".join(names)
        parts.append({"name": item.asset.part_names[part], "matter": matter, "density": density,
                      "volume": rigid.mass / density, "mass": rigid.mass})  # fmt: skip
    whole = joined(rigids)
    names, shares = _matter(item.asset, made_of, areas, np.ones(len(areas), bool))
    mean = float(sum(MATTER[name].friction * share for name, share in zip(names, shares, strict=True)))
    friction = mean if config.friction is None else config.friction
    hulls = tuple(
        Solid(hull.vertices * metres, hull.faces) for hull in colliders(vertices, faces, config.hulls, config.concavity)
    )
    record = {"id": item.id, "caption": item.row["meta"]["caption"], "size": config.size, "mass": whole.mass,
              "center_of_mass": whole.center.tolist(), "inertia": whole.inertia.tolist(), "friction": friction,
              "parts": parts}  # fmt: skip
    asset = replace(item.asset, vertices=(item.asset.vertices.astype(np.float64) * metres).astype(np.float32))
    return Body(asset, whole, friction, hulls, record)


def substances(asset: Asset, provenance: str) -> list[list[str]]:
    """[part][material] the name in `MATTER` that a material of a part stands for.

    DetailVerse says what each of its parts is made of; otherwise it is the texture family that tells.
    """
    families = [matter_of(material.source.rpartition("/")[2]) or "unnamed" for material in asset.materials]
    specification = json.loads(provenance).get("specification", {})
    named = []
    for name in asset.part_names:
        key = specification.get("parts", {}).get(name, {}).get("material", "")
        substance = matter_of(str(specification.get("materials", {}).get(key, {}).get("material", "")))
        named.append([substance or family for family in families])
    return named


def _matter(
    asset: Asset, made_of: Sequence[Sequence[str]], areas: NDArray[np.float64], chosen: NDArray[np.bool_]
) -> tuple[list[str], list[float]]:
    """The names in `MATTER` of the chosen faces, the largest first, and their shares of the area."""
    codes = asset.part_ids[chosen].astype(np.int64) * len(asset.materials) + asset.material_ids[chosen]
    area = np.bincount(codes, weights=areas[chosen])
    total: dict[str, float] = {}
    for code in np.flatnonzero(area):
        part, material = divmod(int(code), len(asset.materials))
        total[made_of[part][material]] = total.get(made_of[part][material], 0.0) + float(area[code])
    names = sorted(total, key=lambda name: (-total[name], name))
    return names, [total[name] / float(area.sum()) for name in names]


def colliders(vertices: NDArray[np.float32], faces: NDArray[np.int32], most: int = 32, concavity: float = 0.1) -> list[Solid]:
    """Convex bodies that together stand for a closed surface, in its units: CoACD of the simplified surface, with seed 0.

    Args:
        most, concavity: as `SimulationConfig`.

    Raises:
        MissingDependencyError: without coacd.
    """
    try:
        import coacd
    except ImportError as error:
        raise MissingDependencyError("exports for physics engines need coacd: pip install 'versemill[simulators]'") from error
    body = manifold3d.Manifold(manifold3d.Mesh64(vertices.astype(np.float64), faces.astype(np.uint64)))
    for tolerance in SIMPLIFIED:
        simpler = body.simplify(tolerance)
        body = simpler if simpler.num_tri() else body
    mesh = body.to_mesh64()
    coacd.set_log_level("error")
    hulls = coacd.run_coacd(
        coacd.Mesh(np.asarray(mesh.vert_properties[:, :3]), np.asarray(mesh.tri_verts)),
        threshold=concavity,
        max_convex_hull=most,
        max_ch_vertex=HULL_VERTICES,
        decimate=True,
        preprocess_mode="off",  # the surface is closed already
        resolution=500,
        mcts_iterations=20,
        mcts_nodes=5,
        seed=0,
    )
    return [Solid(np.asarray(points, np.float64), np.asarray(triangles, np.int32)) for points, triangles in hulls]
