"""Textures of foreign files: where they may lie, how large they may be, and how they become arrays."""

import base64
import io
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from versemill.curation.config import LoadLimits

from versemill.errors import AssetError


def inside(folder: Path, name: str) -> Path:
    """The path of a file that a model names, which must lie under the model's folder.

    Raises:
        AssetError: "unsafe_path" for an absolute path, one that climbs out, or a URL.
    """
    cleaned = name.strip().replace("\\", "/")
    root = folder.resolve()
    target = root if "\0" in cleaned else (root / cleaned).resolve()
    outside = Path(cleaned).is_absolute() or not target.is_relative_to(root) or target == root
    if outside or "://" in cleaned or cleaned[1:3] == ":/":
        raise AssetError("unsafe_path", f"'{name}' does not lie under the model's own folder; put textures beside the model")
    return target


def data_uri(uri: str) -> bytes:
    """Bytes of a base64 data URI.

    Raises:
        ValueError: it is not base64.
    """
    head, _, body = uri.partition(",")
    if not head.endswith(";base64"):
        raise ValueError("a data URI must be base64")
    return base64.b64decode(body, validate=True)


def check_image(data: bytes, label: str, limits: LoadLimits) -> None:
    """Reads only an image's header.

    Raises:
        AssetError: "bad_image" where it is none, "image_too_large" above `limits.max_texture_side`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data)) as image:
                size = image.size
    except Image.DecompressionBombError as error:
        raise AssetError("image_too_large", f"{label}: {error}") from error
    except (OSError, ValueError, SyntaxError) as error:
        raise AssetError("bad_image", f"{label} is not an image that can be read: {error}") from error
    if max(size) > limits.max_texture_side:
        raise AssetError(
            "image_too_large",
            f"{label} has {size[0]} x {size[1]} pixels; the limit max_texture_side is {limits.max_texture_side}",
        )


def to_array(image: Image.Image, mode: str, label: str) -> NDArray[np.uint8]:
    """(H, W, C) uint8 of a PIL image in mode "RGB" or "RGBA".

    Raises:
        AssetError: "bad_image": the pixels can't be decoded.
    """
    try:
        return np.ascontiguousarray(np.asarray(image.convert(mode), np.uint8))
    except (OSError, ValueError, SyntaxError) as error:
        raise AssetError("bad_image", f"{label} can't be decoded: {error}") from error
