"""Camera presets: counts, distances, angles, and the promise about framing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from versemill.render import RenderConfig, cameras
from versemill.render.presets import CAMERAS

SEEDS = st.integers(0, 2**63)


def _sample(seed=0, index=0, points=None, width=64, height=48, **options):
    return cameras.sample(RenderConfig(width=width, height=height, cameras=options), seed, index, points)


def _distance(camera):
    return float(np.linalg.norm(camera.center))


def _fov(camera):
    return float(np.degrees(2 * np.arctan(camera.width / 2 / camera.K[0, 0])))


@pytest.mark.parametrize("preset", sorted(CAMERAS))
@given(seed=SEEDS)
@settings(max_examples=5, deadline=None)
def test_every_preset_looks_at_the_origin_with_its_own_count(preset, seed):
    made = _sample(seed, preset=preset)
    assert len(made) == CAMERAS[preset].views
    for camera in made:
        pixel, depth = camera.project(np.zeros((1, 3)))
        assert np.allclose(pixel, (32, 24), atol=1e-6)
        assert depth[0] > 0
        # No roll: the image's right is level.
        if abs(camera.c2w[2, 2]) < 0.999:
            assert abs(camera.c2w[2, 0]) < 1e-9


@pytest.mark.parametrize("preset", sorted(name for name, p in CAMERAS.items() if p.framing != "preset"))
@pytest.mark.parametrize("orthographic", [None, True])
@given(seed=SEEDS, wide=st.booleans())
@settings(max_examples=8, deadline=None)
def test_fitted_presets_keep_the_whole_box_inside(preset, orthographic, seed, wide):
    made = _sample(seed, preset=preset, orthographic=orthographic, width=96 if wide else 40, height=64)
    assert cameras.clipped_views(made, cameras.BOX) == []
    reach = []
    for camera in made:
        pixels, _ = camera.project(cameras.BOX)
        size = np.array([camera.width, camera.height])
        reach.append((np.abs(pixels - size / 2) / (size / 2)).max())
    assert max(reach) <= 0.95 + 1e-6
    if CAMERAS[preset].framing == "tight":
        assert min(reach) == pytest.approx(0.95, abs=1e-6)


@given(seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_lrm_zero_distances_heights_and_field_of_view(seed):
    scale = 2 / 1.8
    for camera in _sample(seed, preset="lrm_zero"):
        assert 2.0 * scale <= _distance(camera) <= 3.0 * scale
        assert -0.75 * scale < camera.center[2] < 1.6 * scale
        assert _fov(camera) == pytest.approx(50.0)


@given(seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_trellis_conditions_enclose_the_bounding_sphere(seed):
    made = _sample(seed, preset="trellis_condition", width=64, height=64)
    for camera in made:
        assert 10.0 - 1e-6 <= _fov(camera) <= 70.0 + 1e-6
        # In the paper's units (side 1): sqrt(3)/2 / sin(fov/2); ours are twice that.
        assert _distance(camera) == pytest.approx(np.sqrt(3) / np.sin(np.radians(_fov(camera)) / 2))
    assert cameras.clipped_views(made, cameras.BOX) == []


def test_zero123_and_trellis_and_evaluation_layouts():
    assert all(3.0 <= _distance(c) <= 4.4 and abs(_fov(c) - 49.134) < 1e-2 for c in _sample(preset="zero123"))
    trellis = _sample(preset="trellis")
    assert {round(_distance(c), 9) for c in trellis} == {4.0}
    directions = np.array([c.center / 4 for c in trellis])
    assert np.abs(directions.mean(0)).max() < 0.02
    elevations = [np.degrees(np.arcsin(c.center[2] / _distance(c))) for c in _sample(preset="gs_lrm_eval8")]
    assert np.allclose(elevations, [0, 0, 0, 0, 40, 40, 40, 40])
    lenses = _sample(preset="triposg", width=64, height=64)
    assert [c.orthographic for c in lenses] == [True, False, False, False, False, False, True, False]
    assert _fov(lenses[1]) == pytest.approx(np.degrees(2 * np.arctan(18 / 50)))
    for camera in lenses:
        assert camera.center[1] <= 1e-9


@given(seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_openlrm_distances_heights_and_focal_length(seed):
    made = _sample(seed, preset="openlrm", width=512, height=512)
    for camera in made:
        assert 1.9 <= _distance(camera) <= 2.6
        assert -0.75 < camera.center[2] < 1.6
        assert np.allclose([camera.K[0, 0] / 512, camera.K[1, 1] / 512], 0.75, atol=1e-9)
    front = made[0].center
    assert np.allclose(front / np.linalg.norm(front), (0, -1, 0), atol=1e-12)
    turned = _sample(seed, preset="openlrm", elevation=(10, 20))
    elevations = [np.degrees(np.arcsin(c.center[2] / _distance(c))) for c in turned]
    assert 10 - 1e-9 <= min(elevations) <= max(elevations) <= 20 + 1e-9, "an elevation of one's own holds for view 0, too"


@given(seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_instantmesh_distances_heights_and_field_of_view(seed):
    for camera in _sample(seed, preset="instantmesh"):
        assert 2.0 <= _distance(camera) <= 3.5
        assert -0.75 < camera.center[2] < 1.6
        assert _fov(camera) == pytest.approx(50.0)


@pytest.mark.parametrize(("preset", "near", "far"), [("openlrm", 1.9, 2.6), ("instantmesh", 2.0, 3.5)])
def test_distances_fill_their_range(preset, near, far):
    made = [camera for index in range(40) for camera in _sample(index=index, preset=preset)]
    distances = [_distance(camera) for camera in made]
    assert min(distances) < near + 0.02
    assert max(distances) > far - 0.02
    assert min(camera.center[2] for camera in made) < -0.7
    assert max(camera.center[2] for camera in made) > 1.5


def test_lgm_goes_down_a_spiral():
    made = _sample(preset="lgm", width=512, height=512)
    assert len(made) == 100
    assert all(_distance(c) == pytest.approx(3.0) for c in made), "1.5 from an object of side 1 is 3 from one of side 2"
    assert all(_fov(c) == pytest.approx(49.1) for c in made)
    elevations = np.degrees(np.arcsin(np.clip([c.center[2] / 3 for c in made], -1, 1)))
    assert np.allclose(elevations, np.linspace(90, -90, 100), atol=1e-5)
    azimuths = np.unwrap([np.arctan2(c.center[1], c.center[0]) for c in made[1:-1]])
    assert np.allclose(np.degrees(np.diff(azimuths)), 5 * 360 / 99)
    others = _sample(9, 9, preset="lgm")
    assert all(np.array_equal(a.c2w, b.c2w) for a, b in zip(made, others, strict=True)), "nothing of it is drawn"


def test_uniform_directions_cover_the_sphere_evenly():
    made = _sample(preset="sphere", views=4000)
    z = np.sort([c.center[2] / _distance(c) for c in made])
    assert np.abs(z - np.linspace(-1, 1, 4000)).max() < 0.05


def test_overrides_reach_the_cameras():
    made = _sample(preset="sphere", views=20, fov=(30, 40), framing="preset", radius=(3, 4), elevation=(10, 20), roll=45)
    assert len(made) == 20
    for camera in made:
        assert 30 <= _fov(camera) <= 40
        assert 3 <= _distance(camera) <= 4
        assert 10 - 1e-9 <= np.degrees(np.arcsin(camera.center[2] / _distance(camera))) <= 20 + 1e-9
    assert any(abs(camera.c2w[2, 0]) > 0.1 for camera in made)


def test_cameras_depend_on_seed_and_index_alone():
    a, b, c, d = (_sample(s, i) for s, i in ((1, 2), (1, 2), (1, 3), (2, 2)))
    assert all(np.array_equal(x.c2w, y.c2w) for x, y in zip(a, b, strict=True))
    assert not np.array_equal(a[0].c2w, c[0].c2w)
    assert not np.array_equal(a[0].c2w, d[0].c2w)


@pytest.mark.parametrize(
    "options",
    [
        {"preset": "lrm-zero"},
        {"views": 0},
        {"fov": (60, 30)},
        {"fov": (0, 50)},
        {"radius": (2, 3)},
        {"preset": "lrm_zero", "radius": (-1, 3)},
        {"elevation": (-100, 0)},
        {"colour": 1},
    ],
)
def test_impossible_cameras_are_refused(options):
    with pytest.raises(ValidationError):
        RenderConfig(cameras=options)
