"""Cloth: woven, knit, tartan, felt, camouflage, quilted."""

from collections.abc import Callable
from typing import Any

import numpy as np

from versemill.materials.canvas import Canvas, Field, Maps, mix, step, tint, wave
from versemill.materials.palette import hsv, near, number, pick, scheme, whole

Rng = np.random.Generator
Recipe = dict[str, Any]


def _weave(c: Canvas, threads: int, float_length: int) -> tuple[Field, Field]:
    """(warp is on top, thread relief 0..1) of a weave; float_length 1 is plain, 2 twill, 3 satin-like."""
    x, y = c.u * np.float32(threads), c.v * np.float32(threads)
    i, j = np.floor(x), np.floor(y)
    period = 2 * float_length
    place = (i + j) % period
    over = place < float_length
    across = np.where(over, x - i, y - j)
    along = np.where(over, y - j + (float_length - 1 - place), x - i + (place - float_length)) / float_length
    crown = np.sqrt(np.clip(1 - (2 * across - 1) ** 2, 0, 1))
    arch = np.sin(np.pi * np.clip(along, 0, 1)) ** 0.6
    return over.astype(np.float32), (crown * (0.35 + 0.65 * arch)).astype(np.float32)


def _draw_woven(rng: Rng) -> Recipe:
    warp = hsv(rng)
    return {
        "warp": warp,
        "weft": pick(rng, (near(rng, warp, 0.15), hsv(rng, (0, 1), (0.0, 0.4), (0.5, 0.95)))),
        "threads": pick(rng, (24, 36, 48, 72)),
        "float": pick(rng, (1, 1, 2, 3)),
        "uneven": number(rng, 0.05, 0.3),
        "roughness": number(rng, 0.75, 1.0),
    }


def _paint_woven(p: Recipe, c: Canvas) -> Maps:
    over, relief = _weave(c, p["threads"], p["float"])
    slub = np.where(over > 0, c.noise((p["threads"], 4), 1), c.noise((4, p["threads"]), 1))
    color = tint(mix(p["weft"], p["warp"], over), 0.55 + 0.5 * relief + p["uneven"] * slub + 0.1 * c.speckle())
    return Maps(color, 0.2 * relief / p["threads"] + 0.0006 * c.speckle(), p["roughness"])


def _draw_tartan(rng: Rng) -> Recipe:
    bands = whole(rng, 3, 6)
    return {
        "colors": scheme(rng, whole(rng, 3, 4)),
        "widths": [number(rng, 0.3, 2.0) ** 2 for _ in range(bands)],
        "threads": pick(rng, (64, 96, 128)),
        "repeat": pick(rng, (1, 2, 2, 3)),
        "roughness": number(rng, 0.8, 1.0),
    }


def _paint_tartan(p: Recipe, c: Canvas) -> Maps:
    # The sett is a palindrome, as woven tartans are.
    ends = np.cumsum(p["widths"]) / np.sum(p["widths"])
    place = np.abs(2 * (np.arange(p["threads"]) + 0.5) * p["repeat"] / p["threads"] % 2 - 1)
    band = np.minimum(np.searchsorted(ends, place), len(ends) - 1) % len(p["colors"])
    threads = np.asarray(p["colors"], np.float32)[band]
    over, relief = _weave(c, p["threads"], 2)
    column, row = (np.floor(axis * np.float32(p["threads"])).astype(np.int64) for axis in (c.u, c.v))
    color = np.where(over[..., None] > 0, threads[column], threads[row])
    return Maps(tint(color, 0.66 + 0.4 * relief + 0.08 * c.noise(48, 2)), 0.18 * relief / p["threads"], p["roughness"])


def _draw_knit(rng: Rng) -> Recipe:
    colors = scheme(rng, 3)
    return {
        "colors": colors,
        "pattern": pick(rng, ("plain", "stripes", "zigzag", "melange")),
        "columns": pick(rng, (16, 24, 32)),
        "roughness": number(rng, 0.85, 1.0),
    }


def _paint_knit(p: Recipe, c: Canvas) -> Maps:
    columns = p["columns"]
    rows = int(columns * 1.25) // 4 * 4
    wobble = 0.08 * c.noise(8, 2)
    x = c.u * np.float32(columns) + wobble
    i = np.floor(x)
    side = 2 * np.abs(x - i - 0.5)
    y = c.v * np.float32(rows) - 0.9 * side + wobble
    j = np.floor(y)
    along = y - j
    leg = np.sqrt(np.clip(1 - (2 * along - 1) ** 2, 0, 1)) * np.sqrt(np.clip(1 - (2 * side - 1) ** 2, 0, 1))
    i, j = i.astype(np.int64) % columns, j.astype(np.int64) % rows
    if p["pattern"] == "stripes":
        band = j * 8 // rows % 3
    elif p["pattern"] == "zigzag":
        band = (j + np.abs(i % 8 - 4)) % rows * 8 // rows % 2
    elif p["pattern"] == "melange":
        band = c.rng.integers(0, 3, (rows, columns))[j, i]
    else:
        band = np.zeros_like(j)
    ply = wave(3.0 * along + 4.0 * side * np.where(x - np.floor(x) < 0.5, 1, -1))
    fuzz = c.noise((128, 128), 2)
    color = tint(np.asarray(p["colors"], np.float32)[band], 0.4 + 0.55 * leg + 0.1 * ply * leg + 0.1 * fuzz)
    return Maps(color, (0.3 * leg + 0.05 * ply * leg + 0.04 * fuzz) / columns, p["roughness"])


