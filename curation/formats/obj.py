"""OBJ: positions, UVs, normals, vertex colours, polygons, and the materials of its MTL files."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from versemill.curation.config import LoadLimits
from versemill.curation.formats import mtl
from versemill.curation.formats.polygons import triangulate
from versemill.curation.formats.soup import Soup, check_counts, check_geometry
from versemill.curation.opening import open_image
from versemill.curation.place import Place
from versemill.errors import AssetError
from versemill.materials.material import Material
from versemill.materials.uv_sets import Placement

Ints = NDArray[np.int64]


def decoded(data: bytes) -> str:
    """Text of a file: UTF-16 where it begins with that mark, UTF-8, or else Latin-1, in which every byte is a letter."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace")
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def read(data: bytes, place: Place, limits: LoadLimits) -> Soup:
    """Reads an OBJ. A part is an object (`o`), or a group (`g`) where there are no objects.

    Raises:
        AssetError: "unreadable", "too_large", "empty", "not_finite", or what a colour map is refused for.
    """
    name = place.model.name
    try:
        text = _Statements(decoded(data).replace("\\\r\n", " ").replace("\\\n", " "))
        vertices, extra = _positions(text.vertices)
        uvs = _table(text.uvs, 2)
        normals = _table(text.normals, 3)
        corners, sizes = _faces(text.faces)
    except ValueError as error:
        raise AssetError("unreadable", f"{name} is not readable OBJ: {error}") from error
    check_counts(name, len(vertices), max(int((sizes - 2).sum()), 0), 1, limits)
    corners = _resolved(name, corners, text, sizes)
    if not np.isfinite(vertices).all():
        check_geometry(name, vertices, np.zeros((1, 3), np.int64))
    if len(corners) and corners[:, 0].max(initial=-1) >= len(vertices):
        raise AssetError(
            "unreadable", f"{name} is not readable OBJ: a face names vertex {corners[:, 0].max() + 1} of {len(vertices)}"
        )
    local, owner = triangulate(vertices, sizes, corners[:, 0])
    faces = corners[local, 0]
    check_geometry(name, vertices, faces)
    soup_uvs = _gathered(uvs, corners[local, 1])
    soup_normals = _gathered(normals, corners[local, 2])
    materials, placements, notes = _materials(text, place, limits, textured=soup_uvs is not None)
    part_names, part_of_face = text.parts()
    check_counts(name, len(vertices), len(faces), len(part_names), limits)
    return Soup(
        vertices,
        faces,
        uvs=soup_uvs,
        normals=soup_normals,
        colors=None if extra is None else extra[faces],
        material_ids=np.asarray(text.face_materials, np.int64)[owner],
        materials=materials,
        placements=placements,
        part_ids=part_of_face[owner],
        part_names=part_names,
        notes=notes,
    )


class _Statements:
    """The file's lines by kind, and the material, object and group that each face stands under."""

    def __init__(self, text: str) -> None:
        self.vertices: list[str] = []
        self.uvs: list[str] = []
        self.normals: list[str] = []
        self.faces: list[str] = []
        self.face_materials: list[int] = []
        self.libraries: list[str] = []
        self.materials: dict[str, int] = {}
        self.counts: list[tuple[int, int, int]] = []
        self._objects: list[str] = []
        self._groups: list[str] = []
        material, thing, group = -1, "", ""
        for line in text.splitlines():
            key, _, rest = line.replace("\t", " ").lstrip().partition(" ")
            if key == "v":
                self.vertices.append(rest)
            elif key == "f" or key == "fo":
                if material < 0:
                    material = self.materials.setdefault("", len(self.materials))
                self.faces.append(rest)
                self.face_materials.append(material)
                self.counts.append((len(self.vertices), len(self.uvs), len(self.normals)))
                self._objects.append(thing)
                self._groups.append(group)
            elif key == "vt":
                self.uvs.append(rest)
            elif key == "vn":
                self.normals.append(rest)
            elif key.lower() == "usemtl":
                material = self.materials.setdefault(rest.strip(), len(self.materials))
            elif key.lower() == "mtllib":
                self.libraries.append(rest.strip())
            elif key == "o":
                thing = rest.strip()
            elif key == "g":
                group = rest.strip()

    def parts(self) -> tuple[tuple[str, ...], Ints]:
        """Names of the parts, and the part (P,) of each face."""
        names = self._objects if any(self._objects) else self._groups
        known = {name: k for k, name in enumerate(dict.fromkeys(names))}
        return tuple(name or "all" for name in known), np.array([known[name] for name in names], np.int64)


def _positions(lines: list[str]) -> tuple[NDArray[np.float64], NDArray[np.uint8] | None]:
    """(V, 3), and (V, 4) colours where lines hold three or four numbers more."""
    table = _ragged(lines)
    if len(table) and table.shape[1] < 3:
        raise ValueError(f"a vertex has {table.shape[1]} coordinates")
    colors = None
    if table.shape[1] in (6, 7) and np.isfinite(table[:, 3:6]).all():
        rgb = table[:, 3:6]
        # Fractions, as nearly everyone writes them, or codes.
        rgb = rgb * 255 if rgb.max(initial=0.0) <= 1.0 else rgb
        colors = np.full((len(table), 4), 255, np.uint8)
        colors[:, :3] = np.rint(np.clip(rgb, 0, 255))
    return np.ascontiguousarray(table[:, :3]).reshape(-1, 3), colors


