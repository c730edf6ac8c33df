"""Stone and masonry: marble, granite, terrazzo, concrete, plaster, sand, brick, cobblestone."""

from collections.abc import Callable
from typing import Any

import numpy as np

from versemill.materials.canvas import Canvas, Maps, blend, mix, step, tint
from versemill.materials.palette import hsv, near, number, pick, scheme, whole

Rng = np.random.Generator
Recipe = dict[str, Any]


def _draw_marble(rng: Rng) -> Recipe:
    base = pick(rng, (hsv(rng, (0, 1), (0.0, 0.12), (0.82, 0.96)), hsv(rng, (0, 1), (0.15, 0.6), (0.1, 0.75))))
    vein = hsv(rng, (0.02, 0.14), (0.2, 0.7), (0.15, 0.6)) if sum(base) > 1.5 else hsv(rng, (0, 0.2), (0, 0.4), (0.75, 0.98))
    return {
        "base": base,
        "cloud": near(rng, base, 0.16),
        "vein": vein,
        "scale": whole(rng, 2, 4),
        "bend": number(rng, 0.08, 0.22),
        "sharpness": number(rng, 7, 22),
        "roughness": number(rng, 0.05, 0.35),
    }


def _paint_marble(p: Recipe, c: Canvas) -> Maps:
    bend_u, bend_v = c.noise(2, 5, 0.6) * p["bend"], c.noise(2, 5, 0.6) * p["bend"]
    cloud = c.warped(c.noise(p["scale"], 4), bend_u, bend_v)
    coarse = np.exp(-2 * p["sharpness"] * np.abs(c.warped(c.noise(p["scale"], 3, 0.45), bend_u, bend_v)))
    fine = np.exp(-3 * p["sharpness"] * np.abs(c.warped(c.noise(3 * p["scale"], 4), bend_v, bend_u)))
    halo = np.exp(-4 * np.abs(c.warped(c.noise(p["scale"] + 1, 4), bend_v, bend_u)))
    strength = np.clip(0.85 * coarse * step(-0.7, 0.3, cloud) + 0.5 * fine + 0.28 * halo, 0, 1)
    color = mix(mix(p["base"], p["cloud"], step(-0.6, 0.6, cloud)), p["vein"], strength)
    return Maps(color, -0.0006 * strength, p["roughness"] + 0.1 * strength)


def _draw_granite(rng: Rng) -> Recipe:
    base = hsv(rng, pick(rng, ((0.0, 0.1), (0.5, 0.65), (0, 1))), (0.03, 0.4), (0.35, 0.75))
    return {
        "colors": [base, base, near(rng, base, 0.08), near(rng, base, 0.2), [round((x + 1.8) / 3, 4) for x in base]],
        "fleck": hsv(rng, (0, 1), (0, 0.3), (0.04, 0.16)),
        "scale": whole(rng, 36, 72),
        "dark": number(rng, 0.12, 0.3),
        "roughness": number(rng, 0.08, 0.75),
    }


def _paint_granite(p: Recipe, c: Canvas) -> Maps:
    wobble = c.noise(32, 2) * 0.012
    grain = c.cells(p["scale"])
    color = c.each(grain, p["colors"])
    flecks = c.cells(int(p["scale"] * 1.6))
    dark = (c.each(flecks) < p["dark"] * (1 + 0.8 * c.noise(4, 2))).astype(np.float32)
    color = tint(mix(color, p["fleck"], dark * 0.92), 1 + 0.1 * c.noise(48, 2))
    color = c.warped(color, wobble, -wobble)
    rough = p["roughness"]
    return Maps(color, 0.0012 * rough * c.noise(64, 2), rough + 0.08 * dark * (1 - rough))


def _draw_terrazzo(rng: Rng) -> Recipe:
    return {
        "ground": hsv(rng, (0, 1), (0.0, 0.35), pick(rng, ((0.75, 0.95), (0.15, 0.4)))),
        "chips": scheme(rng, whole(rng, 3, 5)),
        "scale": whole(rng, 7, 13),
        "fill": number(rng, 0.45, 0.8),
        "roughness": number(rng, 0.06, 0.4),
    }


