"""The program that alone loads pymeshlab (GPL) and xatlas: one job in by stdin, arrays out by stdout, both NumPy archives.

Run by `curation.meshlab` as a process of its own, because MeshLab's filters may hang or crash. It imports nothing else of
this project. The archive on stdin holds `job` (JSON text: {"name": ..., options}), `vertices`, `faces` and for decimation
optionally `uvs` (F, 3, 2); the answer holds `vertices`, `faces`, `uvs` and `origin`, the input face that each output face
descends from. With `atlas` in the job, a number of texels, `uvs` are those of a new atlas of that size. Exit codes: 0 done,
3 a library is missing, 4 the filter refused (reason on stderr).
"""

import base64
import io
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="


def decimate(ml: Any, meshes: Any, job: dict[str, Any]) -> None:
    """Quadric edge collapse to `target` faces; with UVs the kind that keeps them."""
    if job["textured"]:
        # Seams are kept where they are: the texture filter weighs UVs into the quadric.
        meshes.meshing_decimation_quadric_edge_collapse_with_texture(targetfacenum=job["target"], preservenormal=True)
    else:
        meshes.meshing_decimation_quadric_edge_collapse(
            targetfacenum=job["target"], preservetopology=True, preservenormal=True, planarquadric=True
        )


def close_holes(ml: Any, meshes: Any, job: dict[str, Any]) -> None:
    """Closes boundary loops of at most `edges` edges."""
    meshes.meshing_repair_non_manifold_edges(method="Remove Faces")
    meshes.meshing_close_holes(maxholesize=job["edges"], selfintersection=False)


def remesh(ml: Any, meshes: Any, job: dict[str, Any]) -> None:
    """Isotropic remeshing to edges of `length`, creases above `crease` degrees kept; more than `target` faces are collapsed."""
    meshes.meshing_isotropic_explicit_remeshing(iterations=5, targetlen=ml.PureValue(job["length"]), featuredeg=job["crease"])
    if meshes.current_mesh().face_number() > job.get("target", np.inf):
        decimate(ml, meshes, {**job, "textured": False})


def alpha_wrap(ml: Any, meshes: Any, job: dict[str, Any]) -> None:
    """CGAL's alpha wrap, for comparison; `alpha` and `offset` in percent of the box diagonal."""
    meshes.generate_alpha_wrap(alpha=ml.PercentageValue(job["alpha"]), offset=ml.PercentageValue(job["offset"]))


JOBS = {"decimate": decimate, "close_holes": close_holes, "remesh": remesh, "alpha_wrap": alpha_wrap}


def write_textured(folder: Path, vertices: Any, faces: Any, uvs: Any) -> str:
    """An OBJ with one dummy texture: only from a file does MeshLab take wedge UVs that its texture filters accept."""
    (folder / "a.mtl").write_text("newmtl a\nmap_Kd a.png\n")
    # The smallest PNG there is: one grey pixel.
    (folder / "a.png").write_bytes(base64.b64decode(PIXEL))
    rows = [f"v {x!r} {y!r} {z!r}" for x, y, z in vertices.astype(np.float64).tolist()]
    rows += [f"vt {u!r} {v!r}" for u, v in uvs.reshape(-1, 2).astype(np.float64).tolist()]
    corner = np.stack([faces + 1, np.arange(faces.size).reshape(-1, 3) + 1], -1).reshape(len(faces), 6)
    rows += ["mtllib a.mtl", "usemtl a"] + ["f {}/{} {}/{} {}/{}".format(*row) for row in corner.tolist()]
    file = folder / "a.obj"
    file.write_text("\n".join(rows) + "\n")
    return str(file)


def work(job: dict[str, Any], vertices: Any, faces: Any, uvs: Any) -> dict[str, Any]:
    """Runs one job in a fresh MeshSet."""
    import pymeshlab as ml

    meshes = ml.MeshSet(verbose=False)
    if uvs is None:
        meshes.add_mesh(
            ml.Mesh(vertices.astype(np.float64), faces.astype(np.int32), f_scalar_array=np.arange(len(faces), dtype=np.float64))
        )
    else:
        with tempfile.TemporaryDirectory() as folder:
            meshes.load_new_mesh(write_textured(Path(folder), vertices, faces, uvs))
        meshes.compute_scalar_by_function_per_face(q="fi")
    JOBS[job["name"]](ml, meshes, {**job, "textured": uvs is not None})
    result = meshes.current_mesh()
    out = {"vertices": result.vertex_matrix(), "faces": result.face_matrix()}
    if result.has_face_scalar():
        out["origin"] = np.rint(result.face_scalar_array()).astype(np.int64)
    if job.get("atlas"):
        out["uvs"] = atlas(out["vertices"], out["faces"], job["atlas"])
    elif uvs is not None:
        out["uvs"] = result.wedge_tex_coord_matrix().reshape(-1, 3, 2)
    return out


def atlas(vertices: Any, faces: Any, size: int) -> Any:
    """(F, 3, 2) UVs of charts that do not overlap, with room around them for filtering."""
    import xatlas

    made, packing = xatlas.Atlas(), xatlas.PackOptions()
    packing.resolution, packing.padding, packing.bilinear = size, 2, True
    made.add_mesh(vertices.astype(np.float32), faces.astype(np.uint32))
    made.generate(pack_options=packing)
    if made.atlas_count != 1:
        raise ValueError(f"the charts need {made.atlas_count} atlases of {size} texels; raise bake_size or lower face_budget")
    origin, corners, uvs = made[0]
    if not np.array_equal(origin[corners], faces):
        raise ValueError("the atlas has other faces than the mesh")
    return uvs[corners]


def main() -> int:
    """Answers one job and exits."""
    # MeshLab prints; what goes to stdout must be the answer alone.
    answer = os.dup(1)
    os.dup2(2, 1)
    request = np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False)
    job = json.loads(str(request["job"]))
    try:
        import pymeshlab  # noqa: F401

        if job.get("atlas"):
            import xatlas  # noqa: F401
    except ImportError as error:
        sys.stderr.write(f"a library can't be imported: {error}\n")
        return 3
    try:
        out = work(job, request["vertices"], request["faces"], request.get("uvs"))
    except Exception as error:  # noqa: BLE001 - whatever MeshLab raises goes back as its reason
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 4
    packed = io.BytesIO()
    np.savez(packed, **out)
    with os.fdopen(answer, "wb") as stream:
        stream.write(packed.getvalue())
    return 0


if __name__ == "__main__":
    sys.exit(main())
