"""Exports for physics engines, each loaded by its own engine: mass and inertia arrive, the object falls and comes to rest.

USD has no engine of its own on PyPI: pxr parses the file's physics as an engine would, and MuJoCo simulates what it finds.
"""

import json
import re
import zipfile
from pathlib import Path
from types import SimpleNamespace

import manifold3d
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from versemill.errors import ConfigError, MissingDependencyError
from versemill.mesh import topology, volume
from versemill.mill.cli import app
from versemill.shards import export
from versemill.shards.export.simulators.body import colliders
from versemill.shards.export.simulators.matter import MATTER

SIZE = 0.3
"""Metres; the assets' longest side is 2 world units."""

DROP, GRAVITY, SECONDS = 0.25, 9.81, 4.0
FORMATS = ("mjcf", "urdf", "usd")


@pytest.fixture(scope="module")
def out(furniture, tmp_path_factory) -> Path:
    """Folder with an export of the furniture in each format, by name; the ball with a hole is left out."""
    folder = tmp_path_factory.mktemp("simulators")
    for name in FORMATS:
        done = export(furniture.path, name, folder / name)
        assert done.assets == 2
        assert list(done.left_out) == furniture.ids[2:]
        assert done.left_out[furniture.ids[2]].startswith("not_watertight: the surface has 5 boundary")
    return folder


def record(out: Path, name: str) -> SimpleNamespace:
    return SimpleNamespace(**json.loads((out / "mjcf" / name / "body.json").read_text()))


def read_obj(path: Path) -> tuple[np.ndarray, np.ndarray]:
    lines = [line.split() for line in path.read_text().splitlines()]
    vertices = np.array([line[1:] for line in lines if line[0] == "v"], float)
    return vertices, np.array([[int(c.split("/")[0]) for c in line[1:]] for line in lines if line[0] == "f"]) - 1


def hulls(folder: Path) -> np.ndarray:
    """(n, 3) vertices of all colliders of an asset's folder."""
    return np.concatenate([read_obj(path)[0] for path in sorted((folder / "collision").iterdir())])


def check_rest(heights: np.ndarray, speeds: np.ndarray, turns: np.ndarray, lowest: float) -> None:
    """A fall that ends on the plane z = 0: never faster than free fall, never rising above its start, still at the end."""
    assert np.isfinite(heights).all()
    assert speeds.max() < np.sqrt(2 * GRAVITY * DROP) + 0.1
    assert heights.max() < heights[0] + 1e-3
    assert speeds[-1] < 0.01
    assert turns[-1] < 0.1
    assert abs(lowest) < 0.004


def test_masses_are_volumes_times_densities(furniture, out):
    """Plate, legs and ball are solids of known size; the ball counts from where it leaves the plate."""
    table = record(out, furniture.ids[0])
    cubic = (SIZE / 2) ** 3
    ball = manifold3d.Manifold.sphere(0.3, 32).translate((0, 0, 0.2)).trim_by_plane((0, 0, 1), 0).volume()
    expected = {"steel": 0.4, "hardwood": 4 * 0.2 * 0.2 * 0.8, "hard stone": ball}
    assert [part["matter"] for part in table.parts] == list(expected)
    for part, size in zip(table.parts, expected.values(), strict=True):
        assert part["volume"] == pytest.approx(size * cubic, rel=1e-5)
        assert part["mass"] == pytest.approx(size * cubic * MATTER[part["matter"]].density, rel=1e-5)
    assert table.mass == pytest.approx(sum(part["mass"] for part in table.parts))
    assert 0.4 < table.friction < 0.6, "between wood and steel"
    assert table.caption == "A table with a ball on it."


def test_an_even_ball_has_the_inertia_of_a_ball(furniture, out, tmp_path):
    export(furniture.path, "urdf", tmp_path / "x", settings={"density": 1000.0, "friction": 0.7, "size": 2.0})
    ball = SimpleNamespace(**json.loads((tmp_path / "x" / furniture.ids[1] / "body.json").read_text()))
    mass = 1000 * 4 / 3 * np.pi
    assert ball.mass == pytest.approx(mass, rel=0.02)
    np.testing.assert_allclose(ball.inertia, 0.4 * mass * np.eye(3), rtol=0.03, atol=1e-3)
    assert ball.friction == 0.7
    assert ball.parts[0]["matter"] == "set"


