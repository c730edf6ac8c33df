"""Cells come back bit for bit, or within the stated quantum."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from versemill.errors import ShardError
from versemill.shards.codecs import (
    LEVELS,
    decode_array,
    decode_colour,
    dequantise,
    encode_array,
    encode_colour,
    quantise,
)

SHAPES = hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=9)
INTEGERS = st.sampled_from([np.uint8, np.uint16, np.uint32, np.int32])


@given(INTEGERS.flatmap(lambda dtype: hnp.arrays(dtype, SHAPES)), st.sampled_from(["plain", "shuffle", "delta"]))
@settings(max_examples=150, deadline=None)
def test_integer_arrays_return_bit_for_bit(array, kind):
    decoded = decode_array(encode_array(array, kind))
    assert decoded.dtype == array.dtype
    np.testing.assert_array_equal(decoded, array)


@given(
    st.sampled_from([np.float32, np.float64, np.bool_]).flatmap(lambda dtype: hnp.arrays(dtype, SHAPES)),
    st.sampled_from(["plain", "shuffle"]),
)
@settings(max_examples=150, deadline=None)
def test_floats_and_booleans_return_bit_for_bit(array, kind):
    decoded = decode_array(encode_array(array, kind))
    assert decoded.dtype == array.dtype
    assert decoded.shape == array.shape
    assert decoded.tobytes() == array.tobytes()


def test_big_endian_and_strided_arrays_are_stored_by_value():
    array = np.arange(24, dtype=">u2").reshape(4, 6)[::2, ::3]
    np.testing.assert_array_equal(decode_array(encode_array(array, "delta")), array)


def test_delta_and_shuffle_pay_on_smooth_images():
    ramp = (np.add.outer(np.arange(256) ** 2 // 8, np.arange(256) * 37) % 65536).astype(np.uint16)
    assert len(encode_array(ramp, "delta")) < 0.2 * len(encode_array(ramp, "plain"))


def test_floats_refuse_the_delta_filter():
    with pytest.raises(TypeError, match="integers only"):
        encode_array(np.zeros(3, np.float32), "delta")


@pytest.mark.parametrize(
    "damage", [lambda c: c[:5], lambda c: c[:-3], lambda c: b"XXXX" + c[4:], lambda c: c[:20] + b"\xff" * 9 + c[29:]]
)
def test_damaged_array_cells_are_reported(damage):
    cell = encode_array(np.random.default_rng(0).integers(0, 9, (20, 20), dtype=np.uint16))
    with pytest.raises(ShardError):
        decode_array(damage(cell))


@given(
    hnp.arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20), st.sampled_from([3, 4]))),
    st.sampled_from(["zstd", "webp", "png"]),
)
@settings(max_examples=90, deadline=None)
def test_images_return_bit_for_bit_even_under_zero_alpha(image, codec):
    decoded = decode_colour(encode_colour(image, codec))
    np.testing.assert_array_equal(decoded, image.transpose(2, 0, 1)[: len(decoded)])
    if len(decoded) < image.shape[2]:
        assert codec == "webp"
        assert (image[..., 3] == 255).all()


@pytest.mark.parametrize("codec", ["zstd", "webp", "png"])
def test_a_damaged_image_is_reported(codec):
    cell = encode_colour(np.zeros((8, 8, 4), np.uint8), codec)
    for bad in (b"no image", cell[: len(cell) // 2]):
        with pytest.raises(ShardError, match="damaged"):
            decode_colour(bad)


def test_the_colour_filter_pays_on_pictures_and_takes_nothing_else():
    y, x = np.mgrid[:128, :128]
    shade = (np.sin(x / 9) * np.cos(y / 7) * 90 + 128)[..., None] + np.array([0, 10, -20])
    image = shade.astype(np.uint8)
    assert len(encode_colour(image)) < 0.5 * len(encode_array(np.moveaxis(image, -1, 0), "plain"))
    for other in (np.zeros((4, 8, 8), np.uint16), np.zeros((2, 8, 8), np.uint8), np.zeros((8, 8), np.uint8)):
        with pytest.raises(TypeError, match="colour filter"):
            encode_array(other, "colour")


@given(
    hnp.arrays(np.float32, (7, 5), elements=st.floats(-3, 9, width=32)),
    hnp.arrays(np.bool_, (7, 5)),
)
@settings(max_examples=100, deadline=None)
def test_quantised_values_stay_within_half_a_quantum(values, foreground):
    low, high = float(values.min()), float(values.max())
    codes = quantise(values, foreground, low, high)
    decoded = dequantise(codes, low, high)
    assert ((codes > 0) == foreground).all()
    assert (decoded[~foreground] == 0).all()
    quantum = (high - low) / LEVELS
    float32 = np.finfo(np.float32)
    rounding = 4 * float32.eps * max(abs(low), abs(high), high - low) + float32.smallest_subnormal
    assert np.abs(decoded - values)[foreground].max(initial=0) <= quantum / 2 + rounding


def test_the_ends_of_the_range_are_codes_1_and_65535():
    codes = quantise(np.array([2.0, 5.0, 3.5]), np.ones(3, bool), 2.0, 5.0)
    assert codes.tolist() == [1, 65535, 32768]
