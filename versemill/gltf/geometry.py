"""glTF's meshes in place: primitives, node transforms, instances, skins and morph targets, as they stand at rest."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from versemill.errors import AssetError
from versemill.gltf import compression
from versemill.gltf.document import Reader, natural, rotation_matrix
from versemill.gltf.write import TRIANGLES, VERTEX_INDEX
from versemill.materials.vertex_colors import from_linear

Document = dict[str, Any]
Array = NDArray[Any]

_STRIP, _FAN = 5, 6


@dataclass(frozen=True, eq=False)
class Piece:
    """One primitive in place.

    Attributes:
        position: (N, 3) float64, Z up. faces: (F, 3).
        uvs: by TEXCOORD's number, (F, 3, 2), v up. normals: (F, 3, 3), 0 where it has none. colors: (F, 3, 4) uint8 or None.
        index: (N,) the vertices of our own files, or None. material: of the document, or None. part: number of its node.
    """

    position: Array
    faces: Array
    uvs: dict[int, Array]
    normals: Array
    colors: Array | None
    index: Array | None
    material: int | None
    part: int


def pieces(reader: Reader, keep_empty: bool) -> tuple[list[Piece], tuple[str, ...]]:
    """All primitives with triangles and the names of the parts: nodes with a mesh, or with `keep_empty` all nodes. Each
    instance of EXT_mesh_gpu_instancing is a part of its own."""
    made: list[Piece] = []
    names: list[str] = []
    for node, matrix in reader.instances():
        if "mesh" not in node and not keep_empty:
            continue
        entry = reader.document["meshes"][natural(node["mesh"])] if "mesh" in node else {"primitives": []}
        name = str(node.get("name", entry.get("name", f"part {len(names)}")))
        weights = _weights(node, entry)
        shapes = [shape for p in entry["primitives"] if (shape := _shape(reader, p, weights)) is not None]
        for k, place in enumerate(_places(reader, node, matrix)):
            names.append(f"{name} {k}" if k else name)
            made += [_placed(reader, shape, node, place, len(names) - 1) for shape in shapes]
    return made, tuple(names)


def z_up(vectors: Array) -> Array:
    """glTF's Y-up vectors (..., 3) in our world."""
    return np.stack([vectors[..., 0], -vectors[..., 2], vectors[..., 1]], -1)


def _weights(node: Document, entry: Document) -> list[float]:
    """Morph weights: the node's own before its mesh's."""
    weights = node["weights"] if "weights" in node else entry.get("weights", [])
    return [float(weight) for weight in weights]


def _places(reader: Reader, node: Document, matrix: Array) -> Iterator[Array]:
    """(4, 4) transforms of a node's instances; the node's own where it has no EXT_mesh_gpu_instancing."""
    instancing = node.get("extensions", {}).get("EXT_mesh_gpu_instancing")
    if instancing is None:
        yield matrix
        return
    values = {name: reader.accessor(k).astype(np.float64) for name, k in instancing["attributes"].items() if name[0] != "_"}
    if len({len(array) for array in values.values()}) != 1:
        raise ValueError("EXT_mesh_gpu_instancing: attributes of different counts")
    for k in range(len(next(iter(values.values())))):
        own = np.eye(4)
        own[:3, :3] = rotation_matrix(values["ROTATION"][k]) if "ROTATION" in values else np.eye(3)
        own[:3, :3] *= values["SCALE"][k] if "SCALE" in values else 1.0
        own[:3, 3] = values["TRANSLATION"][k] if "TRANSLATION" in values else 0.0
        yield matrix @ own


@dataclass(frozen=True, eq=False)
class _Shape:
    """A primitive's corners and attributes, morphed, in its own space."""

    corners: Array
    attributes: dict[str, Array]
    material: int | None


def _shape(reader: Reader, primitive: Document, weights: list[float]) -> _Shape | None:
    mode = primitive.get("mode", TRIANGLES)
    if mode not in (TRIANGLES, _STRIP, _FAN):
        reader.dropped.add("points and lines")
        return None
    packed = primitive.get("extensions", {}).get(compression.DRACO)
    names = [name for name in primitive["attributes"] if _is_read(reader, name)]
    if packed is not None and not _has_fallback(reader, primitive):
        ids = {name: natural(k) for name, k in packed["attributes"].items() if name in names}
        rows, attributes = compression.draco(bytes(reader.view(packed["bufferView"])), ids)
        accessors = reader.document["accessors"]
        attributes = {
            name: _normalised(accessors[primitive["attributes"][name]], values) for name, values in attributes.items()
        }
        if "POSITION" not in attributes:
            raise ValueError(f"{compression.DRACO} holds no positions")
        count = len(attributes["POSITION"])
    else:
        attributes = {name: reader.accessor(primitive["attributes"][name]) for name in names}
        count = natural(reader.document["accessors"][primitive["attributes"]["POSITION"]]["count"])
        rows = _corners(mode, reader.accessor(primitive["indices"]) if "indices" in primitive else np.arange(count))
    if not len(rows):
        return None
    if rows.min() < 0 or rows.max() >= count:
        raise AssetError("bad_index", f"face indices reach {rows.max()}, vertices are 0..{count - 1}")
    if any(len(values) != count for values in attributes.values()):
        raise ValueError("attributes of one primitive have different counts")
    _morph(reader, primitive.get("targets", []), weights, attributes)
    material = natural(primitive["material"]) if "material" in primitive else None
    return _Shape(rows, attributes, material)


def _is_read(reader: Reader, name: str) -> bool:
    if name.startswith("COLOR_") and name != "COLOR_0":
        reader.dropped.add("vertex colours")
        return False
    return name in ("POSITION", "NORMAL", "COLOR_0", VERTEX_INDEX) or name.startswith(("TEXCOORD_", "JOINTS_", "WEIGHTS_"))


