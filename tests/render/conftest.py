"""Assets that the renderer's tests share: primitives with UVs, parts and materials."""

from collections.abc import Callable

import numpy as np
import pytest
import trimesh

from versemill.asset import Asset
from versemill.materials.material import Material


def _assemble(*meshes: trimesh.Trimesh, materials: tuple[Material, ...] | None = None, smooth: bool = True) -> Asset:
    vertices = np.concatenate([m.vertices for m in meshes]).astype(np.float32)
    offsets = np.cumsum([0] + [len(m.vertices) for m in meshes[:-1]])
    faces = np.concatenate([m.faces + o for m, o in zip(meshes, offsets, strict=True)]).astype(np.int32)
    ids = np.concatenate([np.full(len(m.faces), k, np.int32) for k, m in enumerate(meshes)])
    colors = [(0.7, 0.3, 0.2), (0.2, 0.5, 0.8), (0.9, 0.8, 0.3), (0.5, 0.5, 0.5)]
    made = materials or tuple(Material(name=f"m{k}", base_color=(*colors[k], 1.0)) for k in range(len(meshes)))
    flat = np.repeat(np.cross(*(vertices[faces][:, k] - vertices[faces][:, 0] for k in (1, 2)))[:, None], 3, 1)
    flat = (flat / np.linalg.norm(flat, axis=-1, keepdims=True)).astype(np.float32)
    return Asset(
        vertices,
        faces,
        vertices[faces][..., :2].copy(),
        ids % len(made),
        ids,
        made,
        tuple(f"part {k}" for k in range(len(meshes))),
        normals=None if smooth else flat,
        seed=3,
        index=5,
    )


@pytest.fixture(scope="session")
def assemble() -> Callable[..., Asset]:
    """Builds an asset of several trimesh meshes, one part and one material each."""
    return _assemble


@pytest.fixture(scope="session")
def composition() -> Asset:
    """Interpenetrating shapes with an open sheet among them."""
    ball = trimesh.creation.icosphere(3, 0.6)
    ring = trimesh.creation.torus(0.7, 0.2, major_sections=48, minor_sections=24)
    ring.apply_translation([0.2, 0.1, 0.3])
    tube = trimesh.creation.annulus(0.2, 0.25, 1.5, sections=40)
    sheet = trimesh.Trimesh([[-1, -1, -0.6], [1, -1, -0.5], [1, 1, -0.6], [-1, 1, -0.4]], [[0, 1, 2], [0, 2, 3]], process=False)
    return _assemble(ball, ring, tube, sheet).normalized()


@pytest.fixture(scope="session")
def ball() -> Asset:
    """A finely tessellated unit sphere of white, matt material."""
    white = Material(name="white", base_color=(1.0, 1.0, 1.0, 1.0), roughness=1.0)
    return _assemble(trimesh.creation.icosphere(6, 1.0), materials=(white,))


@pytest.fixture(scope="session")
def make_quad() -> Callable[..., Asset]:
    """A square in the plane z = 0 over [-1, 1]^2, seen upright from above with +Y up, with one material."""

    def make(material: Material) -> Asset:
        corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], np.float32)
        faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
        uvs = ((corners[faces][..., :2] + 1) / 2).astype(np.float32)
        zeros = np.zeros(2, np.int32)
        return Asset(corners, faces, uvs, zeros, zeros, (material,), ("quad",))

    return make