def _draw_felt(rng: Rng) -> Recipe:
    color = hsv(rng)
    return {
        "color": color,
        "second": near(rng, color, 0.15),
        "fibre": pick(rng, (24, 32, 48)),
        "roughness": number(rng, 0.9, 1.0),
    }


def _paint_felt(p: Recipe, c: Canvas) -> Maps:
    bend = 0.03 * c.noise(6, 2)
    layers = [np.abs(c.warped(c.noise((p["fibre"], 4 * p["fibre"]), 2), bend, -bend))]
    layers.append(np.abs(c.warped(c.noise((4 * p["fibre"], p["fibre"]), 2), -bend, bend)))
    hair = np.exp(-5 * np.minimum(*layers))
    color = tint(mix(p["color"], p["second"], step(-0.6, 0.6, c.noise(4, 4))), 0.8 + 0.25 * hair)
    return Maps(color, 0.003 * hair, p["roughness"])


def _draw_camouflage(rng: Rng) -> Recipe:
    kind = pick(rng, ("woodland", "desert", "urban", "free"))
    spans = {
        "woodland": ((0.08, 0.33), (0.25, 0.6), (0.15, 0.5)),
        "desert": ((0.06, 0.13), (0.2, 0.5), (0.4, 0.85)),
        "urban": ((0.5, 0.7), (0.0, 0.15), (0.15, 0.85)),
    }
    colors = scheme(rng, 4) if kind == "free" else [hsv(rng, *spans[kind]) for _ in range(4)]
    return {
        "colors": colors,
        "scale": whole(rng, 3, 8),
        "pixels": pick(rng, (0, 0, 48, 64)),
        "threads": pick(rng, (96, 128)),
        "roughness": number(rng, 0.75, 0.95),
    }


def _paint_camouflage(p: Recipe, c: Canvas) -> Maps:
    color: Field = np.broadcast_to(np.asarray(p["colors"][0], np.float32), (c.size, c.size, 3))
    for k, shade in enumerate(p["colors"][1:]):
        blob = c.noise(p["scale"] + k, 3, 0.45)
        if p["pixels"]:
            pixel = (np.floor((np.arange(c.size) + 0.5) / c.size * p["pixels"]) + 0.5) * c.size / p["pixels"]
            blob = blob[np.ix_(pixel.astype(np.int64), pixel.astype(np.int64))]
        color = mix(color, shade, step(0.14, 0.17, blob))
    _, relief = _weave(c, p["threads"], 1)
    return Maps(tint(color, 0.8 + 0.25 * relief), 0.15 * relief / p["threads"], p["roughness"])


def _draw_quilted(rng: Rng) -> Recipe:
    color = hsv(rng)
    return {
        "color": color,
        "thread": near(rng, color, 0.3),
        "grid": pick(rng, (4, 5, 6, 8)),
        "button": bool(rng.random() < 0.4),
        "roughness": number(rng, 0.3, 0.9),
    }


def _paint_quilted(p: Recipe, c: Canvas) -> Maps:
    a, b = (c.u + c.v) * np.float32(p["grid"]), (c.u - c.v) * np.float32(p["grid"])
    fa, fb = np.abs(a - np.round(a)), np.abs(b - np.round(b))
    seam = np.minimum(fa, fb)
    pillow = (4 * fa * (1 - fa) * 4 * fb * (1 - fb) / 9 * 4) ** 0.45
    wrinkle = c.noise(24, 3) * np.exp(-6 * seam)
    dash = step(0.03, 0.015, seam) * step(0.2, 0.4, wave(8 * np.where(fa < fb, b, a)))
    color = mix(tint(p["color"], 0.72 + 0.26 * pillow + 0.06 * wrinkle), p["thread"], dash)
    height = (0.14 * pillow + 0.015 * wrinkle + 0.02 * dash) / p["grid"]
    if p["button"]:
        knob = np.clip(1 - (fa**2 + fb**2) / 0.012, 0, 1)
        color, height = mix(color, p["thread"], step(0, 0.15, knob)), height + 0.06 * np.sqrt(knob) / p["grid"]
    return Maps(color, height, p["roughness"])


FAMILIES: dict[str, tuple[Callable[[Rng], Recipe], Callable[[Recipe, Canvas], Maps]]] = {
    "woven": (_draw_woven, _paint_woven),
    "tartan": (_draw_tartan, _paint_tartan),
    "knit": (_draw_knit, _paint_knit),
    "felt": (_draw_felt, _paint_felt),
    "camouflage": (_draw_camouflage, _paint_camouflage),
    "quilted": (_draw_quilted, _paint_quilted),
}
