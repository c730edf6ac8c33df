"""From a row's cells to training tensors: which columns a selection needs, and how a sample is decoded."""

import dataclasses
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Literal, TypedDict, Unpack

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from versemill import seeds
from versemill.camera import OPENGL
from versemill.config import nearest
from versemill.errors import ConfigError
from versemill.fields import FIELD_ARRAYS
from versemill.shards import backgrounds
from versemill.shards.backgrounds import Background
from versemill.shards.codecs import decode_array, decode_colour, dequantise
from versemill.shards.lending import Sample
from versemill.shards.rows import check_columns, decode_pass, decode_table
from versemill.views import PASSES, passes_of


class Reading(TypedDict, total=False):
    """The fields of `Selection` as keywords of a reader."""

    passes: Sequence[str]
    views: int | Sequence[int] | None
    fields: Sequence[str]
    points: int | None
    mesh: bool
    normal_frame: Literal["world", "camera"]
    pose: Literal["opencv", "opengl"]
    resolution: int | None
    crop: int | None
    background: tuple[float, float, float] | Background | None
    covisibility: bool


@dataclass(frozen=True)
class Selection:
    """What is read of each row, and how it is decoded.

    Attributes:
        passes: passes to read; () for none (and no cameras).
        views: a number (drawn per sample without replacement), the positions of views, or None for all.
        fields: arrays of `versemill.fields.FIELD_ARRAYS` to read.
        points: draw so many points of each field (points and their distances alike); None for all.
        mesh: also read the watertight mesh.
        normal_frame: "world", or "camera" in the axes of `pose`.
        pose: axes of `c2w`: "opencv" (y down, z forward) or "opengl" (y up, looking down -z).
        resolution: average images down to this size; colours are averaged premultiplied in sRGB, normals and
            depth over their foreground; a pixel is foreground when half of it is covered. K follows.
        crop: cut a random square of so many pixels (before `resolution`); K follows.
        background: lay colours over this: an sRGB colour in [0, 1], mixed as codes, as viewers and most loaders do; or a
            `shards.backgrounds.Background`, drawn per asset, epoch and view, mixed as light, as the renderer would.
        covisibility: also return the matrix of how much the views see of each other.

    Raises:
        ConfigError: an unknown pass or field, a combination that is not possible, or backgrounds that can't be read.
    """

    passes: tuple[str, ...] = ("rgb", "normal", "depth", "mask")
    views: int | tuple[int, ...] | None = None
    fields: tuple[str, ...] = ()
    points: int | None = None
    mesh: bool = False
    normal_frame: Literal["world", "camera"] = "world"
    pose: Literal["opencv", "opengl"] = "opencv"
    resolution: int | None = None
    crop: int | None = None
    background: tuple[float, float, float] | Background | None = None
    covisibility: bool = False

    def __post_init__(self) -> None:
        for name in ("passes", "fields", "views"):
            if isinstance(values := getattr(self, name), Sequence):
                object.__setattr__(self, name, tuple(values))
        check_columns([f"views.{name}" for name in self.passes] + [f"fields.{name}" for name in self.fields])
        for name in self.passes:
            if name not in PASSES:
                raise ConfigError(f"unknown pass '{name}'; known: {', '.join(PASSES)}")
        for name in self.fields:
            if name not in FIELD_ARRAYS:
                raise ConfigError(f"unknown field '{name}'; known: {', '.join(FIELD_ARRAYS)}")
        if self.normal_frame not in ("world", "camera") or self.pose not in ("opencv", "opengl"):
            raise ConfigError(f"normals are in 'world' or 'camera', poses 'opencv' or 'opengl', "
                              f"not '{self.normal_frame}' and '{self.pose}'")  # fmt: skip
        if self.resolution is not None and (ids := set(passes_of("id")) & set(self.passes)):
            raise ConfigError(f"ids can't be averaged: read {', '.join(sorted(ids))} at full resolution")
        if isinstance(self.background, Background):
            backgrounds.check(self.background)

    def columns(self) -> list[str]:
        """The leaves to read."""
        names = ["meta.id", "meta.seed", "meta.index", "meta.caption"]
        if self.passes:
            names += [
                "views.width",
                "views.height",
                "views.count",
                "views.c2w",
                "views.K",
                "views.orthographic",
                "views.lighting",
            ]
            names += ["views.covisibility"] if self.covisibility else []
            needed = dict.fromkeys((*self.passes, *(("mask",) if self._needs_mask() else ())))
            for name in needed:
                names += [f"views.{name}"] + ([f"views.{name}_range"] if PASSES[name].quantised else [])
        names += [f"fields.{name}" for name in self.fields]
        return names + (["mesh.watertight_vertices", "mesh.watertight_faces"] if self.mesh else [])

    def _needs_mask(self) -> bool:
        return self.resolution is not None and any(name != "rgb" for name in self.passes)

    def decode(self, row: dict[str, Any], epoch: int = 0, seed: int = 0) -> Sample:
        """The sample of one row (nested dictionaries with `columns()`); draws depend on (seed, row, epoch) only."""
        meta = row["meta"]
        rng = seeds.stream(seed, meta["index"], f"shards/sample/{meta['seed']}/{epoch}")
        sample = Sample(id=meta["id"], index=meta["index"], caption=meta["caption"])
        if self.passes:
            self._decode_views(sample, row["views"], rng, partial(self._behind, meta, epoch, seed))
        for name, array in self._decode_fields(row.get("fields") or {}, rng).items():
            sample[name] = torch.from_numpy(array)
        if self.mesh:
            for name in ("watertight_vertices", "watertight_faces"):
                sample[name] = torch.from_numpy(decode_table(row["mesh"][name]))
        return sample

    def _pick(self, count: int, rng: np.random.Generator) -> list[int]:
        if self.views is None:
            return list(range(count))
        if isinstance(self.views, int):
            if self.views > count:
                raise ConfigError(f"{self.views} views asked for, but the row has {count}; ask for {count} at most")
            return [int(i) for i in rng.choice(count, self.views, replace=False)]
        if max(self.views) >= count:
            raise ConfigError(f"view {max(self.views)} asked for, but the row has 0..{count - 1}")
        return list(self.views)

    def _behind(
        self, meta: dict[str, Any], epoch: int, seed: int, views: Sequence[int], c2w: NDArray[np.float64],
        K: NDArray[np.float64], parallel: Sequence[bool], height: int, width: int,
    ) -> tuple[float, float, float] | torch.Tensor | None:  # fmt: skip
        """What is laid behind some views; pictures (V, 3, H, W) come from streams of their own and move no other draw."""
        if not isinstance(self.background, Background):
            return self.background
        purpose = f"shards/background/{meta['seed']}/{epoch}"
        shared, *own = (seeds.stream(seed, meta["index"], name) for name in (purpose, *(f"{purpose}/{v}" for v in views)))
        ways = [
            None if flat else backgrounds.directions_of(pose, matrix, height, width)
            for pose, matrix, flat in zip(c2w, K, parallel, strict=True)
        ]
        return torch.from_numpy(backgrounds.draw(self.background, shared, own, height, width, ways))

    def _decode_views(
        self, sample: Sample, views: dict[str, Any], rng: np.random.Generator, behind: Callable[..., Any]
    ) -> None:
        picked = self._pick(views["count"], rng)
        c2w = np.array([views["c2w"][i] for i in picked]).reshape(-1, 4, 4)
        K = np.array([views["K"][i] for i in picked]).reshape(-1, 3, 3)
        images: dict[str, torch.Tensor] = {}
        names = dict.fromkeys((*self.passes, *(("mask",) if self._needs_mask() else ())))
        area = len(picked) * views["height"] * views["width"]
        floats = sample.floats(area * sum(PASSES[name].channels or 1 for name in names if _is_float(name)))
        for name in names:
            if views[name] is None:
                raise ConfigError(f"the row has no pass '{name}'; render it, or leave it out of `passes`")
            ranges = [views[f"{name}_range"][i] for i in picked] if PASSES[name].quantised else None
            shape = (len(picked), PASSES[name].channels or 1, views["height"], views["width"])
            images[name], floats = _decoded(name, [views[name][i] for i in picked], ranges, shape, floats)
        if self.normal_frame == "camera":
            frame = c2w @ OPENGL if self.pose == "opengl" else c2w
            rotation = torch.from_numpy(np.ascontiguousarray(frame[:, :3, :3].transpose(0, 2, 1))).float()
            for name in set(passes_of("direction")) & set(images):
                images[name] = torch.einsum("vij,vjhw->vihw", rotation, images[name])
        if self.crop is not None:
            images, K = _crop(images, K, self.crop, rng)
        height, width = next(iter(images.values())).shape[-2:]
        if self.resolution is not None:
            K = K * np.array([[self.resolution / width], [self.resolution / height], [1.0]])
            height = width = self.resolution
        parallel = [views["orthographic"][i] for i in picked]
        if "rgb" in images:
            images |= _colours(images["rgb"], self.resolution, behind(picked, c2w, K, parallel, height, width))
        images = _finished(images, self.resolution)
        sample.update({name: image for name, image in images.items() if name in (*self.passes, "alpha")})
        sample["c2w"] = torch.from_numpy(c2w @ OPENGL if self.pose == "opengl" else c2w).float()
        sample["K"] = torch.from_numpy(K).float()
        sample["orthographic"] = torch.tensor(parallel)
        lighting = views["lighting"] or [0] * views["count"]  # version 1 of the schema knew one lighting only
        sample["lighting"] = torch.tensor([lighting[i] for i in picked])
        sample["views"] = torch.tensor(picked)
        if self.covisibility:
            if views["covisibility"] is None:
                raise ConfigError(
                    "the row has no co-visibility: no depth was rendered, or it is of schema version 1 (migrate_shard)"
                )
            sample["covisibility"] = torch.tensor(views["covisibility"])[picked][:, picked]

    def _decode_fields(self, fields: dict[str, Any], rng: np.random.Generator) -> dict[str, NDArray[Any]]:
        arrays: dict[str, NDArray[Any]] = {}
        drawn: dict[str, NDArray[np.int64]] = {}
        for name in self.fields:
            if fields.get(name) is None:
                raise ConfigError(f"the row has no field '{name}'; sample it, or leave it out of `fields`")
            array = decode_table(fields[name])
            if self.points is not None and name != "voxels":
                family = name.removesuffix("_points").removesuffix("_sdf")
                if family not in drawn:
                    drawn[family] = rng.integers(0, len(array), self.points) if len(array) else np.zeros(0, np.int64)
                array = array[drawn[family]]
            arrays[name] = array
        return arrays


