"""The last step of every asset: normalise, texture, name, measure, and write down what happened."""

import hashlib
import importlib.metadata
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

import versemill
from versemill import mesh
from versemill.asset import Asset
from versemill.zeroverse import surfaces
from versemill.zeroverse.draws import Plan
from versemill.zeroverse.shape import Float64, Shape

MANIFOLD3D = importlib.metadata.version("manifold3d")


class Label(NamedTuple):
    """What a drawn surface is: the part that it belongs to, its material's name, and that material's record in the plan."""

    part: str
    name: str
    material: dict[str, Any]


def finish(
    plan: Plan,
    whole: Shape,
    labels: Sequence[Label],
    outcome: dict[str, Any],
    center: Float64,
    scale: float,
    caption: str,
    tags: tuple[str, ...],
) -> Asset:
    """The asset of a finished shape.

    Args:
        labels: one per surface id of the shape.
        outcome: what happened on the way; goes into the provenance, together with the measured complexity.
        center, scale: the way back: source position = center + scale * vertex.
    """
    part_names = list(dict.fromkeys(label.part for label in labels))
    part_of = np.array([part_names.index(label.part) for label in labels])
    built = [surfaces.build(label.material, label.name, plan["texture_size"]) for label in labels]
    offsets = np.array([label.material["offset"] for label in labels])
    vertices, shift, grow = _normalized(whole.vertices)
    made = Asset(
        vertices=vertices,
        faces=whole.faces.astype(np.int32),
        uvs=(whole.uvs[whole.triangles] + offsets[whole.surfaces][:, None]).astype(np.float32),
        material_ids=whole.surfaces.astype(np.int32),
        part_ids=part_of[whole.surfaces].astype(np.int32),
        materials=tuple(material for material, _ in built),
        part_names=tuple(part_names),
        seed=plan["seed"],
        index=plan["index"],
        source="zeroverse",
        caption=caption,
        tags=tags,
        center=tuple(float(x) for x in center + scale * shift),  # type: ignore[arg-type]
        scale=scale * grow,
        provenance={
            "generator": "zeroverse",
            "versemill": versemill.__version__,
            "manifold3d": MANIFOLD3D,
            "plan": plan,
            "outcome": {**outcome, **measured(vertices, whole), "materials": [identity for _, identity in built]},
        },
    )
    made.check()
    return made


def measured(vertices: np.ndarray, whole: Shape) -> dict[str, Any]:
    """Counts and sizes of the normalised mesh, JSON-able: how complex the asset has become.

    `genus` is summed over the components, by Euler's formula for closed surfaces, where three edges belong to two
    triangles. `bend`: see `bend`. Thin walls, hidden surface and entropy of normals are measured by curation, from the
    cleaned asset, into a row's `metrics`.
    """
    low, high = vertices.min(0), vertices.max(0)
    components = int(mesh.components(whole.faces).max()) + 1
    return {
        "vertices": len(vertices),
        "triangles": len(whole.triangles),
        "components": components,
        "genus": components - (len(vertices) - len(whole.triangles) // 2) // 2,
        "bend": bend(vertices, whole.faces),
        "volume": mesh.volume(vertices, whole.faces),
        "size": (high - low).tolist(),
    }


def bend(vertices: np.ndarray, faces: np.ndarray) -> float:
    """Total absolute mean curvature of a closed mesh over the square root of its area: free of scale.

    An edge's mean curvature is its length times half the angle between its faces, negative where they form a valley
    (Steiner's formula for polyhedra); a vertex gets half of each of its edges, so that it matters little how a curved
    quad is split. 2 sqrt(pi) = 3.54 for a sphere, 3.85 for a cube, more with every edge and wave.
    """
    pairs, edges = mesh.adjacency(faces)
    corners = vertices.astype(np.float64)[faces]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    double = np.linalg.norm(cross, axis=1)
    normals = cross / np.maximum(double, 1e-300)[:, None]
    turn = normals[pairs[:, 1]] - normals[pairs[:, 0]]
    angle = 2 * np.arcsin(np.minimum(np.sqrt(np.einsum("ij,ij->i", turn, turn)) / 2, 1))
    middle = corners.mean(1)
    ridge = np.sign(np.einsum("ij,ij->i", turn, middle[pairs[:, 1]] - middle[pairs[:, 0]]))
    length = np.linalg.norm(np.subtract(*vertices.astype(np.float64)[edges.T]), axis=1)
    at_vertices = np.bincount(edges.ravel(), np.repeat(length * angle * ridge / 4, 2), len(vertices))
    return float(np.abs(at_vertices).sum() / np.sqrt(double.sum() / 2))


def _normalized(vertices: Float64) -> tuple[np.ndarray, Float64, float]:
    """Vertices centred with longest side 2, the shift and the scale; untouched where they are so already."""
    low, high = vertices.min(0), vertices.max(0)
    shift, grow = (low + high) / 2, float((high - low).max()) / 2
    if np.abs(shift).max() < 1e-6 and abs(grow - 1) < 1e-6:
        return vertices.astype(np.float32), np.zeros(3), 1.0
    return ((vertices - shift) / grow).astype(np.float32), shift, grow


def digest(shapes: Sequence[Shape]) -> str:
    """SHA-256 of the shapes' float32 positions, faces, UVs and surfaces."""
    h = hashlib.sha256()
    for shape in shapes:
        uvs = shape.uvs[shape.triangles].astype(np.float32)
        for array in (shape.vertices.astype(np.float32), shape.faces, uvs, shape.surfaces):
            h.update(np.ascontiguousarray(array).tobytes())
    return h.hexdigest()
