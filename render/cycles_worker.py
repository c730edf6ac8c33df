"""Runs inside Blender's own Python (bpy 4.5, numpy < 2): renders jobs with Cycles, one after the other.

Imports nothing of ours. Each line on stdin is a JSON object naming a job (.npz) and an answer (.npz) file; each line on
the original stdout is a JSON object: {"ok": true, "device": ...} or {"ok": false, "kind": ..., "message": ...}. What
Blender prints goes to stderr.
"""

import json
import os
import sys
import traceback
from typing import Any

import numpy as np

REPLIES = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import bpy  # noqa: E402 - prints while it loads

AOVS = {"normal": 3, "geometric_normal": 3, "position": 3, "albedo": 3, "metallic_roughness": 3, "ids": 3}
RESULT: dict[str, np.ndarray] = {}


class NoDeviceError(Exception):
    """The compute device that was asked for is not here."""


def hook() -> None:
    """Keeps each finished render's passes as arrays: Blender has no public way to read them without a file."""
    engine = next(c for c in bpy.types.RenderEngine.__subclasses__() if getattr(c, "bl_idname", "") == "CYCLES")
    original = engine.render
    if getattr(original, "keeps_passes", False):
        return

    def render(self: Any, depsgraph: Any) -> None:
        original(self, depsgraph)
        result = self.get_result()
        for item in result.layers[0].passes:
            values = np.empty(result.resolution_x * result.resolution_y * item.channels, np.float32)
            item.rect.foreach_get(values)
            RESULT[item.name] = values.reshape(result.resolution_y, result.resolution_x, item.channels)[::-1]

    render.keeps_passes = True  # type: ignore[attr-defined]
    engine.render = render


def use_device(name: str) -> str:
    """Turns on one kind of device and nothing else; returns what it is called."""
    scene = bpy.context.scene
    if name == "cpu":
        scene.cycles.device = "CPU"
        return "CPU"
    preferences = bpy.context.preferences.addons["cycles"].preferences
    try:
        preferences.compute_device_type = name.upper()
    except TypeError:
        raise NoDeviceError(f"this build of Blender has no {name}") from None
    preferences.refresh_devices()
    chosen = [d for d in preferences.devices if d.type == name.upper()]
    if not chosen:
        raise NoDeviceError(f"Cycles finds no {name} device")
    for device in preferences.devices:
        device.use = device in chosen
    scene.cycles.device = "GPU"
    return ", ".join(d.name for d in chosen)


def image_of(name: str, values: np.ndarray, colour: bool) -> Any:
    """A Blender image of 8-bit values (H, W, 3 or 4), row 0 at the top."""
    height, width = values.shape[:2]
    made = bpy.data.images.new(name, width, height, alpha=True, float_buffer=False)
    made.colorspace_settings.name = "sRGB" if colour else "Non-Color"
    made.alpha_mode = "CHANNEL_PACKED"
    pixels = np.ones((height, width, 4), np.float32)
    pixels[..., : values.shape[2]] = values[::-1].astype(np.float32) / 255
    made.pixels.foreach_set(pixels.ravel())
    made.pack()
    return made


BLEND = "blend"
"""Name of the node that cuts a blended alpha for the passes, factor 1, or leaves it for the colour, factor 0."""
EXTENSIONS = {"repeat": "REPEAT", "mirror": "MIRROR", "clamp": "EXTEND"}


