"""The table: files whose shape has a known right value, each built in a folder, with the other programs that read it right.

To add one: a function (folder) -> path, and a row in `SHAPES`.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trimesh
from foreign_files import Gltf, box

NOTCHED = "2 0 0\n2 0 1\n1 0 1\n1 0 2\n0 0 2\n0 0 0\n"
"""An L: a square of side 2 less a square of side 1. A fan from its first corner covers the notch."""
TETRA = np.float32([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
TETRA_FACES = [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]
TETRA_AREA = 1.5 + np.sqrt(3) / 2


@dataclass(frozen=True)
class Shape:
    """A row.

    Attributes:
        build: writes the file. faces, area, low, high: what it holds, in the file's units, Z up.
        readers: of "trimesh" and "blender", those that read it right too.
    """

    build: Callable[[Path], Path]
    faces: int
    area: float
    low: tuple[float, float, float]
    high: tuple[float, float, float]
    readers: tuple[str, ...] = ("trimesh", "blender")


def written(name, data):
    """A builder of one file."""

    def build(folder):
        (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
        return folder / name

    return build


def instances():
    made = Gltf(extensionsUsed=["EXT_mesh_gpu_instancing"], extensionsRequired=["EXT_mesh_gpu_instancing"])
    mesh = made.mesh(*box())
    places = made.add(np.float32([[-2, 0, 0], [0, 0, 0], [2, 0, 0]]))
    turns = made.add(np.float32([[0, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 1]]))
    extension = {"EXT_mesh_gpu_instancing": {"attributes": {"TRANSLATION": places, "ROTATION": turns}}}
    return made.nodes({"mesh": mesh, "extensions": extension}).glb()


def instances_under_a_node():
    """As many as there are scales, below a node that turns them: x becomes -z, which is y here."""
    made = Gltf(extensionsUsed=["EXT_mesh_gpu_instancing"])
    mesh = made.mesh(*box())
    attributes = {"TRANSLATION": made.add(np.float32([[0, 0, 0], [3, 0, 0]]))}
    attributes["SCALE"] = made.add(np.float32([[1, 1, 1], [2, 2, 2]]))
    node = {"mesh": mesh, "extensions": {"EXT_mesh_gpu_instancing": {"attributes": attributes}}}
    half = float(np.sqrt(0.5))
    return made.nodes({"children": [1], "rotation": [0, half, 0, half]}, node, roots=[0]).glb()


def skin():
    """A box on two joints: the lower stands still, the upper moved up by 1; the mesh's own node lies 50 units away."""
    corners, faces = box()
    made = Gltf()
    joints = np.zeros((8, 4), np.uint8)
    joints[:, 0] = corners[:, 1] > 0
    weights = np.float32(np.eye(4)[np.zeros(8, int)])
    mesh = made.mesh(corners, faces, JOINTS_0=joints, WEIGHTS_0=weights)
    inverse = np.float32(np.stack([np.eye(4), np.eye(4)]))
    made.document["skins"] = [{"joints": [1, 2], "inverseBindMatrices": made.add(inverse)}]
    mesh_node = {"mesh": mesh, "skin": 0, "translation": [50, 0, 0]}
    return made.nodes(mesh_node, {"name": "root", "children": [2]}, {"translation": [0, 1, 0]}, roots=[0, 1]).glb()


def morph(node_weights=None):
    made = Gltf()
    mesh = made.quad()
    primitive = made.document["meshes"][mesh]["primitives"][0]
    target = np.float32([[0, 0, 0], [0, 0, 0], [0, 0, 2], [0, 0, 2]])
    primitive["targets"] = [{"POSITION": made.add(target)}]
    made.document["meshes"][mesh]["weights"] = [0.5]
    return made.nodes({"mesh": mesh, **({"weights": node_weights} if node_weights else {})}).glb()


