"""Unprojection against the camera's own, normals of depth against an analytic ball."""

import numpy as np
import torch

from versemill.camera import Camera
from versemill.training.geometry import depth_normals, pool, rays, strided, unproject


def test_unprojection_is_the_cameras(balls) -> None:
    scene = balls[0]
    points = unproject(scene.depth[None], scene.c2w[None], scene.K[None])[0]
    camera = Camera(scene.c2w[2].double().numpy(), scene.K[2].double().numpy(), 16, 16)
    np.testing.assert_allclose(points[2].permute(1, 2, 0), camera.unproject(scene.depth[2, 0].numpy()), atol=1e-5)


def test_normals_of_a_balls_depth_point_away_from_its_centre(make_ball) -> None:
    scene = make_ball(3, 48, 4)
    normals, holds = depth_normals(scene.depth[None], scene.c2w[None], scene.K[None])
    # Central differences are exact only where the surface is not seen at a glance.
    facing = -(normals[0] * rays(scene.c2w[None], scene.K[None], 48)[1][0]).sum(1, keepdim=True)
    where = holds[0] & (facing > 0.6)
    assert where.sum() > 500
    cosine = (normals[0] * scene.normal).sum(1, keepdim=True)[where]
    assert cosine.min() > 0.98
    assert not holds[0][scene.depth == 0].any()
    assert not holds[..., 0, :].any()


def test_a_step_in_depth_has_no_normal() -> None:
    depth = torch.full((1, 1, 1, 8, 8), 3.0)
    depth[..., 4:] = 4.0
    K = torch.tensor([[80.0, 0, 4], [0, 80, 4], [0, 0, 1]])[None, None]
    normals, holds = depth_normals(depth, torch.eye(4)[None, None], K)
    assert holds[0, 0, 0, 4, 1:3].all()
    assert not holds[0, 0, 0, 4, 3:5].any()
    torch.testing.assert_close(normals[0, 0, :, 4, 2], torch.tensor([0.0, 0.0, -1.0]))


def test_pooled_maps_belong_to_the_strided_camera(balls) -> None:
    scene = balls[1]
    small = strided(scene.K[None], 2)
    torch.testing.assert_close(rays(scene.c2w[None], small, 8)[1], torch.nn.functional.normalize(
        pool(rays(scene.c2w[None], scene.K[None], 16)[1], 2), dim=2), atol=2e-3, rtol=0)  # fmt: skip
