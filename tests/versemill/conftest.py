"""Meshes of known shape, and a textured asset that uses every field."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import trimesh

from versemill.asset import Asset
from versemill.materials.material import Material

Mesh = tuple[np.ndarray, np.ndarray]


def _arrays(shape: Any) -> Mesh:
    return np.asarray(shape.vertices, np.float32), np.asarray(shape.faces, np.int32)


@pytest.fixture(scope="session")
def cube() -> Mesh:
    """Edge 2, centred, outward."""
    return _arrays(trimesh.creation.box((2, 2, 2)))


@pytest.fixture(scope="session")
def sphere() -> Callable[[int], Mesh]:
    """Unit sphere by number of subdivisions."""
    return lambda n: _arrays(trimesh.creation.icosphere(subdivisions=n))


@pytest.fixture(scope="session")
def torus() -> Mesh:
    """Radii 1 and 0.4, about z."""
    return _arrays(trimesh.creation.torus(1, 0.4, major_sections=96, minor_sections=48))


@pytest.fixture(scope="session")
def subdivided() -> Callable[[Mesh, int], Mesh]:
    """Splits every triangle into four, n times, without moving the surface."""

    def split(mesh: Mesh, n: int) -> Mesh:
        shape = trimesh.Trimesh(*mesh, process=False)
        for _ in range(n):
            shape = shape.subdivide()
        return _arrays(shape)

    return split


@pytest.fixture(scope="session")
def textured(cube: Mesh, torus: Mesh) -> Asset:
    """Three parts, one of them empty; materials mixed over the parts; coincident but distinct vertices; odd factors."""
    rng = np.random.default_rng(5)
    # The second cube touches the first: four vertices coincide and must stay apart.
    vertices = np.concatenate([cube[0], cube[0] + np.float32([2, 0, 0]), torus[0]])
    faces = np.concatenate([cube[1], cube[1] + 8, torus[1] + 16]).astype(np.int32)
    count = len(faces)
    texels = {
        "base_color_texture": rng.integers(0, 256, (16, 24, 4), np.uint8),
        "metallic_roughness_texture": rng.integers(0, 256, (8, 8, 3), np.uint8),
        "normal_texture": rng.integers(0, 256, (32, 8, 3), np.uint8),
    }
    materials = (
        Material(name="all", **texels, alpha_mode="mask", alpha_cutoff=0.3, source="procedural/x", licence="MIT"),
        Material(name="plain", base_color=(0.123, 0.456, 0.789, 0.5), metallic=0.77, roughness=0.11, alpha_mode="blend"),
        Material(name="one-sided", double_sided=False, base_color_texture=texels["base_color_texture"]),
    )
    return Asset(
        vertices=vertices,
        faces=faces,
        uvs=rng.uniform(-2, 3, (count, 3, 2)).astype(np.float32),
        material_ids=rng.integers(0, 3, count).astype(np.int32),
        part_ids=np.where(np.arange(count) < 24, 0, 2).astype(np.int32),
        materials=materials,
        part_names=("cubes", "nothing", "törus"),
        seed=7,
        index=2**40 + 1,
        source="zeroverse",
        caption='A "torus" and two cubes.',
        tags=("cube", "torus"),
        center=(0.1, -0.2, 1e-7),
        scale=1 / 3,
        provenance={"drawn": [1, 0.1, None, {"x": True}]},
    )
