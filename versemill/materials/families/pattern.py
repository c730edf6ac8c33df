"""Made patterns: noise, checker, stripes, polka dots, tiles, hexagons, mosaic, wallpaper, panels."""

from collections.abc import Callable
from typing import Any

import numpy as np

from versemill.materials.canvas import Canvas, Maps, blend, mix, step, tint
from versemill.materials.palette import hsv, near, number, pick, scheme, whole

Rng = np.random.Generator
Recipe = dict[str, Any]


def _draw_noise(rng: Rng) -> Recipe:
    return {
        "colors": scheme(rng, 4),
        "scale": whole(rng, 3, 10),
        "octaves": whole(rng, 2, 6),
        "bend": number(rng, 0.0, 0.25),
        "relief": number(rng, 0.002, 0.03),
        "metallic": pick(rng, (0.0, 0.0, 0.0, 1.0)),
        "roughness": number(rng, 0.15, 0.9),
    }


def _paint_noise(p: Recipe, c: Canvas) -> Maps:
    field = c.noise(p["scale"], p["octaves"])
    field = c.warped(field, p["bend"] * c.noise(3, 2), p["bend"] * c.noise(3, 2))
    ramp = np.clip((field + 0.8) / 1.6, 0, 1) * 3
    a, b, d, e = p["colors"]
    color = mix(mix(mix(a, b, np.clip(ramp, 0, 1)), d, np.clip(ramp - 1, 0, 1)), e, np.clip(ramp - 2, 0, 1))
    return Maps(color, p["relief"] / p["scale"] * 2 * field, p["roughness"] + 0.15 * field, p["metallic"])


def _draw_checker(rng: Rng) -> Recipe:
    return {
        "colors": scheme(rng, 2),
        "grid": pick(rng, (4, 6, 8, 10, 12)),
        "turned": bool(rng.random() < 0.35),
        "wear": number(rng, 0.0, 0.25),
        "roughness": number(rng, 0.1, 0.8),
    }


def _paint_checker(p: Recipe, c: Canvas) -> Maps:
    half = np.float32(p["grid"] / 2)
    x, y = (half * (c.u + c.v), half * (c.u - c.v)) if p["turned"] else (half * 2 * c.u, half * 2 * c.v)
    odd = (np.floor(x) + np.floor(y)) % 2
    edge = np.minimum(np.abs(x - np.round(x)), np.abs(y - np.round(y)))
    groove, cloud = step(0.04, 0.01, edge), c.noise(4, 5, 0.6)
    color = tint(mix(p["colors"][0], p["colors"][1], odd), 1 + p["wear"] * cloud - 0.35 * groove)
    return Maps(color, -0.03 * groove / p["grid"] + 0.0005 * cloud, p["roughness"] + 0.1 * odd + p["wear"] * cloud * 0.5)


def _draw_stripes(rng: Rng) -> Recipe:
    count = whole(rng, 3, 7)
    return {
        "colors": scheme(rng, whole(rng, 2, 4)),
        "widths": [number(rng, 0.3, 1.6) for _ in range(count)],
        "repeat": whole(rng, 1, 4),
        "slant": pick(rng, (0, 0, 1, -1)),
        "bend": pick(rng, (0.0, 0.0, 0.05)),
        "relief": number(rng, 0.0, 0.003),
        "roughness": number(rng, 0.2, 0.9),
    }


def _paint_stripes(p: Recipe, c: Canvas) -> Maps:
    ends = np.cumsum(p["widths"]) / np.sum(p["widths"])
    place = p["repeat"] * (c.u + p["bend"] * c.noise(2, 2)) + p["slant"] * p["repeat"] * c.v
    place = place - np.floor(place)
    band = np.minimum(np.searchsorted(ends, place), len(ends) - 1)
    last = len(ends) - 1
    shade = np.where((band == last) & (last % len(p["colors"]) == 0), 1, band % len(p["colors"]))
    color = tint(np.asarray(p["colors"], np.float32)[shade], 0.97 + 0.05 * c.noise(48, 2))
    return Maps(
        color, (p["relief"] * (shade % 2) + 0.0003 * c.noise(64)).astype(np.float32), p["roughness"] + 0.15 * (shade % 2)
    )


def _draw_polka_dots(rng: Rng) -> Recipe:
    colors = scheme(rng, 4)
    return {
        "ground": colors[0],
        "dots": colors[1 : 1 + whole(rng, 1, 3)],
        "grid": pick(rng, (4, 6, 8, 10)),
        "radius": number(rng, 0.2, 0.42),
        "staggered": bool(rng.random() < 0.6),
        "loose": number(rng, 0.0, 0.15),
        "raised": number(rng, -0.15, 0.15),
        "roughness": number(rng, 0.2, 0.9),
    }


