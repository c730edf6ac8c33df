"""Meshes that the curation tests build: good ones with known answers, and a corpus of bad ones."""

import numpy as np
import pytest
import trimesh
from numpy.typing import ArrayLike

from versemill.asset import Asset
from versemill.materials.material import Material


def build_asset(vertices: ArrayLike, faces: ArrayLike, seed: int = 7) -> Asset:
    """An untextured asset around raw arrays, not normalised."""
    faces = np.asarray(faces, np.int32).reshape(-1, 3)
    count = len(faces)
    return Asset(
        vertices=np.asarray(vertices, np.float32).reshape(-1, 3),
        faces=faces,
        uvs=np.zeros((count, 3, 2), np.float32),
        material_ids=np.zeros(count, np.int32),
        part_ids=np.zeros(count, np.int32),
        materials=(Material(),),
        part_names=("all",),
        seed=seed,
    )


@pytest.fixture(scope="session")
def as_asset():
    return build_asset


@pytest.fixture(scope="session")
def of_trimesh():
    return lambda mesh, seed=7: build_asset(mesh.vertices, mesh.faces, seed)


@pytest.fixture(scope="session")
def joined():
    """Concatenates trimesh meshes without merging anything."""
    return lambda *meshes: trimesh.util.concatenate(list(meshes))


@pytest.fixture(scope="session")
def placed():
    """A moved copy of a trimesh mesh."""

    def place(mesh, x=0.0, y=0.0, z=0.0):
        copy = mesh.copy()
        copy.apply_translation((x, y, z))
        return copy

    return place
