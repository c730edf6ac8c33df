"""Errors by frequency: which details of the true normals an answer has."""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from versemill.generation.normals import errors
from versemill.markdown import table

BANDS = (0.0, 1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)
"""Edges of frequency bands, cycles per pixel; the last one takes the corners in."""
Floats = NDArray[np.floating]
Mask = NDArray[np.bool_]


def power(values: Floats, known: Mask) -> Floats:
    """Energy (bands,) of a field (3, H, W) by `BANDS`: of its values over `known` (H, W), less their mean there, 0 outside.

    Over the bands it sums to the sum of squares (Parseval).
    """
    mean = (values * known).sum((1, 2), keepdims=True) / max(1, int(known.sum()))
    energy = (np.abs(np.fft.fft2(np.where(known, values - mean, 0))) ** 2).sum(0) / known.size
    height, width = known.shape
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None])
    return np.histogram(frequency, BANDS, weights=energy)[0]


@dataclass
class Spectra:
    """Energies by band, summed over views: of the true normals, and of the errors of each method."""

    truth: Floats = field(default_factory=lambda: np.zeros(len(BANDS) - 1))
    methods: dict[str, Floats] = field(default_factory=dict)

    def add(self, answers: dict[str, Floats], truth: Floats, known: NDArray[np.bool_]) -> None:
        """Counts an object: method -> normals (V, 3, H, W); the true ones; where they are known (V, H, W)."""
        for view, mask in enumerate(map(errors.inner, known)):
            self.truth = self.truth + power(truth[view], mask)
            for method, answer in answers.items():
                self.methods[method] = self.methods.get(method, 0) + power(answer[view] - truth[view], mask)

    def shares(self) -> dict[str, list[float]]:
        """Method -> energy of its error over that of the truth, by band: 0 is perfect, 1 is what any constant gets."""
        return {method: (energy / np.maximum(self.truth, 1e-12)).tolist() for method, energy in self.methods.items()}

    def note(self) -> str:
        """The shares as Markdown."""
        names = ["0", *(f"1/{round(1 / edge)}" for edge in BANDS[1:-1])]
        head = ["", *(f"{low} to {high}" for low, high in pairwise(names)), f"over {names[-1]}"]
        rows = [[method, *(f"{share:.3f}" for share in shares)] for method, shares in self.shares().items()]
        return f"Energy of the error over that of the true normals, by cycles per pixel:\n\n{table(head, rows)}"
