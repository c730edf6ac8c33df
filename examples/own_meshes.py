"""A training corpus from a folder of your own meshes: cleaned, rendered, sampled and sealed into shards."""

import sys
from pathlib import Path

import trimesh

from versemill.mill.pipeline import config
from versemill.mill.report import status
from versemill.mill.run import driver

out = Path(sys.argv[1] if len(sys.argv) > 1 else "out/examples")
meshes = out / "meshes"
meshes.mkdir(parents=True, exist_ok=True)

# Stand-ins for your own files: GLB, glTF, OBJ, PLY, STL, OFF, and FBX or USD with Blender.
trimesh.creation.torus(1.0, 0.4).export(meshes / "torus.glb")
trimesh.creation.capsule(1.0, 0.5).export(meshes / "capsule.obj")
trimesh.creation.box((1, 2, 3)).export(meshes / "box.ply")
(meshes / "broken.ply").write_text("not a mesh")

# The pipeline `files` of pipelines.yaml with a few values changed, as `versemill run files --set ...` does.
pipeline = config.load(
    "files",
    overrides=[
        f"sources.files.path={meshes}",
        "curate.resolution=64",
        "render.width=64",
        "render.height=64",
        "render.cameras.views=8",
    ],
)
summary = driver.run(pipeline, out / "own", progress=False)
print(f"{summary.rows} rows, {summary.rejected} rejected, in {summary.sealed} shard")

# What could not be used is not an error: the ledger has the reason.
for reason, count in status.status(out / "own")["rejections"].items():
    print(f"rejected: {count} x {reason}")