def select(selection: Selection | None = None, **reading: Unpack[Reading]) -> Selection:
    """The selection that a reader's arguments describe: `selection`, or the default, with the fields of `reading` changed.

    Raises:
        ConfigError: a keyword that is not a field of `Selection`, or a selection that is not possible.
    """
    known = [field.name for field in dataclasses.fields(Selection)]
    if unknown := [name for name in reading if name not in known]:
        raise ConfigError(f"unknown argument '{unknown[0]}'{nearest(unknown[0], known)}")
    return dataclasses.replace(selection or Selection(), **reading)  # type: ignore[arg-type]


class _Scratch(threading.local):
    """Memory that is used again from cell to cell: getting it from the system anew costs more than decoding into it."""

    def __init__(self) -> None:
        self.arrays: dict[tuple[int, ...], NDArray[np.uint16]] = {}

    def array(self, shape: tuple[int, ...]) -> NDArray[np.uint16]:
        if shape not in self.arrays:
            self.arrays = {known: array for known, array in self.arrays.items() if known[-2:] == shape[-2:]}
            self.arrays[shape] = np.empty(shape, np.uint16)
        return self.arrays[shape]


_SCRATCH = _Scratch()


def _is_float(name: str) -> bool:
    """Whether a pass is decoded to float32: colours and what is stored as codes."""
    return PASSES[name].quantised or PASSES[name].kind == "colour"


