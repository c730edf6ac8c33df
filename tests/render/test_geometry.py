"""Geometry passes against Embree, against an analytic sphere, and against each other."""

import numpy as np
import pytest
import trimesh
import warp as wp
from trimesh.ray.ray_pyembree import RayMeshIntersector

from versemill import device as _device
from versemill import mesh
from versemill.camera import Camera, intrinsics, look_at, orthographic_intrinsics
from versemill.materials.material import Material
from versemill.render import render_views
from versemill.render.cameras import sample
from versemill.render.config import RenderConfig
from versemill.render.kernels.scene import Scene, cast
from versemill.render.scene import pack
from versemill.views import PASSES

wp.set_module_options(_device.EXACT)

ALL = tuple(name for name in PASSES if name != "rgb")


def _camera(eye, fov=40.0, size=128):
    return Camera(look_at(eye), intrinsics(fov, size, size), size, size)


def _embree(asset, camera):
    """Face and ray parameter at every pixel centre; -1 where the ray misses."""
    shape = trimesh.Trimesh(asset.vertices, asset.faces, process=False)
    origins, directions = camera.rays()
    unit = directions / np.linalg.norm(directions, axis=-1, keepdims=True)
    start = origins - 1e-9 * unit
    # Embree finds points; trimesh's own scaling of the ray origin is avoided by taking faces and solving the plane here.
    face = RayMeshIntersector(shape).intersects_first(start.reshape(-1, 3), unit.reshape(-1, 3))
    corners = asset.vertices.astype(np.float64)[asset.faces[face]]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    flat = directions.reshape(-1, 3)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = ((corners[:, 0] - origins.reshape(-1, 3)) * normal).sum(1) / (flat * normal).sum(1)
    shape2d = (camera.height, camera.width)
    return face.reshape(shape2d), t.reshape(shape2d)


@pytest.mark.parametrize("orthographic", [False, True])
def test_mask_depth_and_normals_agree_with_embree(composition, orthographic):
    config = RenderConfig(
        width=160, height=120, cameras={"preset": "sphere", "views": 6, "orthographic": orthographic, "roll": 30.0}
    )
    cameras = sample(config, 1, 2)
    views = render_views(composition, cameras, passes=ALL, device="cpu")
    face_normals = mesh.face_normals(composition.vertices, composition.faces)
    for k, camera in enumerate(cameras):
        face, t = _embree(composition, camera)
        mask = views.passes["mask"][k]
        both = mask & (face >= 0)
        assert both.sum() / (mask | (face >= 0)).sum() >= 0.999
        assert mask.mean() > 0.05
        # Rays along edges may take either face, or look past one at a silhouette.
        same = both & (np.abs(views.passes["depth"][k] - t) < 1e-3)
        assert same.sum() >= 0.999 * both.sum()
        assert np.abs(views.passes["depth"][k] - t)[same].max() < 1e-4
        assert np.abs(views.passes["depth"][k] - t)[same].mean() < 2e-6
        expected = face_normals[face]
        _, directions = camera.rays()
        expected = expected * -np.sign((expected * directions).sum(-1, keepdims=True))
        cosine = (expected * views.passes["geometric_normal"][k]).sum(-1)[same]
        assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean() < 0.05
        assert (composition.part_ids[face] == views.passes["part"][k])[same].mean() > 0.999
        assert (composition.material_ids[face] == views.passes["material"][k])[same].mean() > 0.999


@wp.kernel
def _reach(scene: Scene, origins: wp.array(dtype=wp.vec3), directions: wp.array(dtype=wp.vec3), t: wp.array(dtype=float)):
    i = wp.tid()
    hit = cast(scene, origins[i], directions[i], 1.0e6, 0.5)
    t[i] = -1.0
    if hit.face >= 0:
        t[i] = hit.t