def _table(lines: list[str], width: int) -> NDArray[np.float64]:
    """(N, width); what a line lacks is 0."""
    table = _ragged(lines)
    if table.shape[1] < width:
        table = np.pad(table, ((0, 0), (0, width - table.shape[1])))
    return np.nan_to_num(table[:, :width], nan=0.0, posinf=0.0, neginf=0.0)


def _ragged(lines: list[str]) -> NDArray[np.float64]:
    """(N, C) numbers of lines; where they differ in length, of the shortest."""
    if not lines:
        return np.zeros((0, 3))
    flat = np.array(" ".join(lines).split(), np.float64)
    width, rest = divmod(len(flat), len(lines))
    if not rest and all(len(line.split()) == width for line in lines):
        return flat.reshape(len(lines), width)
    rows = [line.split() for line in lines]
    shortest = min(len(row) for row in rows)
    return np.array([row[:shortest] for row in rows], np.float64).reshape(len(rows), shortest)


def _faces(lines: list[str]) -> tuple[Ints, Ints]:
    """(C, 3) vertex, UV and normal of every corner as written (0 is none), and corners per face."""
    words = [line.split("#")[0].split() if "#" in line else line.split() for line in lines]
    sizes = np.array([len(row) for row in words], np.int64)
    flat = [word for row in words for word in row]
    table = np.zeros((len(flat), 3), np.int64)
    slashes = np.array([word.count("/") for word in flat], np.int64)
    for count in np.unique(slashes):
        which = np.flatnonzero(slashes == count)
        if count > 2:
            raise ValueError(f"a face's corner is '{flat[which[0]]}'")
        own = flat if len(which) == len(flat) else [flat[k] for k in which]
        numbers = " ".join(own).replace("//", "/0/").replace("/", " ").split()
        if len(numbers) != len(own) * (count + 1):
            # "3/" leaves a number out.
            numbers = [part or "0" for word in own for part in word.split("/")]
        table[which, : count + 1] = np.array(numbers, np.int64).reshape(-1, count + 1)
    return table, sizes


def _resolved(name: str, corners: Ints, text: _Statements, sizes: Ints) -> Ints:
    """Indices from 0, -1 for none; negative ones count back from the last line before the face."""
    before = np.repeat(np.array(text.counts, np.int64).reshape(-1, 3), sizes, axis=0)
    result = np.where(corners < 0, before + corners, corners - 1)
    wrong = (result[:, 0] < 0) | ((corners < 0) & (result < 0)).any(1)
    if wrong.any():
        raise AssetError("unreadable", f"{name} is not readable OBJ: a face names vertex {corners[wrong][0, 0]}")
    return result


def _gathered(values: NDArray[np.float64], at: Ints) -> NDArray[np.float64] | None:
    """(F, 3, C) values of corners, 0 where a corner has none or names one that does not exist; None where none has any."""
    known = (at >= 0) & (at < len(values))
    if not known.any():
        return None
    return np.where(known[..., None], values[np.where(known, at, 0)], 0.0)


def _materials(
    text: _Statements, place: Place, limits: LoadLimits, textured: bool
) -> tuple[tuple[Material, ...], tuple[tuple[Placement, ...], ...], dict[str, Any]]:
    """One material per name that faces use, and what could not be had."""
    library = mtl.Library(place, limits)
    entries: dict[str, mtl.Entry] = {}
    for line in text.libraries:
        for data in _library_files(line, place, library):
            entries |= mtl.parse(decoded(data))
    lower = {key.lower(): entry for key, entry in reversed(entries.items())}
    made = []
    for k, key in enumerate(text.materials):
        label = f"{key or 'material'}_{k}" if k else key or "material"
        entry = entries.get(key) or lower.get(key.lower())
        made.append(library.material(label, entry) if entry is not None else (Material(name=label), ()))
    if textured and len(made) == 1 and made[0][0].source == "default":
        made = [(_texture_beside(place, made[0][0], limits), ())]
    notes: dict[str, Any] = {}
    if library.left_out:
        notes["textures_left_out"] = sorted(library.left_out)
    if library.dropped:
        notes["dropped"] = sorted(library.dropped)
    if place.elsewhere:
        notes["textures_elsewhere"] = dict(sorted(place.elsewhere.items()))
    return tuple(m for m, _ in made), tuple(p for _, p in made), notes


def _library_files(line: str, place: Place, library: mtl.Library) -> list[bytes]:
    """The files of one `mtllib`: one name, which may hold spaces, or several."""
    whole = line.strip("\"'")
    for names in ([whole], line.split()):
        try:
            return [place.read(place.find(name)) for name in names]
        except AssetError as error:
            if error.reason != "missing_file":
                raise
    library.left_out.add(whole)
    return []


def _texture_beside(place: Place, material: Material, limits: LoadLimits) -> Material:
    """The one image next to an OBJ that begins with its name, where the OBJ names no material."""
    stem = place.model.stem
    neighbours = sorted(
        p for p in place.folder.iterdir() if p.name.startswith(stem) and p.suffix.lower() in (".png", ".jpg", ".jpeg")
    )
    if len(neighbours) != 1:
        return material
    texture = open_image(place.read(neighbours[0]), f"texture '{neighbours[0].name}'", limits.max_texture_side, place.budget)
    return Material(name=stem, base_color_texture=texture, source="file", licence="unknown")