def _decoded(
    name: str,
    cells: Sequence[Any],
    ranges: Sequence[Sequence[float]] | None,
    shape: tuple[int, ...],
    floats: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The cells of some views of a pass as (V, C, H, W): colours as float32 in [0, 1], the rest in its pass's dtype.

    What becomes float32 is decoded view by view into `floats`, whose rest is returned next to it: no view leaves the
    processor's cache on the way.
    """
    if not _is_float(name):
        return torch.from_numpy(decode_pass(name, cells)).reshape(shape), floats
    size = math.prod(shape)
    images = floats[:size].view(shape)
    for k, cell in enumerate(cells):
        if ranges is None:
            planes = decode_colour(cell)
            images[k, len(planes) :] = 255  # a file drops an alpha channel that is opaque everywhere
            images[k, : len(planes)].copy_(torch.from_numpy(np.require(planes, requirements="W")))
        else:
            codes = decode_array(cell, _SCRATCH.array(shape[1:] if PASSES[name].channels else shape[2:]))
            low, high = ranges[k]
            dequantise(codes.reshape(shape[1:]), low, high, out=images[k].numpy())
    return (images if ranges else images.div_(255)), floats[size:]


def _crop(
    images: dict[str, torch.Tensor], K: NDArray[np.float64], size: int, rng: np.random.Generator
) -> tuple[dict[str, torch.Tensor], NDArray[np.float64]]:
    height, width = next(iter(images.values())).shape[-2:]
    if size > min(height, width):
        raise ConfigError(f"a crop of {size} pixels does not fit in {width} x {height}")
    tops = rng.integers(0, height - size + 1, len(K))
    lefts = rng.integers(0, width - size + 1, len(K))
    boxes = list(zip(tops.tolist(), lefts.tolist(), strict=True))
    K = K.copy()
    K[:, 0, 2] -= lefts
    K[:, 1, 2] -= tops
    return {
        name: torch.stack([v[:, top : top + size, left : left + size] for v, (top, left) in zip(image, boxes, strict=True)])
        for name, image in images.items()
    }, K


@lru_cache(maxsize=16)
def _overlap(source: int, target: int) -> torch.Tensor:
    """(target, source) share of each target pixel that each source pixel covers; rows sum to 1."""
    edges = torch.arange(target + 1, dtype=torch.float64) * (source / target)
    pixel = torch.arange(source, dtype=torch.float64)
    cover = torch.minimum(edges[1:, None], pixel + 1) - torch.maximum(edges[:-1, None], pixel)
    return (cover.clamp(min=0) * (target / source)).float()


def _area(image: torch.Tensor, resolution: int) -> torch.Tensor:
    """(V, C, H, W) averaged over the exact areas of resolution x resolution target pixels."""
    height, width = image.shape[-2:]
    return _overlap(height, resolution) @ image.float() @ _overlap(width, resolution).T


def _colours(
    rgba: torch.Tensor, resolution: int | None, behind: tuple[float, float, float] | torch.Tensor | None
) -> dict[str, torch.Tensor]:
    """The colour pass at its size: straight RGBA, or RGB in front of a colour or of pictures (V, 3, H, W), and alpha.

    Colours are averaged premultiplied, so that no background bleeds in.
    """
    if resolution is None and behind is None:
        return {"rgb": rgba}
    colour, alpha = rgba[:, :3] * rgba[:, 3:], rgba[:, 3:]
    if resolution is not None:
        colour, alpha = _area(colour, resolution), _area(alpha, resolution)
    if behind is not None and not isinstance(behind, torch.Tensor):
        return {"rgb": colour + (1 - alpha) * torch.tensor(behind, dtype=torch.float32)[:, None, None], "alpha": alpha}
    straight = torch.where(alpha > 0, colour / alpha.clamp(min=1e-6), 0.0)
    if behind is None:
        return {"rgb": torch.cat([straight, alpha], 1)}
    mixed = backgrounds.over(straight.numpy(), alpha.numpy(), behind.numpy())
    return {"rgb": torch.from_numpy(mixed), "alpha": alpha}


def _finished(images: dict[str, torch.Tensor], resolution: int | None) -> dict[str, torch.Tensor]:
    """Downscales the other passes, where asked."""
    if resolution is None or "mask" not in images:
        return images
    mask = images["mask"].float()
    coverage = _area(mask, resolution)
    done = dict(images)
    for name in set(images) - {"rgb", "alpha"}:
        done[name] = _averaged(images[name].float() * mask, coverage, resolution, name)
    return done


def _averaged(image: torch.Tensor, coverage: torch.Tensor, resolution: int, name: str) -> torch.Tensor:
    """Mean over the foreground; a target pixel is foreground when at least half of it is. Normals are unit again."""
    foreground = coverage >= 0.5
    if PASSES[name].kind == "coverage":
        return foreground
    mean = _area(image, resolution) / coverage.clamp(min=1e-6)
    if PASSES[name].kind == "direction":
        mean = F.normalize(mean, dim=1)
    return torch.where(foreground, mean, 0.0)