def test_no_ray_slips_between_two_faces_at_their_common_edge(assemble):
    """Rays at the upright edges of a prism: there, the boxes of two faces touch along a line and nowhere else."""
    asset = assemble(trimesh.creation.cylinder(1.0, 2.0, sections=24)).normalized()
    rng = np.random.default_rng(0)
    side = asset.vertices[np.hypot(asset.vertices[:, 0], asset.vertices[:, 1]) > 0.5].astype(np.float64)
    target = side[rng.integers(len(side), size=300_000)] * np.stack(
        [*np.ones((2, 300_000)), rng.uniform(-0.9, 0.9, 300_000)], 1
    )
    turn, far = rng.uniform(-1.2, 1.2, 300_000), rng.uniform(3.0, 20.0, 300_000)
    out = np.arctan2(target[:, 1], target[:, 0]) + turn
    origin = np.stack([far * np.cos(out), far * np.sin(out), rng.uniform(-0.5, 0.5, 300_000) * far], 1).astype(np.float32)
    direction = (target - origin).astype(np.float32)
    # Seen from there, the edge is no silhouette: the way through the middle of the prism is clear of both its faces.
    clear = (direction[:, :2] * target[:, :2]).sum(1) < -0.25 * np.hypot(*direction[:, :2].T)
    _device.start()
    start, way = (wp.array(values[clear], dtype=wp.vec3, device="cpu") for values in (origin, direction))
    t = wp.empty(len(start), dtype=float, device="cpu")
    packed = pack(asset, "cpu")
    wp.launch(_reach, len(start), [packed.scene, start, way, t], device="cpu")
    assert len(start) > 100_000
    assert np.abs(t.numpy() - 1).max() < 1e-4


def test_background_of_every_pass_is_its_own_zero(composition):
    views = render_views(composition, (_camera((3.0, 1.0, 1.0)),), passes=ALL, device="cpu").passes
    empty = ~views["mask"]
    assert empty.any()
    for name in ALL:
        if name != "mask":
            assert (views[name][empty] == (-1 if name in ("part", "material") else 0)).all(), name


def test_a_sphere_has_its_analytic_depth_and_normals(ball):
    camera = _camera((2.0, -2.5, 1.0), size=200)
    views = render_views(ball, (camera,), passes=ALL, device="cpu").passes
    origins, directions = camera.rays()
    a, b = (directions**2).sum(-1), (origins * directions).sum(-1)
    inside = b**2 - a * ((origins**2).sum(-1) - 1)
    with np.errstate(invalid="ignore"):
        depth = (-b - np.sqrt(inside)) / a
    mask = views["mask"][0]
    assert (mask != (inside > 0)).sum() <= 0.02 * mask.sum()
    # Away from the silhouette the tessellation's sagitta, 1e-4, is all that differs.
    clear = mask & (inside > 0.3)
    assert np.abs(views["depth"][0] - depth)[clear].max() < 1e-3
    points = origins + depth[..., None] * directions
    normal = views["normal"][0]
    assert np.degrees(np.arccos(np.clip((normal * points).sum(-1)[clear], -1, 1))).max() < 0.5
    assert np.allclose(np.linalg.norm(normal[mask], axis=-1), 1, atol=1e-5)


def test_depth_unprojects_to_the_position_pass_and_into_other_views(composition):
    cameras = sample(RenderConfig(width=96, height=96, cameras={"preset": "ring", "views": 6}), 0, 0)
    views = render_views(composition, cameras, passes=("depth", "mask", "position"), device="cpu").passes
    seen = 0
    for k, camera in enumerate(cameras):
        points = camera.unproject(views["depth"][k])[views["mask"][k]]
        assert np.abs(points - views["position"][k][views["mask"][k]]).max() < 2e-5
        other = cameras[(k + 1) % len(cameras)]
        pixels, depth = other.project(points)
        column, row = np.floor(pixels).astype(int).T
        inside = (column >= 0) & (column < 96) & (row >= 0) & (row < 96)
        depths = views["depth"][(k + 1) % len(cameras)][row[inside], column[inside]]
        # A point is either seen at its own depth or hidden behind something nearer; never in front of what is seen.
        visible = depths > 0
        assert (depth[inside][visible] > depths[visible] - 0.06).mean() > 0.95
        seen += (np.abs(depth[inside] - depths) < 0.03).sum()
    assert seen > 1000


