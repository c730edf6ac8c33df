"""Does one setting of the data matter? Two arms that differ in it alone, the same training, one table.

This budget is far too small for an answer: `versemill ablate` with its default budget takes an hour or more on two cores.
"""

import sys
from pathlib import Path

from versemill.mill.proof import ablation

out = Path(sys.argv[1] if len(sys.argv) > 1 else "out/examples")
out.mkdir(parents=True, exist_ok=True)
(out / "ablations.yaml").write_text("""
base:
  pipeline: base
  set:
    sources.zeroverse.texture_size: 32
    curate.resolution: 48
    render.cameras: {preset: lrm_zero, views: 8}
    fields: {surface_points: 256, sharp_points: 0, near_points: 0, sharp_near_points: 0, volume_points: 0, voxel_resolution: 8}
tests:
  zeroverse: {}
ablations:
  primitives:
    question: do four primitives teach more than one?
    family: monocular
    arms:
      one primitive: {set: {"sources.zeroverse.count_weights": [1]}}
      four: {set: {"sources.zeroverse.count_weights": [0, 0, 0, 1]}}
""")

budget = ablation.budget(assets=4, test_assets=2, seeds=2, steps=2)
outcome = ablation.ablate("primitives", out / "ablation", budget, out / "ablations.yaml", device="cpu", say=print)
print(Path(outcome.files[0]).read_text())
