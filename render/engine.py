"""From an asset to its images: draws cameras and light, renders, and catches views that show nothing."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import warp as wp
from numpy.typing import NDArray

from versemill import device as _device
from versemill import seeds
from versemill.asset import Asset
from versemill.camera import Camera
from versemill.errors import AssetError
from versemill.render import cameras as _cameras
from versemill.render import exposure as _exposure
from versemill.render import lighting as _lighting
from versemill.render.config import RenderConfig
from versemill.render.kernels.film import Film, develop, smooth, steady
from versemill.render.kernels.geometry import TILE, GBuffer, cover, properties, trace
from versemill.render.kernels.shading import shading
from versemill.render.lighting import Lighting
from versemill.render.scene import pack, pack_light, pack_views, split_sum_table
from versemill.views import PASSES, Views

KERNELS = [f"versemill.render.kernels.{name}" for name in ("geometry", "shading", "film")]
"""Modules whose kernels the driver compiles once, before its workers start."""


CHUNK = {"cpu": 2**18, "cuda": 2**25}
"""Pixels in flight at once, about 100 bytes each: on the CPU as few as its caches like, on CUDA enough to fill it."""

EXTRA = {"geometric_normal": wp.vec3, "albedo": wp.vec3ub, "metallic_roughness": wp.vec2ub}
"""Passes that are filled only where they are asked for."""

SMOOTHING = {"fast": 6.0, "fine": 3.0}
"""Standard deviations of noise by which a tap of the denoiser may differ; of few samples they are known less well."""


def render(
    asset: Asset, config: RenderConfig | None = None, cameras: tuple[Camera, ...] | None = None, series: int = 0
) -> Views:
    """Renders an asset with the cameras and the light drawn for it.

    Cameras come from the stream "render/cameras" of (asset.seed, asset.index), light from "render/lighting" and the
    noise of the colour pass from "render/samples": changing one moves no other.

    With `config.lighting.count` above 1 the cameras come once per lighting, one lighting after the other: views k and
    k + N show the same in another light. `Views.lighting` says which, `info["lightings"]` what each is; only colour is
    rendered again, the other passes are copies.

    Args:
        config: the default is `RenderConfig()`: 128 x 128 pixels, RGB, normals, depth and mask.
        cameras: given instead of drawn, of the image size of `config`; those of one lighting, where there are several.
        series: of which series of views the cameras and the noise are: each later one has streams of its own
            ("render/cameras/1"), under the same light.

    Returns:
        The passes of `config.passes`, pixel-aligned; tags "clipped" if the asset leaves an image, "overexposed" and
        "underexposed" if a view is beyond the limits of `config.exposure`, whose shares are in `info["exposure"]`.

    Raises:
        AssetError: "blank_view" (no pixel centre meets the asset, or a requested colour pass is one value),
            "clipped", "overexposed" or "underexposed" (where configured), or what `Asset.check` finds.
        MissingDependencyError: the device, or the Cycles interpreter, is missing.
    """
    config = config or RenderConfig()
    asset.check()
    points = asset.vertices[np.unique(asset.faces)]
    cameras = _cameras.sample(config, asset.seed, asset.index, points, series) if cameras is None else cameras
    clipped = _cameras.clipped_views(cameras, points)
    if clipped and config.cameras.clipped == "reject":
        raise AssetError("clipped", f"the asset leaves {len(clipped)} of {len(cameras)} images, the first is view {clipped[0]}")
    lights = _lighting.draw_all(config.lighting, asset.seed, asset.index)
    noise = "render/samples" + (f"/{series}" if series else "")
    seed = int(seeds.stream(asset.seed, asset.index, noise).integers(2**32))
    filled = filled_by_engine(config.passes)
    if config.engine == "cycles":
        from versemill.render.cycles import render_cycles

        passes, used = render_cycles(asset, cameras, lights, config.model_copy(update={"passes": filled}), seed)
    else:
        used = {"device": _device.resolve(config.device)}
        passes = render_passes(asset, cameras, lights, filled, config.quality, config.spp, config.denoise, seed, used["device"])
    passes = with_derived(passes, config.passes, cameras * len(lights))
    _refuse_blank(passes)
    exposure, tags = _exposure.judged(passes["rgb"], config.exposure) if "rgb" in passes else ({}, ())
    info = {
        "engine": config.engine,
        "quality": config.quality,
        "samples": config.spp,
        "denoise": config.denoise,
        "cameras": config.cameras.preset,
        "lighting": lights[0].info,
        "clipped_views": clipped,
        "exposure": exposure,
        **used,
    }
    if len(lights) > 1:
        info["lightings"] = [light.info for light in lights]
    number = np.repeat(np.arange(len(lights), dtype=np.int32), len(cameras))
    tags = (*(("clipped",) if clipped else ()), *tags)
    return Views(cameras * len(lights), passes, info, tags, number)


def filled_by_engine(passes: Sequence[str]) -> tuple[str, ...]:
    """The passes that an engine has to fill for `passes`: those among them, and those that the derived ones need."""
    names = [name for given in passes for name in (PASSES[given].needs if PASSES[given].derived else (given,))]
    return tuple(dict.fromkeys(names))


def with_derived(filled: dict[str, NDArray[Any]], passes: Sequence[str], cameras: Sequence[Camera]) -> dict[str, NDArray[Any]]:
    """`passes` in the order of `PASSES`, the derived ones computed from what an engine filled."""
    c2w = np.stack([camera.c2w for camera in cameras])
    result = {}
    for name in (name for name in PASSES if name in passes):
        derived = PASSES[name].derived
        if derived is None:
            result[name] = filled[name]
        else:
            result[name] = derived({need: filled[need] for need in PASSES[name].needs}, c2w).astype(PASSES[name].dtype)
    return result


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

    `lighting` None is the uniform white environment. A blank view is not an error here.
    """
    asset.check()
    name = _device.resolve(device)
    light = lighting if lighting is not None else _lighting.uniform()
    arrays = render_passes(asset, cameras, (light,), passes, quality, samples, denoise, seed, name)
    return Views(cameras, arrays, {"engine": "warp", "device": name, "quality": quality, "samples": samples})


