"""Meshes as scenes, the fused mesh and the fitted Gaussians: each against what is known of balls and boxes."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from versemill.asset import Asset
from versemill.materials.material import Material
from versemill.reconstruction.optimise import optimise
from versemill.training.fusion import fuse
from versemill.training.images import psnr
from versemill.training.objects import scene_of_asset, textured
from versemill.training.scenes import Scene
from versemill.training.splats import Gaussians
from versemill.training.splatting import render


def bare(box: Asset) -> Asset:
    zeros = np.zeros(len(box.faces), np.int32)
    return replace(box, materials=(Material(),), material_ids=zeros)


def test_an_untextured_mesh_gets_the_same_material_every_time(boxes) -> None:
    box = bare(boxes[0])
    one, two, other, seeded = textured(box), textured(replace(box, index=9)), textured(bare(boxes[1])), textured(box, seed=1)
    assert one.materials[0].content_hash == two.materials[0].content_hash
    assert len({a.materials[0].content_hash for a in (one, other, seeded)}) == 3
    # Neither axis of a box's face is squeezed: UV area is the same share of the area everywhere.
    corners = one.vertices[one.faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    edge = one.uvs[:, 1:] - one.uvs[:, :1]
    across = np.abs(edge[:, 0, 0] * edge[:, 1, 1] - edge[:, 0, 1] * edge[:, 1, 0])
    np.testing.assert_allclose(across / area, 0.25, rtol=1e-5)


def test_a_mesh_that_has_colours_keeps_them(boxes) -> None:
    assert textured(boxes[0]) is boxes[0]


@pytest.mark.parametrize(("views", "targets"), [(4, 60), (8, 56)])
def test_the_papers_inputs_are_no_targets(boxes, views: int, targets: int) -> None:
    scene = scene_of_asset(boxes[0], views, 16, "box")
    assert len(scene.rgb) == views + targets
    places = scene.c2w[:, :3, 3]
    torch.testing.assert_close(places.norm(dim=1), torch.full((views + targets,), 3.0), atol=1e-4, rtol=0)
    apart = (places[:, None] - places[None]).norm(dim=-1) + 9 * torch.eye(len(places))
    assert apart.min() > 1e-2
    elevation = torch.rad2deg(torch.arcsin(places[:views, 2] / 3)).round()
    assert set(elevation.tolist()) == ({20.0} if views == 4 else {0.0, 40.0})


def shell(radius: float, count: int = 3000) -> Gaussians:
    """Opaque flat Gaussians on a sphere, coloured by position."""
    k = torch.arange(count) + 0.5
    z, turn = 1 - 2 * k / count, torch.pi * (3 - 5**0.5) * k
    normals = torch.stack([(1 - z * z).sqrt() * turn.cos(), (1 - z * z).sqrt() * turn.sin(), z], 1)
    means = radius * normals
    return Gaussians(
        means[None], torch.tensor([1.0, 0, 0, 0]).expand(1, count, 4), torch.full((1, count, 3), 0.03),
        torch.full((1, count), 0.95), (0.5 + 0.4 * normals)[None],
    )  # fmt: skip


def test_a_shell_of_gaussians_fuses_to_the_sphere() -> None:
    mesh = fuse(lambda c2w, K, size: render(shell(0.7), c2w, K, (size, size)), views=20, size=64, resolution=48)
    assert mesh is not None
    assert mesh.is_watertight
    radii = np.linalg.norm(mesh.vertices, axis=1)
    assert abs(radii.mean() - 0.7) < 0.06
    assert radii.std() < 0.03
    assert mesh.volume > 0
    expected = 0.5 + 0.4 * mesh.vertices / radii[:, None]
    assert np.abs(mesh.visual.vertex_colors[:, :3] / 255 - expected).mean() < 0.06


def test_what_shows_nothing_has_no_mesh() -> None:
    nothing = shell(0.7, 10)
    nothing = replace(nothing, opacities=torch.zeros(1, 10))
    assert fuse(lambda c2w, K, size: render(nothing, c2w, K, (size, size)), views=4, size=16, resolution=16) is None


def test_fitting_reaches_the_pictures_it_sees(balls: list[Scene]) -> None:
    scene = balls[1]
    quality = []
    for steps in (0, 150):
        gaussians = optimise(scene, 256, steps)
        image = render(gaussians, scene.c2w[None], scene.K[None], (16, 16)).over(1.0)[0]
        quality.append(float(psnr(image, scene.over_white).mean()))
    assert quality[1] > 23
    assert quality[1] > quality[0] + 5
    assert torch.equal(optimise(scene, 64, 5).means, optimise(scene, 64, 5).means)