class Tree:
    """A node tree with short names."""

    def __init__(self, tree: Any) -> None:
        self.tree = tree
        tree.nodes.clear()

    def add(self, kind: str, **settings: Any) -> Any:
        """A new node with attributes set."""
        node = self.tree.nodes.new(kind)
        for key, value in settings.items():
            setattr(node, key, value)
        return node

    def join(self, source: Any, target: Any) -> None:
        """A link from an output socket to an input socket."""
        self.tree.links.new(source, target)

    def texture(self, slot: dict, job: dict, name: str, colour: bool) -> Any:
        """An image's node, looked up as the slot's sampler says."""
        node = self.add("ShaderNodeTexImage", image=image_of(name, job[f"texture_{slot['image']}"], colour))
        node.interpolation = "Closest" if slot["magnify"] == "nearest" else "Linear"
        place = self.add("ShaderNodeUVMap", uv_map=f"uv{slot['uv_set']}").outputs[0]
        if slot["wrap_s"] == slot["wrap_t"]:
            node.extension = EXTENSIONS[slot["wrap_s"]]
        else:
            # The node wraps both axes alike: each is brought into [0, 1] before, and ends at the edges' texels.
            node.extension = "EXTEND"
            parts, whole = self.add("ShaderNodeSeparateXYZ"), self.add("ShaderNodeCombineXYZ")
            self.join(place, parts.inputs[0])
            for k, wrap in enumerate((slot["wrap_s"], slot["wrap_t"])):
                self.join(self.wrapped(parts.outputs[k], wrap), whole.inputs[k])
            place = whole.outputs[0]
        self.join(place, node.inputs["Vector"])
        return node

    def wrapped(self, source: Any, wrap: str) -> Any:
        """A coordinate in [0, 1]."""
        operation = {"repeat": "FRACT", "mirror": "PINGPONG", "clamp": "MULTIPLY"}[wrap]
        node = self.add("ShaderNodeMath", operation=operation)
        self.join(source, node.inputs[0])
        if wrap != "repeat":
            node.inputs[1].default_value = 1.0
        return node.outputs[0]

    def tinted(self, source: Any, factor: Any) -> Any:
        """A colour socket times a colour."""
        node = self.add("ShaderNodeVectorMath", operation="MULTIPLY")
        self.join(source, node.inputs[0])
        node.inputs[1].default_value = factor
        return node.outputs[0]

    def scaled(self, source: Any, factor: float) -> Any:
        """A socket times a number."""
        node = self.add("ShaderNodeMath", operation="MULTIPLY")
        self.join(source, node.inputs[0])
        node.inputs[1].default_value = factor
        return node.outputs[0]

    def constant(self, value: float) -> Any:
        """A number as a socket."""
        node = self.add("ShaderNodeValue")
        node.outputs[0].default_value = value
        return node.outputs[0]