def _paint_polka_dots(p: Recipe, c: Canvas) -> Maps:
    spots = c.blocks(p["grid"], p["grid"], 0.5 if p["staggered"] else 0.0)
    dx, dy = (p["loose"] * (c.each(spots) - 0.5) for _ in range(2))
    distance = np.hypot(spots.x - 0.5 + dx, spots.y - 0.5 + dy)
    blur = p["grid"] * 1.5 / c.size
    dot = step(p["radius"] + blur, p["radius"] - blur, distance)
    dome = np.sqrt(np.clip(1 - (distance / p["radius"]) ** 2, 0, 1))
    color = mix(tint(p["ground"], 0.97 + 0.05 * c.noise(32, 3)), c.each(spots, p["dots"]), dot)
    return Maps(color, p["raised"] * dome / p["grid"] + 0.0003 * c.noise(64), p["roughness"] - 0.1 * dot)


def _draw_tiles(rng: Rng) -> Recipe:
    return {
        "colors": scheme(rng, 3),
        "grout": hsv(rng, (0, 1), (0.0, 0.15), (0.25, 0.9)),
        "grid": pick(rng, (3, 4, 5, 6, 8)),
        "motif": pick(rng, ("plain", "quarter", "diamond", "star", "ring", "half")),
        "gap": number(rng, 0.02, 0.05),
        "roughness": number(rng, 0.06, 0.45),
    }


def _paint_tiles(p: Recipe, c: Canvas) -> Maps:
    tiles = c.blocks(p["grid"], p["grid"])
    turn = np.floor(c.each(tiles) * 4)
    x, y = tiles.x - 0.5, tiles.y - 0.5
    x, y = np.where(turn % 2 == 1, -x, x), np.where(turn >= 2, -y, y)
    if p["motif"] == "quarter":
        shape = np.abs(np.minimum(np.hypot(x + 0.5, y + 0.5), np.hypot(x - 0.5, y - 0.5)) - 0.5) - 0.13
    elif p["motif"] == "diamond":
        shape = np.abs(x) + np.abs(y) - 0.34
    elif p["motif"] == "star":
        shape = np.hypot(x, y) * (1 + 0.35 * np.cos(8 * np.arctan2(y, x))) - 0.27
    elif p["motif"] == "ring":
        shape = np.abs(np.hypot(x, y) - 0.3) - 0.07
    elif p["motif"] == "half":
        shape = x + y
    else:
        shape = np.ones_like(x)
    blur = 1.5 * p["grid"] / c.size
    figure = step(blur, -blur, shape)
    if p["motif"] in ("diamond", "star"):
        corner = np.hypot(0.5 - np.abs(x), 0.5 - np.abs(y)) - 0.22
        accent = step(blur, -blur, corner)
    else:
        accent = np.zeros_like(figure)
    glaze = c.noise(3 * p["grid"], 3)
    face = mix(mix(p["colors"][0], p["colors"][1], figure), p["colors"][2], accent)
    if p["motif"] == "plain":
        face = mix(face, p["colors"][1], 0.8 * c.each(tiles) ** 2)
    edge = tiles.edge * p["grid"]
    solid = step(p["gap"] * 0.6, p["gap"] * 1.1, edge)
    pillow = np.sqrt(np.clip((edge - p["gap"] * 0.6) / 0.09, 0, 1))
    color = mix(tint(p["grout"], 0.95 + 0.1 * glaze), tint(face, 0.94 + 0.1 * c.each(tiles) + 0.06 * glaze), solid)
    height = (0.035 * pillow + 0.002 * glaze) / p["grid"]
    return Maps(color, height, blend(0.9, p["roughness"] + 0.05 * glaze, solid))


def _draw_hexagons(rng: Rng) -> Recipe:
    colors = scheme(rng, 4)
    return {
        "colors": colors[:3],
        "grout": hsv(rng, (0, 1), (0.0, 0.2), (0.1, 0.9)),
        "across": pick(rng, (6, 8, 10, 14)),
        "style": pick(rng, ("tile", "honeycomb", "stud")),
        "metallic": pick(rng, (0.0, 0.0, 1.0)),
        "roughness": number(rng, 0.1, 0.6),
    }


