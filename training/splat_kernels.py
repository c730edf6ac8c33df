"""The fast path of splatting: tiles of sorted Gaussians, composited forward and backward by Warp kernels, CPU or CUDA.

Equal to `splat.composite`, which is the reference. On a CPU the images of a batch are split over threads; each image's
gradients have memory of their own, so the sum has one order and results don't move with the number of threads.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import torch
import warp as wp
from torch import Tensor

from versemill import device as _device
from versemill.training.splats import ALPHA_MAX, ALPHA_MIN, Splats

wp.set_module_options(_device.EXACT)

TILE = 8
_LEAST = wp.constant(ALPHA_MIN)
_MOST = wp.constant(ALPHA_MAX)


@wp.func
def _tile_of(pixel: int, width: int, height: int, tile: int):
    across = (width + tile - 1) // tile
    down = (height + tile - 1) // tile
    image = pixel // (width * height)
    y = (pixel % (width * height)) // width
    x = pixel % width
    return (image * down + y // tile) * across + x // tile


@wp.kernel
def _forward(
    first: int,
    width: int,
    height: int,
    tile: int,
    ids: wp.array(dtype=wp.int64),
    starts: wp.array(dtype=wp.int64),
    xy: wp.array(dtype=wp.vec2),
    conic: wp.array(dtype=wp.vec3),
    opacities: wp.array(dtype=float),
    features: wp.array(dtype=wp.vec4),
    image: wp.array(dtype=wp.vec4),
    through: wp.array(dtype=float),
):
    pixel = first + wp.tid()  # type: ignore[operator]
    x = float(pixel % width) + 0.5
    y = float((pixel % (width * height)) // width) + 0.5
    cell = _tile_of(pixel, width, height, tile)
    light = float(1.0)
    total = wp.vec4(0.0, 0.0, 0.0, 0.0)
    for k in range(int(starts[cell]), int(starts[cell + 1])):
        g = int(ids[k])
        d = wp.vec2(x, y) - xy[g]
        c = conic[g]
        power = 0.5 * (c[0] * d[0] * d[0] + c[2] * d[1] * d[1]) + c[1] * d[0] * d[1]
        if power < 6.0:  # beyond, alpha is below 1/255 at any opacity
            alpha = wp.min(opacities[g] * wp.exp(-power), _MOST)
            if alpha >= _LEAST:
                total += (alpha * light) * features[g]
                light *= 1.0 - alpha
    image[pixel] = total
    through[pixel] = light


@wp.kernel
def _backward(
    first: int,
    width: int,
    height: int,
    tile: int,
    ids: wp.array(dtype=wp.int64),
    starts: wp.array(dtype=wp.int64),
    xy: wp.array(dtype=wp.vec2),
    conic: wp.array(dtype=wp.vec3),
    opacities: wp.array(dtype=float),
    features: wp.array(dtype=wp.vec4),
    through: wp.array(dtype=float),
    grad_image: wp.array(dtype=wp.vec4),
    grad_alpha: wp.array(dtype=float),
    grad_xy: wp.array(dtype=wp.vec2),
    grad_conic: wp.array(dtype=wp.vec3),
    grad_opacities: wp.array(dtype=float),
    grad_features: wp.array(dtype=wp.vec4),
):
    pixel = first + wp.tid()  # type: ignore[operator]
    x = float(pixel % width) + 0.5
    y = float((pixel % (width * height)) // width) + 0.5
    cell = _tile_of(pixel, width, height, tile)
    final = through[pixel]
    light = final
    arriving = grad_image[pixel]
    behind = float(0.0)  # gradient-weighted light of what lies behind
    stop = int(starts[cell + 1]) - 1
    for back in range(int(starts[cell + 1] - starts[cell])):
        g = int(ids[stop - back])
        d = wp.vec2(x, y) - xy[g]
        c = conic[g]
        power = 0.5 * (c[0] * d[0] * d[0] + c[2] * d[1] * d[1]) + c[1] * d[0] * d[1]
        if power < 6.0:
            bell = wp.exp(-power)
            raw = opacities[g] * bell
            alpha = wp.min(raw, _MOST)
            if alpha >= _LEAST:
                light /= 1.0 - alpha
                seen = wp.dot(arriving, features[g])
                wp.atomic_add(grad_features, g, (alpha * light) * arriving)
                grad = seen * light - (behind - grad_alpha[pixel] * final) / (1.0 - alpha)
                behind += alpha * light * seen
                if raw < _MOST:
                    wp.atomic_add(grad_opacities, g, grad * bell)
                    slope = -grad * alpha
                    wp.atomic_add(grad_conic, g, slope * wp.vec3(0.5 * d[0] * d[0], d[0] * d[1], 0.5 * d[1] * d[1]))
                    wp.atomic_add(grad_xy, g, -slope * wp.vec2(c[0] * d[0] + c[1] * d[1], c[1] * d[0] + c[2] * d[1]))


def bins(splats: Splats, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Which Gaussians touch which tile, front to back.

    Returns:
        ids (P,) int64 into the N * G splats, and starts (tiles + 1,) int64: tile t holds ids[starts[t]:starts[t + 1]].
        Tiles run over images, then rows, then columns.
    """
    height, width = size
    across, down = -(-width // TILE), -(-height // TILE)
    images, count = splats.opacities.shape
    with torch.no_grad():
        limit = torch.tensor([width, height], device=splats.xy.device, dtype=splats.xy.dtype)
        drawn = ((splats.reach > 0) & (splats.xy + splats.reach > 0) & (splats.xy - splats.reach < limit)).all(-1)
        ids = drawn.flatten().nonzero().squeeze(1)
        xy, reach = splats.xy.reshape(-1, 2)[ids], splats.reach.reshape(-1, 2)[ids]
        last = torch.tensor([across - 1, down - 1], device=ids.device)
        low = torch.minimum(((xy - reach) / TILE).clamp_min(0).long(), last)
        spans = torch.minimum(((xy + reach) / TILE).long(), last) - low + 1
        order = splats.features[..., 3].reshape(-1)[ids].argsort(stable=True)
        ids, low, spans = ids[order], low[order], spans[order]
        copies = spans.prod(-1)
        owner = torch.repeat_interleave(torch.arange(len(ids), device=ids.device), copies)
        nth = torch.arange(len(owner), device=ids.device) - (copies.cumsum(0) - copies)[owner]
        column, row = low[owner, 0] + nth % spans[owner, 0], low[owner, 1] + nth // spans[owner, 0]
        cell = (ids[owner] // count * down + row) * across + column
        starts = torch.zeros(images * down * across + 1, dtype=torch.int64, device=ids.device)
        starts[1:] = torch.bincount(cell, minlength=images * down * across).cumsum(0)
        return ids[owner[cell.argsort(stable=True)]], starts


def _launch(kernel: Any, images: int, pixels: int, device: torch.device, build: Callable[[], list[Any]]) -> None:
    """Runs the kernel over all pixels: at once on CUDA, split by images over torch's threads on a CPU."""
    if device.type == "cuda":
        stream = wp.stream_from_torch(torch.cuda.current_stream(device))
        wp.launch(kernel, dim=images * pixels, inputs=[0, *build()], device=str(wp.device_from_torch(device)), stream=stream)
        return
    threads = min(torch.get_num_threads(), images)
    edges = [images * k // threads for k in range(threads + 1)]
    arrays = build()
    if threads == 1:
        wp.launch(kernel, dim=images * pixels, inputs=[0, *arrays], device="cpu")
        return
    with ThreadPoolExecutor(threads) as pool:
        jobs = [
            pool.submit(wp.launch, kernel, dim=(b - a) * pixels, inputs=[a * pixels, *arrays], device="cpu")
            for a, b in pairwise(edges)
        ]
        for job in jobs:
            job.result()


class _Composite(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        xy: Tensor,
        conic: Tensor,
        opacities: Tensor,
        features: Tensor,
        ids: Tensor,
        starts: Tensor,
        size: tuple[int, int],
    ) -> tuple[Tensor, Tensor]:
        height, width = size
        images = len(xy)
        image = torch.empty(images, height, width, 4, device=xy.device)
        through = torch.empty(images, height, width, device=xy.device)
        inputs = [t.contiguous() for t in (xy, conic, opacities, features)]
        _launch(
            _forward, images, height * width, xy.device,
            lambda: [width, height, TILE, _wp(ids), _wp(starts), *_splat_arrays(inputs), _wp(image, wp.vec4), _wp(through)],
        )  # fmt: skip
        ctx.save_for_backward(*inputs, ids, starts, through)
        ctx.size = size
        return image, 1 - through

    @staticmethod
    def backward(ctx: Any, grad_image: Tensor, grad_alpha: Tensor) -> tuple[Any, ...]:
        *inputs, ids, starts, through = ctx.saved_tensors
        height, width = ctx.size
        grads = [torch.zeros_like(t) for t in inputs]
        arriving, covering = grad_image.contiguous(), grad_alpha.contiguous()
        _launch(
            _backward, len(through), height * width, through.device,
            lambda: [
                width, height, TILE, _wp(ids), _wp(starts), *_splat_arrays(inputs), _wp(through),
                _wp(arriving, wp.vec4), _wp(covering), *_splat_arrays(grads),
            ],
        )  # fmt: skip
        return (*grads, None, None, None)


def _splat_arrays(tensors: list[Tensor]) -> list[Any]:
    """xy, conic, opacities, features as flat Warp arrays over the same memory."""
    return [_wp(t, dtype) for t, dtype in zip(tensors, (wp.vec2, wp.vec3, wp.float32, wp.vec4), strict=True)]


def _wp(tensor: Tensor, dtype: Any = None) -> Any:
    """A flat Warp array over a tensor's memory; `dtype` vectors take the last axis."""
    length = getattr(dtype, "_length_", 1)
    flat = tensor.detach().reshape(-1, length) if length > 1 else tensor.detach().reshape(-1)
    return wp.from_torch(flat, dtype=dtype, requires_grad=False) if dtype else wp.from_torch(flat, requires_grad=False)


def composite_fast(splats: Splats, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """`splat.composite` by tiles: features (N, H, W, 4), alpha (N, H, W), float32; same values, same gradients."""
    _device.start()
    ids, starts = bins(splats, size)
    image, alpha = _Composite.apply(splats.xy, splats.conic, splats.opacities, splats.features, ids, starts, size)
    return image, alpha
