"""Runs inside Blender's own Python (bpy 4.5): one FBX or USD file in, a GLB of its frame 0 out.

Run by `curation.blender` as a process of its own: importers of foreign files hang and crash. It imports nothing else of this
project. Arguments: the source, the GLB to write, the greatest number of triangles, and the folder that textures must lie in.
The last line on the original stdout is a JSON object: {"ok": true, "version": ..., "left_out": [textures that are not in that
folder], "made_opaque": [materials]} or {"ok": false, "reason": ..., "message": ...}.
"""

import json
import os
import sys
from pathlib import Path

ANSWER = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what Blender prints goes to stderr

import bpy  # noqa: E402 - prints while it loads


def read(source: Path) -> None:
    """Fills an empty scene with the file's objects at frame 0."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    if source.suffix.lower() == ".fbx":
        bpy.ops.import_scene.fbx(filepath=str(source), use_image_search=True)
    else:
        bpy.ops.wm.usd_import(filepath=str(source), import_textures_mode="IMPORT_PACK", set_frame_range=False)
    bpy.context.scene.frame_set(0)


def triangles() -> int:
    """Triangles that the scene will give, modifiers and instances counted."""
    total = 0
    for instance in bpy.context.evaluated_depsgraph_get().object_instances:
        if instance.object.type == "MESH":
            total += sum(len(polygon.vertices) - 2 for polygon in instance.object.data.polygons)
    return total


def apply_shape_keys() -> None:
    """Makes of shape keys what their values say at this frame; the exporter would write their basis."""
    graph = bpy.context.evaluated_depsgraph_get()
    for thing in list(bpy.context.scene.objects):
        if thing.type == "MESH" and thing.data.shape_keys:
            mesh = bpy.data.meshes.new_from_object(thing.evaluated_get(graph), preserve_all_data_layers=True, depsgraph=graph)
            thing.modifiers.clear()
            thing.data = mesh


def make_opaque() -> list[str]:
    """Materials that FBX's transparency makes invisible: its factor of 1 times its colour, black as a rule, is no transparency,
    and the importer reads the factor alone."""
    made = []
    for material in bpy.data.materials:
        for node in material.node_tree.nodes if material.use_nodes else ():
            alpha = node.inputs.get("Alpha") if node.type == "BSDF_PRINCIPLED" else None
            if alpha is not None and not alpha.is_linked and alpha.default_value == 0:
                alpha.default_value = 1.0
                made.append(material.name)
    return sorted(made)


def leave_out(root: Path) -> list[str]:
    """Removes images that lie outside the root, or nowhere: FBX holds its author's absolute paths as a rule."""
    gone = []
    for image in list(bpy.data.images):
        if image.packed_file or not image.filepath:
            continue
        file = Path(os.path.realpath(bpy.path.abspath(image.filepath)))
        if not file.is_relative_to(root) or not file.is_file():
            gone.append(file.name)
            bpy.data.images.remove(image)
    return sorted(gone)


def work(source: Path, target: Path, limit: int, root: Path) -> dict:
    """Does the job; what is wrong with the file comes back as a reason."""
    read(source)
    count = triangles()
    if count == 0:
        return {"ok": False, "reason": "empty", "message": f"{source.name} holds no triangles"}
    if count > limit:
        message = f"{source.name} has {count} triangles; the limit max_faces is {limit}"
        return {"ok": False, "reason": "too_large", "message": message}
    apply_shape_keys()
    opaque = make_opaque() if source.suffix.lower() == ".fbx" else []
    gone = leave_out(root)
    bpy.ops.export_scene.gltf(
        filepath=str(target),
        export_format="GLB",
        export_apply=True,  # modifiers, armatures among them, as they stand at this frame
        export_animations=False,
        export_skins=False,
        export_morph=False,
        export_cameras=False,
        export_lights=False,
        export_vertex_color="ACTIVE",
        export_all_vertex_colors=False,
        export_active_vertex_color_when_no_material=True,
    )
    return {"ok": True, "left_out": gone, "made_opaque": opaque, "version": bpy.app.version_string}


def main() -> None:
    """Answers one job."""
    source, target, limit, root = Path(sys.argv[1]).resolve(), Path(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    try:
        answer = work(source, target, limit, root)
    except Exception as error:  # noqa: BLE001 - whatever Blender raises is a refusal of this one file
        last = (str(error).strip().splitlines() or ["no message"])[-1]
        answer = {"ok": False, "reason": "unreadable", "message": f"Blender can't read {source.name}: {last}"}
    ANSWER.write(json.dumps(answer) + "\n")
    ANSWER.flush()


main()
