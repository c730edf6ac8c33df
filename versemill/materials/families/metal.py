"""Metals and what covers them: polished, brushed, hammered, tread plate, rust, worn paint, car paint, carbon fibre, plastic."""

from collections.abc import Callable
from typing import Any

import numpy as np

from versemill.materials.canvas import Canvas, Field, Maps, blend, mix, step, tint
from versemill.materials.palette import METALS, hsv, near, number, pick, whole

Rng = np.random.Generator
Recipe = dict[str, Any]


def _metal(rng: Rng) -> Recipe:
    name = pick(rng, tuple(METALS))
    return {"metal": name, "color": near(rng, METALS[name], 0.04)}


def _scratches(c: Canvas, count: int) -> Field:
    """Hairlines in [0, 1]: level lines of stretched noise, bent a little, in two directions."""
    lines = np.zeros((c.size, c.size), np.float32)
    for k in range(count):
        stretched = c.noise((2, 40) if k % 2 else (40, 2)) + 0.8 * c.noise(2)
        lines = np.maximum(lines, step(0.03, 0.0, np.abs(stretched - 0.75)))
    return lines


def _draw_polished(rng: Rng) -> Recipe:
    return {**_metal(rng), "smudge": number(rng, 0.02, 0.2), "scratches": whole(rng, 0, 3), "roughness": number(rng, 0.05, 0.2)}


def _paint_polished(p: Recipe, c: Canvas) -> Maps:
    smudge, lines = step(0.0, 0.8, c.noise(3, 4)), _scratches(c, p["scratches"])
    rough = p["roughness"] + p["smudge"] * smudge + 0.15 * lines
    color = tint(p["color"], 1 - 0.06 * smudge - 0.08 * lines)
    return Maps(color, 0.0006 * c.noise(3) - 0.0004 * lines, rough, 1.0)


def _draw_brushed(rng: Rng) -> Recipe:
    return {
        **_metal(rng),
        "upright": bool(rng.random() < 0.5),
        "depth": number(rng, 0.05, 0.16),
        "roughness": number(rng, 0.22, 0.5),
    }


def _paint_brushed(p: Recipe, c: Canvas) -> Maps:
    hair = 0.6 * c.noise((2, 256)) + 0.5 * c.noise((4, 128), 1) + 0.3 * c.noise((1, 48))
    if p["upright"]:
        hair = hair.T
    color = tint(p["color"], 1 + p["depth"] * hair)
    return Maps(color, 0.0005 * hair, p["roughness"] + 0.12 * hair, 1.0)


def _draw_hammered(rng: Rng) -> Recipe:
    return {**_metal(rng), "scale": whole(rng, 6, 16), "tarnish": number(rng, 0.0, 0.5), "roughness": number(rng, 0.12, 0.4)}


def _paint_hammered(p: Recipe, c: Canvas) -> Maps:
    dents, fine = c.cells(p["scale"], 0.85), c.noise(16, 3)
    bowl = np.minimum(dents.near**2, 0.8)
    ridge = step(0.3, 0.0, dents.second - dents.near)
    dark = p["tarnish"] * step(-0.2, 0.8, fine + 1.2 * (0.5 - bowl))
    color = tint(p["color"], 0.92 + 0.1 * ridge - 0.5 * dark)
    return Maps(color, 0.3 * bowl / p["scale"] + 0.0006 * fine, p["roughness"] + 0.25 * dark - 0.05 * ridge, 1.0)


def _draw_tread_plate(rng: Rng) -> Recipe:
    return {
        **_metal(rng),
        "grid": pick(rng, (6, 8, 10, 12)),
        "wear": number(rng, 0.0, 0.4),
        "roughness": number(rng, 0.2, 0.45),
    }


