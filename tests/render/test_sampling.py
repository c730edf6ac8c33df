"""Sample points: every aligned run of a sequence is stratified, which is what lets pixels share one."""

import numpy as np
import pytest
import warp as wp

from versemill import device as _device
from versemill.render.kernels.sampling import draw, mix

wp.set_module_options(_device.EXACT)


@wp.kernel
def _points(count: int, out: wp.array2d(dtype=wp.vec2)):
    key, index = wp.tid()
    out[key, index] = draw(mix(wp.uint32(key)), 3, index, count)


@pytest.mark.parametrize("count", [16, 64])
def test_aligned_runs_are_stratified_by_themselves(count):
    _device.start()
    out = wp.zeros((200, count), dtype=wp.vec2, device="cpu")
    wp.launch(_points, out.shape, [count, out], device="cpu")
    points = out.numpy()
    run = 2
    while run <= count:
        parts = points.reshape(-1, run, 2)
        # Elementary intervals of base 2: each of the boxes 2^-a by 2^-b with 2^(a+b) = run holds one point.
        for columns in (2**a for a in range(run.bit_length())):
            box = (parts * [columns, run // columns]).astype(int) @ [run // columns, 1]
            assert (np.sort(box, 1) == np.arange(run)).all(), (run, columns)
        run *= 2
    assert np.abs(points.mean((0, 1)) - 0.5).max() < 0.01
    assert len(np.unique(points.reshape(200, -1), axis=0)) == 200
