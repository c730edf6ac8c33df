"""Splats as a .ply that 3D Gaussian splatting viewers open, and picture grids."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from versemill.ply import header
from versemill.training.splats import ALPHA_MIN, Gaussians

SH0 = 0.28209479177387814
"""The constant spherical harmonic: viewers show 0.5 + SH0 * f_dc."""
PLY = ("x", "y", "z", "f_dc_0", "f_dc_1", "f_dc_2", "opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2",
       "rot_3")  # fmt: skip
"""Properties of a splat in the viewers' format, float32 each."""


def write_splats(path: Path, gaussians: Gaussians) -> int:
    """Writes the first set of Gaussians (1, G) as binary .ply: logit opacity, log scale, rotation w first, world frame.

    Gaussians that no renderer would show (opacity below 1/255) are left out; returns how many are written.
    """
    shown = gaussians.opacities[0] > ALPHA_MIN
    means, quats, scales, opacities, colors = (
        getattr(gaussians, name)[0][shown].detach().cpu() for name in ("means", "quats", "scales", "opacities", "colors")
    )
    columns = [
        means,
        (colors - 0.5) / SH0,
        torch.logit(opacities.clamp(1e-6, 1 - 1e-6))[:, None],
        scales.clamp_min(1e-8).log(),
        torch.nn.functional.normalize(quats, dim=-1),
    ]
    table = torch.cat(columns, 1).numpy().astype("<f4")
    path.write_bytes(header({"vertex": (len(table), [f"float {name}" for name in PLY])}) + table.tobytes())
    return len(table)


def picture_grid(path: Path, rows: list[list[Tensor]], headers: list[str], least: int = 64) -> None:
    """A PNG of rows of cells, each cell a strip of (n, 3, S, S) images in [0, 1], under one header per column.

    Images narrower than `least` pixels are enlarged by whole factors, without smoothing.
    """
    factor = max(1, -(-least // rows[0][0].shape[-1]))
    gap, top = 12, 22
    strips = [[_strip(cell, factor) for cell in row] for row in rows]
    widths = [strip.shape[1] for strip in strips[0]]
    height = strips[0][0].shape[0]
    sheet = Image.new("RGB", (sum(widths) + gap * (len(widths) + 1), top + (height + 4) * len(rows) + gap), "white")
    pen = ImageDraw.Draw(sheet)
    for r, row in enumerate(strips):
        x = gap
        for k, strip in enumerate(row):
            if r == 0:
                pen.text((x, 5), headers[k], fill="black")
            sheet.paste(Image.fromarray(strip), (x, top + r * (height + 4)))
            x += widths[k] + gap
    sheet.save(path)


def _strip(images: Tensor, factor: int) -> np.ndarray:
    wide = torch.cat(list(images), 2).clamp(0, 1).permute(1, 2, 0).mul(255).round().to(torch.uint8).cpu().numpy()
    return wide.repeat(factor, 0).repeat(factor, 1)
