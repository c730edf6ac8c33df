"""Source `damaged`: procedural assets with the faults that meshes of the web have, to measure what curation is worth.

TripoSG (section 4) names what it finds in 2M meshes of the web and what it does about each: flat and junk scenes, ground
plates and several objects in one file are filtered out, tilted objects are turned, open and inconsistent surfaces are made
watertight. Here such faults are done on purpose, so that the sound mesh stays known:

    sources: {damaged: {source: "versemill.mill.proof.damage:DAMAGED", of: zeroverse}}
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from versemill import seeds
from versemill.asset import Asset
from versemill.config import Config
from versemill.detailverse.config import DetailverseConfig
from versemill.mesh import components
from versemill.mill.pipeline import sources
from versemill.mill.pipeline.sources import Source
from versemill.zeroverse.config import ZeroverseConfig

Rng = np.random.Generator


class DamagedConfig(Config):
    """What is damaged, how much of it, and by which faults."""

    of: Literal["zeroverse", "detailverse"] = Field(default="zeroverse", description="the generator whose assets are damaged")
    rate: float = Field(default=0.6, description="share of assets with a fault", ge=0, le=1)
    most: int = Field(default=2, description="faults of a damaged asset: one to so many", ge=1, le=8)
    zeroverse: ZeroverseConfig = Field(default=ZeroverseConfig(), description="settings of that generator")
    detailverse: DetailverseConfig = Field(default=DetailverseConfig(), description="settings of that generator")


def damaged(config: DamagedConfig, seed: int, index: int, _: str | None) -> Asset:
    """The asset of the generator, with the faults drawn for this index; `provenance["faults"]` names them."""
    source = sources.SOURCES.find(config.of)
    asset = source.generate(getattr(config, config.of), seed, index, None)
    rng = seeds.stream(seed, index, "mill/damage")
    chosen = drawn(config, rng)
    for name in chosen:
        asset = FAULTS[name](asset, rng)
    provenance = {**asset.provenance, "faults": chosen}
    return dataclasses.replace(asset.normalized(), source="damaged", normals=None, provenance=provenance)


def drawn(config: DamagedConfig, rng: Rng) -> list[str]:
    """Names of the faults of one asset, sorted."""
    if rng.random() >= config.rate:
        return []
    return sorted(rng.choice(sorted(FAULTS), rng.integers(1, config.most + 1), replace=False).tolist())


def holes(asset: Asset, rng: Rng) -> Asset:
    """Faces in three balls are gone."""
    middles = asset.vertices[asset.faces].mean(1)
    balls = middles[rng.integers(0, len(middles), 3)]
    radii = rng.uniform(0.1, 0.3, 3)
    away = (np.linalg.norm(middles[:, None] - balls, axis=-1) > radii).all(1)
    return kept(asset, away if away.any() else np.ones(len(middles), bool))


def bottomless(asset: Asset, rng: Rng) -> Asset:
    """The lowest twentieth is cut off and left open, as where a modeller deletes what stands on the ground."""
    middles = asset.vertices[asset.faces].mean(1)[:, 2]
    low, high = asset.vertices[:, 2].min(), asset.vertices[:, 2].max()
    return kept(asset, (middles > low + 0.05 * (high - low)) | (middles >= middles.max()))


def flipped(asset: Asset, rng: Rng) -> Asset:
    """Half of the parts, or a third of the faces where there is one part, are wound the wrong way."""
    label = components(asset.faces)
    count = int(label.max()) + 1
    wrong = rng.random(count)[label] < 0.5 if count > 1 else rng.random(len(label)) < 1 / 3
    faces = np.where(wrong[:, None], asset.faces[:, ::-1], asset.faces)
    uvs = np.where(wrong[:, None, None], asset.uvs[:, ::-1], asset.uvs)
    return dataclasses.replace(asset, faces=faces, uvs=uvs)


def plate(asset: Asset, rng: Rng) -> Asset:
    """It stands on a wide ground plate."""
    bottom = float(asset.vertices[:, 2].min())
    half = rng.uniform(1.2, 2.0)
    corners = np.array([[-half, -half, bottom], [half, -half, bottom], [half, half, bottom], [-half, half, bottom]])
    return joined(asset, corners, np.array([[0, 1, 2], [0, 2, 3]]))


def twins(asset: Asset, rng: Rng) -> Asset:
    """It stands beside a copy of itself."""
    width = float(np.ptp(asset.vertices[:, 0])) * rng.uniform(1.1, 1.6)
    return joined(asset, asset.vertices + np.array([width, 0, 0]), asset.faces)


def debris(asset: Asset, rng: Rng) -> Asset:
    """Stray triangles float around it."""
    count = int(rng.integers(5, 30))
    corners = rng.uniform(-1.5, 1.5, (count, 1, 3)) + 0.02 * rng.standard_normal((count, 3, 3))
    return joined(asset, corners.reshape(-1, 3), np.arange(3 * count).reshape(-1, 3))


def flat(asset: Asset, rng: Rng) -> Asset:
    """It is pressed flat, as pictures on cards are."""
    return dataclasses.replace(asset, vertices=(asset.vertices * [1, 1e-5, 1]).astype(np.float32))


def unwelded(asset: Asset, rng: Rng) -> Asset:
    """No two faces share a vertex, and corners are apart by rounding."""
    corners = asset.vertices[asset.faces].reshape(-1, 3)
    corners = (corners + 1e-5 * rng.standard_normal(corners.shape)).astype(np.float32)
    return dataclasses.replace(asset, vertices=corners, faces=np.arange(len(corners), dtype=np.int32).reshape(-1, 3))


FAULTS: dict[str, Callable[[Asset, Rng], Asset]] = {
    fault.__name__: fault for fault in (holes, bottomless, flipped, plate, twins, debris, flat, unwelded)
}
"""What is done to meshes, by name."""


def kept(asset: Asset, keep: NDArray[np.bool_]) -> Asset:
    """The faces (F,) bool of an asset."""
    return dataclasses.replace(
        asset,
        faces=asset.faces[keep],
        uvs=asset.uvs[keep],
        material_ids=asset.material_ids[keep],
        part_ids=asset.part_ids[keep],
    )


def joined(asset: Asset, vertices: NDArray[Any], faces: NDArray[Any]) -> Asset:
    """An asset with more triangles, of its first material and part."""
    count = len(faces)
    return dataclasses.replace(
        asset,
        vertices=np.concatenate([asset.vertices, vertices]).astype(np.float32),
        faces=np.concatenate([asset.faces, faces + len(asset.vertices)]).astype(np.int32),
        uvs=np.concatenate([asset.uvs, np.zeros((count, *asset.uvs.shape[1:]), np.float32)]),
        material_ids=np.concatenate([asset.material_ids, np.zeros(count, np.int32)]),
        part_ids=np.concatenate([asset.part_ids, np.zeros(count, np.int32)]),
    )


DAMAGED = Source(DamagedConfig, damaged, description="procedural assets with the faults of meshes on the web")
