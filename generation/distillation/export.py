"""What a distillation leaves: a mesh with its texture, splats, a turntable, and pictures on the way."""

from pathlib import Path

import numpy as np
import torch
import trimesh
from torch import Tensor

from versemill import gltf
from versemill.asset import Asset
from versemill.errors import AssetError
from versemill.generation.distillation import cameras
from versemill.generation.distillation.fields import Field
from versemill.generation.distillation.optimisation import State
from versemill.generation.views.answers import FRAMES, write_turntable
from versemill.materials.material import Material
from versemill.materials.vertex_colors import paint
from versemill.training.fusion import fuse
from versemill.training.pictures import picture_grid, write_splats
from versemill.training.splats import Rendering

GLB, SPLATS, TURNTABLE, PREVIEW = "asset.glb", "splats.ply", "turntable.gif", "preview.png"
CHUNK = 4
"""Views that are rendered at once."""


def pictures(field: Field, c2w: Tensor, K: Tensor, size: int) -> Rendering:
    """What cameras (V, 4, 4) and (V, 3, 3) see, without gradients; on the CPU."""
    device = field.groups()[0]["params"][0].device
    with torch.no_grad():
        parts = [field.see(a, b, size) for a, b in zip(c2w.to(device).split(CHUNK), K.to(device).split(CHUNK), strict=True)]
    return Rendering(*(torch.cat([getattr(part, name) for part in parts], 1).cpu() for name in ("rgb", "alpha", "depth")))


def mesh_of(field: Field, resolution: int) -> trimesh.Trimesh | None:
    """The surface, with vertex colours, fused from rendered depths; None where there is not one. See `training.fusion.fuse`."""
    return fuse(lambda c2w, K, size: pictures(field, c2w[0], K[0], size), size=resolution, resolution=resolution)


def asset_of(mesh: trimesh.Trimesh | None) -> Asset:
    """A coloured mesh as an asset with one texture. Its material is unlit: the pictures' light is in the colours.

    Raises:
        AssetError: there is not a surface.
    """
    if mesh is None or not len(mesh.faces):
        raise AssetError("empty", "no surface came out: every ray passes through. Raise --iterations or lower sparsity")
    vertices, faces = mesh.vertices.astype(np.float32), mesh.faces.astype(np.int32)
    zeros = np.zeros(len(faces), np.int32)
    colors = np.asarray(mesh.visual.vertex_colors, np.uint8)[faces]
    material = Material(name="distilled", roughness=1.0, unlit=True, source="distillation")
    uvs, materials, _ = paint(
        vertices, faces, np.zeros((len(faces), 3, 2), np.float32), zeros, (material,), colors, np.ones(len(faces), bool)
    )
    return Asset(vertices, faces, uvs, zeros, zeros, materials, ("shape",), source="generation").normalized()


def write(state: State, out: Path) -> dict[str, str]:
    """Writes mesh, splats and turntable to a folder; kind -> file, without the mesh where there is not a surface."""
    files = {"splats": out / SPLATS, "turntable": out / TURNTABLE}
    write_splats(files["splats"], state.field.gaussians())
    _turntable(state, files["turntable"])
    try:
        glb = gltf.to_glb(asset_of(mesh_of(state.field, state.settings.mesh_resolution)))
    except AssetError:
        (out / GLB).unlink(missing_ok=True)
    else:
        files["mesh"] = out / GLB
        files["mesh"].write_bytes(glb)
    return {kind: str(path) for kind, path in files.items()}


def preview(state: State, out: Path) -> None:
    """preview.png: the picture, four sides of the object, the picture's first, and what the last views were to become."""
    size, given = state.model.size, state.settings.cameras
    seen = pictures(state.field, *cameras.ring(given, size, 4), size).over(1.0)[0]
    row, headers = [seen], [f"iteration {state.step}"]
    if state.shown is not None:
        row, headers = [*row, state.shown[0].cpu(), state.model.decode(state.shown[1]).cpu()], [*headers, "seen", "target"]
    if state.picture is not None:
        row, headers = [state.picture.rgb[None], *row], ["picture", *headers]
    picture_grid(out / PREVIEW, [row], headers)


def _turntable(state: State, path: Path) -> None:
    size = max(128, state.model.size)
    seen = pictures(state.field, *cameras.ring(state.settings.cameras, size, FRAMES), size).over(1.0)[0]
    write_turntable(path, (seen.permute(0, 2, 3, 1).clamp(0, 1) * 255).round().byte().numpy())
