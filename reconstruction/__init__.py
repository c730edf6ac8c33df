"""LRM-Zero: posed images to 3D Gaussians, trained on the shards to prove the data."""
