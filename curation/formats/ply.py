"""PLY, ASCII and binary: polygons and strips, UVs per vertex or corner, colours, and the textures that comments name."""

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from versemill.curation.config import LoadLimits
from versemill.curation.formats.ply_elements import Element, header, read_elements
from versemill.curation.formats.polygons import triangulate
from versemill.curation.formats.soup import Soup, check_counts, check_geometry
from versemill.curation.opening import open_image
from versemill.curation.place import Place
from versemill.errors import AssetError
from versemill.materials.material import Material
from versemill.materials.uv_sets import Placement

Ints = NDArray[np.int64]
UVS = (("s", "t"), ("u", "v"), ("texture_u", "texture_v"), ("texture_s", "texture_t"), ("s0", "t0"), ("u0", "v0"))
COLORS = (("red", "green", "blue"), ("diffuse_red", "diffuse_green", "diffuse_blue"), ("r", "g", "b"))
ALPHAS = ("alpha", "diffuse_alpha", "a")


def read(data: bytes, place: Place, limits: LoadLimits) -> Soup:
    """Reads a PLY.

    Raises:
        AssetError: "unreadable", "truncated", "too_large", "empty", "not_finite", "bad_index", or what a texture is
            refused for.
    """
    name = place.model.name
    if not data.startswith(b"ply"):
        raise AssetError("unreadable", f"{name} does not begin with 'ply'")
    try:
        head = header(data)
        counts = {element.name: element.count for element in head.elements}
        check_counts(name, counts.get("vertex", 0), counts.get("face", 0) + counts.get("tristrips", 0), 1, limits)
        if max(counts.values(), default=0) > len(data):
            raise AssetError("truncated", f"{name} claims {max(counts.values())} items in {len(data)} bytes")
        read_elements(data, head)
        return _soup(name, {element.name: element for element in head.elements}, head.comments, place, limits)
    except EOFError as error:
        raise AssetError("truncated", f"{name} ends early: {error}") from error
    except (ValueError, LookupError, TypeError, OverflowError) as error:
        raise AssetError("unreadable", f"{name} is not readable PLY: {type(error).__name__} {error}") from error


def _soup(name: str, elements: dict[str, Element], comments: list[str], place: Place, limits: LoadLimits) -> Soup:
    vertex = elements.get("vertex")
    if vertex is None or not vertex.count:
        raise AssetError("empty", f"{name} holds no triangles")
    vertices = np.stack([vertex.scalars[axis].astype(np.float64) for axis in "xyz"], 1)
    sizes, corners, face = _polygons(elements)
    check_counts(name, len(vertices), max(int((sizes - 2).sum()), 0), 1, limits)
    check_geometry(name, vertices, corners.reshape(-1, 1))
    local, owner = triangulate(vertices, sizes, corners)
    faces = corners[local]
    check_geometry(name, vertices, faces)
    uvs, numbers = None, np.zeros(len(faces), np.int64)
    if face is not None and "texcoord" in face.lists:
        uvs = _corner_uvs(face, sizes, local)
    elif (pair := _first(UVS, vertex)) is not None:
        uvs = np.stack([vertex.scalars[axis].astype(np.float64) for axis in pair], 1)[faces]
    if uvs is not None:
        uvs = np.nan_to_num(uvs, nan=0.0, posinf=0.0, neginf=0.0)
    normals = None
    if {"nx", "ny", "nz"} <= set(vertex.scalars):
        normals = np.stack([vertex.scalars[axis].astype(np.float64) for axis in ("nx", "ny", "nz")], 1)[faces]
    colors = None
    if (own := _colors(vertex)) is not None:
        colors = own[faces]
    elif face is not None and (own := _colors(face)) is not None:
        colors = np.repeat(own[owner][:, None], 3, 1)
    if face is not None and "texnumber" in face.scalars:
        numbers = face.scalars["texnumber"].astype(np.int64)[owner]
    materials, notes = _materials(comments, place, limits)
    if numbers.min(initial=0) < 0 or numbers.max(initial=0) >= len(materials):
        # A number that names no texture, -1 as a rule, means none.
        numbers = np.where((numbers >= 0) & (numbers < len(materials)), numbers, len(materials))
        materials = (*materials, Material(name="untextured"))
    placements = tuple((Placement(),) if material.textured else () for material in materials)
    return Soup(vertices, faces, uvs, normals, colors, numbers, materials, placements, notes=notes)