def test_colliders_are_few_convex_bodies_that_cover_the_surface(furniture):
    table = furniture.table
    pieces = colliders(table.vertices, table.faces)
    assert 5 <= len(pieces) <= 32, "a plate, four legs and a ball are not convex"
    for piece in pieces:
        assert topology(piece.faces).watertight
        assert len(piece.vertices) <= 64
        hull = manifold3d.Manifold.hull_points(piece.vertices)
        assert volume(piece.vertices, piece.faces) == pytest.approx(hull.volume(), rel=1e-4)
    joined = manifold3d.Manifold.batch_boolean(
        [manifold3d.Manifold.hull_points(piece.vertices) for piece in pieces], manifold3d.OpType.Add
    )
    whole = manifold3d.Manifold(manifold3d.Mesh(table.vertices.copy(), table.faces.astype(np.uint32)))
    apart = (joined - whole).volume() + (whole - joined).volume()
    assert apart < 0.05 * whole.volume()


@pytest.mark.parametrize("k", [0, 1])
def test_mujoco(furniture, out, k):
    mujoco = pytest.importorskip("mujoco")
    name = furniture.ids[k]
    spec = mujoco.MjSpec.from_file(str(out / "mjcf" / name / "model.xml"))
    spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0, 0, 0.1])
    model = spec.compile()
    check_mujoco(mujoco, model, record(out, name), hulls(out / "mjcf" / name))
    seen = model.geom_contype == 0
    assert seen.sum() == len(set(furniture.table.material_ids)) if k == 0 else seen.sum() == 1
    assert model.ntex == (2 if k == 0 else 1)
    np.testing.assert_allclose(model.geom_friction[~seen][1:, 0], record(out, name).friction)


def check_mujoco(mujoco, model, facts, corners) -> None:
    """The one free body of a model, with a plane under it, has the recorded mass, and falls to rest."""
    data = mujoco.MjData(model)
    assert model.body_mass[1] == pytest.approx(facts.mass, rel=1e-6)
    np.testing.assert_allclose(model.body_ipos[1], facts.center_of_mass, atol=1e-7)
    np.testing.assert_allclose(np.sort(model.body_inertia[1]), np.linalg.eigvalsh(facts.inertia), rtol=1e-5)
    data.qpos[2] = DROP - corners[:, 2].min()
    trace = []
    for _ in range(int(SECONDS / model.opt.timestep)):
        mujoco.mj_step(model, data)
        trace.append((data.xipos[1, 2], np.linalg.norm(data.qvel[:3]), np.linalg.norm(data.qvel[3:])))
    assert not any(warning.number for warning in data.warning)
    lowest = (corners @ data.xmat[1].reshape(3, 3).T + data.xpos[1])[:, 2].min()
    check_rest(*np.array(trace).T, lowest)


@pytest.mark.parametrize("k", [0, 1])
def test_pybullet(furniture, out, k):
    bullet = pytest.importorskip("pybullet")
    name = furniture.ids[k]
    facts, corners = record(out, name), hulls(out / "urdf" / name)
    client = bullet.connect(bullet.DIRECT)
    try:
        bullet.setGravity(0, 0, -GRAVITY)
        bullet.createMultiBody(0, bullet.createCollisionShape(bullet.GEOM_PLANE))
        path = str(out / "urdf" / name / "model.urdf")
        body = bullet.loadURDF(path, [0, 0, DROP - corners[:, 2].min()], flags=bullet.URDF_USE_INERTIA_FROM_FILE)
        mass, friction, moments, place, turn = bullet.getDynamicsInfo(body, -1)[:5]
        assert mass == pytest.approx(facts.mass, rel=1e-6)
        assert friction == pytest.approx(facts.friction)
        np.testing.assert_allclose(place, facts.center_of_mass, atol=1e-7)
        axes = np.reshape(bullet.getMatrixFromQuaternion(turn), (3, 3))
        np.testing.assert_allclose(axes @ np.diag(moments) @ axes.T, facts.inertia, rtol=1e-3, atol=2e-3 * max(moments))
        assert len(bullet.getCollisionShapeData(body, -1)) == len(list((out / "urdf" / name / "collision").iterdir()))
        assert len(bullet.getVisualShapeData(body)) == (3 if k == 0 else 1)
        trace = []
        for _ in range(int(SECONDS * 240)):
            bullet.stepSimulation()
            speed, spin = bullet.getBaseVelocity(body)
            trace.append((bullet.getBasePositionAndOrientation(body)[0][2], np.linalg.norm(speed), np.linalg.norm(spin)))
        pose = bullet.getBasePositionAndOrientation(body)
        origin, frame = bullet.multiplyTransforms(*pose, *bullet.invertTransform(place, turn))
        rotation = np.reshape(bullet.getMatrixFromQuaternion(frame), (3, 3))
        check_rest(*np.array(trace).T, (corners @ rotation.T + origin)[:, 2].min())
    finally:
        bullet.disconnect(client)


