"""From a specification to an asset: build the parts, join them exactly, keep part ids, paint, stand it up."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from versemill.asset import Asset
from versemill.config import digest
from versemill.detailverse import words
from versemill.detailverse.config import FACE_BUDGET, DetailverseConfig, Quality
from versemill.detailverse.solids import Builder, Manifold, Solid, checked, strut, union
from versemill.detailverse.specification import PartSpec, Specification, sample_spec
from versemill.detailverse.surfaces import Finish
from versemill.errors import AssetError
from versemill.materials import Material, procedural
from versemill.mesh import component_volumes, components, face_cross
from versemill.queries import MeshQuery

TEXTURE_SPAN = 1.0
"""World units that one repeat of a texture covers."""

PIN = 0.015
"""Radius in world units of the rod that holds what would float."""

CRUMB = 0.004
"""Smallest share of the volume that a loose component may have."""

SAMPLES: dict[Quality, int] = {"fast": 16_000, "default": 64_000}
"""Most samples of one band that an operator's own positions may make; its cells grow rather than exceed it."""

EDGE: dict[Quality, float] = {"fast": 0.022, "default": 0.009}
"""Tessellation length that a build begins with, in world units."""

FACES = (170_000, 280_000, 390_000)
"""Fewest, wanted and most faces of the default level before simplification; beyond them the tessellation length is changed."""

FINEST, ROUGHEST = 0.004, 0.03
"""Bounds of the tessellation length: one pixel of a 512² view, below which nothing is seen, and where ornament would go."""

COARSER = {"pitch": 1.5, "depth": 1.25}
"""How much larger the ornament of the fast level is, which its coarser samples and smaller pictures call for."""

TOLERANCES = (0.0003, 0.0006, 0.0012, 0.0024, 0.0048, 0.0096, 0.0192, 0.0192, 0.0192)
"""Of the passes of simplification, in halves of the asset's size. Beyond the last an asset would lose its ornament; it comes
three times, since a lattice of thin walls gives way only slowly."""


def generate(config: DetailverseConfig | None = None, seed: int = 0, index: int = 0) -> Asset:
    """The asset of (config, seed, index): the same bytes on every run.

    Args:
        config: the default is `DetailverseConfig()`.

    Raises:
        AssetError: a solid failed; its reason says how.
    """
    config = config or DetailverseConfig()
    spec = sample_spec(config, seed, index)
    return build(spec, detail=config.detail, texture_size=config.texture_size, face_budget=config.faces, seed=seed, index=index)


def build(
    spec: Specification,
    detail: Quality = "default",
    texture_size: int = 512,
    face_budget: int | None = None,
    seed: int = 0,
    index: int = 0,
) -> Asset:
    """The asset of a specification: watertight, upright, facing -Y, normalised, painted and captioned.

    Raises:
        AssetError: a solid failed, or the mesh can't be brought under the face budget without losing its form.
    """
    body, names, edge = tessellate(spec, detail)
    built, budget = body.num_tri(), face_budget or FACE_BUDGET[detail]
    body = reduce(body, budget)
    vertices, faces, parts = arrays(body, list(names.values()))

    used = [spec.parts[name].material if name in spec.parts else "" for name in names]
    keys = list(dict.fromkeys(used))
    materials = tuple(procedural.build(spec.recipe(key), texture_size) if key else Material() for key in keys)
    material_ids = np.array([keys.index(key) for key in used], np.int32)[parts]
    captions = words.captions(spec)
    asset = Asset(
        vertices=vertices,
        faces=faces,
        uvs=np.zeros((len(faces), 3, 2), np.float32),
        material_ids=material_ids,
        part_ids=parts,
        materials=materials,
        part_names=tuple(names),
        seed=seed,
        index=index,
        source="detailverse",
        caption=captions.plain,
        tags=words.tags(spec),
        provenance={
            "specification": spec.model_dump(mode="json"),
            "detail": detail,
            "texture_size": texture_size,
            "face_budget": budget,
            "seed": seed,
            "index": index,
            "tessellation": edge,
            "faces_before_simplification": built,
            "captions": captions.record(),
        },
    ).normalized()
    object.__setattr__(asset, "uvs", box_uvs(asset.vertices, asset.faces))
    return asset


def rebuild(provenance: Mapping[str, Any]) -> Asset:
    """The identical asset from its record alone; nothing is drawn.

    Raises:
        AssetError: a solid failed.
        KeyError: the record is of a version that kept neither the texture size nor the face budget.
    """
    spec = Specification.model_validate(provenance["specification"])
    return build(spec, **{name: provenance[name] for name in ("detail", "texture_size", "face_budget", "seed", "index")})


def tessellate(spec: Specification, detail: Quality) -> tuple[Manifold, dict[str, int], float]:
    """The joined body, its parts as of `join`, and the tessellation length that was used.

    At the default level the length depends on the asset: if a first build has a number of faces outside FACES, it is built
    again with the length that gives the target number, which goes with its inverse square.
    """
    edge = EDGE[detail]
    fewest, target, most = FACES
    for attempt in range(3):
        finishes = {name: finish(spec, name, part, detail, edge) for name, part in spec.parts.items()}
        family = spec.family()
        solids = family.build(Builder(finishes, detail == "default", edge, spec.variation))
        stretch = [family.stretch if axis == family.grain else 1.0 for axis in "xyz"]
        body, names = join([Solid(s.body.scale(stretch), s.part) for s in solids])
        count = body.num_tri()
        # Flat solids have no use for more faces: one attempt to refine is enough.
        if detail == "fast" or fewest <= count <= most or (attempt and count < fewest):
            break
        edge = float(np.clip(edge * np.sqrt(count / target), FINEST, ROUGHEST))
    return body, names, edge


