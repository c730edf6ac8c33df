"""From an asset to its images: draws cameras and light, renders, and catches views that show nothing."""

from typing import Any

import numpy as np
import warp as wp
from numpy.typing import NDArray

from render import cameras as _cameras
from render import lighting as _lighting
from render.config import RenderConfig
from render.kernels.film import Film, develop, smooth, steady
from render.kernels.geometry import TILE, cover, geometry
from render.kernels.shading import shading
from render.lighting import Lighting
from render.scene import pack, pack_light, pack_views, split_sum_table
from versemill import device as _device
from versemill import seeds
from versemill.asset import Asset
from versemill.camera import Camera
from versemill.errors import AssetError
from versemill.views import PASSES, Views

KERNELS = ["render.kernels.geometry", "render.kernels.shading", "render.kernels.film"]
"""Modules whose kernels the driver compiles once, before its workers start."""


CHUNK = {"cpu": 2**20, "cuda": 2**25}
"""Pixels whose colour is in flight at once: 60 bytes each."""

SMOOTHING = 3.0
"""Standard deviations of noise by which a tap of the denoiser may differ."""


def render(asset: Asset, config: RenderConfig) -> Views:
    """Renders an asset with the cameras and the light drawn for it.

    Cameras come from the stream "render/cameras" of (asset.seed, asset.index), light from "render/lighting" and the
    noise of the colour pass from "render/samples": none moves another.

    Returns:
        The passes of `config.passes`, pixel-aligned; tag "clipped" if the asset leaves an image.

    Raises:
        AssetError: "blank_view" (no pixel centre meets the asset, or colour, where it was asked for, is one value),
            "clipped" (where configured), or what `Asset.check` finds.
        MissingDependencyError: the device, or the Cycles interpreter, is not here.
    """
    asset.check()
    points = asset.vertices[np.unique(asset.faces)]
    cameras = _cameras.sample(config, asset.seed, asset.index, points)
    clipped = _cameras.clipped_views(cameras, points)
    if clipped and config.cameras.clipped == "reject":
        raise AssetError("clipped", f"the asset leaves {len(clipped)} of {len(cameras)} images, the first is view {clipped[0]}")
    light = _lighting.draw(config.lighting, asset.seed, asset.index)
    seed = int(seeds.stream(asset.seed, asset.index, "render/samples").integers(2**32))
    if config.engine == "cycles":
        from render.cycles import render_cycles

        passes, used = render_cycles(asset, cameras, light, config, seed)
    else:
        used = {"device": _device.resolve(config.device)}
        passes = render_passes(
            asset, cameras, light, config.passes, config.quality, config.spp, config.denoise, seed, used["device"]
        )
    _refuse_blank(passes)
    info = {
        "engine": config.engine,
        "quality": config.quality,
        "samples": config.spp,
        "denoise": config.denoise,
        "cameras": config.cameras.preset,
        "lighting": light.info,
        "clipped_views": clipped,
        **used,
    }
    return Views(cameras, passes, info, ("clipped",) if clipped else ())


def render_views(
    asset: Asset,
    cameras: tuple[Camera, ...],
    lighting: Lighting | None = None,
    *,
    passes: tuple[str, ...] = ("rgb", "normal", "depth", "mask"),
    quality: str = "fast",
    samples: int = 4,
    denoise: bool = True,
    seed: int = 0,
    device: str = "auto",
) -> Views:
    """Renders fixed cameras of one size with the Warp engine; for previews, scores and evaluations.

    `lighting` None is the uniform white environment. A blank view is no error here.
    """
    asset.check()
    name = _device.resolve(device)
    light = lighting if lighting is not None else _lighting.uniform()
    arrays = render_passes(asset, cameras, light, passes, quality, samples, denoise, seed, name)
    return Views(cameras, arrays, {"engine": "warp", "device": name, "quality": quality, "samples": samples})


