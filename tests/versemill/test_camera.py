"""Cameras: projection and its inverse, conventions, poles."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from versemill import camera
from versemill.camera import Camera

unit = st.floats(-1, 1, allow_subnormal=False)
vectors = st.tuples(unit, unit, unit).filter(lambda v: np.linalg.norm(v) > 0.05)


@given(eye=vectors, roll=st.floats(-3, 3), distance=st.floats(1, 10), fov=st.floats(5, 150), orthographic=st.booleans())
def test_unproject_inverts_project(eye, roll, distance, fov, orthographic) -> None:
    eye = np.asarray(eye) / np.linalg.norm(eye) * distance
    K = camera.orthographic_intrinsics(3.0, 7, 5) if orthographic else camera.intrinsics(fov, 7, 5)
    view = Camera(camera.look_at(eye, roll=roll), K, 7, 5, orthographic)
    depth = np.linspace(0.3, 4, 35).reshape(5, 7)
    points = view.unproject(depth)
    pixels, again = view.project(points.reshape(-1, 3))
    x, y = np.meshgrid(np.arange(7) + 0.5, np.arange(5) + 0.5)
    np.testing.assert_allclose(pixels, np.stack([x, y], -1).reshape(-1, 2), atol=1e-7)
    np.testing.assert_allclose(again, depth.reshape(-1), atol=1e-9)


@given(eye=vectors, target=vectors, roll=st.floats(-3, 3))
def test_look_at_is_a_rotation_that_sees_the_target(eye, target, roll) -> None:
    eye = 3 * np.asarray(eye)
    if np.linalg.norm(eye - target) < 1e-3:
        return
    c2w = camera.look_at(eye, target, roll=roll)
    np.testing.assert_allclose(c2w[:3, :3] @ c2w[:3, :3].T, np.eye(3), atol=1e-9)
    assert np.linalg.det(c2w[:3, :3]) == pytest.approx(1)
    pixel, depth = Camera(c2w, camera.intrinsics(40, 64, 48), 64, 48).project([target])
    np.testing.assert_allclose(pixel[0], (32, 24), atol=1e-4)
    assert depth[0] == pytest.approx(np.linalg.norm(eye - target))


def test_look_at_axes_are_opencv() -> None:
    c2w = camera.look_at((0, -3, 0))
    np.testing.assert_allclose(c2w[:3, :3], np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]]), atol=1e-12)
    # What is up in the world is up in the image: a smaller row.
    view = Camera(c2w, camera.intrinsics(50, 10, 10), 10, 10)
    pixels, _ = view.project([[0.5, 0, 0.5]])
    assert pixels[0, 0] > 5
    assert pixels[0, 1] < 5


@pytest.mark.parametrize("up", [(0, 0, 1), (0, 1, 0), (1, 0, 0)])
@pytest.mark.parametrize("sign", [1, -1])
def test_poles_have_an_image(up, sign) -> None:
    c2w = camera.look_at(sign * 2 * np.asarray(up), up=up)
    np.testing.assert_allclose(c2w[:3, :3] @ c2w[:3, :3].T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(c2w[:3, 2], -sign * np.asarray(up), atol=1e-12)


def test_roll_turns_about_the_viewing_axis() -> None:
    straight, rolled = camera.look_at((1, 2, 3)), camera.look_at((1, 2, 3), roll=np.pi / 2)
    np.testing.assert_allclose(rolled[:3, 2:], straight[:3, 2:], atol=1e-12)
    np.testing.assert_allclose(rolled[:3, 0], straight[:3, 1], atol=1e-12)


def test_opengl_conversion_keeps_the_view() -> None:
    c2w = camera.look_at((1, 2, 3))
    gl = camera.to_opengl(c2w)
    np.testing.assert_allclose(gl[:3, 0], c2w[:3, 0])
    np.testing.assert_allclose(gl[:3, 1], -c2w[:3, 1])
    np.testing.assert_allclose(gl[:3, 2], -c2w[:3, 2])
    np.testing.assert_allclose(gl[:, 3], c2w[:, 3])
    np.testing.assert_array_equal(camera.from_opengl(gl), c2w)


def test_poses_invert_in_batches() -> None:
    poses = np.stack([camera.look_at((1, 2, 3)), camera.look_at((-1, 0.5, 2), roll=1)])
    np.testing.assert_allclose(camera.invert_pose(poses) @ poses, np.broadcast_to(np.eye(4), (2, 4, 4)), atol=1e-12)


def test_field_of_view_spans_the_width() -> None:
    view = Camera(np.eye(4), camera.intrinsics(90, 100, 50), 100, 50)
    pixels, _ = view.project([[-1, 0, 1], [1, 0, 1]])
    np.testing.assert_allclose(pixels[:, 0], (0, 100), atol=1e-9)


def test_bad_cameras_are_refused() -> None:
    K = camera.intrinsics(50, 8, 8)
    with pytest.raises(ValueError, match="rotation"):
        Camera(np.diag([1.0, 1, -1, 1]), K, 8, 8)
    with pytest.raises(ValueError, match="finite"):
        Camera(np.eye(4) * np.nan, K, 8, 8)
    with pytest.raises(ValueError, match="own position"):
        camera.look_at((1, 1, 1), (1, 1, 1))
    with pytest.raises(ValueError, match="field of view"):
        camera.intrinsics(180, 8, 8)
