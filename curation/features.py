"""Numbers that describe an asset: what filters compare, what scores are made of, what the report plots."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

from versemill import seeds
from versemill.asset import Asset
from versemill.camera import look_at
from versemill.curation.visibility import escapes
from versemill.materials.material import Material
from versemill.mesh import components, face_areas, face_normals, sample_surface, topology
from versemill.queries import MeshQuery

SAMPLES = 2048
THIN = 0.01
VIEW_SIZE = 96
VIEW_AZIMUTHS = (35.0, 125.0, 215.0, 305.0)
VIEW_ELEVATION = 20.0
VIEW_EXTENT = 2.6
"""Four orthographic normal maps: any asset in [-1, 1]^3 turns within the image but for its outermost corners."""


def features(asset: Asset, device: str = "cpu") -> dict[str, float]:
    """Geometric, material and view features of a normalised asset; all finite floats, the same on every run."""
    vertices, faces = asset.vertices, asset.faces
    query = MeshQuery(vertices, faces, device)
    rng = seeds.stream(asset.seed, asset.index, "curation/features")
    values = {**_geometry(vertices, faces), **_samples(vertices, faces, query, rng, device), **_materials(asset)}
    values.update(view_features(vertices, faces, query))
    return {name: float(value) for name, value in values.items()}


def _geometry(vertices: NDArray[np.float32], faces: NDArray[np.int32]) -> dict[str, float]:
    facts = topology(faces)
    label = components(faces)
    used = len(np.unique(faces))
    area = face_areas(vertices, faces)
    parts = int(label.max()) + 1
    by_part = np.bincount(label, weights=area)
    centred = vertices[np.unique(faces)].astype(np.float64)
    spread = np.linalg.svd(centred - centred.mean(0), full_matrices=False)[2]
    extent = np.ptp(centred @ spread.T, axis=0)
    # Euler characteristic of closed parts: V - E + F = 2 (parts - genus).
    genus = parts - (used - facts.edges + len(faces)) / 2 if facts.watertight else 0.0
    return {
        "faces": len(faces),
        "components": parts,
        "largest_component_area": by_part.max() / max(by_part.sum(), 1e-300),
        "area": area.sum(),
        "closed": facts.watertight,
        "boundary_share": facts.boundary / max(facts.edges, 1),
        "genus": genus,
        "thickness": extent.min() / max(extent.max(), 1e-300),
        "planar_base": _planar_base(vertices, faces, area),
    }


def _planar_base(vertices: NDArray[np.float32], faces: NDArray[np.int32], area: NDArray[np.float64]) -> float:
    """Area share of horizontal faces in the lowest twentieth; 0 for assets that are hardly higher than that."""
    height = vertices.astype(np.float64)[faces].mean(1)[:, 2]
    low, high = float(vertices[:, 2].min()), float(vertices[:, 2].max())
    if high - low < 0.2:
        return 0.0
    flat = np.abs(face_normals(vertices, faces)[:, 2]) > np.cos(np.radians(8))
    return float(area[flat & (height < low + 0.05 * (high - low))].sum() / max(area.sum(), 1e-300))


def _samples(
    vertices: NDArray[np.float32], faces: NDArray[np.int32], query: MeshQuery, rng: np.random.Generator, device: str
) -> dict[str, float]:
    """Shares of the area by sampled points: seen from both sides, thin, hidden; and mirror symmetry."""
    points, chosen, _ = sample_surface(vertices, faces, SAMPLES, rng)
    normals = face_normals(vertices, faces)[chosen]
    front, back = (side.any(1) for side in escapes(vertices, faces, points, normals, 8, device))
    inward = query.ray_cast(points - 1e-5 * normals, -normals, THIN)
    mirrored = []
    for axis in (0, 1):
        image = points.copy()
        image[:, axis] *= -1
        mirrored.append(float(query.closest(image, limit=1.0)[0].mean()))
    return {
        "both_sides": float((front & back).mean()),
        "hidden": float((~front & ~back).mean()),
        "thin": float((inward.faces >= 0).mean()),
        "asymmetry": min(mirrored),
    }


def _materials(asset: Asset) -> dict[str, float]:
    """Texture statistics, weighted by the area that wears each material."""
    area = face_areas(asset.vertices, asset.faces)
    worn = np.bincount(asset.material_ids, weights=area, minlength=len(asset.materials)) / max(area.sum(), 1e-300)
    looks = [_texture(m) for m in asset.materials]
    names = ("textured", "invisible", "brightness", "contrast", "saturation")
    return {name: float(sum(w * look[name] for w, look in zip(worn, looks, strict=True))) for name in names}


def _texture(material: Material) -> dict[str, float]:
    texture = material.base_color_texture
    pixels = (
        np.full((1, 4), 255, np.uint8)
        if texture is None
        else texture[:: max(texture.shape[0] // 64, 1), :: max(texture.shape[1] // 64, 1)]
    )
    color = pixels.reshape(-1, 4) / 255.0 * np.asarray(material.base_color)
    rgb, alpha = color[:, :3], color[:, 3]
    if material.alpha_mode == "mask":
        invisible = float((alpha < material.alpha_cutoff).mean())
    else:
        invisible = float((alpha < 0.1).mean()) if material.alpha_mode == "blend" else 0.0
    high, low = rgb.max(1), rgb.min(1)
    return {
        "textured": float(texture is not None),
        "invisible": invisible,
        "brightness": float(rgb.mean()),
        "contrast": float(rgb.mean(1).std()),
        "saturation": float(((high - low) / np.maximum(high, 1e-6)).mean()),
    }


def normal_maps(
    vertices: NDArray[np.float32], faces: NDArray[np.int32], query: MeshQuery, size: int = VIEW_SIZE
) -> NDArray[np.float32]:
    """(4, size, size, 3) float32 normals of four orthographic views: x right, y up, z towards the viewer; 0 is background."""
    step = VIEW_EXTENT / size
    offsets = (np.arange(size) + 0.5) * step - VIEW_EXTENT / 2
    x, y = np.meshgrid(offsets, offsets)
    normals = face_normals(vertices, faces)
    maps = np.zeros((len(VIEW_AZIMUTHS), size, size, 3), np.float32)
    for i, azimuth in enumerate(np.radians(VIEW_AZIMUTHS)):
        elevation = np.radians(VIEW_ELEVATION)
        toward = np.array([np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)])
        rotation = look_at(4 * toward)[:3, :3]
        start = 4 * toward + x[..., None] * rotation[:, 0] + y[..., None] * rotation[:, 1]
        hits = query.ray_cast(start.reshape(-1, 3), np.broadcast_to(-toward, (size * size, 3)), 10.0)
        seen = hits.faces >= 0
        local = normals[hits.faces[seen]] @ rotation * [1, -1, -1]
        maps[i].reshape(-1, 3)[seen] = np.where(local[:, 2:] < 0, -local, local)
    return maps


def view_features(vertices: NDArray[np.float32], faces: NDArray[np.int32], query: MeshQuery) -> dict[str, float]:
    """Means over four normal maps: silhouette share, share of its largest region, solidity, entropy of the normals in bits."""
    rows = []
    for image in normal_maps(vertices, faces, query):
        mask = (image != 0).any(-1)
        region, count = ndimage.label(mask, structure=np.ones((3, 3)))
        total = int(mask.sum())
        largest = int(np.bincount(region.reshape(-1))[1:].max()) if count else 0
        bins = ((image[mask][:, :2] + 1) * 3.999).astype(np.int64)
        share = np.bincount(bins[:, 0] * 8 + bins[:, 1], minlength=64) / max(total, 1)
        share = share[share > 0]
        rows.append((total / mask.size, largest / max(total, 1), _solidity(mask), float(-(share * np.log2(share)).sum())))
    means = np.mean(rows, axis=0)
    names = ("silhouette", "main_object", "solidity", "view_entropy")
    return {name: float(value) for name, value in zip(names, means, strict=True)}


def _solidity(mask: NDArray[np.bool_]) -> float:
    """Area of a mask over that of its convex hull; 1 where there is no hull to speak of."""
    y, x = np.nonzero(mask)
    if len(x) < 3:
        return 1.0
    corners = np.concatenate([np.stack([x + dx, y + dy], 1) for dx in (0, 1) for dy in (0, 1)])
    try:
        return float(len(x) / ConvexHull(corners).volume)
    except QhullError:
        return 1.0


def feature_vector(features_by_name: dict[str, Any], names: list[str]) -> NDArray[np.float64]:
    """(len(names),) values in the given order; counts enter as logarithms."""
    values = [float(features_by_name[name]) for name in names]
    logs = ("faces", "components", "area")
    return np.array([np.log1p(max(v, 0.0)) if n in logs else v for n, v in zip(names, values, strict=True)])
