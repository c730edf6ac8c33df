"""How far normals are off: NE and SNE, as NiRNE's own evaluation computes them.

The object's mask is eroded by 10 x 10 pixels; NE is the mean angle over it, SNE that over the part of it next to
edges of the true normals: Canny (50, 100) on the grey of their picture, dilated by 3 x 3. Means are over the pixels of a view
first, then over views. Masks are those of OpenCV, border and anchor included.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Mask = NDArray[np.bool_]
CANNY = (50, 100)
ERODED, DILATED = np.ones((10, 10), np.uint8), np.ones((3, 3), np.uint8)
TO_PICTURE = np.array([1, -1, -1], np.float32)
"""From OpenCV's axes to those of normal maps: x right, y up, z towards the viewer."""


def picture(normal: Floats, known: Mask) -> NDArray[np.uint8]:
    """(H, W, 3) normal map of normals (3, H, W) in OpenCV axes: (n + 1) / 2 with x right, y up, z towards the viewer; black
    outside `known` (H, W)."""
    colours = np.round((normal.transpose(1, 2, 0) * TO_PICTURE + 1) * 127.5)
    return np.where(known[..., None], colours, 0).astype(np.uint8)


def inner(known: Mask) -> Mask:
    """(H, W): where the object is and 10 x 10 pixels around are its own."""
    return cv2.erode(known.astype(np.uint8), ERODED).astype(bool)


def sharp(normal: Floats, known: Mask) -> Mask:
    """(H, W): the part of `inner` next to edges of the true normals (3, H, W)."""
    grey = cv2.cvtColor(picture(normal, known), cv2.COLOR_RGB2GRAY)
    return cv2.dilate(cv2.Canny(grey, *CANNY), DILATED).astype(bool) & inner(known)


def angles(answer: Floats, truth: Floats) -> Floats:
    """Degrees (H, W) between unit vectors (3, H, W); without meaning where either is 0."""
    return np.degrees(np.arccos(np.clip((answer.astype(np.float64) * truth).sum(0), -1, 1)))


def errors(answer: Floats, truth: Floats, known: Mask) -> tuple[float, float]:
    """NE and SNE in degrees of one view; NaN where it has no such pixels."""
    angle = angles(answer, truth)
    return tuple(float(angle[mask].mean()) if mask.any() else np.nan for mask in (inner(known), sharp(truth, known)))  # type: ignore[return-value]
