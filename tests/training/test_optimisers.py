"""Muon against torch's own on matrices; kernels of convolutions are matrices in disguise."""

import torch

from versemill.training.optimisers import Muon, orthogonal


def steps(optimiser: type, shape: tuple[int, ...], **options) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(shape, generator=generator))
    optimizer = optimiser([weight], lr=0.02, weight_decay=0.1, **options)
    for _ in range(3):
        weight.grad = torch.randn(shape, generator=generator)
        optimizer.step()
    return weight.detach()


def test_on_matrices_the_steps_are_torchs() -> None:
    """Up to the rounding of bfloat16, in which both iterate; the quintic steepens it to a few percent of an update."""
    for shape in ((8, 24), (24, 8)):
        start = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        ours, theirs = steps(Muon, shape), steps(torch.optim.Muon, shape, momentum=0.95)
        assert (ours - theirs).norm() < 0.05 * (theirs - start).norm()


def test_an_update_is_nearly_orthogonal() -> None:
    values = torch.linalg.svdvals(orthogonal(torch.randn(16, 40, generator=torch.Generator().manual_seed(1))))
    assert 0.5 < values.min() <= values.max() < 1.4


def test_a_kernel_moves_as_its_flat_matrix() -> None:
    torch.testing.assert_close(steps(Muon, (6, 4, 3, 3)).flatten(1), steps(Muon, (6, 36)))
