"""What can be set: limits of ingestion, curation (cleaning, filters, watertight), and how many field points are drawn."""

from typing import Literal

from pydantic import Field

from versemill.config import Config


class LoadLimits(Config):
    """What a mesh file may ask of this machine, and how its axes are read."""

    up: Literal["auto", "y", "z"] = Field(
        default="auto",
        description="up axis; auto: OBJ is Y up, PLY, STL and OFF are Z up; glTF is always Y up",
    )
    max_bytes: int = Field(default=512 * 2**20, gt=0, description="file size in bytes")
    max_vertices: int = Field(default=5_000_000, gt=0, description="vertices, after instancing")
    max_faces: int = Field(default=5_000_000, gt=0, description="triangles, after instancing")
    max_geometries: int = Field(default=10_000, gt=0, description="meshes in the scene, after instancing")
    max_texture_side: int = Field(default=8192, gt=0, description="pixels on a texture's longer side")
    blender: str = Field(
        default=".venv-blender/bin/python",
        description="interpreter that has bpy, for FBX and USD; `make blender` makes the default",
    )
    blender_seconds: float = Field(default=120.0, gt=0, description="deadline of Blender for one FBX or USD file")


class FilterConfig(Config):
    """Limits of the filters; None switches one off. The defaults turn away only what is hardly usable."""

    own: dict[str, float] = Field(
        default={}, description="filters of other packages (`package.module:NAME`, or an installed name) and their limits"
    )

    min_faces: int | None = Field(default=4, ge=0, description="degenerate: triangles left after cleaning")
    min_thickness: float | None = Field(
        default=1e-4, ge=0, description="degenerate: thinnest principal extent over the longest; turns flat meshes away"
    )
    max_planar_base: float | None = Field(
        default=0.6, gt=0, le=1, description="planar_base: area share of the lowest large plane"
    )
    min_main_object: float | None = Field(
        default=0.25,
        ge=0,
        le=1,
        description="multi_object: silhouette share of the largest connected region, mean of the views",
    )
    min_solidity: float | None = Field(
        default=0.05, ge=0, le=1, description="multi_object: silhouette area over its convex hull's, mean of the views"
    )
    max_single_surface: float | None = Field(
        default=None, gt=0, le=1, description="single_surface: area share seen from both sides; 0.5 suits solids"
    )
    max_thin: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="thin_structure: area share of walls thinner than 0.01; 0.5 suits solids",
    )
    min_detail: float | None = Field(
        default=None, ge=0, description="low_detail: entropy of the seen normals in bits; 2 turns away plain boxes"
    )
    max_transparent: float | None = Field(
        default=0.9, gt=0, le=1, description="transparent: area share of nearly invisible material"
    )
    min_silhouette: float | None = Field(
        default=0.005, ge=0, le=1, description="broken: share of the image that the asset covers, mean of the views"
    )


