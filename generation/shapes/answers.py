"""A trained shape-flow's answer to one picture, or to none, as a GLB file."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from versemill import gltf
from versemill.asset import Asset
from versemill.errors import AssetError, ConfigError
from versemill.generation import conditions
from versemill.generation.shapes import outlines
from versemill.generation.shapes.bridge import Bridge
from versemill.generation.shapes.drawing import Drawing, Shown, draw
from versemill.generation.shapes.extraction import Mesh
from versemill.generation.shapes.families import NORLD, SHAPE_FLOW
from versemill.generation.shapes.generator import ShapeGenerator
from versemill.generation.shapes.vae_judging import extracted
from versemill.materials.material import Material
from versemill.training.runs import describe, load, torch_device

RESOLUTIONS = (64, 128, 256, 512)
DRAWS = {family.name: family for family in (SHAPE_FLOW, NORLD)}
"""Families whose networks draw shapes."""


@dataclass(frozen=True)
class Answer:
    """A shape as a GLB file, how many faces it has, and the seconds of its two parts."""

    glb: bytes
    faces: int
    sampled_s: float
    extracted_s: float


def generate(
    run_dir: str | Path,
    image: Path | None,
    seed: int,
    how: Drawing,
    resolution: int,
    device: str,
    normals: Path | None = None,
) -> Answer:
    """Draws one shape; the same arguments give the same one.

    A model that was trained on normal maps sees the one that a run of family normals finds in the picture: `normals`, or the
    run that its preset names.

    Raises:
        ConfigError: no trained model of shapes, no run of family normals where one is needed, or a picture that can't be used.
        AssetError: the shape came out empty.
    """
    target = torch_device(device)
    family = DRAWS.get(describe(run_dir)["family"], SHAPE_FLOW)
    loaded, recipe = load(family, run_dir, target)
    network = cast(ShapeGenerator, loaded)
    started = time.perf_counter()
    pictures = None
    if image is not None:
        picture = conditions.read_picture(image)
        if recipe.condition != "rgb":
            picture = _bridge(run_dir, normals or recipe.estimator, device)(picture)
        pictures = [Shown(conditions.crop(picture, recipe.picture, recipe.fill), outlines.outline(picture[3], recipe.fill))]
    field = next(draw(network, pictures, [seed], how, target))
    sampled = time.perf_counter()
    mesh = extracted(field, resolution, target)
    ended = time.perf_counter()
    asset = clay(mesh)
    return Answer(gltf.to_glb(asset), len(asset.faces), sampled - started, ended - sampled)


def _bridge(run_dir: str | Path, normals: str | Path, device: str) -> Bridge:
    if not str(normals):
        raise ConfigError(
            f"{run_dir} was trained on normal maps: name a trained run of family normals, which finds them in the picture, "
            "with --normals RUN"
        )
    return Bridge(normals, str(torch_device(device)))


def clay(mesh: Mesh) -> Asset:
    """A mesh as an asset of one grey material, its longest side 2.

    Raises:
        AssetError: it is empty.
    """
    vertices, faces = mesh
    if not len(faces):
        raise AssetError("empty", "the shape came out empty: take another seed, or a model that has trained for longer")
    zeros = np.zeros(len(faces), np.int32)
    grey = Material(name="clay", base_color=(0.6, 0.6, 0.6, 1.0), source="clay")
    uvs = np.zeros((len(faces), 3, 2), np.float32)
    return Asset(vertices, faces, uvs, zeros, zeros, (grey,), ("shape",), source="generation").normalized()
