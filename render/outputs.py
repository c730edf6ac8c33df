"""Views as files for people and other programs: PNG, OpenEXR or NPZ next to a JSON of cameras, and turntables."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from versemill.asset import Asset
from versemill.errors import ConfigError
from versemill.views import PASSES, Kind, Views

Format = Literal["png", "exr", "npz"]
CONVENTION = (
    "c2w maps camera to world, OpenCV axes (x right, y down, z forward), right-handed world with Z up; K is in pixels, the "
    "centre of pixel (0, 0) is (0.5, 0.5); an orthographic camera's K is in pixels per world unit. Depth is planar z, normals "
    "are world-space unit vectors, both 0 in the background. The asset fits [-1, 1]^3: source position = center + scale * "
    "position, after the source's up axis was turned to Z."
)
CODINGS: dict[Kind, str] = {
    "direction": "{name} = code / 127.5 - 1 where not all channels are 0",
    "distance": "{name} = code * {name}_step, 16 bit, 0 is background",
    "coverage": "255 where the pixel's centre meets the asset",
    "level": "{name}: its channels from red on, the others are 0",
    "id": "id + 1, 16 bit, 0 is background",
}
"""How PNG files hold what is not a colour. Positions have no coding."""
TURNTABLES = (".gif", ".webp", ".png")


def write_views(asset: Asset, views: Views, folder: Path, kind: Format = "png") -> list[Path]:
    """Writes all passes and `cameras.json` into a folder, which is created if needed; returns the files.

    Args:
        kind: "png": PASS/000.png, coded as `cameras.json` says; "exr": normals, depth and position as PASS/000.exr in full
            float32, the rest as PNG; "npz": one views.npz with every array exactly as `Views` holds it.

    Raises:
        ConfigError: PNG can't hold one of the passes.
    """
    floats = [name for name in views.passes if PASSES[name].dtype == "float32"]
    if kind == "png":
        check_png(views.passes)
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    frames: list[dict[str, Any]] = []
    steps = {n: float(array.max()) / 65535 for n, array in views.passes.items() if PASSES[n].kind == "distance"}
    assert views.lighting is not None
    for k, camera in enumerate(views.cameras):
        files: dict[str, str] = {}
        for name, array in views.passes.items() if kind != "npz" else ():
            suffix = "exr" if kind == "exr" and name in floats else "png"
            path = folder / name / f"{k:03d}.{suffix}"
            path.parent.mkdir(exist_ok=True)
            if suffix == "exr":
                write_exr(path, array[k], "XYZ" if array[k].ndim == 3 else "Y")
            else:
                Image.fromarray(picture(name, array[k], steps.get(name, 0.0))).save(path)
            files[name] = f"{name}/{path.name}"
            written.append(path)
        frames.append(
            {
                "c2w": camera.c2w.tolist(),
                "K": camera.K.tolist(),
                "orthographic": camera.orthographic,
                "lighting": int(views.lighting[k]),
                "files": files,
            }
        )
    if kind == "npz":
        written.append(folder / "views.npz")
        np.savez_compressed(written[-1], **views.passes)  # type: ignore[arg-type]
    about: dict[str, Any] = {"convention": CONVENTION, "width": views.cameras[0].width, "height": views.cameras[0].height}
    if kind == "png":
        kinds = {name: PASSES[name].kind for name in views.passes}
        about["codings"] = {name: CODINGS[each].format(name=name) for name, each in kinds.items() if each in CODINGS}
        about |= {f"{name}_step": step for name, step in steps.items()}
    about |= {"center": list(asset.center), "scale": asset.scale, "tags": list(views.tags), "info": views.info}
    written.append(folder / "cameras.json")
    written[-1].write_text(json.dumps(about | {"frames": frames}, indent=1) + "\n")
    return written


def check_png(passes: Iterable[str]) -> None:
    """Rejects passes that can't be stored as PNG.

    Raises:
        ConfigError: a position is among them.
    """
    if held := [name for name in passes if PASSES[name].kind == "position"]:
        raise ConfigError(f"PNG can't hold the pass '{held[0]}'; write exr or npz (--format), or unproject the depth")


def picture(name: str, image: NDArray[Any], step: float) -> NDArray[Any]:
    """One view of a pass as the values of a PNG: (H, W), (H, W, 3) or (H, W, 4), uint8 or uint16, coded as in `CODINGS`.

    Args:
        step: of the codes of a distance.
    """
    kind = PASSES[name].kind
    if kind == "direction":
        return np.where((image != 0).any(-1, keepdims=True), np.round((image + 1) * 127.5), 0).astype(np.uint8)
    if kind == "distance":
        return np.round(image / max(step, 1e-12)).astype(np.uint16)
    if kind == "id":
        return np.minimum(image + 1, 65535).astype(np.uint16)
    if kind == "coverage":
        return image.astype(np.uint8) * np.uint8(255)
    if kind == "level" and image.ndim == 3:
        return np.concatenate([image, np.zeros((*image.shape[:2], 3 - image.shape[2]), image.dtype)], -1)
    return image


def write_exr(path: Path, image: NDArray[np.float32], names: str) -> None:
    """Writes an (H, W) or (H, W, C) float32 image as OpenEXR (scan lines, ZIPS), one letter of `names` per channel."""
    import OpenEXR

    values = np.ascontiguousarray(np.moveaxis(image.reshape(*image.shape[:2], -1), -1, 0))
    header = {"compression": OpenEXR.ZIPS_COMPRESSION, "type": OpenEXR.scanlineimage}
    OpenEXR.File(header, dict(zip(names, values, strict=True))).write(str(path))


def check_turntable(name: str) -> None:
    """Rejects names that can't be written as a turntable.

    Raises:
        ConfigError: a path instead of a name, or another format than GIF, WebP or (animated) PNG.
    """
    if Path(name).name != name:
        raise ConfigError(f"a turntable is a name inside each file's folder, not a path: got '{name}'")
    if Path(name).suffix.lower() not in TURNTABLES:
        raise ConfigError(
            f"a turntable ends in {', '.join(TURNTABLES)}, got '{name}'; for a video: "
            "ffmpeg -i turn.gif -pix_fmt yuv420p turn.mp4"
        )


def write_turntable(rgb: NDArray[np.uint8], path: Path, background: int = 245, seconds: float = 4.0) -> None:
    """Writes (N, H, W, 4) views of one turn as an endless animation over an even grey; the suffix says the format."""
    check_turntable(path.name)
    alpha = rgb[..., 3:].astype(np.float32) / 255
    frames = [Image.fromarray(f) for f in np.round(rgb[..., :3] * alpha + background * (1 - alpha)).astype(np.uint8)]
    # GIF counts in hundredths of a second.
    pause = max(20, round(seconds * 100 / len(frames)) * 10)
    options: dict[str, Any] = {"save_all": True, "append_images": frames[1:], "duration": pause, "loop": 0}
    if path.suffix.lower() == ".gif":
        frames = [frame.quantize(256, method=Image.Quantize.MEDIANCUT) for frame in frames]
        options |= {"append_images": frames[1:], "disposal": 1, "optimize": False}
    elif path.suffix.lower() == ".webp":
        options |= {"quality": 85, "method": 2}
    frames[0].save(path, **options)
