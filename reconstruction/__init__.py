"""LRM-Zero: pictures to geometry, trained on the shards to prove the data. Three families that `training` receives.

GAUSSIANS   posed pictures to 3D Gaussians (GS-LRM)
TRIPLANE    posed pictures to a triplane field (NeRF-LRM)
MONOCULAR   one picture to normals and depth

training.train(GAUSSIANS, dataset_dir, "micro", out)   writes a checkpoint that resumes exactly
training.evaluate(GAUSSIANS, out, dataset_dir)         metrics next to their baselines, a picture grid, splats
"""

from versemill.reconstruction.families import GAUSSIANS, TRIPLANE
from versemill.reconstruction.monocular import MONOCULAR

__all__ = ["GAUSSIANS", "MONOCULAR", "TRIPLANE"]
