"""What a model's files may ask of this machine together, and its images: of known formats, within limits.

`versemill.files` opens the files themselves.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from versemill.errors import AssetError
from versemill.materials import images

TEXTURES = 4
"""Largest textures (max_texture_side squared) whose pixels all textures of one model may have together."""


@dataclass
class Budget:
    """What one model may still ask of this machine, over all files and images that it names.

    Attributes:
        bytes: of files. texels: of decoded images so far.
    """

    bytes: int
    texels: int = 0

    def spend_bytes(self, count: int, label: str) -> None:
        """Raises AssetError "too_large" where nothing is left for so many."""
        if count > self.bytes:
            raise AssetError("too_large", f"{label} has {count} bytes; of the model's max_bytes {self.bytes} are left")
        self.bytes -= count

    def spend_texels(self, size: tuple[int, int], max_side: int, label: str) -> None:
        """Raises AssetError "image_too_large" where the textures have more than `TEXTURES` of the largest together."""
        self.texels += size[0] * size[1]
        if self.texels > TEXTURES * max_side**2:
            raise AssetError(
                "image_too_large",
                f"with {label} the textures have {self.texels} pixels; the limit is {TEXTURES} x max_texture_side squared, "
                f"max_texture_side is {max_side}",
            )


def check_image(data: bytes, label: str, max_side: int) -> tuple[int, int]:
    """Width and height of an image, by its header alone.

    Raises:
        AssetError: "bad_image" where it is not one, "image_too_large" above `max_side` pixels a side.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            size = images.size(data)
    except Image.DecompressionBombError as error:
        raise AssetError("image_too_large", f"{label}: {error}") from error
    except (OSError, ValueError, SyntaxError) as error:
        raise AssetError("bad_image", f"{label} is not an image that can be read: {error}") from error
    if max(size) > max_side:
        raise AssetError(
            "image_too_large", f"{label} has {size[0]} x {size[1]} pixels; the limit max_texture_side is {max_side}"
        )
    return size


def open_image(
    data: bytes, label: str, max_side: int, budget: Budget, mode: images.Mode = "RGBA", colour: bool = True
) -> NDArray[np.uint8]:
    """(H, W, C) uint8 texels; see `versemill.materials.images.decode`.

    Raises:
        AssetError: as `check_image`; "bad_image" also where the pixels can't be decoded.
    """
    budget.spend_texels(check_image(data, label, max_side), max_side, label)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return images.decode(data, mode, colour)
    except (OSError, ValueError, SyntaxError) as error:
        raise AssetError("bad_image", f"{label} can't be decoded: {error}") from error
