"""Grown things: wood, planks, parquet, bark, cork, leather, scales, moss."""

from collections.abc import Callable
from typing import Any

import numpy as np

from versemill.materials.canvas import Canvas, Field, Maps, blend, mix, step, tent, tint, wave
from versemill.materials.palette import hsv, near, number, pick, whole

Rng = np.random.Generator
Recipe = dict[str, Any]


def _timber(rng: Rng) -> Recipe:
    light = hsv(rng, (0.05, 0.11), (0.3, 0.7), (0.5, 0.9))
    return {"light": light, "dark": [round(x * number(rng, 0.4, 0.7), 4) for x in light], "roughness": number(rng, 0.3, 0.75)}


def _grain(p: Recipe, c: Canvas, rings: int, offset: Field | float = 0.0, knots: int = 0) -> tuple[Field, Field]:
    """Colour and relief (0..1) of wood whose fibres run up; `offset` shifts the rings of whole pieces."""
    phase = rings * c.u + p["bend"] * c.noise((3, 1), 3) + p["bend"] * c.noise((2, 2)) * 0.6 + offset
    for _ in range(knots):
        at = c.rng.random(2)
        du, dv = (c.u - np.float32(at[0]) + 0.5) % 1 - 0.5, (c.v - np.float32(at[1]) + 0.5) % 1 - 0.5
        phase = phase + 2.6 * np.exp(-((du / 0.05) ** 2) - (dv / 0.11) ** 2)
    late = tent(phase) ** 1.6
    fibre, pores = c.noise((128, 4), 2), step(0.42, 0.75, c.noise((128, 10)))
    color = mix(p["light"], p["dark"], np.clip(0.75 * late + 0.14 * fibre, 0, 1))
    color = tint(color, 1 + 0.08 * c.noise((6, 1), 3) - 0.22 * pores * late)
    return color, 0.5 * late + 0.25 * fibre - 0.5 * pores


def _draw_wood(rng: Rng) -> Recipe:
    return {**_timber(rng), "rings": whole(rng, 5, 14), "bend": number(rng, 0.5, 1.8), "knots": whole(rng, 0, 3)}


def _paint_wood(p: Recipe, c: Canvas) -> Maps:
    color, relief = _grain(p, c, p["rings"], knots=p["knots"])
    return Maps(color, 0.0012 * relief, p["roughness"] - 0.08 * relief)


def _draw_planks(rng: Rng) -> Recipe:
    return {
        **_timber(rng),
        "boards": whole(rng, 4, 8),
        "pieces": pick(rng, (1, 1, 2)),
        "paint": hsv(rng) if rng.random() < 0.35 else None,
        "bend": number(rng, 0.3, 0.9),
        "nails": bool(rng.random() < 0.4),
    }


def _paint_planks(p: Recipe, c: Canvas) -> Maps:
    across = p["boards"]
    shift = c.rng.random((across,), np.float32)[np.floor(c.u * np.float32(across)).astype(np.int64)]
    y = (c.v + shift) * np.float32(p["pieces"])
    x = c.u * np.float32(across)
    fx, fy = x - np.floor(x), y - np.floor(y)
    label = np.floor(x).astype(np.int64) * p["pieces"] + np.floor(y).astype(np.int64) % p["pieces"]
    own = c.rng.random(across * p["pieces"], np.float32)[label]
    edge = np.minimum(np.minimum(fx, 1 - fx) / across, np.minimum(fy, 1 - fy) / p["pieces"])
    color, relief = _grain(p, c, 3 * across, offset=7 * own)
    color = tint(color, 0.72 + 0.5 * own)
    if p["paint"] is not None:
        worn = step(-0.1, 0.25, c.noise((24, 5), 4, 0.6) + 0.35 * c.noise(3) + 0.35 + 8 * np.minimum(edge - 0.02, 0))
        color = mix(color, tint(p["paint"], 0.85 + 0.2 * own + 0.06 * relief), worn)
        relief = relief + 0.6 * worn
    gap = step(0.006, 0.002, edge)
    head = np.zeros_like(edge)
    if p["nails"]:
        nail = np.hypot((np.abs(fx - 0.5) - 0.28) / across, (np.minimum(fy, 1 - fy)) / p["pieces"] - 0.025)
        head = step(0.008, 0.006, nail)
        color = mix(color, [0.2, 0.19, 0.18], head)
    height = 0.0014 * relief + 0.002 * own - 0.012 * gap - 0.002 * head
    return Maps(tint(color, 1 - 0.7 * gap), height, p["roughness"] + 0.1 * own, 0.8 * head)


def _draw_parquet(rng: Rng) -> Recipe:
    return {**_timber(rng), "ratio": pick(rng, (2, 3, 4)), "repeat": pick(rng, (1, 2)), "bend": number(rng, 0.3, 0.8)}