def test_usd_parsed_as_an_engine_does_and_then_simulated(furniture, out):
    usd = pytest.importorskip("pxr.Usd")
    mujoco = pytest.importorskip("mujoco")
    from pxr import Gf, UsdGeom, UsdPhysics, UsdShade

    stage = usd.Stage.Open(str(out / "usd" / f"{furniture.ids[0]}.usdz"))
    assert UsdGeom.GetStageMetersPerUnit(stage) == 1
    assert UsdGeom.GetStageUpAxis(stage) == "Z"
    found = UsdPhysics.UsdPhysicsLoadStageFromPrimRange(stage, ["/asset"])
    kinds = {str(kind).rpartition(".")[2]: values for kind, values in found.items()}
    ((prim,), (body,)) = kinds["RigidBody"]
    assert str(prim) == "/asset"
    shapes, meshes = kinds["MeshShape"]
    assert {str(path) for path in body.collisions} == {str(path) for path in shapes}
    assert {str(shape.approximation) for shape in meshes} == {"convexHull"}
    facts = record(out, furniture.ids[0])
    material = UsdPhysics.MaterialAPI(stage.GetPrimAtPath(meshes[0].materials[0]))
    assert material.GetDynamicFrictionAttr().Get() == pytest.approx(facts.friction)

    mass = UsdPhysics.MassAPI(stage.GetPrimAtPath("/asset"))
    turn = mass.GetPrincipalAxesAttr().Get()
    axes = np.array(Gf.Matrix3d(Gf.Rotation(Gf.Quatd(turn)))).T
    np.testing.assert_allclose(
        axes @ np.diag(mass.GetDiagonalInertiaAttr().Get()) @ axes.T, facts.inertia, atol=1e-6 * facts.mass
    )
    spec = mujoco.MjSpec()
    spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0, 0, 0.1])
    free = spec.worldbody.add_body(mass=mass.GetMassAttr().Get(), ipos=list(mass.GetCenterOfMassAttr().Get()),
                                   inertia=list(mass.GetDiagonalInertiaAttr().Get()), explicitinertial=True,
                                   iquat=[turn.real, *turn.imaginary])  # fmt: skip
    free.add_freejoint()
    corners = []
    for path in shapes:
        points = np.array(UsdGeom.Mesh(stage.GetPrimAtPath(path)).GetPointsAttr().Get())
        spec.add_mesh(name=str(path), uservert=points.reshape(-1).tolist())
        free.add_geom(type=mujoco.mjtGeom.mjGEOM_MESH, meshname=str(path), friction=[facts.friction, 0.005, 0.0001])
        corners.append(points)
    check_mujoco(mujoco, spec.compile(), facts, np.concatenate(corners))
    assert UsdShade.Material(stage.GetPrimAtPath("/asset/materials/material0"))


def test_usd_shows_the_parts_with_their_textures(furniture, out):
    usd = pytest.importorskip("pxr.Usd")
    from pxr import UsdGeom, UsdShade, UsdValidation

    path = out / "usd" / f"{furniture.ids[0]}.usdz"
    stage, table = usd.Stage.Open(str(path)), furniture.table
    validators = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
    assert [e.GetErrorAsString() for e in UsdValidation.ValidationContext(validators).Validate(stage)] == []
    parts = list(stage.GetPrimAtPath("/asset/parts").GetChildren())
    assert [prim.GetName() for prim in parts] == ["plate", "legs_1", "ball"]
    for number, prim in enumerate(parts):
        mesh, own = UsdGeom.Mesh(prim), table.part_ids == number
        points, corners = np.array(mesh.GetPointsAttr().Get()), np.array(mesh.GetFaceVertexIndicesAttr().Get())
        np.testing.assert_allclose(points[corners].reshape(-1, 3, 3), table.vertices[table.faces[own]] * SIZE / 2, atol=1e-7)
        st = np.array(UsdGeom.PrimvarsAPI(mesh).GetPrimvar("st").Get()).reshape(-1, 3, 2)
        np.testing.assert_allclose(st, table.uvs[own], atol=1e-6)
        material, _ = UsdShade.MaterialBindingAPI(prim).ComputeBoundMaterial()
        assert material.GetPrim().GetDisplayName() == ("plate", "legs", "ball")[number]
        surface = material.ComputeSurfaceSource()[0]
        assert surface.GetIdAttr().Get() == "UsdPreviewSurface"
        source = table.materials[number]
        if source.base_color_texture is None:
            np.testing.assert_allclose(surface.GetInput("diffuseColor").Get(), source.base_color[:3])
            continue
        texture = UsdShade.Shader(surface.GetInput("diffuseColor").GetConnectedSources()[0][0].source.GetPrim())
        np.testing.assert_allclose(texture.GetInput("scale").Get(), source.base_color, atol=1e-6)
        file = texture.GetInput("file").Get().path
        with zipfile.ZipFile(path) as archive, archive.open(file) as opened:
            np.testing.assert_array_equal(np.asarray(Image.open(opened)), source.base_color_texture[..., :3])