def finish(spec: Specification, name: str, part: PartSpec, detail: Quality, edge: float) -> Finish:
    """The ornament of one part, with a hash seed of its own."""
    ops = [(o.band, o.operator()) for o in part.operators]
    if detail == "fast":
        ops = [(band, op.model_copy(update={k: getattr(op, k) * v for k, v in COARSER.items()})) for band, op in ops]
    return Finish(
        bands=tuple((*band, op) for band, op in ops if op.role != "skin"),
        skins=tuple(op for _, op in ops if op.role == "skin"),
        edge=edge,
        facet=edge if detail == "default" else np.inf,
        samples=SAMPLES[detail],
        seed=int(digest([spec.variation, name])[:8], 16),
    )


def join(solids: list[Solid]) -> tuple[Manifold, dict[str, int]]:
    """The exact union of all solids, and part name -> manifold3d original id, in order of first appearance.

    A piece that touches nothing, such as a wing in an unlucky pose, is attached by a pin to the nearest place of the rest.
    """
    groups: dict[str, list[Manifold]] = {}
    for item in solids:
        groups.setdefault(item.part, []).append(item.body)
    originals = {name: union(bodies).as_original() for name, bodies in groups.items()}
    body = union(originals.values())
    pieces = sorted(body.decompose(), key=lambda piece: -piece.volume())
    floating = [piece for piece in pieces[1:] if piece.volume() > CRUMB * body.volume()]
    if floating:
        names = {original.original_id(): name for name, original in originals.items()}
        for piece in floating:
            groups[names[int(piece.to_mesh().run_original_id[0])]].append(pin(piece, pieces[0]))
        originals = {name: union(bodies).as_original() for name, bodies in groups.items()}
        body = union(originals.values())
    return body, {name: original.original_id() for name, original in originals.items()}


def pin(piece: Manifold, rest: Manifold) -> Manifold:
    """A rod from a piece to the nearest place of the rest."""
    mesh = rest.to_mesh()
    corners = np.asarray(piece.to_mesh().vert_properties[:, :3], np.float64)
    away, _, places = MeshQuery(mesh.vert_properties[:, :3], mesh.tri_verts.astype(np.int32)).closest(corners)
    nearest = int(away.argmin())
    start, end = corners[nearest], places[nearest].astype(np.float64)
    step = (end - start) / max(float(np.linalg.norm(end - start)), 1e-9) * PIN
    return strut(start - step, end + step, PIN, 8)


def reduce(body: Manifold, budget: int) -> Manifold:
    """The body with at most `budget` faces: simplified by as many passes of `TOLERANCES` as suffice.

    Raises:
        AssetError: reason "too_many_faces": not even all of them are enough.
    """
    low, high = np.asarray(body.bounding_box()).reshape(2, 3)
    unit = float((high - low).max()) / 2
    for tolerance in TOLERANCES:
        if body.num_tri() <= budget:
            return body
        body = checked(body.simplify(tolerance * unit))
    if body.num_tri() > budget:
        raise AssetError("too_many_faces", f"{body.num_tri()} faces are over the budget of {budget}; raise face_budget")
    return body


def arrays(body: Manifold, originals: list[int]) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int32]]:
    """Vertices, faces and the place of each face's source in `originals`. Closed cavities, which
    no view shows, are filled, and loose crumbs (below CRUMB of the volume), such as a cut may leave, are dropped."""
    mesh = body.to_mesh()
    vertices = np.ascontiguousarray(mesh.vert_properties[:, :3], np.float32)
    faces = np.ascontiguousarray(mesh.tri_verts, np.int32)
    owner = {original: k for k, original in enumerate(originals)}
    starts = np.asarray(mesh.run_index, np.int64)
    runs = (starts[1:] - starts[:-1]) // 3
    parts = np.repeat([owner[int(i)] for i in mesh.run_original_id], runs).astype(np.int32)
    label = components(faces)
    volumes = component_volumes(vertices, faces, label)
    kept = (volumes > CRUMB * volumes.sum())[label]
    used, renumbered = np.unique(faces[kept], return_inverse=True)
    return vertices[used], renumbered.reshape(-1, 3).astype(np.int32), parts[kept]


def box_uvs(vertices: NDArray[np.float32], faces: NDArray[np.int32]) -> NDArray[np.float32]:
    """(F, 3, 2) box projection: each face along its dominant axis, upright on the sides and never mirrored."""
    cross = face_cross(vertices, faces)
    axis = np.abs(cross).argmax(1)
    sign = np.sign(cross[np.arange(len(faces)), axis])
    corners = vertices.astype(np.float64)[faces]
    right = np.choose(axis[:, None], [corners[..., 1] * sign[:, None], -corners[..., 0] * sign[:, None], corners[..., 0]])
    up = np.choose(axis[:, None], [corners[..., 2], corners[..., 2], corners[..., 1] * sign[:, None]])
    return (np.stack([right, up], -1) / TEXTURE_SPAN).astype(np.float32)