def _paint_terrazzo(p: Recipe, c: Canvas) -> Maps:
    color = tint(p["ground"], 1 + 0.05 * c.noise(64, 3))
    inside = np.zeros((c.size, c.size), np.float32)
    for scale, share in ((4 * p["scale"], 0.35), (2 * p["scale"], 0.5), (p["scale"], 1.0)):
        chips = c.cells(scale)
        kept = c.each(chips) < p["fill"] * share
        shape = step(0.1, 0.1 + 0.006 * scale, chips.second - chips.near) * kept
        shade = tint(c.each(chips, p["chips"]), 0.88 + 0.2 * c.each(chips) + 0.07 * c.noise(24, 3))
        color = mix(color, shade, shape)
        inside = np.maximum(inside, shape)
    return Maps(color, 0.0004 * inside, p["roughness"] + 0.12 * (1 - inside))


def _draw_concrete(rng: Rng) -> Recipe:
    return {
        "color": hsv(rng, (0.05, 0.65), (0.0, 0.12), (0.42, 0.78)),
        "stain": number(rng, 0.08, 0.3),
        "pits": whole(rng, 20, 44),
        "pit_share": number(rng, 0.12, 0.4),
        "boards": pick(rng, (0, 0, 3, 4, 6)),
        "roughness": number(rng, 0.65, 0.95),
    }


def _paint_concrete(p: Recipe, c: Canvas) -> Maps:
    cloud, grain = c.noise(3, 5, 0.55), c.noise(64, 2)
    pits = c.cells(p["pits"])
    hole = step(0.26, 0.1, pits.near - 0.14 * c.each(pits)) * (c.each(pits) < p["pit_share"])
    height = 0.0015 * cloud + 0.0006 * grain - 0.006 * hole
    gain = 1 + p["stain"] * cloud + 0.06 * grain - 0.45 * hole
    if p["boards"]:
        board = c.blocks(1, p["boards"], warp=0.002 * c.noise(6, 2))
        groove = step(0.006, 0.0015, board.edge)
        fibre = c.noise((4, 128))
        height = height - 0.006 * groove + 0.0008 * fibre
        gain = gain * (0.92 + 0.14 * c.each(board)) * (1 - 0.35 * groove) + 0.03 * fibre
    return Maps(tint(p["color"], gain), height, p["roughness"] + 0.08 * cloud)


def _draw_plaster(rng: Rng) -> Recipe:
    return {
        "color": hsv(rng, (0, 1), (0.03, 0.5), (0.62, 0.97)),
        "scale": whole(rng, 3, 7),
        "relief": number(rng, 0.004, 0.012),
        "bend": number(rng, 0.03, 0.1),
        "roughness": number(rng, 0.7, 0.95),
    }


def _paint_plaster(p: Recipe, c: Canvas) -> Maps:
    bend = c.noise(p["scale"], 2)
    strokes = c.warped(c.noise((p["scale"], 4 * p["scale"]), 3), p["bend"] * bend, p["bend"] * c.noise(p["scale"], 2))
    ridge = np.abs(strokes) ** 0.8
    height = p["relief"] * (ridge + 0.12 * c.noise(64, 2))
    return Maps(tint(p["color"], 0.9 + 0.16 * ridge + 0.05 * bend), height, p["roughness"])


def _draw_sand(rng: Rng) -> Recipe:
    return {
        "color": hsv(rng, (0.05, 0.13), (0.15, 0.6), (0.6, 0.92)),
        "grain": hsv(rng, (0.02, 0.1), (0.2, 0.6), (0.3, 0.55)),
        "ripples": whole(rng, 5, 14),
        "lean": pick(rng, (-1, 0, 1)),
        "bend": number(rng, 0.02, 0.06),
        "roughness": number(rng, 0.85, 1.0),
    }


