"""The doctor's advice on drivers that are not here."""

import pytest

from versemill.mill.proof.doctor import fitting_warp


@pytest.mark.parametrize(
    ("driver", "built", "says", "fix"),
    [
        (None, (13, 4), "no NVIDIA driver", "R580"),
        ((12, 4), (13, 4), "knows CUDA 12.4, and warp-lang 1.2 is built for CUDA 13.4", "warp-lang>=1.15,<1.18"),
        ((11, 8), (13, 4), "knows CUDA 11.8", "newer NVIDIA driver"),
        ((11, 8), (12, 9), "knows CUDA 11.8", "newer NVIDIA driver"),
        ((13, 0), (13, 4), "fits warp-lang 1.2, but it shows no device", "CUDA_VISIBLE_DEVICES"),
        ((12, 4), None, "built without CUDA", "PyPI"),
    ],
)
def test_the_doctor_says_which_warp_fits_the_driver(driver, built, says, fix):
    detail, line = fitting_warp(driver, built, "1.2")
    assert says in detail
    assert fix in line
