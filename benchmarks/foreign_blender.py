"""Runs in Blender's Python: reads foreign files with Blender's importers and writes what they make of them as plain GLBs.

Each line on stdin is a JSON pair of a source and the GLB to write; each line on the original stdout is {"ok": ...}. It imports
nothing of this project.
"""

import json
import os
import sys

ANSWERS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import bpy  # noqa: E402 - prints while it loads

IMPORTERS = {
    "glb": lambda path: bpy.ops.import_scene.gltf(filepath=path),
    "gltf": lambda path: bpy.ops.import_scene.gltf(filepath=path),
    "obj": lambda path: bpy.ops.wm.obj_import(filepath=path),
    "ply": lambda path: bpy.ops.wm.ply_import(filepath=path),
    "stl": lambda path: bpy.ops.wm.stl_import(filepath=path),
    "fbx": lambda path: bpy.ops.import_scene.fbx(filepath=path),
}

for line in sys.stdin:
    source, target = json.loads(line)
    try:
        bpy.ops.wm.read_factory_settings(use_empty=True)
        IMPORTERS[source.rsplit(".", 1)[1].lower()](source)
        bpy.context.scene.frame_set(0)
        graph = bpy.context.evaluated_depsgraph_get()
        for thing in list(bpy.context.scene.objects):
            # The exporter writes the basis of shape keys, not what their values make of it.
            if thing.type == "MESH" and thing.data.shape_keys:
                made = bpy.data.meshes.new_from_object(
                    thing.evaluated_get(graph), preserve_all_data_layers=True, depsgraph=graph
                )
                thing.modifiers.clear()
                thing.data = made
        bpy.ops.export_scene.gltf(
            filepath=target,
            export_format="GLB",
            export_apply=True,
            export_animations=False,
            export_skins=False,
            export_morph=False,
            export_cameras=False,
            export_lights=False,
            export_vertex_color="ACTIVE",
            export_active_vertex_color_when_no_material=True,
        )
        answer: dict[str, object] = {"ok": True}
    except Exception as error:  # noqa: BLE001 - importers raise anything at all
        answer = {"ok": False, "message": (str(error).strip().splitlines() or ["no message"])[-1]}
    ANSWERS.write(json.dumps(answer) + "\n")
    ANSWERS.flush()
