"""Warp kernels of the renderer; one set for CPU and CUDA."""
