"""Views of what was read, straight from the front, in which a quad of side 2 fills the image."""

import sys
from pathlib import Path

import numpy as np
import pytest

from versemill.camera import Camera
from versemill.render.engine import render_views

sys.path.insert(0, str(Path(__file__).parent))  # the tests import `foreign_files` and `shapes` by name

SIZE = 96


@pytest.fixture(scope="session")
def front():
    """Passes (H, W, ...) of an asset seen along +Y, orthographic, one world unit to SIZE / 2 pixels."""

    def view(asset, *passes):
        c2w = np.eye(4)
        c2w[:3, :3] = [[1, 0, 0], [0, 0, 1], [0, -1, 0]]
        c2w[:3, 3] = (0, -3, 0)
        K = np.array([[SIZE / 2, 0, SIZE / 2], [0, SIZE / 2, SIZE / 2], [0, 0, 1]])
        camera = Camera(c2w=c2w, K=K, width=SIZE, height=SIZE, orthographic=True)
        made = render_views(asset, (camera,), passes=passes, samples=4, device="cpu").passes
        images = [made[name][0] for name in passes]
        return images[0] if len(images) == 1 else images

    return view