def _paint_tread_plate(p: Recipe, c: Canvas) -> Maps:
    grid = p["grid"]
    x, y = c.u * np.float32(grid), c.v * np.float32(grid)
    odd = (np.floor(x) + np.floor(y)) % 2 == 1
    fx, fy = x - np.floor(x) - 0.5, y - np.floor(y) - 0.5
    along, across = np.where(odd, fx + fy, fx - fy) * 0.7071, np.where(odd, fx - fy, fx + fy) * 0.7071
    lens = np.clip(1 - (along / 0.55) ** 2 - (across / 0.13) ** 2, 0, 1)
    raised, dirt = step(0, 0.45, lens), step(0.0, 0.7, c.noise(5, 4))
    color = tint(p["color"], 0.86 + 0.12 * raised - p["wear"] * dirt * (1 - raised) + 0.03 * c.noise((2, 128)))
    return Maps(color, 0.11 * raised / grid + 0.0003 * c.noise(48, 2), p["roughness"] + 0.4 * p["wear"] * dirt, 1.0)


def _draw_rust(rng: Rng) -> Recipe:
    return {
        **_metal(rng),
        "rusts": [hsv(rng, (0.02, 0.05), (0.6, 0.9), (0.2, 0.4)), hsv(rng, (0.05, 0.09), (0.6, 0.9), (0.45, 0.75))],
        "cover": number(rng, -0.45, 0.35),
        "scale": whole(rng, 2, 5),
        "roughness": number(rng, 0.3, 0.5),
    }


def _paint_rust(p: Recipe, c: Canvas) -> Maps:
    cloud, fine = c.noise(p["scale"], 6, 0.6), c.noise(32, 4, 0.65)
    amount = step(-0.12, 0.12, cloud + 0.25 * fine + p["cover"])
    stain = step(-0.55, 0.1, cloud + p["cover"]) * 0.5
    tone = np.clip(0.5 + 0.7 * fine + 0.4 * c.noise(6, 3), 0, 1)
    rust = tint(mix(p["rusts"][0], p["rusts"][1], tone), 0.85 + 0.3 * tone)
    bare = mix(tint(p["color"], 0.85 + 0.06 * c.noise((2, 96))), p["rusts"][0], stain)
    height = amount * (0.005 + 0.006 * fine)
    return Maps(
        mix(bare, rust, amount), height, blend(p["roughness"] + 0.25 * stain, 0.92, amount), 1 - np.maximum(amount, stain)
    )


def _draw_worn_paint(rng: Rng) -> Recipe:
    return {
        **_metal(rng),
        "paint": hsv(rng, (0, 1), (0.2, 0.9), (0.3, 0.95)),
        "primer": hsv(rng, (0, 1), (0.05, 0.5), (0.4, 0.8)),
        "rust": hsv(rng, (0.03, 0.07), (0.6, 0.85), (0.25, 0.5)),
        "cover": number(rng, 0.05, 0.5),
        "scale": whole(rng, 3, 7),
        "roughness": number(rng, 0.2, 0.6),
    }


def _paint_worn_paint(p: Recipe, c: Canvas) -> Maps:
    chips = c.cells(5 * p["scale"])
    cloud = c.noise(p["scale"], 5, 0.55)
    flake = cloud + 0.22 * c.each(chips) + 0.08 * c.noise(48, 2)
    bare, primer = step(p["cover"] + 0.16, p["cover"] + 0.2, flake), step(p["cover"] + 0.08, p["cover"] + 0.12, flake)
    rusty = bare * step(-0.1, 0.6, c.noise(10, 4, 0.6) + 1.5 * (flake - p["cover"] - 0.3))
    metal = mix(tint(p["color"], 0.85 + 0.1 * c.noise(32, 2)), tint(p["rust"], 1 + 0.5 * c.noise(24, 3)), rusty)
    coat = tint(p["paint"], 0.94 + 0.12 * c.noise(3, 4) - 0.12 * step(0.25, 0, p["cover"] - flake))
    color = mix(mix(coat, p["primer"], primer), metal, bare)
    height = -0.004 * primer - 0.004 * bare + 0.0004 * c.noise(24, 3) + 0.003 * rusty * c.noise(64, 1)
    rough = blend(blend(p["roughness"], 0.8, primer), blend(0.4, 0.95, rusty), bare)
    return Maps(color, height, rough, bare * (1 - rusty))


