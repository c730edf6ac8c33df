"""How DetailVerse assets look: the share of their surface that carries ornament, and of their pixels in saturated colours."""

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import Table
from versemill import detailverse, seeds
from versemill.asset import Asset
from versemill.detailverse.build import arrays, tessellate
from versemill.mesh import face_areas
from versemill.queries import MeshQuery
from versemill.render import render
from versemill.render.config import RenderConfig

RAISED = 0.004
"""World units between an ornamented surface and the same asset without its operators: half a pixel of a 512² view."""

SATURATED = 0.45
"""Chroma of a saturated pixel: its largest sRGB channel less its smallest, in [0, 1]."""

POINTS = 4000

BEFORE = {"ornament": 0.338, "saturated": 0.032}
"""What this measure says of the first 93 assets of the version before form came first (15 families, 88 members)."""


def ornament_share(spec: detailverse.Specification, seed: int, index: int) -> float:
    """Share of the surface that operators moved by more than RAISED, from POINTS samples by area."""
    plain = {name: part.model_copy(update={"operators": ()}) for name, part in spec.parts.items()}
    bare = _geometry(spec.model_copy(update={"parts": plain}))
    if not any(part.operators for part in spec.parts.values()):
        return 0.0
    vertices, faces = _geometry(spec)
    rng = seeds.stream(seed, index, "benchmarks/looks")
    areas = face_areas(vertices, faces)
    chosen = rng.choice(len(faces), POINTS, p=areas / areas.sum())
    weights = rng.dirichlet((1, 1, 1), POINTS)
    points = np.einsum("ni,nij->nj", weights, vertices[faces[chosen]])
    away = np.abs(MeshQuery(*bare).closest(points)[0])
    return float((away > RAISED).mean())


def _geometry(spec: detailverse.Specification) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    body, names, _ = tessellate(spec, "fast")
    return arrays(body, list(names.values()))[:2]


def saturated_share(asset: Asset) -> float:
    """Share of an asset's pixels in one lit view whose chroma is at least SATURATED."""
    cameras = {"preset": "ring", "views": 1, "elevation": (20, 20), "azimuth": (-60, 300), "framing": "tight"}
    config = RenderConfig.model_validate({"width": 96, "height": 96, "cameras": cameras, "passes": ("rgb",), "samples": 4})
    image = render(asset, config).passes["rgb"][0].astype(np.float64) / 255
    seen = image[..., :3][image[..., 3] > 0.99]
    return float((np.ptp(seen, axis=1) >= SATURATED).mean())


def looks(count: int, figures: dict[str, float], seed: int = 0) -> Table:
    """Both shares of consecutive assets, in the mean, next to those of the previous version."""
    config = detailverse.DetailverseConfig.model_validate({"detail": "fast", "texture_size": 128})
    ornament, saturated = [], []
    for index in range(count):
        spec = detailverse.sample_spec(config, seed, index)
        ornament.append(ornament_share(spec, seed, index))
        saturated.append(saturated_share(detailverse.build(spec, "fast", 128, seed=seed, index=index)))
    table = Table(f"looks of {count} assets, mean shares", ["what", "before", "now", "change"])
    for name, label, values in (
        ("ornament", "surface that carries ornament", ornament),
        ("saturated", "pixels in saturated colours", saturated),
    ):
        now, before = float(np.mean(values)), BEFORE[name]
        table.rows.append([label, f"{before:.1%}", f"{now:.1%}", f"{now / before - 1:+.0%}" if before else ""])
        figures[f"{name}_share"] = now
    return table
