"""One asset through all stages in plain Python: generate, curate, render, sample, save."""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

import versemill
from versemill.curation import curate, sample
from versemill.render import CameraConfig, RenderConfig, render
from versemill.render.pictures import passes_sheet
from versemill.zeroverse import ZeroverseConfig, generate

out = Path(sys.argv[1] if len(sys.argv) > 1 else "out/examples")
out.mkdir(parents=True, exist_ok=True)

# Every value of the asset is drawn from (seed, index): the same two numbers give the same asset, anywhere.
asset = generate(ZeroverseConfig(composition="solid", texture_size=256), seed=1, index=7)
print(asset)
asset.save(out / "asset.glb")

# Cleaned, normalised to [-1, 1]^3, and given a watertight surface; or rejected with a reason.
curated = curate(asset)
if isinstance(curated, versemill.Rejected):
    sys.exit(f"rejected: {curated.message}")
print(curated)

views = render(curated.asset, RenderConfig(width=192, height=192, cameras=CameraConfig(views=6)))
print(views)
print(views.cameras[0])
Image.fromarray(passes_sheet(curated.asset, views)).save(out / "views.png")

# Points on and near the surface with signed distances, negative inside, in the same frame as the cameras.
fields = sample(curated)
print(fields)
inside = float((fields.vol_sdf < 0).mean())
print(f"{inside:.0%} of the box [-1.05, 1.05]^3 is inside the surface")
np.savez_compressed(out / "fields.npz", surface=fields.surface, points=fields.near_points, sdf=fields.near_sdf)