def build_material(index: int, spec: dict, job: dict) -> Any:
    """glTF's metallic-roughness material as a Principled BSDF, with an AOV of everything the passes need."""
    material = bpy.data.materials.new(f"m{index}")
    material.use_nodes = True
    tree = Tree(material.node_tree)
    principled, output = tree.add("ShaderNodeBsdfPrincipled"), tree.add("ShaderNodeOutputMaterial")
    principled.inputs["IOR"].default_value = 1.5
    tree.join(principled.outputs[0], output.inputs["Surface"])

    colour = tree.add("ShaderNodeRGB").outputs[0]
    colour.default_value = spec["base_color"]
    alpha = tree.constant(spec["base_color"][3])
    base, surface, normal, glow = spec["textures"]
    if base is not None:
        texture = tree.texture(base, job, "base", True)
        colour = tree.tinted(texture.outputs["Color"], spec["base_color"][:3])
        alpha = tree.scaled(texture.outputs["Alpha"], spec["base_color"][3])
    metallic, roughness = tree.constant(spec["metallic"]), tree.constant(spec["roughness"])
    if surface is not None:
        texture = tree.texture(surface, job, "orm", False)
        parts = tree.add("ShaderNodeSeparateColor")
        tree.join(texture.outputs["Color"], parts.inputs[0])
        metallic = tree.scaled(parts.outputs["Blue"], spec["metallic"])
        roughness = tree.scaled(parts.outputs["Green"], spec["roughness"])
    for socket, name in ((colour, "Base Color"), (metallic, "Metallic"), (roughness, "Roughness")):
        tree.join(socket, principled.inputs[name])
    if normal is not None:
        texture = tree.texture(normal, job, "normal", False)
        bump = tree.add("ShaderNodeNormalMap", uv_map=f"uv{normal['uv_set']}")
        tree.join(texture.outputs["Color"], bump.inputs["Color"])
        tree.join(bump.outputs[0], principled.inputs["Normal"])
    if any(spec["emissive"]):
        shine = tree.add("ShaderNodeRGB").outputs[0]
        shine.default_value = [*spec["emissive"], 1.0]
        if glow is not None:
            shine = tree.tinted(tree.texture(glow, job, "emissive", True).outputs["Color"], spec["emissive"])
        tree.join(shine, principled.inputs["Emission Color"])
        principled.inputs["Emission Strength"].default_value = 1.0
    if spec["unlit"]:
        # Nothing is reflected, and the base colour shines.
        principled.inputs["Base Color"].default_value = (0.0, 0.0, 0.0, 1.0)
        for link in [*principled.inputs["Base Color"].links, *principled.inputs["Metallic"].links]:
            tree.tree.links.remove(link)
        principled.inputs["Metallic"].default_value = principled.inputs["Specular IOR Level"].default_value = 0.0
        tree.join(colour, principled.inputs["Emission Color"])
        principled.inputs["Emission Strength"].default_value = 1.0
    there = None
    if spec["alpha_mode"] != "opaque":
        cut = tree.add("ShaderNodeMath", operation="GREATER_THAN")
        tree.join(alpha, cut.inputs[0])
        there = cut.outputs[0]
        cut.inputs[1].default_value = spec["alpha_cutoff"] - 1e-6 if spec["alpha_mode"] == "mask" else 0.5
        if spec["alpha_mode"] == "mask":
            alpha = cut.outputs[0]
        else:
            # The passes see a blended surface where it is more there than not; the colour sees through it.
            mixed = tree.add("ShaderNodeMix", data_type="FLOAT", name=BLEND)
            mixed.inputs[0].default_value = 1.0
            tree.join(alpha, mixed.inputs[2])
            tree.join(cut.outputs[0], mixed.inputs[3])
            alpha = mixed.outputs[0]
        tree.join(alpha, principled.inputs["Alpha"])

    def record(name: str, socket: Any) -> None:
        node = tree.add("ShaderNodeOutputAOV", aov_name=name)
        if there is not None:
            # Cycles adds up what all surfaces along a ray record, those that it passes too.
            scaled = tree.add("ShaderNodeVectorMath", operation="SCALE")
            tree.join(socket, scaled.inputs[0])
            tree.join(there, scaled.inputs["Scale"])
            socket = scaled.outputs[0]
        tree.join(socket, node.inputs["Color"])

    geometry = tree.add("ShaderNodeNewGeometry")
    record("normal", geometry.outputs["Normal"])
    record("geometric_normal", geometry.outputs["True Normal"])
    record("position", geometry.outputs["Position"])
    record("albedo", colour)
    pair = tree.add("ShaderNodeCombineXYZ")
    tree.join(metallic, pair.inputs[0])
    tree.join(roughness, pair.inputs[1])
    record("metallic_roughness", pair.outputs[0])
    ids = tree.add("ShaderNodeCombineXYZ")
    part = tree.add("ShaderNodeAttribute", attribute_name="part")
    tree.join(part.outputs["Fac"], ids.inputs[0])
    ids.inputs[1].default_value = float(index)
    record("ids", ids.outputs[0])
    return material


