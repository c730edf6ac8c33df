"""The USD stage of a body: prims of its parts, materials, mass and colliders."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pxr import Gf, Sdf, Tf, Usd, UsdGeom, UsdPhysics, UsdShade, Vt

from versemill.asset import Asset
from versemill.materials import Material
from versemill.materials.material import SLOTS
from versemill.shards.export.item import png
from versemill.shards.export.simulators.body import Body

COLOUR_SPACES = {"base_color": "sRGB", "metallic_roughness": "raw", "normal": "raw", "emissive": "sRGB"}


def write_stage(path: Path, name: str, body: Body) -> dict[str, bytes]:
    """Writes the layer `path` of a body, and answers the PNG files that it names, by their paths next to it."""
    textures: dict[str, bytes] = {}
    stage = Usd.Stage.CreateNew(str(path))
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.z)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    UsdPhysics.SetStageKilogramsPerUnit(stage, 1.0)
    root = UsdGeom.Xform.Define(stage, "/asset")
    stage.SetDefaultPrim(root.GetPrim())
    Usd.ModelAPI(root).SetKind("component")
    Usd.ModelAPI(root).SetAssetName(name)
    root.GetPrim().SetDocumentation(body.asset.caption)
    _mass(root.GetPrim(), body)
    materials = _materials(stage, body.asset, textures)
    _parts(stage, body.asset, materials)
    _colliders(stage, body)
    stage.GetRootLayer().Save()
    return textures


def _mass(prim: Any, body: Body) -> None:
    moments, axes = body.rigid.principal()
    UsdPhysics.RigidBodyAPI.Apply(prim)
    mass = UsdPhysics.MassAPI.Apply(prim)
    mass.CreateMassAttr(body.rigid.mass)
    mass.CreateCenterOfMassAttr(Gf.Vec3f(*body.rigid.center.tolist()))
    mass.CreateDiagonalInertiaAttr(Gf.Vec3f(*moments.tolist()))
    # Gf's matrices act on rows, so that its rotation is the transposed one.
    mass.CreatePrincipalAxesAttr(Gf.Quatf(Gf.Matrix3d(*axes.T.reshape(-1).tolist()).ExtractRotation().GetQuat()))


def _parts(stage: Any, asset: Asset, materials: list[Any]) -> None:
    """A mesh per part; where it has several materials, a subset of its faces for each."""
    UsdGeom.Scope.Define(stage, "/asset/parts")
    normals, names = asset.shading_normals(), set[str]()
    for part in np.unique(asset.part_ids).tolist():
        own = asset.part_ids == part
        name = base = Tf.MakeValidIdentifier(asset.part_names[part] or "part")
        while name in names:
            name = f"{base}_{part}"
            base = name
        names.add(name)
        used, faces = np.unique(asset.faces[own], return_inverse=True)
        mesh = _mesh(stage, f"/asset/parts/{name}", asset.vertices[used], faces.reshape(-1, 3))
        mesh.GetPrim().SetDisplayName(asset.part_names[part])
        mesh.CreateNormalsAttr(Vt.Vec3fArray.FromNumpy(normals[own].reshape(-1, 3)))
        mesh.SetNormalsInterpolation(UsdGeom.Tokens.faceVarying)
        variables = UsdGeom.PrimvarsAPI(mesh)
        for number in range(asset.uv_sets):
            st = variables.CreatePrimvar(_uv_name(number), Sdf.ValueTypeNames.TexCoord2fArray, UsdGeom.Tokens.faceVarying)
            st.Set(Vt.Vec2fArray.FromNumpy(np.ascontiguousarray(asset.uv_set(number)[own].reshape(-1, 2))))
        ids = asset.material_ids[own]
        mesh.CreateDoubleSidedAttr(any(asset.materials[k].double_sided for k in np.unique(ids)))
        if len(set(ids.tolist())) == 1:
            UsdShade.MaterialBindingAPI.Apply(mesh.GetPrim()).Bind(materials[int(ids[0])])
            continue
        for k in np.unique(ids).tolist():
            indices = Vt.IntArray.FromNumpy(np.flatnonzero(ids == k).astype(np.int32))
            subset = UsdShade.MaterialBindingAPI.Apply(mesh.GetPrim()).CreateMaterialBindSubset(f"material{k}", indices)
            UsdShade.MaterialBindingAPI.Apply(subset.GetPrim()).Bind(materials[k])


def _colliders(stage: Any, body: Body) -> None:
    """The convex hulls, which are not rendered, with the friction of the body."""
    scope = UsdGeom.Scope.Define(stage, "/asset/colliders")
    scope.CreatePurposeAttr(UsdGeom.Tokens.guide)
    surface = UsdShade.Material.Define(stage, "/asset/colliders/surface")
    physics = UsdPhysics.MaterialAPI.Apply(surface.GetPrim())
    physics.CreateStaticFrictionAttr(body.friction)
    physics.CreateDynamicFrictionAttr(body.friction)
    physics.CreateRestitutionAttr(0.0)
    for k, hull in enumerate(body.hulls):
        prim = _mesh(stage, f"/asset/colliders/hull{k}", hull.vertices.astype(np.float32), hull.faces).GetPrim()
        UsdPhysics.CollisionAPI.Apply(prim)
        UsdPhysics.MeshCollisionAPI.Apply(prim).CreateApproximationAttr(UsdPhysics.Tokens.convexHull)
        UsdShade.MaterialBindingAPI.Apply(prim).Bind(surface, materialPurpose="physics")


def _mesh(stage: Any, path: str, vertices: NDArray[np.float32], faces: NDArray[np.integer]) -> Any:
    mesh = UsdGeom.Mesh.Define(stage, path)
    mesh.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(np.ascontiguousarray(vertices)))
    mesh.CreateFaceVertexCountsAttr(Vt.IntArray.FromNumpy(np.full(len(faces), 3, np.int32)))
    mesh.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(np.ascontiguousarray(faces.reshape(-1), np.int32)))
    mesh.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    mesh.CreateExtentAttr(Vt.Vec3fArray.FromNumpy(np.stack([vertices.min(0), vertices.max(0)])))
    return mesh


def _uv_name(number: int) -> str:
    return f"st{number}" if number else "st"


def _materials(stage: Any, asset: Asset, textures: dict[str, bytes]) -> list[Any]:
    UsdGeom.Scope.Define(stage, "/asset/materials")
    return [_material(stage, f"/asset/materials/material{k}", m, textures) for k, m in enumerate(asset.materials)]


def _material(stage: Any, path: str, material: Material, textures: dict[str, bytes]) -> Any:
    """A UsdPreviewSurface in its metallic workflow, which is glTF's."""
    made = UsdShade.Material.Define(stage, path)
    made.GetPrim().SetDisplayName(material.name)
    surface = UsdShade.Shader.Define(stage, f"{path}/surface")
    surface.CreateIdAttr("UsdPreviewSurface")
    made.CreateSurfaceOutput().ConnectToSource(surface.ConnectableAPI(), "surface")
    types = Sdf.ValueTypeNames
    red, green, blue, alpha = (float(c) for c in material.base_color)
    inputs = {
        "diffuseColor": (types.Color3f, Gf.Vec3f(red, green, blue)),
        "metallic": (types.Float, float(material.metallic)),
        "roughness": (types.Float, float(material.roughness)),
        "emissiveColor": (types.Color3f, Gf.Vec3f(*map(float, material.emissive))),
        "opacity": (types.Float, 1.0 if material.alpha_mode == "opaque" else alpha),
        "opacityThreshold": (types.Float, float(material.alpha_cutoff) if material.alpha_mode == "mask" else 0.0),
    }
    for name, (kind, value) in inputs.items():
        surface.CreateInput(name, kind).Set(value)

    shaders = {slot: _texture(stage, path, slot, material, textures) for slot in SLOTS if material.texture(slot) is not None}
    if (shader := shaders.get("base_color")) is not None:
        _scaled(shader, (red, green, blue, alpha))
        _connect(surface, "diffuseColor", shader, "rgb", types.Float3)
        if material.alpha_mode != "opaque":
            _connect(surface, "opacity", shader, "a", types.Float)
    if (shader := shaders.get("metallic_roughness")) is not None:
        _scaled(shader, (1.0, float(material.roughness), float(material.metallic), 1.0))
        _connect(surface, "roughness", shader, "g", types.Float)
        _connect(surface, "metallic", shader, "b", types.Float)
    if (shader := shaders.get("normal")) is not None:
        _scaled(shader, (2.0, 2.0, 2.0, 1.0), (-1.0, -1.0, -1.0, 0.0))
        _connect(surface, "normal", shader, "rgb", types.Normal3f)
    if (shader := shaders.get("emissive")) is not None:
        _scaled(shader, (*map(float, material.emissive), 1.0))
        _connect(surface, "emissiveColor", shader, "rgb", types.Float3)
    return made