def test_back_faces_show_the_visible_side(make_quad):
    quad = make_quad(Material())
    above, below = _camera((0.0, 0.5, 3.0)), _camera((0.0, 0.5, -3.0))
    normals = render_views(quad, (above, below), passes=("normal", "geometric_normal", "mask"), device="cpu").passes
    for name in ("normal", "geometric_normal"):
        assert np.allclose(normals[name][0][normals["mask"][0]], (0, 0, 1), atol=1e-6)
        assert np.allclose(normals[name][1][normals["mask"][1]], (0, 0, -1), atol=1e-6)


def _from_above(size=64):
    pose = look_at((0.0, 0.0, 3.0))
    pose[:3, :3] = np.diag([1.0, -1.0, -1.0])
    return Camera(pose, orthographic_intrinsics(2.0, size, size), size, size, orthographic=True)


def test_texture_row_zero_is_the_top_and_v_points_up(make_quad):
    texture = np.zeros((2, 2, 4), np.uint8)
    texture[0, 0], texture[0, 1] = (255, 0, 0, 255), (0, 255, 0, 255)
    texture[1, 0], texture[1, 1] = (0, 0, 255, 255), (255, 255, 255, 255)
    orm = np.zeros((2, 2, 3), np.uint8)
    orm[0, 0] = (0, 64, 192)
    large, rough = (np.kron(t, np.ones((32, 32, 1), np.uint8)) for t in (texture, orm))
    material = Material(base_color_texture=large, metallic_roughness_texture=rough, metallic=1.0, roughness=1.0)
    views = render_views(make_quad(material), (_from_above(),), passes=("albedo", "metallic_roughness"), device="cpu").passes
    albedo = views["albedo"][0]
    assert (albedo[4:28, 4:28] == (255, 0, 0)).all()
    assert (albedo[4:28, 36:60] == (0, 255, 0)).all()
    assert (albedo[36:60, 4:28] == (0, 0, 255)).all()
    assert (albedo[36:60, 36:60] == 255).all()
    assert (views["metallic_roughness"][0][4:28, 4:28] == (192, 64)).all()


def test_a_distant_texture_is_averaged_as_light(make_quad):
    y, x = np.mgrid[:256, :256]
    checker = np.where(((x + y) % 2)[..., None] == 1, 255, 0).astype(np.uint8).repeat(4, 2)
    checker[..., 3] = 255
    view = render_views(make_quad(Material(base_color_texture=checker)), (_from_above(8),), passes=("albedo",), device="cpu")
    # Half the light is sRGB 188, not 128.
    assert np.abs(view.passes["albedo"][0].astype(int) - 188).max() <= 2


def test_alpha_masks_cut_holes_and_blending_is_opaque_from_half(make_quad):
    image = np.full((64, 64, 4), 255, np.uint8)
    image[:, :32, 3] = 100
    for mode, cutoff, left in (("opaque", 0.5, True), ("mask", 0.5, False), ("mask", 0.3, True), ("blend", 0.5, False)):
        material = Material(base_color_texture=image, alpha_mode=mode, alpha_cutoff=cutoff)
        views = render_views(make_quad(material), (_from_above(),), passes=("mask", "rgb"), samples=64, device="cpu").passes
        assert views["mask"][0][8:56, 8:24].all() == left
        assert views["mask"][0][8:56, 40:56].all()
        alpha = views["rgb"][0][8:56, 8:24, 3]
        if mode == "blend":
            assert np.abs(alpha.mean() - 100) < 6
        else:
            assert (alpha == (255 if left else 0)).all()


def test_a_normal_map_tilts_light_but_not_the_normal_pass(make_quad):
    tilted = np.full((8, 8, 3), (217, 128, 217), np.uint8)
    views = render_views(make_quad(Material(normal_texture=tilted)), (_from_above(),), passes=("normal",), device="cpu").passes
    assert np.allclose(views["normal"][0], (0, 0, 1), atol=1e-6)