def _paint_sand(p: Recipe, c: Canvas) -> Maps:
    bend = p["bend"] * c.noise(3, 3)
    phase = p["ripples"] * (c.v + bend) + p["lean"] * c.u
    frac = phase - np.floor(phase)
    ripple = np.where(frac < 0.7, frac / 0.7, (1 - frac) / 0.3).astype(np.float32)
    ripple = step(0, 1, ripple) * (0.75 + 0.5 * c.noise(3, 1))
    speckle = c.speckle()
    height = 0.055 / p["ripples"] * ripple + 0.0006 * speckle
    color = mix(tint(p["color"], 0.8 + 0.22 * ripple), p["grain"], 0.55 * step(0.72, 1, speckle) + 0.12 * step(0, 1, -speckle))
    return Maps(color, height, p["roughness"])


def _draw_brick(rng: Rng) -> Recipe:
    base = pick(rng, (hsv(rng, (0.0, 0.07), (0.35, 0.75), (0.4, 0.75)), hsv(rng, (0, 1), (0.0, 0.35), (0.35, 0.92))))
    return {
        "colors": [near(rng, base, 0.12) for _ in range(5)],
        "mortar": hsv(rng, (0.05, 0.15), (0.0, 0.2), (0.4, 0.85)),
        "rows": pick(rng, (6, 8, 10, 12)),
        "aspect": pick(rng, (2, 3)),
        "shift": pick(rng, (0.5, 0.5, 0.5, 0.0)),
        "gap": number(rng, 0.004, 0.008),
        "wear": number(rng, 0.001, 0.006),
        "roughness": number(rng, 0.7, 0.95),
    }


def _paint_brick(p: Recipe, c: Canvas) -> Maps:
    grain = c.noise(32, 4, 0.6)
    bricks = c.blocks(p["rows"] // p["aspect"], p["rows"], p["shift"], 0.0015 * c.noise(12, 2))
    edge = bricks.edge + p["wear"] * c.noise(24, 3)
    solid = step(p["gap"] * 0.8, p["gap"] * 1.7, edge)
    face = tint(c.each(bricks, p["colors"]), 0.82 + 0.3 * c.each(bricks) + 0.16 * grain + 0.08 * c.noise(5, 2))
    color = mix(tint(p["mortar"], 0.92 + 0.1 * grain), face, solid)
    height = 0.01 * solid * (0.8 + 0.3 * c.each(bricks)) + 0.0018 * grain
    return Maps(color, height, p["roughness"] + 0.05 * (1 - solid))


def _draw_cobblestone(rng: Rng) -> Recipe:
    base = hsv(rng, (0.0, 0.65), (0.02, 0.25), (0.35, 0.7))
    return {
        "colors": [near(rng, base, 0.12) for _ in range(5)],
        "gap_color": hsv(rng, (0.06, 0.3), (0.1, 0.5), (0.1, 0.3)),
        "scale": whole(rng, 5, 10),
        "jitter": number(rng, 0.55, 0.95),
        "roughness": number(rng, 0.55, 0.9),
    }


def _paint_cobblestone(p: Recipe, c: Canvas) -> Maps:
    stones, grain = c.cells(p["scale"], p["jitter"]), c.noise(24, 4)
    wall = stones.second - stones.near + 0.05 * grain
    solid = step(0.06, 0.16, wall)
    dome = np.sqrt(np.clip(1.6 * wall, 0, 1))
    face = tint(c.each(stones, p["colors"]), 0.6 + 0.3 * dome + 0.15 * c.each(stones) + 0.12 * grain)
    height = (0.16 * dome + 0.014 * grain) / p["scale"]
    return Maps(mix(tint(p["gap_color"], 1 + 0.4 * grain), face, solid), height, blend(0.95, p["roughness"], solid))


FAMILIES: dict[str, tuple[Callable[[Rng], Recipe], Callable[[Recipe, Canvas], Maps]]] = {
    "marble": (_draw_marble, _paint_marble),
    "granite": (_draw_granite, _paint_granite),
    "terrazzo": (_draw_terrazzo, _paint_terrazzo),
    "concrete": (_draw_concrete, _paint_concrete),
    "plaster": (_draw_plaster, _paint_plaster),
    "sand": (_draw_sand, _paint_sand),
    "brick": (_draw_brick, _paint_brick),
    "cobblestone": (_draw_cobblestone, _paint_cobblestone),
}
