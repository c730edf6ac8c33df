"""Runs in Blender's Python: faces, area and box of each file named on the command line, as one JSON line per file.

Blender's importers are an independent reader: what they make of a file is measured in Blender, without any of our code.
"""

import json
import os
import sys

ANSWER = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import bpy  # noqa: E402 - prints while it loads
import numpy as np  # noqa: E402

IMPORTERS = {
    "glb": lambda path: bpy.ops.import_scene.gltf(filepath=path),
    "gltf": lambda path: bpy.ops.import_scene.gltf(filepath=path),
    "obj": lambda path: bpy.ops.wm.obj_import(filepath=path),
    "ply": lambda path: bpy.ops.wm.ply_import(filepath=path),
    "stl": lambda path: bpy.ops.wm.stl_import(filepath=path),
}


def measured(path):
    """Triangles of the evaluated scene, in world coordinates."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    IMPORTERS[path.rsplit(".", 1)[1].lower()](path)
    triangles = []
    for instance in bpy.context.evaluated_depsgraph_get().object_instances:
        if instance.object.type != "MESH" or not instance.show_self:
            continue
        mesh = instance.object.to_mesh()
        mesh.calc_loop_triangles()
        points = np.array([vertex.co for vertex in mesh.vertices], np.float64).reshape(-1, 3)
        corners = np.array([t.vertices for t in mesh.loop_triangles], np.int64).reshape(-1, 3)
        matrix = np.array(instance.matrix_world, np.float64)
        triangles.append((points @ matrix[:3, :3].T + matrix[:3, 3])[corners])
    soup = np.concatenate(triangles)
    area = np.linalg.norm(np.cross(soup[:, 1] - soup[:, 0], soup[:, 2] - soup[:, 0]), axis=1).sum() / 2
    flat = soup.reshape(-1, 3)
    return {"faces": len(soup), "area": float(area), "low": flat.min(0).tolist(), "high": flat.max(0).tolist()}


for name in sys.argv[1:]:
    try:
        answer = measured(name)
    except Exception as error:  # noqa: BLE001 - the test says which file it was
        answer = {"error": f"{type(error).__name__} {error}"}
    ANSWER.write(json.dumps(answer) + "\n")
    ANSWER.flush()