def _draw_car_paint(rng: Rng) -> Recipe:
    base = hsv(rng, (0, 1), (0.3, 0.95), (0.15, 0.8))
    return {
        "base": base,
        "flake": near(rng, base, 0.3),
        "sparkle": number(rng, 0.1, 0.45),
        "peel": number(rng, 0.0001, 0.0006),
        "metallic": number(rng, 0.2, 0.6),
        "roughness": number(rng, 0.08, 0.25),
    }


def _paint_car_paint(p: Recipe, c: Canvas) -> Maps:
    flakes = c.cells(112)
    bright = c.each(flakes) ** 3
    color = tint(mix(p["base"], p["flake"], p["sparkle"] * bright), 0.9 + p["sparkle"] * bright + 0.05 * c.noise(2, 2))
    return Maps(color, p["peel"] * c.noise(24, 2), p["roughness"] + 0.1 * bright, p["metallic"])


def _draw_carbon_fibre(rng: Rng) -> Recipe:
    base = hsv(rng, (0.5, 0.75), (0.0, 0.2), (0.1, 0.2)) if rng.random() < 0.65 else hsv(rng, (0, 1), (0.5, 0.9), (0.2, 0.5))
    return {
        "base": base,
        "shine": [round(min(x * 2.2 + 0.08, 1), 4) for x in base],
        "tows": pick(rng, (16, 24, 32)),
        "roughness": number(rng, 0.15, 0.35),
    }


def _paint_carbon_fibre(p: Recipe, c: Canvas) -> Maps:
    tows = p["tows"]
    x, y = c.u * np.float32(tows), c.v * np.float32(tows)
    warp = (np.floor(x) + np.floor(y)) % 4 < 2
    across = np.where(warp, x - np.floor(x), y - np.floor(y))
    run = np.where(warp, y + np.floor(x), x + np.floor(y)) / 2 % 1
    crown = np.sqrt(np.clip(1 - (2 * across - 1) ** 2, 0, 1))
    fibre = np.where(warp, c.noise((256, 8)), c.noise((8, 256)))
    sheen = np.clip(0.8 * np.sin(np.pi * run) ** 2 * crown + np.where(warp, 0.25, 0.0) + 0.25 * fibre, 0, 1)
    return Maps(mix(p["base"], p["shine"], sheen), 0.12 * crown / tows, p["roughness"] + 0.08 * fibre, 0.35)


def _draw_plastic(rng: Rng) -> Recipe:
    return {
        "color": hsv(rng, (0, 1), (0.4, 1.0), (0.4, 1.0)) if rng.random() < 0.8 else hsv(rng, (0, 1), (0, 0.1), (0.04, 0.95)),
        "texture": pick(rng, ("grain", "leatherette", "ribs", "smooth")),
        "scale": whole(rng, 24, 64),
        "roughness": number(rng, 0.2, 0.65),
    }


def _paint_plastic(p: Recipe, c: Canvas) -> Maps:
    scale, cloud = p["scale"], c.noise(3, 2)
    if p["texture"] == "grain":
        height = 0.05 / scale * c.noise(scale, 2)
    elif p["texture"] == "leatherette":
        pebbles = c.cells(scale)
        height = 0.1 / scale * np.sqrt(np.clip(pebbles.second - pebbles.near, 0, 1))
    elif p["texture"] == "ribs":
        height = 0.16 / scale * np.sin(c.u * np.float32(2 * np.pi * (scale // 2)))
    else:
        height = 0.0006 * cloud
    return Maps(tint(p["color"], 0.97 + 0.05 * cloud), height.astype(np.float32), p["roughness"] + 0.06 * cloud)


FAMILIES: dict[str, tuple[Callable[[Rng], Recipe], Callable[[Recipe, Canvas], Maps]]] = {
    "polished_metal": (_draw_polished, _paint_polished),
    "brushed_metal": (_draw_brushed, _paint_brushed),
    "hammered_metal": (_draw_hammered, _paint_hammered),
    "tread_plate": (_draw_tread_plate, _paint_tread_plate),
    "rust": (_draw_rust, _paint_rust),
    "worn_paint": (_draw_worn_paint, _paint_worn_paint),
    "car_paint": (_draw_car_paint, _paint_car_paint),
    "carbon_fibre": (_draw_carbon_fibre, _paint_carbon_fibre),
    "plastic": (_draw_plastic, _paint_plastic),
}