def _polygons(elements: dict[str, Element]) -> tuple[Ints, Ints, Element | None]:
    """Corners per polygon, all corners, and the element `face` if polygons come from it."""
    face, strips = elements.get("face"), elements.get("tristrips")
    if face is not None and face.count:
        sizes, corners = _indices(face)
        return sizes, corners, face
    if strips is None or not strips.count:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), None
    lengths, flat = _indices(strips)
    ends = np.cumsum(lengths)
    triangles = []
    for strip in np.split(flat, ends[:-1]):
        for run in np.split(strip, np.flatnonzero(strip < 0)):
            run = run[run >= 0]
            rows = np.stack([run[:-2], run[1:-1], run[2:]], 1) if len(run) > 2 else np.zeros((0, 3), np.int64)
            rows[1::2] = rows[1::2, [1, 0, 2]]
            triangles.append(rows)
    corners = np.concatenate(triangles).reshape(-1)
    return np.full(len(corners) // 3, 3, np.int64), corners, None


def _indices(element: Element) -> tuple[Ints, Ints]:
    key = next((key for key in ("vertex_indices", "vertex_index") if key in element.lists), None)
    if key is None:
        raise ValueError(f"the element {element.name} has no list of vertices")
    lengths, flat = element.lists[key]
    return lengths.astype(np.int64), flat.astype(np.int64)


def _corner_uvs(face: Element, sizes: Ints, local: Ints) -> NDArray[np.float64]:
    """(F, 3, 2) of `texcoord`, which holds a pair per corner of each polygon."""
    lengths, flat = face.lists["texcoord"]
    if (lengths == 2 * sizes).all():
        return flat.astype(np.float64).reshape(-1, 2)[local]
    # A face without its own pairs has none.
    starts = np.cumsum(lengths) - lengths
    pairs = np.zeros((int(sizes.sum()), 2))
    whole = lengths == 2 * sizes
    at = np.repeat(whole, sizes)
    source = np.repeat(starts - 2 * (np.cumsum(sizes) - sizes), sizes) + 2 * np.arange(int(sizes.sum()))
    pairs[at] = np.stack([flat[source[at]], flat[source[at] + 1]], 1)
    return pairs[local]


def _first(names: tuple[tuple[str, ...], ...], element: Element) -> tuple[str, ...] | None:
    return next((group for group in names if set(group) <= set(element.scalars)), None)


def _colors(element: Element) -> NDArray[np.uint8] | None:
    """(N, 4) sRGB codes; floats are fractions, 16-bit integers keep their upper byte."""
    group = _first(COLORS, element)
    if group is None:
        return None
    alpha = next((name for name in ALPHAS if name in element.scalars), None)
    codes = np.full((element.count, 4), 255, np.uint8)
    for k, name in enumerate((*group, *((alpha,) if alpha else ()))):
        values = element.scalars[name]
        if values.dtype.kind == "f":
            values = np.rint(np.clip(np.nan_to_num(values.astype(np.float64)), 0, 1) * 255)
        elif values.dtype.itemsize == 2:
            values = values.astype(np.int64) >> 8
        codes[:, k] = np.clip(values, 0, 255)
    return codes


def _materials(comments: list[str], place: Place, limits: LoadLimits) -> tuple[tuple[Material, ...], dict[str, Any]]:
    """A material per `TextureFile`, in order; a plain one where there is none or its image is missing."""
    names = [match.group(1).strip() for c in comments if (match := re.match(r"TextureFile\s+(.+)", c, re.IGNORECASE))]
    materials: list[Material] = []
    left_out: list[str] = []
    for k, written in enumerate(names):
        label = f"material_{k}" if k else "material"
        try:
            data = place.read(place.find(written))
        except AssetError as error:
            if error.reason != "missing_file":
                raise
            left_out.append(written)
            materials.append(Material(name=label))
            continue
        texture = open_image(data, f"texture '{written}'", limits.max_texture_side, place.budget)
        transparent = texture[..., 3].min() < 255 and texture[..., 3].max() > 0
        mode: Any = "blend" if transparent else "opaque"
        materials.append(Material(name=label, base_color_texture=texture, alpha_mode=mode, source="file", licence="unknown"))
    notes: dict[str, Any] = {"textures_left_out": left_out} if left_out else {}
    if place.elsewhere:
        notes["textures_elsewhere"] = dict(place.elsewhere)
    return tuple(materials) or (Material(name="material"),), notes