def _paint_parquet(p: Recipe, c: Canvas) -> Maps:
    ratio = p["ratio"]
    grid = 2 * ratio * p["repeat"] * (2 if ratio == 2 else 1)
    x, y = c.u * np.float32(grid), c.v * np.float32(grid)
    i, j = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    fx, fy = x - i, y - j
    k = (i - j) % (2 * ratio)
    lying = k < ratio
    along = np.where(lying, k + fx, 2 * ratio - 1 - k + fy)
    across = np.where(lying, fy, fx)
    first = np.where(lying, ((i - k) % grid) * grid + j, i * grid + (j - (2 * ratio - 1 - k)) % grid)
    own = c.rng.random(grid * grid, np.float32)[first]
    edge = np.minimum(np.minimum(across, 1 - across), np.minimum(along, ratio - along)) / grid
    upright, relief = _grain(p, c, 2 * grid, offset=5 * own)
    flat, relief_flat = _grain(p, c, 2 * grid, offset=5 * own.T)
    color = np.where(lying[..., None], np.swapaxes(flat, 0, 1), upright)
    relief = np.where(lying, relief_flat.T, relief)
    gap = step(0.0035, 0.001, edge)
    return Maps(
        tint(color, (0.7 + 0.5 * own) * (1 - 0.75 * gap)), 0.0006 * relief - 0.005 * gap, p["roughness"] * 0.7 + 0.15 * gap
    )


def _draw_bark(rng: Rng) -> Recipe:
    ridge = hsv(rng, (0.04, 0.12), (0.1, 0.5), (0.3, 0.65))
    return {
        "ridge": ridge,
        "furrow": [round(x * 0.35, 4) for x in ridge],
        "lichen": hsv(rng, (0.13, 0.3), (0.15, 0.5), (0.5, 0.75)),
        "cover": number(rng, -0.2, 0.8),
        "across": whole(rng, 8, 16),
        "roughness": number(rng, 0.8, 1.0),
    }