def _paint_hexagons(p: Recipe, c: Canvas) -> Maps:
    across = p["across"]
    up = round(across / np.sqrt(3))
    x, y = c.u * np.float32(across), c.v * np.float32(up) * np.float32(np.sqrt(3))
    best, label = np.full((c.size, c.size), 9, np.float32), np.zeros((c.size, c.size), np.int64)
    for odd in (0, 1):
        i, j = np.round(x - 0.5 * odd), np.round(y / np.sqrt(3) - 0.5 * odd)
        dx, dy = np.abs(x - i - 0.5 * odd), np.abs(y - (j + 0.5 * odd) * np.sqrt(3))
        reach = np.maximum(dx, 0.5 * dx + np.sqrt(0.75) * dy)
        closer = reach < best
        np.copyto(label, (2 * (j.astype(np.int64) % up) + odd) * across + i.astype(np.int64) % across, where=closer)
        np.minimum(best, reach.astype(np.float32), out=best)
    own = c.rng.random(2 * up * across, np.float32)[label]
    face = np.asarray(p["colors"], np.float32)[(own * 2.999).astype(np.int64)]
    solid, grain = step(0.475, 0.44, best), c.noise(32, 3)
    profile = {
        "tile": np.sqrt(np.clip((0.48 - best) / 0.08, 0, 1)) * 0.05,
        "honeycomb": -0.16 * np.sqrt(np.clip((0.46 - best) / 0.1, 0, 1)),
        "stud": 0.16 * np.sqrt(np.clip(1 - (best / 0.47) ** 2, 0, 1)),
    }[p["style"]]
    color = mix(tint(p["grout"], 1 + 0.1 * grain), tint(face, 0.9 + 0.16 * own + 0.06 * grain), solid)
    return Maps(color, profile / across + 0.0002 * grain, blend(0.7, p["roughness"], solid), p["metallic"] * solid)


def _draw_mosaic(rng: Rng) -> Recipe:
    return {
        "colors": scheme(rng, 4),
        "grout": hsv(rng, (0, 1), (0.0, 0.2), (0.15, 0.9)),
        "grid": pick(rng, (20, 28, 36)),
        "zones": pick(rng, ("waves", "rings", "blots")),
        "roughness": number(rng, 0.08, 0.5),
    }


def _paint_mosaic(p: Recipe, c: Canvas) -> Maps:
    stones = c.cells(p["grid"], 0.45)
    if p["zones"] == "waves":
        zone = 3 * c.v + 0.35 * np.sin(np.float32(2 * np.pi) * 2 * c.u) + 0.2 * c.noise(2)
    elif p["zones"] == "rings":
        zone = 5 * np.hypot(np.abs(c.u - 0.5), np.abs(c.v - 0.5)) / 0.7071
    else:
        zone = 2 + 2.2 * c.noise(3, 2)
    # Each stone has one colour: that of its zone at a representative pixel.
    chosen = np.zeros(stones.count, np.int64)
    chosen[stones.label] = np.floor(zone * 4 / 3).astype(np.int64) % 4
    own = c.each(stones)
    wall = stones.second - stones.near
    solid = step(0.1, 0.18, wall)
    face = tint(np.asarray(p["colors"], np.float32)[chosen[stones.label]], 0.78 + 0.35 * own)
    tilt = (c.each(stones) - 0.5) * (c.u * p["grid"] % 1 - 0.5)
    height = (0.09 * np.sqrt(np.clip(wall / 0.4, 0, 1)) + 0.02 * tilt * solid) / p["grid"]
    return Maps(mix(p["grout"], face, solid), height, blend(0.9, p["roughness"], solid))


def _draw_wallpaper(rng: Rng) -> Recipe:
    ground = hsv(rng, (0, 1), (0.1, 0.6), (0.25, 0.95))
    return {
        "ground": ground,
        "figure": pick(rng, (near(rng, ground, 0.3), hsv(rng, (0, 1), (0.1, 0.7), (0.3, 0.98)))),
        "accent": hsv(rng, (0, 1), (0.3, 0.8), (0.4, 0.95)),
        "columns": pick(rng, (2, 3, 4)),
        "petals": whole(rng, 3, 8),
        "inner": whole(rng, 4, 12),
        "curl": number(rng, -1.2, 1.2),
        "gilded": bool(rng.random() < 0.3),
        "roughness": number(rng, 0.5, 0.9),
    }


