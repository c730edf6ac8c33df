"""Anyone's meshes as scenes: the paper's cameras, and a procedural material where a mesh has none."""

from dataclasses import replace

import numpy as np
import torch

from versemill import seeds
from versemill.asset import Asset
from versemill.errors import ConfigError
from versemill.materials import procedural
from versemill.render import CameraConfig, RenderConfig
from versemill.render import render as render_views
from versemill.training.scenes import Scene, scene
from versemill.views import Views

TEXTURE = 256
"""Side of a drawn texture in texels."""


def textured(asset: Asset, seed: int = 0) -> Asset:
    """The asset, or, where none of its materials came with it, the same shape in procedural materials.

    The draw is keyed by the shape itself, so a mesh looks the same whatever it is called and whatever else is judged.
    Texture coordinates are the two world coordinates across a face's main direction.
    """
    if any(m.base_color_texture is not None or m.source != "default" for m in asset.materials) or _coloured(asset):
        return asset
    index = int(asset.content_hash[:16], 16)
    rng = seeds.stream(seed, index, "reconstruction/material")
    materials = tuple(
        replace(procedural.build(procedural.draw(rng), TEXTURE), name=f"drawn {k}") for k in range(len(asset.materials))
    )
    corners = asset.vertices[asset.faces]
    main = np.abs(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])).argmax(1)
    across = np.array([(1, 2), (0, 2), (0, 1)])[main]
    uvs = np.take_along_axis(corners, across[:, None], 2) / 2
    return replace(asset, materials=materials, uvs=uvs.astype(np.float32))


def _coloured(asset: Asset) -> bool:
    """Whether the file gave plain colours: more than one, or one that is no shade of grey."""
    colors = {m.base_color[:3] for m in asset.materials}
    return len(colors) > 1 or max(max(c) - min(c) for c in colors) > 0.02


def scene_of_asset(asset: Asset, views: int, size: int, name: str) -> Scene:
    """Views of an asset: the paper's 4 or 8 inputs first, then the targets: its grid of 64 views without the inputs.

    Rendered by the Warp engine at size x size pixels; all cameras stand 3 world units away, as in LRM-Zero section 4.

    Raises:
        ConfigError: `views` is not 4 or 8.
        AssetError: the asset can't be rendered.
    """
    if views not in (4, 8):
        raise ConfigError(f"the paper's cameras are 4 or 8 input views, not {views}")

    def shot(preset: str) -> Views:
        cameras = CameraConfig(preset=preset)
        return render_views(
            asset, RenderConfig(width=size, height=size, cameras=cameras, passes=("rgb", "depth", "normal", "mask"))
        )

    inputs, targets = shot(f"gs_lrm_eval{views}"), shot("gso_grid")
    places = np.stack([c.center for c in inputs.cameras])
    new = [k for k, c in enumerate(targets.cameras) if np.linalg.norm(places - c.center, axis=1).min() > 1e-3]
    cameras = [*inputs.cameras, *(targets.cameras[k] for k in new)]
    passes = {name: np.concatenate([inputs.passes[name], targets.passes[name][new]]) for name in ("rgb", "depth", "normal")}
    return scene(
        {
            "id": name,
            "rgb": torch.from_numpy(passes["rgb"]).permute(0, 3, 1, 2).float() / 255,
            "depth": torch.from_numpy(passes["depth"])[:, None],
            "normal": torch.from_numpy(passes["normal"]).permute(0, 3, 1, 2),
            "c2w": torch.from_numpy(np.stack([c.c2w for c in cameras])).float(),
            "K": torch.from_numpy(np.stack([c.K for c in cameras])).float(),
            "orthographic": torch.tensor([c.orthographic for c in cameras]),
        }
    )
