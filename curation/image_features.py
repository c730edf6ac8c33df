"""Features of image models, DINOv2 or CLIP for instance, from local files: TripoSG's scores are linear in them.

A file is TorchScript. It is a program in a language of its own, which can't call Python or start other programs, and it is
run: take models from people whose programs you would run. What torch.export saves (.pt2) is refused, since reading it runs
pickled Python code.

A model takes (N, 3, 224, 224) float32 in [0, 1], RGB, and answers (N, D); its own normalisation belongs inside it. It sees
the four normal maps of `curation.features`, coloured as normals are, on white; the mean over the views is the feature.
"""

import hashlib
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from versemill.curation.features import normal_maps
from versemill.errors import ConfigError, MissingDependencyError
from versemill.queries import MeshQuery

SIZE = 224


def image_features(
    vertices: NDArray[np.float32], faces: NDArray[np.int32], models: tuple[str, ...], device: str = "cpu"
) -> list[float]:
    """Features of all models, one after the other, each scaled to unit length; rounded, as they are stored with a row.

    Raises:
        MissingDependencyError: a file is not here. ConfigError: it is no TorchScript, or answers in another shape.
    """
    if not models:
        return []
    import torch

    maps = normal_maps(vertices, faces, MeshQuery(vertices, faces, device), SIZE)
    images = np.where((maps != 0).any(-1, keepdims=True), maps * 0.5 + 0.5, 1.0).astype(np.float32)[:, ::-1]
    batch = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))).to(_device(device))
    values: list[float] = []
    for path in models:
        with torch.inference_mode():
            answer = _load(path, _device(device))(batch)
        if not isinstance(answer, torch.Tensor) or answer.ndim != 2 or len(answer) != len(batch):
            what = tuple(answer.shape) if isinstance(answer, torch.Tensor) else type(answer).__name__
            raise ConfigError(f"image model '{path}' must answer ({len(batch)}, D) to {tuple(batch.shape)}, got {what}")
        mean = answer.float().mean(0)
        mean = mean / mean.norm().clamp_min(1e-12)
        if not bool(torch.isfinite(mean).all()):
            raise ConfigError(f"image model '{path}' answers NaN or infinity")
        values += [round(value, 5) for value in mean.cpu().tolist()]
    return values


def names(count: int) -> list[str]:
    """What a head calls the image features."""
    return [f"image_{k:04d}" for k in range(count)]


@cache
def fingerprint(path: str) -> str:
    """First twelve digits of a file's SHA-256, so that a row says which weights it was scored with.

    Raises:
        MissingDependencyError: the file is not here.
    """
    try:
        with Path(path).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()[:12]
    except OSError as error:
        raise MissingDependencyError(
            f"the weights '{path}' of curate.image_models can't be read ({error.strerror}); put a TorchScript file "
            "there (docs/curation.md says how to make one), or leave the setting empty: scores then rest on geometry alone"
        ) from error


def is_torchscript(path: str) -> bool:
    """Whether a file is a TorchScript archive: a zip with a folder `code`, and none of torch.export's members."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.partition("/")[2] for name in archive.namelist()]
    except (OSError, zipfile.BadZipFile):
        return False
    return any(name.startswith("code/") for name in names) and not any(name.startswith("models/") for name in names)


@cache
def _load(path: str, device: str) -> Any:
    import torch

    fingerprint(path)
    try:
        if not is_torchscript(path):
            raise ValueError("reading what torch.export and torch.save write runs pickled code; save it with torch.jit")
        return torch.jit.load(path, map_location=device).eval()  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError) as error:
        first = str(error).strip().splitlines()[0]
        raise ConfigError(f"'{path}' is not a TorchScript file ({first}); docs/curation.md says how to make one") from error


def _device(device: str) -> str:
    import torch

    return ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