def test_a_part_of_several_materials_has_a_subset_for_each(sphere, tmp_path):
    usd = pytest.importorskip("pxr.Usd")
    from dataclasses import replace

    from pxr import UsdGeom, UsdShade

    from versemill.materials import Material
    from versemill.shards.export.simulators.body import Body
    from versemill.shards.export.simulators.rigid import of_solid
    from versemill.shards.export.simulators.usd_stage import write_stage

    asset = sphere.asset()
    ids = (np.arange(len(asset.faces)) % 2).astype(np.int32)
    asset = replace(asset, material_ids=ids, materials=(*asset.materials, Material("second")))
    body = Body(asset, of_solid(asset.vertices.astype(float), asset.faces, 1000), 0.5, (), {})
    assert list(write_stage(tmp_path / "x.usdc", "x", body)) == ["textures/0.png"]
    stage = usd.Stage.Open(str(tmp_path / "x.usdc"))
    subsets = UsdShade.MaterialBindingAPI(stage.GetPrimAtPath("/asset/parts/ball")).GetMaterialBindSubsets()
    for k, subset in enumerate(subsets):
        np.testing.assert_array_equal(UsdGeom.Subset(subset).GetIndicesAttr().Get(), np.flatnonzero(ids == k))
    assert len(subsets) == 2


def test_looks_are_the_textured_mesh(furniture, out):
    """All OBJ files together hold each triangle once, in metres; a texture has its material's factor in it."""
    table, folder = furniture.table, out / "urdf" / furniture.ids[0] / "visual"
    for number in range(3):
        vertices, faces = read_obj(folder / f"{number}.obj")
        own = table.faces[table.material_ids == number]
        np.testing.assert_allclose(vertices[faces], table.vertices[own] * SIZE / 2, atol=1e-7)
    legs, ball = (np.asarray(Image.open(folder / f"{k}.png")).astype(float) for k in (1, 2))
    np.testing.assert_array_equal(legs, table.materials[1].base_color_texture[..., :3])
    linear = ((ball / 255 + 0.055) / 1.055) ** 2.4
    red = ((legs / 255 + 0.055) / 1.055) ** 2.4 * [0.9, 0.2, 0.2]
    bright = (legs.min(-1) > 60) & (ball.min(-1) > 20)
    np.testing.assert_allclose(linear[bright], red[bright], atol=0.01)


@pytest.mark.parametrize("name", FORMATS)
def test_mistakes_say_what_to_do(furniture, out, tmp_path, monkeypatch, name):
    with pytest.raises(ConfigError, match="unknown key 'densty'; did you mean 'density'"):
        export(furniture.path, name, tmp_path / "x", settings={"densty": 1})
    with pytest.raises(ConfigError, match="size: Input should be greater than 0"):
        export(furniture.path, name, tmp_path / "x", settings={"size": -1})
    with pytest.raises(ConfigError, match="format 'coco' has no settings"):
        export(furniture.path, "coco", tmp_path / "x", settings={"size": 1})
    with pytest.raises(ConfigError, match=r"holds another export \(.*urdf|mjcf|usd"):
        export(furniture.path, name, out / name, settings={"size": 1})
    monkeypatch.setitem(__import__("sys").modules, "coacd", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'versemill\[simulators\]'"):
        export(furniture.path, name, tmp_path / "y")
    assert not (tmp_path / "y").exists()


def test_the_command_sets_and_says_what_it_left_out(furniture, tmp_path):
    command = ["export", str(furniture.path), "--format", "urdf", "--to", str(tmp_path / "x")]
    answer = CliRunner().invoke(app, [*command, "--set", "density=500", "--set", "size=1", "--set", "concavity=1"])
    assert answer.exit_code == 0, answer.output
    said = " ".join(answer.stdout.split())
    assert said.startswith("2 assets in")
    assert "1 left out" in said
    (line,) = map(json.loads, (tmp_path / "x" / "left_out.jsonl").read_text().splitlines())
    assert line["id"] == furniture.ids[2]
    assert line["left_out"].startswith("not_watertight: the surface has 5 boundary")
    ball = json.loads((tmp_path / "x" / furniture.ids[1] / "body.json").read_text())
    assert ball["mass"] == pytest.approx(500 * np.pi / 6, rel=0.02)
    listing = CliRunner().invoke(app, ["export", str(furniture.path)], env={"COLUMNS": "300"}).stdout
    assert re.search(r"urdf +URDF for PyBullet.*size, density, friction, hulls, concavity", listing)