def render_passes(
    asset: Asset,
    cameras: tuple[Camera, ...],
    lighting: Lighting,
    passes: tuple[str, ...],
    quality: str,
    samples: int,
    denoise: bool,
    seed: int,
    device: str,
) -> dict[str, NDArray[Any]]:
    """The Warp engine: one launch for the geometry of all views, one for their colour. Shapes as in `PASSES`."""
    height, width = cameras[0].height, cameras[0].width
    if any((c.height, c.width) != (height, width) for c in cameras):
        raise ValueError("the cameras of one call must have one image size")
    count = len(cameras) * height * width
    packed = pack(asset, device)
    views = pack_views(cameras, device)
    wanted = set(passes)
    columns, rows = -(-width // TILE), -(-height // TILE)
    tiles = wp.zeros(len(cameras) * columns * rows, dtype=wp.uint8, device=device)
    wp.launch(
        cover,
        (len(cameras), len(asset.faces)),
        [packed.scene.mesh, views, width, height, columns, rows, tiles],
        device=device,
    )

    def array(dtype: Any, *names: str) -> Any:
        return wp.zeros(count, dtype=dtype, device=device) if wanted & set(names) else None

    def shaped(flat: NDArray[Any]) -> NDArray[Any]:
        return flat.reshape(len(cameras), height, width, *flat.shape[1:])

    found: dict[str, NDArray[Any]] = {}
    if wanted - {"rgb"}:
        faces, depth = wp.zeros(count, dtype=wp.int32, device=device), wp.zeros(count, dtype=float, device=device)
        buffers = {
            "normal": array(wp.vec3, "normal"),
            "geometric_normal": array(wp.vec3, "geometric_normal"),
            "albedo": array(wp.vec3ub, "albedo"),
            "metallic_roughness": array(wp.vec2ub, "metallic_roughness"),
            "position": array(wp.vec3, "position"),
        }
        wp.launch(geometry, count, [packed.scene, views, tiles, width, height, faces, depth, *buffers.values()], device=device)
        face = shaped(faces.numpy())
        found = {"depth": shaped(depth.numpy()), "mask": face >= 0}
        found |= {name: shaped(buffer.numpy()) for name, buffer in buffers.items() if buffer is not None}
        for name, ids in (("part", asset.part_ids), ("material", asset.material_ids)):
            found[name] = np.where(face >= 0, ids[np.maximum(face, 0)], np.int32(-1))
    if "rgb" in wanted:
        light, table = pack_light(lighting, device), split_sum_table(device)
        image = wp.zeros(count, dtype=wp.vec4ub, device=device)
        chunk = width * height * max(1, CHUNK["cpu" if device == "cpu" else "cuda"] // (width * height))
        for first in range(0, count, chunk):
            film = new_film(min(chunk, count - first), device)
            size = (width, height)
            drawn = [samples, 1 << (samples - 1).bit_length(), quality == "fine", seed]
            wp.launch(
                shading,
                len(film.coverage),
                [packed.scene, light, table, views, tiles, first, *size, *drawn, film],
                device=device,
            )
            for step in (0, 1, 2, 4) if denoise else ():
                out = [wp.zeros_like(film.light), wp.zeros_like(film.variance)]
                if step == 0:
                    wp.launch(steady, len(film.coverage), [film, *size, *out], device=device)
                else:
                    wp.launch(smooth, len(film.coverage), [film, *size, step, SMOOTHING, *out], device=device)
                film.light, film.variance = out
            wp.launch(develop, len(film.coverage), [film, first, image], device=device)
        found["rgb"] = shaped(image.numpy())
    return {name: found[name] for name in PASSES if name in wanted}


def new_film(count: int, device: str) -> Any:
    """An empty film of `count` pixels."""
    film = Film()
    for name, dtype in (("light", wp.vec3), ("albedo", wp.vec3), ("normal", wp.vec3), ("position", wp.vec3)):
        setattr(film, name, wp.zeros(count, dtype=dtype, device=device))
    film.variance, film.coverage = (wp.zeros(count, dtype=float, device=device) for _ in range(2))
    return film


def _refuse_blank(passes: dict[str, NDArray[Any]]) -> None:
    """Catches views that no pixel centre fills, or whose whole colour image is one value."""
    for name, empty in (("mask", False), ("depth", 0.0), ("part", -1), ("material", -1)):
        if name in passes:
            blank = np.flatnonzero((passes[name] == empty).all((1, 2)))
            if len(blank):
                raise AssetError("blank_view", f"view {blank[0]} of {len(passes[name])} shows nothing of the asset")
            break
    if "rgb" in passes:
        flat = passes["rgb"].reshape(len(passes["rgb"]), -1, 4)
        same = np.flatnonzero((flat == flat[:, :1]).all((1, 2)))
        if len(same):
            value = tuple(int(v) for v in flat[same[0], 0])
            raise AssetError("blank_view", f"view {same[0]} of {len(flat)} is one colour, {value}")