def _paint_wallpaper(p: Recipe, c: Canvas) -> Maps:
    columns = p["columns"]
    blur = 2 * columns / c.size
    figure, accent = np.zeros((c.size, c.size), np.float32), np.zeros((c.size, c.size), np.float32)
    # Two lattices, the second moved by half a cell: a half-drop repeat.
    for drop, size in ((0.0, 1.0), (0.5, 0.62)):
        x = (c.u * np.float32(columns) + drop) % 1 - 0.5
        y = (c.v * np.float32(columns) + drop) % 1 - 0.5
        r, angle = np.hypot(x, y) / (0.42 * size), np.arctan2(np.abs(x) if p["curl"] == 0 else x, y)
        twist = angle + p["curl"] * np.maximum(1 - r, 0)
        outer = r - (0.62 + 0.3 * np.abs(np.cos(p["petals"] * twist / 2)))
        inner = r - (0.34 + 0.1 * np.cos(p["inner"] * twist))
        line = np.maximum(outer + 0.11, -(outer + 0.2))
        figure = np.maximum(figure, step(blur, -blur, outer) - 0.7 * step(2 * blur, -2 * blur, line))
        accent = np.maximum(accent, step(blur, -blur, inner) - step(blur, -blur, r - 0.14))
    stems = np.abs(np.abs((c.u * np.float32(columns)) % 1 - 0.5) - 0.25 - 0.2 * np.cos(np.float32(2 * np.pi * columns) * c.v))
    figure = np.maximum(figure, step(0.02 + blur, 0.02, stems))
    paper = c.noise((8, 128), 2)
    color = mix(mix(tint(p["ground"], 0.98 + 0.04 * paper), p["figure"], figure), p["accent"], accent)
    relief = 0.004 * np.maximum(figure, accent) / columns + 0.0003 * paper
    gilt = figure * (1.0 if p["gilded"] else 0.0)
    return Maps(color, relief, blend(p["roughness"], 0.35, gilt), gilt)


def _draw_panels(rng: Rng) -> Recipe:
    base = hsv(rng, (0, 1), (0.0, 0.5), (0.25, 0.9))
    return {
        "colors": [near(rng, base, 0.08) for _ in range(4)] + [hsv(rng, (0, 1), (0.4, 0.9), (0.4, 0.9))],
        "grid": pick(rng, (4, 6, 8)),
        "rivets": bool(rng.random() < 0.7),
        "metallic": pick(rng, (0.0, 0.7, 1.0)),
        "roughness": number(rng, 0.25, 0.6),
    }


def _paint_panels(p: Recipe, c: Canvas) -> Maps:
    grid = p["grid"]
    # Cells of a grid are merged into panels: a random owner swallows its right and lower neighbours.
    owner = np.arange(grid * grid).reshape(grid, grid)
    for k in c.rng.permutation(grid * grid):
        i, j = divmod(int(k), grid)
        wide, tall = c.rng.integers(1, 4), c.rng.integers(1, 3)
        block = np.ix_(np.arange(i, i + tall) % grid, np.arange(j, j + wide) % grid)
        if (owner[block] == np.arange(grid * grid).reshape(grid, grid)[block]).all():
            owner[block] = k
    x, y = c.u * np.float32(grid), c.v * np.float32(grid)
    i, j = np.floor(y).astype(np.int64), np.floor(x).astype(np.int64)
    here = owner[i, j]
    fx, fy = x - j, y - i
    edge = np.full(here.shape, 0.5, np.float32)
    for di, dj, distance in ((0, -1, fx), (0, 1, 1 - fx), (-1, 0, fy), (1, 0, 1 - fy)):
        differs = owner[(i + di) % grid, (j + dj) % grid] != here
        edge = np.where(differs, np.minimum(edge, distance), edge)
    groove = step(0.035, 0.015, edge)
    tone = c.rng.permutation(grid * grid)[here] * 997 % 23
    shade = np.where(tone < 2, 4, tone % 4)
    scuff = step(0.1, 0.9, c.noise(6, 5, 0.6))
    color = tint(np.asarray(p["colors"], np.float32)[shade], 0.95 - 0.12 * scuff - 0.6 * groove)
    height = (-0.05 * groove + 0.012 * (tone % 3) * (1 - groove)) / grid + 0.0002 * c.noise(48, 2)
    if p["rivets"]:
        away = np.hypot(np.minimum(fx, 1 - fx) - 0.12, np.minimum(fy, 1 - fy) - 0.12)
        rivet = np.sqrt(np.clip(1 - (away / 0.045) ** 2, 0, 1)) * (edge < 0.25)
        height = height + 0.03 * rivet / grid
        color = tint(color, 1 + 0.12 * rivet)
    return Maps(color, height.astype(np.float32), p["roughness"] + 0.2 * scuff + 0.2 * groove, p["metallic"] * (1 - groove))


FAMILIES: dict[str, tuple[Callable[[Rng], Recipe], Callable[[Recipe, Canvas], Maps]]] = {
    "noise": (_draw_noise, _paint_noise),
    "checker": (_draw_checker, _paint_checker),
    "stripes": (_draw_stripes, _paint_stripes),
    "polka_dots": (_draw_polka_dots, _paint_polka_dots),
    "tiles": (_draw_tiles, _paint_tiles),
    "hexagons": (_draw_hexagons, _paint_hexagons),
    "mosaic": (_draw_mosaic, _paint_mosaic),
    "wallpaper": (_draw_wallpaper, _paint_wallpaper),
    "panels": (_draw_panels, _paint_panels),
}
