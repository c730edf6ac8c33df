"""Quality scores: a linear head over an asset's features, fitted to people's marks from 1 to 5 (TripoSG section 4.1)."""

import csv
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from versemill.curation.features import feature_vector
from versemill.curation.image_features import names
from versemill.errors import ConfigError

NAMES = (
    "asymmetry",
    "both_sides",
    "boundary_share",
    "brightness",
    "components",
    "contrast",
    "faces",
    "hidden",
    "main_object",
    "planar_base",
    "saturation",
    "silhouette",
    "solidity",
    "textured",
    "thickness",
    "thin",
    "view_entropy",
)
"""The features that a score weighs, in this order."""


@dataclass(frozen=True)
class LinearHead:
    """score = clip(bias + sum(weight * (feature - mean) / deviation), 1, 5)."""

    names: tuple[str, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float

    def __call__(self, features: dict[str, float]) -> float:
        """The score of one asset's features."""
        values = feature_vector(features, list(self.names))
        standard = (values - np.asarray(self.mean)) / np.asarray(self.deviation)
        return float(np.clip(self.bias + standard @ np.asarray(self.weights), 1.0, 5.0))

    def save(self, path: Path) -> None:
        """Writes the head as JSON."""
        path.write_text(json.dumps(self.__dict__, indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> "LinearHead":
        """Reads what `save` wrote.

        Raises:
            ConfigError: the file is missing or is no such head.
        """
        try:
            content = json.loads(path.read_text())
            lists = {k: tuple(content[k]) for k in ("names", "mean", "deviation", "weights")}
            return cls(**lists, bias=float(content["bias"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{path} is not a score head ({error}); `versemill score fit` writes one") from error


def _written_by_hand() -> LinearHead:
    """The head used where none was fitted: detail and texture raise a score, fragments, sheets and ground planes lower it."""
    # name: (typical value, spread, weight); whatever is not named here weighs nothing.
    opinion = {
        "view_entropy": (4.5, 1.0, 0.6),
        "textured": (0.5, 0.5, 0.3),
        "contrast": (0.1, 0.1, 0.2),
        "main_object": (0.9, 0.2, 0.4),
        "solidity": (0.7, 0.2, 0.1),
        "both_sides": (0.2, 0.3, -0.4),
        "thin": (0.1, 0.2, -0.2),
        "planar_base": (0.1, 0.2, -0.3),
        "hidden": (0.1, 0.2, -0.2),
    }
    rows = [opinion.get(name, (0.0, 1.0, 0.0)) for name in NAMES]
    mean, deviation, weights = (tuple(r[i] for r in rows) for i in range(3))
    return LinearHead(NAMES, mean, deviation, weights, 3.0)


DEFAULT_HEAD = _written_by_hand()


def score(features: dict[str, float], images: list[float], head: str) -> float:
    """The mark of an asset from 1 to 5, by its features, the image models' and the head in a file; "" is the default head.

    Raises:
        ConfigError: the file is no head, or one that was fitted with other image models than there are.
    """
    if not head:
        return DEFAULT_HEAD(features)
    fitted = _loaded(head)
    fitted_images = sum(name.startswith("image_") for name in fitted.names)
    if fitted_images not in (0, len(images)):
        raise ConfigError(
            f"the score head '{head}' was fitted with {fitted_images} image features and curate.image_models gives "
            f"{len(images)}; set the same image models, or fit the head again"
        )
    return fitted({**features, **dict(zip(names(len(images)), images, strict=True))})


@cache
def _loaded(head: str) -> LinearHead:
    return LinearHead.load(Path(head))


def fit(rows: list[dict[str, float]], marks: ArrayLike, ridge: float = 1.0) -> LinearHead:
    """Ridge regression of marks on standardised features; image features take part where every row has as many.

    Args:
        rows: one asset's features each. marks: (N,) from 1 to 5. ridge: penalty on the weights, in standard units.

    Raises:
        ConfigError: fewer than two rows, a mark outside 1..5, or rows of different image models.
    """
    targets: NDArray[np.float64] = np.asarray(marks, np.float64)
    if len(rows) < 2 or len(rows) != len(targets):
        raise ConfigError(f"a score head needs at least two labelled assets, got {len(rows)} assets and {len(targets)} marks")
    if not ((targets >= 1) & (targets <= 5)).all():
        raise ConfigError(f"marks must lie in 1..5, got {targets.min():g} to {targets.max():g}")
    images = [sorted(name for name in row if name.startswith("image_")) for row in rows]
    if any(image_names != images[0] for image_names in images):
        raise ConfigError("the labelled assets have features of different image models; curate them all with the same ones")
    used = (*NAMES, *images[0])
    values = np.stack([feature_vector(row, list(used)) for row in rows])
    mean, deviation = values.mean(0), values.std(0)
    deviation = np.where(deviation > 1e-9, deviation, 1.0)
    standard = (values - mean) / deviation
    bias = float(targets.mean())
    # The dual form: image features outnumber the labels.
    gram = standard @ standard.T + ridge * np.eye(len(standard))
    weights = standard.T @ np.linalg.solve(gram, targets - bias)
    return LinearHead(used, tuple(mean.tolist()), tuple(deviation.tolist()), tuple(weights.tolist()), bias)


def fit_labels(labels: Path, ridge: float = 1.0) -> LinearHead:
    """Fits a head to a CSV with columns `metrics` (path of a NAME.json that curation wrote, relative to the CSV) and `score`.

    Raises:
        ConfigError: the file, a column or a metrics file is missing or broken.
    """
    try:
        with labels.open(newline="") as stream:
            entries = list(csv.DictReader(stream))
        measured = [json.loads((labels.parent / e["metrics"]).read_text())["metrics"] for e in entries]
        rows = [m["features"] | dict(zip(names(len(m["image_features"])), m["image_features"], strict=True)) for m in measured]
        return fit(rows, [float(e["score"]) for e in entries], ridge)
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise ConfigError(f"{labels}: wants columns 'metrics' (path of a NAME.json) and 'score' (1..5): {error!r}") from error
