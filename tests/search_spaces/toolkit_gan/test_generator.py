"""What a generator computes quicker than it is written in papers."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.autograd import grad
from torch.nn.functional import interpolate

from toolkit_gan.generator import convolve_doubled


@pytest.mark.parametrize("shape", [(3, 4, 1, 1), (2, 5, 3, 7)])
def test_a_convolution_of_repeated_pixels_is_one_transposed_convolution(
    shape: tuple[int, int, int, int],
) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(shape[1], 6, 3, padding=1).double()
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    written, ours = conv(interpolate(x, scale_factor=2.0)), convolve_doubled(x, conv)
    torch.testing.assert_close(ours, written)
    turned = torch.randn_like(written)
    learned = (x, conv.weight, conv.bias)
    for theirs, own in zip(
        grad(written, learned, turned), grad(ours, learned, turned), strict=True
    ):
        torch.testing.assert_close(own, theirs)