def _texture(stage: Any, path: str, slot: str, material: Material, textures: dict[str, bytes]) -> Any:
    """A UsdUVTexture that reads the image by the material's sampler; equal images are stored once."""
    sampler, texels = material.sampler(slot), material.texture(slot)
    assert texels is not None
    opaque = texels.shape[2] == 4 and bool((texels[..., 3] == 255).all())
    data = png(np.ascontiguousarray(texels[..., :3] if opaque else texels))
    file = next((name for name, known in textures.items() if known == data), f"textures/{len(textures)}.png")
    textures[file] = data
    reader = UsdShade.Shader.Define(stage, f"{path}/{slot}_st")
    reader.CreateIdAttr("UsdPrimvarReader_float2")
    reader.CreateInput("varname", Sdf.ValueTypeNames.String).Set(_uv_name(sampler.uv_set))
    shader = UsdShade.Shader.Define(stage, f"{path}/{slot}")
    shader.CreateIdAttr("UsdUVTexture")
    shader.CreateInput("file", Sdf.ValueTypeNames.Asset).Set(Sdf.AssetPath(file))
    shader.CreateInput("wrapS", Sdf.ValueTypeNames.Token).Set(sampler.wrap_s)
    shader.CreateInput("wrapT", Sdf.ValueTypeNames.Token).Set(sampler.wrap_t)
    shader.CreateInput("sourceColorSpace", Sdf.ValueTypeNames.Token).Set(
        "sRGB" if slot in ("base_color", "emissive") else "raw"
    )
    st = reader.CreateOutput("result", Sdf.ValueTypeNames.Float2)
    shader.CreateInput("st", Sdf.ValueTypeNames.Float2).ConnectToSource(st)
    return shader


def _scaled(shader: Any, scale: tuple[float, ...], bias: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)) -> None:
    """The texture's values times `scale` plus `bias`."""
    shader.CreateInput("scale", Sdf.ValueTypeNames.Float4).Set(Gf.Vec4f(*scale))
    shader.CreateInput("bias", Sdf.ValueTypeNames.Float4).Set(Gf.Vec4f(*bias))


def _connect(surface: Any, name: str, shader: Any, output: str, kind: Any) -> None:
    declared = surface.GetInput(name) or surface.CreateInput(name, kind)
    declared.ConnectToSource(shader.CreateOutput(output, Sdf.ValueTypeNames.Float3 if output == "rgb" else kind))