class CurationConfig(Config):
    """From any mesh to a clean asset with a watertight surface."""

    raw: bool = Field(
        default=False,
        description="take each mesh as it is: nothing is repaired or filtered, and fields are measured to the mesh itself; "
        "only for measuring what curation is worth",
    )
    merge_distance: float = Field(
        default=1e-6, ge=0, lt=0.1, description="vertices of an open mesh closer than this (longest side 2) are one"
    )
    min_part: float = Field(
        default=0.005,
        ge=0,
        lt=1,
        description="loose parts whose bounding-box diagonal is below this (longest side 2) are removed",
    )
    max_parts: int = Field(
        default=20_000, gt=0, description="connected components beyond which a mesh is rejected as too_many_parts"
    )
    close_holes: int = Field(
        default=0, ge=0, le=100_000, description="holes of at most this many edges are closed by pymeshlab; 0: leave it"
    )
    detail: bool = Field(default=False, description="measure surface detail; takes several core-seconds per asset")
    face_budget: int = Field(default=0, ge=0, description="reduce the asset to this many triangles by pymeshlab; 0: leave it")
    reduce: Literal["auto", "bake", "remesh"] = Field(
        default="auto",
        description="how face_budget is met; auto: collapse edges and keep UVs where they run on across most edges, else bake; "
        "bake: collapse edges, write the looks into a new atlas; remesh: even triangles, baked likewise",
    )
    bake_size: int = Field(default=1024, ge=64, le=8192, description="texels on the side of a baked atlas")
    meshlab_seconds: float = Field(default=60.0, gt=0, description="deadline of one pymeshlab job")
    untextured: Literal["keep", "clay"] = Field(default="keep", description="clay: an asset without textures gets neutral clay")
    image_models: tuple[str, ...] = Field(
        default=(), description="TorchScript files of image models (DINOv2, CLIP) whose features join the score"
    )
    score_head: str = Field(
        default="", description="JSON file of `versemill score fit` that scores; empty: the head written by hand"
    )
    orient: Literal["keep", "rest"] = Field(
        default="keep", description="rest: turn the asset onto its most stable axis-aligned pose"
    )
    filters: FilterConfig = Field(default=FilterConfig(), description="limits of the filters")
    resolution: int = Field(default=256, ge=32, le=512, description="grid cells along the longest side for winding and shell")
    shell_half_thickness: float = Field(
        default=0.25, gt=0, le=1, description="half the thickness that an open sheet is given, in voxels"
    )
    simplify: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="simplify an iso-surface within this many voxels; 0 keeps every marching-cubes triangle",
    )
    max_chamfer: float = Field(
        default=1.2, gt=0, description="gate: mean distance, either way, to the visible source, in voxels"
    )
    max_uncovered: float = Field(
        default=0.02, ge=0, le=1, description="gate: share of the visible source farther than 2 voxels from the result"
    )
    max_invented: float = Field(
        default=0.2,
        ge=0,
        le=1,
        description="gate: area share of the result farther than 3 voxels from any source surface (caps)",
    )
    max_blocked: float = Field(
        default=0.05, ge=0, le=1, description="gate: share of the lines of sight to the source that the result is in the way of"
    )
    min_normal_consistency: float = Field(
        default=0.85, ge=0, le=1, description="gate: mean |cosine| between the visible source's normals and the result's"
    )
    device: str = Field(default="cpu", description="device of the distance and winding queries: cpu, cuda:0 or auto")


class FieldsConfig(Config):
    """How many points are drawn on and around the watertight surface."""

    surface_points: int = Field(default=20_480, ge=0, description="uniform surface points with normals")
    sharp_points: int = Field(default=4_096, ge=0, description="points on sharp edges with a normal")
    near_points: int = Field(default=16_384, ge=0, description="points around the surface, shared evenly by the sigmas")
    near_sigmas: tuple[float, ...] = Field(
        default=(0.001, 0.005, 0.05), min_length=1, description="standard deviations of near_points, world units"
    )
    sharp_near_points: int = Field(default=8_192, ge=0, description="points around sharp edges, shared evenly by the sigmas")
    sharp_near_sigmas: tuple[float, ...] = Field(
        default=(0.001, 0.005, 0.007, 0.01), min_length=1, description="standard deviations of sharp_near_points, world units"
    )
    volume_points: int = Field(default=16_384, ge=0, description="uniform points in the box [-1.05, 1.05]^3")
    sharp_angle: float = Field(default=30.0, gt=0, lt=180, description="dihedral angle in degrees from which an edge is sharp")
    voxel_resolution: int = Field(default=64, ge=8, le=256, description="cells per side of the surface grid over [-1, 1]^3")
    agreement_points: int = Field(default=4_096, gt=0, description="depth pixels compared with the watertight surface")
    max_depth_to_surface: float = Field(
        default=1.5,
        gt=0,
        description="mean distance of unprojected depth to the surface, in 2/256, that rejects",
    )
    device: str = Field(default="cpu", description="device of the distance queries: cpu, cuda:0 or auto")