def far_away(offset, scale=1.0):
    """A ball of radius 1 whose node stands far off."""
    ball = trimesh.creation.icosphere(3)
    made = Gltf()
    return made.nodes({"mesh": made.mesh(ball.vertices, ball.faces), "translation": offset, "scale": [scale] * 3}).glb()


def hidden():
    made = Gltf(extensionsUsed=["KHR_node_visibility"])
    mesh = made.mesh(*box())
    gone = {"mesh": mesh, "translation": [9, 0, 0], "extensions": {"KHR_node_visibility": {"visible": False}}}
    return made.nodes({"mesh": mesh}, gone).glb()


def ply(body, faces, element="face", kind="uchar", name="vertex_indices"):
    count = len(body.strip().splitlines())
    lines = faces.strip().splitlines()
    return (
        f"ply\nformat ascii 1.0\nelement vertex {count}\nproperty float x\nproperty float y\nproperty float z\n"
        f"element {element} {len(lines)}\nproperty list {kind} int {name}\nend_header\n{body}{faces}\n"
    )


def strips():
    head = (
        "ply\nformat binary_little_endian 1.0\nelement vertex 4\nproperty float x\nproperty float y\nproperty float z\n"
        "element tristrips 1\nproperty list int int vertex_indices\nend_header\n"
    )
    # Two triangles of one strip, then two runs of one each: the second of a strip turns the other way.
    run = np.int32([3, 0, 1, 2, -1, 0, 3, 2, -1, 1, 2, 3])
    return head.encode() + TETRA.tobytes() + struct.pack("<i", len(run)) + run.tobytes()