def build_mesh(job: dict) -> None:
    """The asset as one object."""
    faces = job["faces"]
    data = bpy.data.meshes.new("asset")
    data.vertices.add(len(job["vertices"]))
    data.vertices.foreach_set("co", job["vertices"].ravel())
    data.loops.add(faces.size)
    data.loops.foreach_set("vertex_index", faces.ravel())
    data.polygons.add(len(faces))
    data.polygons.foreach_set("loop_start", np.arange(0, faces.size, 3, dtype=np.int32))
    data.polygons.foreach_set("material_index", job["material_ids"])
    data.polygons.foreach_set("use_smooth", np.ones(len(faces), bool))
    for k in range(job["uvs"].shape[-1] // 2):
        layer = data.uv_layers.new(name=f"uv{k}")
        layer.data.foreach_set("uv", np.ascontiguousarray(job["uvs"][..., 2 * k : 2 * k + 2]).ravel())
    part = data.attributes.new("part", "FLOAT", "FACE")
    part.data.foreach_set("value", job["part_ids"].astype(np.float32))
    for k, spec in enumerate(job["materials"]):
        data.materials.append(build_material(k, spec, job))
    data.update(calc_edges=True)
    data.normals_split_custom_set(job["normals"].reshape(-1, 3).tolist())
    if len(data.polygons) != len(faces):
        raise RuntimeError(f"Blender kept {len(data.polygons)} of {len(faces)} faces")
    bpy.context.collection.objects.link(bpy.data.objects.new("asset", data))


def build_light(job: dict) -> None:
    """World panorama, and one-sided emitting rectangles that cameras and shadows don't see."""
    scene = bpy.context.scene
    panorama = job["environment"]
    height, width = panorama.shape[:2]
    # Blender's columns run clockwise from -X, ours counter-clockwise from +X; its row 0 is the bottom.
    pixels = np.ones((height, width, 4), np.float32)
    pixels[..., :3] = panorama[::-1, (width // 2 - 1 - np.arange(width)) % width]
    image = bpy.data.images.new("panorama", width, height, float_buffer=True)
    image.colorspace_settings.name = "Linear Rec.709"
    image.pixels.foreach_set(pixels.ravel())
    image.pack()
    world = bpy.data.worlds.new("world")
    scene.world = world
    world.use_nodes = True
    tree = Tree(world.node_tree)
    texture = tree.add("ShaderNodeTexEnvironment", image=image)
    background, output = tree.add("ShaderNodeBackground"), tree.add("ShaderNodeOutputWorld")
    tree.join(texture.outputs["Color"], background.inputs["Color"])
    tree.join(background.outputs[0], output.inputs["Surface"])
    for center, x, y, radiance in job["rectangles"].reshape(-1, 4, 3):
        data = bpy.data.meshes.new("light")
        corners = [center - x - y, center + x - y, center + x + y, center - x + y]
        data.from_pydata([c.tolist() for c in corners], [], [(0, 1, 2, 3)])
        material = bpy.data.materials.new("light")
        material.use_nodes = True
        tree = Tree(material.node_tree)
        clear, shine = tree.add("ShaderNodeBsdfTransparent"), tree.add("ShaderNodeEmission")
        both, choose = tree.add("ShaderNodeAddShader"), tree.add("ShaderNodeMixShader")
        side, output = tree.add("ShaderNodeNewGeometry"), tree.add("ShaderNodeOutputMaterial")
        peak = max(float(radiance.max()), 1e-9)
        shine.inputs["Color"].default_value = (*(radiance / peak).tolist(), 1.0)
        shine.inputs["Strength"].default_value = peak
        tree.join(clear.outputs[0], both.inputs[0])
        tree.join(shine.outputs[0], both.inputs[1])
        tree.join(side.outputs["Backfacing"], choose.inputs[0])
        tree.join(both.outputs[0], choose.inputs[1])
        tree.join(clear.outputs[0], choose.inputs[2])
        tree.join(choose.outputs[0], output.inputs["Surface"])
        data.materials.append(material)
        thing = bpy.data.objects.new("light", data)
        thing.visible_camera = thing.visible_shadow = False
        bpy.context.collection.objects.link(thing)


def set_camera(thing: Any, c2w: np.ndarray, K: np.ndarray, width: int, orthographic: bool, height: int) -> None:
    """Places Blender's camera; `c2w` has OpenGL axes."""
    from mathutils import Matrix

    thing.matrix_world = Matrix(c2w.tolist())
    camera = thing.data
    camera.sensor_fit, camera.sensor_width = "HORIZONTAL", 36.0
    camera.clip_start, camera.clip_end = 1e-3, 1e4
    camera.type = "ORTHO" if orthographic else "PERSP"
    if orthographic:
        camera.ortho_scale = width / K[0, 0]
    else:
        camera.lens = K[0, 0] * 36.0 / width
    camera.shift_x = (width / 2 - K[0, 2]) / width
    camera.shift_y = (K[1, 2] - height / 2) / width


def render_job(job: dict) -> tuple[dict[str, np.ndarray], str]:
    """Both renders of all views: one sample at each pixel's centre for the passes, then colour."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    # A reset loads Blender's own add-ons anew, the Cycles engine among them.
    hook()
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    device = use_device(job["compute"])
    scene.view_settings.view_transform = "Standard"
    if scene.view_settings.view_transform != "Standard":
        raise RuntimeError("Blender did not take the view transform Standard")
    scene.render.film_transparent = True
    scene.render.resolution_x, scene.render.resolution_y = job["width"], job["height"]
    scene.render.resolution_percentage = 100
    layer, cycles = bpy.context.view_layer, scene.cycles
    cycles.use_adaptive_sampling = False
    cycles.seed = job["seed"] % 2**31
    cycles.pixel_filter_type = "BOX"
    cycles.max_bounces = cycles.diffuse_bounces = cycles.glossy_bounces = cycles.transmission_bounces = job["bounces"]
    cycles.transparent_max_bounces = 16
    cycles.sample_clamp_indirect = 5.0
    cycles.blur_glossy = 0.0
    thing = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    bpy.context.collection.objects.link(thing)
    scene.camera = thing
    build_light(job)
    build_mesh(job)
    answers: dict[str, list[np.ndarray]] = {}

    def shoot(names: list[str]) -> None:
        for k in range(len(job["c2w"])):
            set_camera(thing, job["c2w"][k], job["K"][k], job["width"], bool(job["orthographic"][k]), job["height"])
            # The scene is built for the first view and freed after the last, before the passes change.
            scene.render.use_persistent_data = k + 1 < len(job["c2w"])
            RESULT.clear()
            bpy.ops.render.render()
            for name in names:
                answers.setdefault(name, []).append(RESULT[name].copy())

    if job["geometry"]:
        layer.use_pass_z = True
        for name in AOVS:
            made = layer.aovs.add()
            made.name, made.type = name, "COLOR"
        cycles.samples, scene.render.filter_size, cycles.filter_width = 1, 0.01, 0.01
        cycles.use_denoising = False
        shoot(["Combined", "Depth", *AOVS])
        answers["hit"] = [a[..., 3] for a in answers.pop("Combined")]
        while layer.aovs:
            layer.aovs.remove(layer.aovs[0])
    if job["colour"]:
        for material in bpy.data.materials:
            if (mixed := material.node_tree.nodes.get(BLEND)) is not None:
                mixed.inputs[0].default_value = 0.0
        cycles.samples, cycles.filter_width = job["samples"], 1.0
        cycles.use_denoising = job["denoise"]
        if job["denoise"]:
            cycles.denoiser = "OPENIMAGEDENOISE"
            cycles.denoising_prefilter = "FAST"
            cycles.denoising_quality = "FAST"
        shoot(["Combined"])
    return {name: np.stack(arrays) for name, arrays in answers.items()}, device


def main() -> None:
    """Answers jobs until stdin ends."""
    for line in sys.stdin:
        order = json.loads(line)
        try:
            with np.load(order["job"], allow_pickle=False) as stored:
                job = {name: stored[name] for name in stored.files}
            job |= json.loads(str(job.pop("settings")))
            arrays, device = render_job(job)
            np.savez(order["answer"], **arrays)  # type: ignore[arg-type]
            reply = {"ok": True, "device": device, "version": bpy.app.version_string}
        except NoDeviceError as error:
            reply = {"ok": False, "kind": "device", "message": str(error)}
        except Exception as error:  # noqa: BLE001 - the parent reports it with the asset
            traceback.print_exc()
            reply = {"ok": False, "kind": "asset", "message": f"{type(error).__name__}: {error}"}
        REPLIES.write(json.dumps(reply) + "\n")
        REPLIES.flush()


main()
