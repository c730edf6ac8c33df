"""Cameras, lights, engines and passes: from an asset to pixel-aligned images."""