def stl(text="binary", count=None, tail=b""):
    record = np.zeros(4, [("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    record["corners"] = TETRA[np.array(TETRA_FACES)]
    return text.encode().ljust(80, b" ") + struct.pack("<I", count or 4) + record.tobytes() + tail


def ascii_stl(upper=False):
    lines = ["solid part"]
    for face in TETRA_FACES:
        lines += [
            "facet normal 0 0 0",
            "outer loop",
            *("vertex {:g} {:g} {:g}".format(*TETRA[k]) for k in face),
            "endloop",
            "endfacet",
        ]
    text = "\n".join([*lines, "endsolid part", ""])
    return text.upper() if upper else text


def obj(vertices, faces):
    return "".join(f"v {line}\n" for line in vertices.strip().splitlines()) + "".join(f"f {f}\n" for f in faces)


HOLED = "0 0 0\n3 0 0\n3 0 3\n0 0 3\n1 0 1\n2 0 1\n2 0 2\n1 0 2\n"
DART = "0 0 0\n2 0 1\n0 0 2\n0.5 0 1\n"
"""A quad whose last corner points inwards: only one diagonal lies inside it. Area 1.5."""
L = {"faces": 4, "area": 3.0, "low": (0, 0, 0), "high": (2, 0, 2)}
T = {"faces": 4, "area": TETRA_AREA, "low": (0, 0, 0), "high": (1, 1, 1)}
BALL = trimesh.creation.icosphere(3).area


SHAPES: dict[str, Shape] = {
    "instances, required": Shape(written("a.glb", instances()), 36, 18.0, (-2.5, -0.5, -0.5), (2.5, 0.5, 0.5), ("blender",)),
    "instances under a turned node": Shape(
        written("a.glb", instances_under_a_node()), 24, 30.0, (-1, -0.5, -1), (1, 4, 1), ("blender",)
    ),
    "skin": Shape(written("a.glb", skin()), 12, 10.0, (-0.5, -0.5, -0.5), (0.5, 0.5, 1.5), ("blender",)),
    "morph weights of the mesh": Shape(written("a.glb", morph()), 2, 2 * np.sqrt(5), (-1, -1, -1), (1, 0, 1), ("blender",)),
    "morph weights of the node": Shape(written("a.glb", morph([1.0])), 2, 2 * np.sqrt(8), (-1, -2, -1), (1, 0, 1), ()),
    "hidden node": Shape(written("a.glb", hidden()), 12, 6.0, (-0.5, -0.5, -0.5), (0.5, 0.5, 0.5), ()),
    "far from the origin": Shape(
        written("a.glb", far_away([5e5, 0, 0])), 1280, BALL, (5e5 - 1, -1, -1), (5e5 + 1, 1, 1), ("trimesh",)
    ),
    "very small": Shape(
        written("a.glb", far_away([0, 0, 0], 1e-6)), 1280, BALL * 1e-12, (-1e-6,) * 3, (1e-6,) * 3, ("trimesh",)
    ),
    "very large": Shape(written("a.glb", far_away([0, 0, 0], 1e6)), 1280, BALL * 1e12, (-1e6,) * 3, (1e6,) * 3, ("trimesh",)),
    "concave PLY": Shape(written("a.ply", ply(NOTCHED, "6 0 1 2 3 4 5")), **L, readers=("blender",)),
    "concave PLY, wound the other way": Shape(written("a.ply", ply(NOTCHED, "6 5 4 3 2 1 0")), **L, readers=("blender",)),
    "concave OFF": Shape(written("a.off", f"OFF\n6 1 0\n{NOTCHED}6 0 1 2 3 4 5\n"), **L, readers=()),
    "OFF with counts in its first line, comments and colours": Shape(
        written("a.off", f"# a comment\nOFF 6 1 0\n{NOTCHED}# another\n6 0 1 2 3 4 5 255 0 0\n"), **L, readers=()
    ),
    "concave OBJ": Shape(written("a.obj", obj(NOTCHED, ["1 2 3 4 5 6"])), 4, 3.0, (0, -2, 0), (2, 0, 0), ("blender",)),
    "concave OBJ, counted from the end": Shape(
        written("a.obj", obj(NOTCHED, ["-6 -5 -4 -3 -2 -1"])), 4, 3.0, (0, -2, 0), (2, 0, 0), ("blender",)
    ),
    "polygon that goes round three times": Shape(
        written("a.obj", obj(NOTCHED, ["1 2 3 4 5 6 1 2 3 4 5 6 1 2 3 4 5 6"])), 4, 3.0, (0, -2, 0), (2, 0, 0), ()
    ),
    "square with a hole, whose bridge is walked twice": Shape(
        written("a.obj", obj(HOLED, ["1 2 3 4 1 5 8 7 6 5"])), 8, 8.0, (0, -3, 0), (3, 0, 0), ()
    ),
    "OBJ in UTF-16": Shape(written("a.obj", obj(NOTCHED, ["1 2 3 4 5 6"]).encode("utf-16")), 4, 3.0, (0, -2, 0), (2, 0, 0), ()),
    "dart": Shape(written("a.obj", obj(DART, ["1 2 3 4"])), 2, 1.5, (0, -2, 0), (2, 0, 0), ("blender",)),
    "dart from its point": Shape(written("a.obj", obj(DART, ["2 3 4 1"])), 2, 1.5, (0, -2, 0), (2, 0, 0), ("blender",)),
    "OBJ with continued lines and tabs": Shape(
        written("a.obj", "v\t0 0 0\nv 2 0 \\\n0\nv 2 2 0\nv 0 2 0\nf\t1//  2// \\\n3// 4//\n"), 2, 4.0, (0, 0, 0), (2, 0, 2), ()
    ),
    "PLY strips": Shape(written("a.ply", strips()), **T, readers=()),
    "STL": Shape(written("a.stl", stl()), **T),
    "STL that begins with solid": Shape(written("a.stl", stl("solid exported")), **T),
    "STL with bytes after its end": Shape(written("a.stl", stl(tail=b"extra bytes at the end")), **T, readers=()),
    "ASCII STL": Shape(written("a.stl", ascii_stl()), **T),
    "ASCII STL in capitals": Shape(written("a.stl", ascii_stl(upper=True)), **T, readers=()),
}