def _paint_bark(p: Recipe, c: Canvas) -> Maps:
    plates = c.cells((p["across"], max(p["across"] // 4, 2)), 0.95)
    wall, fibre = plates.second - plates.near, c.noise((48, 8), 4, 0.6)
    wall = c.warped(wall, 0.025 * c.noise((6, 3), 3), 0.05 * c.noise(4, 2))
    ridge = np.clip(step(0.0, 0.5, wall) + 0.25 * fibre * step(0, 0.3, wall), 0, 1)
    color = tint(mix(p["furrow"], p["ridge"], ridge), 1 + 0.2 * fibre)
    lichen = step(p["cover"], p["cover"] + 0.5, c.noise(4, 5, 0.6)) * ridge
    height = 0.028 * ridge + 0.004 * fibre
    return Maps(mix(color, tint(p["lichen"], 1 + 0.15 * fibre), 0.8 * lichen), height, p["roughness"])


def _draw_cork(rng: Rng) -> Recipe:
    base = hsv(rng, (0.06, 0.1), (0.35, 0.65), (0.55, 0.82))
    return {"colors": [near(rng, base, 0.1) for _ in range(5)], "scale": whole(rng, 18, 40), "roughness": number(rng, 0.8, 1.0)}


def _paint_cork(p: Recipe, c: Canvas) -> Maps:
    grains, fine = c.cells(p["scale"]), c.noise(48, 3)
    wall = grains.second - grains.near + 0.12 * fine
    own = c.each(grains)
    pit = (own < 0.09) * step(0.1, 0.35, wall)
    color = tint(c.each(grains, p["colors"]), 0.72 + 0.28 * step(0, 0.25, wall) + 0.14 * fine)
    height = (0.12 * step(0, 0.4, wall) * (0.6 + own) - 0.3 * pit + 0.05 * fine) / p["scale"]
    return Maps(tint(color, 1 - 0.65 * pit), height, p["roughness"])


def _draw_leather(rng: Rng) -> Recipe:
    return {
        "color": pick(rng, (hsv(rng, (0.02, 0.08), (0.4, 0.8), (0.15, 0.6)), hsv(rng, (0, 1), (0.1, 0.8), (0.1, 0.8)))),
        "scale": whole(rng, 22, 48),
        "crease": number(rng, 0.2, 1.0),
        "stitch": bool(rng.random() < 0.35),
        "thread": hsv(rng, (0, 1), (0.0, 0.5), (0.7, 0.95)),
        "roughness": number(rng, 0.3, 0.6),
    }


def _paint_leather(p: Recipe, c: Canvas) -> Maps:
    pebbles = c.cells(p["scale"])
    wall = c.warped(pebbles.second - pebbles.near, 0.006 * c.noise(12, 2), 0.006 * c.noise(12, 2))
    dome = np.sqrt(np.clip(wall * 1.5, 0, 1))
    crease = p["crease"] * np.exp(-9 * np.abs(c.noise(4, 3)))
    cloud = c.noise(3, 3)
    gain = 0.72 + 0.25 * dome - 0.25 * crease + 0.14 * cloud
    height = 0.07 * dome / p["scale"] - 0.004 * crease + 0.004 * cloud
    color, rough = tint(p["color"], gain), p["roughness"] + 0.15 * (1 - dome)
    if p["stitch"]:
        seam = np.abs(c.v - 0.5)
        stitches = step(0.011, 0.007, np.abs(seam - 0.06)) * step(0.12, 0.25, tent(14 * c.u))
        color = mix(color, tint(p["thread"], 0.7 + 0.3 * wave(56 * c.u + 300 * c.v)), stitches)
        height = height - 0.014 * step(0.03, 0.0, np.abs(seam - 0.06)) + 0.007 * stitches - 0.02 * step(0.008, 0.003, seam)
        rough = blend(rough, 0.8, stitches)
    return Maps(color, height, rough)


def _draw_scales(rng: Rng) -> Recipe:
    base = hsv(rng, (0, 1), (0.3, 0.8), (0.3, 0.8))
    return {
        "base": base,
        "tip": near(rng, base, 0.35),
        "rows": pick(rng, (12, 16, 20, 24)),
        "metallic": pick(rng, (0.0, 0.0, 0.6)),
        "roughness": number(rng, 0.2, 0.6),
    }


def _paint_scales(p: Recipe, c: Canvas) -> Maps:
    rows = p["rows"]
    height, own, rim = (np.zeros((c.size, c.size), np.float32) for _ in range(3))
    value = c.rng.random((rows, rows // 2), np.float32)
    # A scale hangs one row down over its neighbours; the rows above lie on top, so they are tried first.
    taken = np.zeros((c.size, c.size), bool)
    for above in (1, 0, -1):
        row = np.floor(c.v * rows).astype(np.int64) + above
        x = c.u * np.float32(rows // 2) + 0.5 * (row % 2)
        fx, fy = x - np.floor(x) - 0.5, row + 0.9 - c.v * np.float32(rows)
        reach = np.sqrt((2 * fx) ** 2 * 0.95 + np.maximum(fy / 1.55, 0) ** 2.0)
        mine = (reach < 1) & ~taken & (fy > -0.6)
        taken |= mine
        bump = (0.35 + 0.4 * np.clip(fy / 1.55, 0, 1)) * np.sqrt(np.clip(1 - reach**6, 0, 1)) - 0.12 * np.abs(fx) * 2
        np.copyto(height, bump.astype(np.float32), where=mine)
        np.copyto(rim, reach.astype(np.float32), where=mine)
        np.copyto(own, value[row % rows, np.floor(x).astype(np.int64) % (rows // 2)], where=mine)
    gain = (0.75 + 0.4 * own) * (1 - 0.45 * step(0.82, 1, rim))
    color = tint(mix(p["base"], p["tip"], np.clip(step(0.1, 0.9, rim) + 0.2 * c.noise(3, 2), 0, 1)), gain)
    return Maps(color, 0.6 * height / rows, p["roughness"] + 0.1 * own, p["metallic"])


def _draw_moss(rng: Rng) -> Recipe:
    return {
        "low": hsv(rng, (0.2, 0.33), (0.4, 0.8), (0.1, 0.25)),
        "high": hsv(rng, (0.17, 0.3), (0.45, 0.85), (0.45, 0.75)),
        "soil": hsv(rng, (0.04, 0.1), (0.2, 0.5), (0.15, 0.4)),
        "bare": number(rng, -1.0, -0.2),
        "scale": whole(rng, 24, 44),
        "roughness": number(rng, 0.9, 1.0),
    }


def _paint_moss(p: Recipe, c: Canvas) -> Maps:
    tufts, cloud, fine = c.cells(p["scale"]), c.noise(4, 4), c.noise(64, 2)
    dome = np.clip(1 - tufts.near, 0, 1) * (0.5 + 0.5 * c.each(tufts)) + 0.25 * fine
    cover = step(p["bare"], p["bare"] + 0.3, cloud)
    color = mix(p["low"], p["high"], np.clip(dome + 0.35 * cloud, 0, 1))
    height = cover * (0.25 * dome / p["scale"] + 0.008) + 0.008 * cloud
    return Maps(mix(tint(p["soil"], 1 + 0.4 * fine), color, cover), height, p["roughness"])


FAMILIES: dict[str, tuple[Callable[[Rng], Recipe], Callable[[Recipe, Canvas], Maps]]] = {
    "wood": (_draw_wood, _paint_wood),
    "planks": (_draw_planks, _paint_planks),
    "parquet": (_draw_parquet, _paint_parquet),
    "bark": (_draw_bark, _paint_bark),
    "cork": (_draw_cork, _paint_cork),
    "leather": (_draw_leather, _paint_leather),
    "scales": (_draw_scales, _paint_scales),
    "moss": (_draw_moss, _paint_moss),
}
