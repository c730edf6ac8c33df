"""Opening foreign files: they must be regular files, end inside a root, and fit; images must be of known formats.

Links are followed as long as they end inside one of the roots, so that a model hub's cache, whose files are links, is read.
"""

import os
import stat
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

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


def is_inside(path: Path, roots: Iterable[Path]) -> bool:
    """Whether a path, its links followed, ends below one of the roots."""
    target = Path(os.path.realpath(path))
    return any(target.is_relative_to(os.path.realpath(root)) for root in roots)


def open_foreign(path: Path, roots: Iterable[Path], limit: int) -> bytes:
    """The bytes of a regular file that ends inside one of the roots.

    Raises:
        AssetError: "unsafe_path" where it ends outside; "missing_file" where there is none, or something else than a file;
            "too_large" above `limit` bytes; "unreadable" where the system refuses.
    """
    with open_regular(path, roots) as file:
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            raise AssetError("too_large", f"{path.name} has {size} bytes; the limit max_bytes is {limit}")
        try:
            return file.read(limit)
        except OSError as error:
            raise AssetError("unreadable", f"{path.name} can't be read: {error.strerror}") from error


def open_regular(path: Path, roots: Iterable[Path]) -> BufferedReader:
    """A regular file that ends inside one of the roots, open for reading.

    Raises:
        AssetError: as `open_foreign`, but for its size.
    """
    roots = tuple(roots)
    if not is_inside(path, roots):
        raise AssetError(
            "unsafe_path",
            f"'{path.name}' ends outside {', '.join(map(str, roots))}; "
            "name a root (--root) that holds it, or put it next to the model",
        )
    try:
        file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise AssetError("missing_file", f"{path} is not a file") from error
    except OSError as error:
        raise AssetError("unreadable", f"{path.name} can't be read: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise AssetError("missing_file", f"{path} is not a regular file")
    return file


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


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
