"""The ground's figures: procedural textures, GLB out and in (trimesh is the peer), the detail measure."""

import io
import statistics
from typing import Any

import numpy as np
import trimesh

from benchmarks.common import Benchmark, Table, measure
from versemill import detail
from versemill.asset import Asset
from versemill.gltf import from_glb, to_glb
from versemill.materials import procedural


def run(quick: bool) -> Benchmark:
    """Measures CPU seconds; `quick` takes fewer and smaller samples."""
    figures: dict[str, float] = {}
    tables = [_textures(quick, figures), _glb(quick, figures), _detail(quick, figures)]
    return Benchmark(tables, figures, peer=f"trimesh {trimesh.__version__} for GLB; none for textures and detail")


def _textures(quick: bool, figures: dict[str, float]) -> Table:
    """Milliseconds of CPU per material at 512 x 512, median of a few draws per family."""
    cost: dict[str, float] = {}
    for family in procedural.FAMILIES:
        rng, seconds = np.random.Generator(np.random.Philox(0)), []
        for _ in range(1 if quick else 5):
            recipe = procedural.draw(rng, [family])
            with measure() as span:
                procedural.build(recipe, 512)
            seconds.append(span.cpu)
        cost[family] = 1000 * statistics.median(seconds)
    slowest = max(cost, key=lambda name: cost[name])
    figures |= {"texture_ms_median": statistics.median(cost.values()), "texture_ms_max": cost[slowest]}
    rows = [[f"median of {len(cost)} families", figures["texture_ms_median"]], [f"slowest: {slowest}", cost[slowest]]]
    return Table("material of three 512 x 512 textures, CPU ms", ["family", "ms"], rows)


def _glb(quick: bool, figures: dict[str, float]) -> Table:
    """A large textured asset, written and read."""
    shape = trimesh.creation.icosphere(subdivisions=5 if quick else 7)
    vertices, faces = np.asarray(shape.vertices, np.float32), np.asarray(shape.faces, np.int32)
    uvs = vertices[faces][..., :2].copy()
    zeros = np.zeros(len(faces), np.int32)
    material = procedural.build(procedural.draw(np.random.Generator(np.random.Philox(0)), ["brick"]), 512)
    asset = Asset(vertices, faces, uvs, zeros, zeros, (material,), ("ball",))
    with measure() as write:
        data = to_glb(asset)
    with measure() as read:
        from_glb(data)
    reader: Any = trimesh
    peer = reader.load(io.BytesIO(data), file_type="glb", process=False)
    with measure() as peer_write:
        peer.export(file_type="glb", include_normals=True)
    with measure() as peer_read:
        reader.load(io.BytesIO(data), file_type="glb", process=False).to_geometry()
    figures |= {"glb_write_s": write.cpu, "glb_read_s": read.cpu}
    figures |= {"glb_write_ratio": write.cpu / peer_write.cpu, "glb_read_ratio": read.cpu / peer_read.cpu}
    rows = [
        ["write (ours also splits vertices and smooths normals)", write.cpu, peer_write.cpu, figures["glb_write_ratio"]],
        ["read (ours also restores shared vertices)", read.cpu, peer_read.cpu, figures["glb_read_ratio"]],
    ]
    return Table(f"GLB of {len(faces)} faces, {len(data) / 1e6:.1f} MB, CPU s", ["step", "versemill", "trimesh", "ratio"], rows)


def _detail(quick: bool, figures: dict[str, float]) -> Table:
    """The measure on shapes whose answer is known."""
    box = trimesh.creation.box()
    split = box
    for _ in range(4 if quick else 6):
        split = split.subdivide()
    ball = trimesh.creation.icosphere(subdivisions=4 if quick else 6)
    table = Table("detail measure", ["shape", "faces", "creases", "energy", "entropy", "sharp edges", "CPU s"])
    for name, shape in (("cube", box), ("cube, subdivided", split), ("sphere", ball)):
        with measure() as span:
            measured = detail.measure(np.asarray(shape.vertices), np.asarray(shape.faces))
        values = [measured.crease_length, measured.curvature_energy, measured.normal_entropy, measured.sharp_edges, span.cpu]
        table.rows.append([name, len(shape.faces), *values])
        figures[f"detail_{name.replace(', ', '_')}_s"] = span.cpu
    return table