def _has_fallback(reader: Reader, primitive: Document) -> bool:
    """Whether Draco's primitive also lies uncompressed in the file."""
    accessors = reader.document["accessors"]
    return all("bufferView" in accessors[natural(k)] for k in (*primitive["attributes"].values(), primitive.get("indices", 0)))


def _normalised(entry: Document, values: Array) -> Array:
    if entry.get("normalized", False) and values.dtype.kind in "iu":
        return np.maximum(values.astype(np.float32) / np.iinfo(values.dtype).max, -1)
    return values


def _corners(mode: int, indices: Array) -> Array:
    """(F, 3) indices into a primitive's vertices."""
    flat = indices.astype(np.int64)
    if mode == TRIANGLES:
        return flat.reshape(-1, 3)
    if len(flat) < 3:
        return np.zeros((0, 3), np.int64)
    if mode == _STRIP:
        rows = np.stack([flat[:-2], flat[1:-1], flat[2:]], 1)
        rows[1::2] = rows[1::2, [1, 0, 2]]
        return rows
    return np.stack([np.full(len(flat) - 2, flat[0]), flat[1:-1], flat[2:]], 1)


def _morph(reader: Reader, targets: list[Document], weights: list[float], attributes: dict[str, Array]) -> None:
    """Adds the weighted targets to positions and normals."""
    for target, weight in zip(targets, weights, strict=False):
        if not weight:
            continue
        for name, accessor in target.items():
            if name in ("POSITION", "NORMAL") and name in attributes:
                attributes[name] = attributes[name].astype(np.float64) + weight * reader.accessor(accessor)
            elif name != "TANGENT":
                reader.dropped.add(f"morph targets of {name}")


def _placed(reader: Reader, shape: _Shape, node: Document, place: Array, part: int) -> Piece:
    corners, attributes = shape.corners, shape.attributes
    matrix: Array | None = place
    position = attributes["POSITION"].astype(np.float64).reshape(-1, 3)
    vectors = attributes.get("NORMAL")
    if "skin" in node and "JOINTS_0" in attributes:
        # A skinned mesh stands where its joints are; its node's own transform does not count.
        matrix = _skinning(reader, natural(node["skin"]), attributes, len(position))
    elif (place == np.eye(4)).all():
        matrix = None
    mirrored = False
    if matrix is not None:
        linear = matrix[..., :3, :3]
        with np.errstate(invalid="ignore"):  # a file's infinities are refused later, by name
            position = (linear @ position[..., None])[..., 0] + matrix[..., :3, 3]
        sign = np.sign(np.linalg.det(linear))
        mirrored = bool(np.median(sign) < 0)
        if vectors is not None:
            # Normals go with the cofactors of the linear part: its inverse transpose but for the scale, whose sign stays.
            vectors = (_cofactors(linear) @ vectors.astype(np.float64)[..., None])[..., 0]
            vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-300)
            vectors *= np.where(sign == 0, 1.0, sign)[..., None]
    uvs = {
        int(name.removeprefix("TEXCOORD_")): _v_up(values.astype(np.float32).reshape(-1, 2))[corners]
        for name, values in attributes.items()
        if name.startswith("TEXCOORD_")
    }
    normal = np.zeros((*corners.shape, 3), np.float32)
    if vectors is not None:
        normal = z_up(vectors.astype(np.float32))[corners]
    colors = from_linear(attributes["COLOR_0"])[corners] if "COLOR_0" in attributes else None
    if mirrored:
        # A mirrored node turns its triangles around.
        corners, normal, uvs = corners[:, ::-1], normal[:, ::-1], {k: uv[:, ::-1] for k, uv in uvs.items()}
        colors = None if colors is None else colors[:, ::-1]
    index = attributes[VERTEX_INDEX].astype(np.int64) if VERTEX_INDEX in attributes else None
    return Piece(z_up(position), corners, uvs, normal, colors, index, shape.material, part)


def _v_up(uv: Array) -> Array:
    return np.stack([uv[:, 0], np.float32(1) - uv[:, 1]], 1)


def _cofactors(linear: Array) -> Array:
    """(..., 3, 3) cofactors of (..., 3, 3) matrices."""
    a, b, c = linear[..., 0, :], linear[..., 1, :], linear[..., 2, :]
    return np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], -2)


def _skinning(reader: Reader, skin: int, attributes: dict[str, Array], count: int) -> Array:
    """(N, 4, 4) transform of each vertex: the weighted mean of its joints', each after its inverse bind matrix."""
    entry = reader.document["skins"][skin]
    joints = np.stack([reader.placed[natural(k)] for k in entry["joints"]])
    if "inverseBindMatrices" in entry:
        joints = joints @ reader.accessor(entry["inverseBindMatrices"]).astype(np.float64).reshape(-1, 4, 4).swapaxes(1, 2)
    total, blended, k = np.zeros(count), np.zeros((count, 4, 4)), 0
    while f"JOINTS_{k}" in attributes:
        weights, which = attributes[f"WEIGHTS_{k}"].astype(np.float64), attributes[f"JOINTS_{k}"].astype(np.int64)
        if which.min(initial=0) < 0 or which.max(initial=0) >= len(joints):
            raise ValueError(f"a vertex hangs on joint {which.max()} of {len(joints)}")
        for column in range(which.shape[1]):
            total += weights[:, column]
            blended += weights[:, column, None, None] * joints[which[:, column]]
        k += 1
    blended[total == 0], total[total == 0] = np.eye(4), 1.0
    return blended / total[:, None, None]