def render_passes(
    asset: Asset,
    cameras: tuple[Camera, ...],
    lights: Sequence[Lighting],
    passes: tuple[str, ...],
    quality: str,
    samples: int,
    denoise: bool,
    seed: int,
    device: str,
) -> dict[str, NDArray[Any]]:
    """The Warp engine: one launch per step for as many views as fit `CHUNK`. Shapes as in `PASSES`; all cameras in the first
    light, then all in the next.
    """
    height, width = cameras[0].height, cameras[0].width
    if any((c.height, c.width) != (height, width) for c in cameras):
        raise ValueError("the cameras of one call must have one image size")
    count = len(cameras) * height * width
    packed = pack(asset, device)
    views = pack_views(cameras, device)
    columns, rows = -(-width // TILE), -(-height // TILE)
    tiles = wp.zeros(len(cameras) * columns * rows, dtype=wp.uint8, device=device)
    wp.launch(
        cover,
        (len(cameras), len(asset.faces)),
        [packed.scene.mesh, views, width, height, columns, rows, tiles],
        device=device,
    )

    names = set(passes)
    images = {name: np.empty((count, *_tail(name)), PASSES[name].dtype) for name in names - {"rgb"}}
    colours = np.empty((len(lights), count if "rgb" in names else 0, 4), np.uint8)
    lit = [pack_light(light, device) for light in lights] if "rgb" in names else []
    size = (width, height)
    drawn = [samples, 1 << (samples - 1).bit_length(), quality == "fine", seed]
    chunk = width * height * max(1, CHUNK["cpu" if device == "cpu" else "cuda"] // (width * height))
    for first in range(0, count, chunk):
        part = slice(first, min(first + chunk, count))
        number = part.stop - first
        gbuffer = new_gbuffer(number, device)
        wp.launch(trace, number, [packed.scene, views, tiles, first, *size, gbuffer], device=device)
        more = {name: wp.zeros(number, dtype=t, device=device) if name in names else None for name, t in EXTRA.items()}
        if names & set(EXTRA):
            wp.launch(properties, number, [packed.scene, views, first, *size, gbuffer, *more.values()], device=device)
        made = _made(asset, gbuffer, more, names)
        for name, image in images.items():
            image[part] = made[name]
        for k, light in enumerate(lit):
            film = new_film(number, device)
            inputs = [packed.scene, light, split_sum_table(device), views, tiles, gbuffer, first, *size, *drawn, film]
            wp.launch(shading, number, inputs, device=device)
            colours[k, part] = developed(film, number, size, SMOOTHING[quality] if denoise else 0.0, device)
    if len(lights) > 1:
        images = {name: np.concatenate([array] * len(lights)) for name, array in images.items()}
    if "rgb" in names:
        images["rgb"] = colours.reshape(-1, 4)
    shape = (len(cameras) * len(lights), height, width)
    return {name: images[name].reshape(*shape, *_tail(name)) for name in PASSES if name in names}


def _tail(name: str) -> tuple[int, ...]:
    """The channel axis of a pass, if it has one."""
    return (PASSES[name].channels,) if PASSES[name].channels else ()


def _made(asset: Asset, gbuffer: Any, more: dict[str, Any], names: set[str]) -> dict[str, NDArray[Any]]:
    """The passes, but for colour, of the pixels of one launch: (count[, channels])."""
    arrays = {"normal": gbuffer.normal, "depth": gbuffer.depth, "position": gbuffer.position, **more}
    made: dict[str, NDArray[Any]] = {name: array.numpy() for name, array in arrays.items() if name in names}
    if names & {"mask", "part", "material"}:
        face = gbuffer.face.numpy()
        made["mask"] = face >= 0
        for name, ids in (("part", asset.part_ids), ("material", asset.material_ids)):
            if name in names:
                made[name] = np.where(made["mask"], ids[np.maximum(face, 0)], np.int32(-1))
    return made


def developed(film: Any, count: int, size: tuple[int, int], strength: float, device: str) -> NDArray[np.uint8]:
    """(count, 4) sRGB of a film, after the wavelet filter's passes where `strength` is not 0."""
    image = wp.zeros(count, dtype=wp.vec4ub, device=device)
    for step in (0, 1, 2, 4) if strength else ():
        out = [wp.zeros_like(film.light), wp.zeros_like(film.variance)]
        if step == 0:
            wp.launch(steady, count, [film, *size, *out], device=device)
        else:
            wp.launch(smooth, count, [film, *size, step, strength, *out], device=device)
        film.light, film.variance = out
    wp.launch(develop, count, [film, image], device=device)
    array: NDArray[np.uint8] = image.numpy()
    return array


def new_gbuffer(count: int, device: str) -> Any:
    """What `count` pixel centres see: nothing yet."""
    gbuffer = GBuffer()
    for name, dtype in (("face", wp.int32), ("depth", float), ("weights", wp.vec2), ("normal", wp.vec3), ("position", wp.vec3)):
        setattr(gbuffer, name, wp.zeros(count, dtype=dtype, device=device))
    return gbuffer


def new_film(count: int, device: str) -> Any:
    """An empty film of `count` pixels."""
    film = Film()
    for name, dtype in (("light", wp.vec3), ("albedo", wp.vec3), ("normal", wp.vec3), ("position", wp.vec3)):
        setattr(film, name, wp.zeros(count, dtype=dtype, device=device))
    film.variance, film.coverage = (wp.zeros(count, dtype=float, device=device) for _ in range(2))
    return film


def _refuse_blank(passes: dict[str, NDArray[Any]]) -> None:
    """Catches views that no pixel centre fills, or whose whole colour image is one value."""
    for name in ("mask", "depth", "part", "material"):
        if name in passes:
            blank = np.flatnonzero(~PASSES[name].covered(passes[name]).any((1, 2)))
            if len(blank):
                raise AssetError("blank_view", f"view {blank[0]} of {len(passes[name])} shows nothing of the asset")
            break
    if "rgb" in passes:
        flat = passes["rgb"].reshape(len(passes["rgb"]), -1, 4)
        same = np.flatnonzero((flat == flat[:, :1]).all((1, 2)))
        if len(same):
            value = tuple(int(v) for v in flat[same[0], 0])
            raise AssetError("blank_view", f"view {same[0]} of {len(flat)} is one colour, {value}")
