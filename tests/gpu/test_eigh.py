"""The GPU's eigensolver, as it is compiled there, is as exact as the CPU's and has nobody wait."""

from __future__ import annotations

import pytest
import torch

from symmetric_matrices import SPECTRA, check_eigen, structured, symmetric, with_spectrum
from toolkit_spd.kernels import batched_eigh
from toolkit_spd.kernels.eigh import applies

pytestmark = pytest.mark.gpu

DTYPES = (torch.float64, torch.float32)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("n", [1, 2, 7, 16, 20, 33, 45, 64, 93, 128])
def test_any_size(device: str, n: int, dtype: torch.dtype) -> None:
    x = symmetric(70, n, dtype).to(device)
    assert applies(x) or device == "cpu" or (n > 64 and dtype == torch.float64)
    check_eigen(x.cpu(), *(part.cpu() for part in batched_eigh(x)))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_hard_matrices(device: str, dtype: torch.dtype) -> None:
    for x in (
        *(with_spectrum(spectrum, dtype) for spectrum in SPECTRA.values()),
        *(torch.stack(list(structured(n, dtype).values())).to(dtype) for n in (2, 20, 40)),
        symmetric(31, 9, dtype) * torch.logspace(-15, 15, 31, dtype=dtype)[:, None, None],
    ):
        check_eigen(x, *(part.cpu() for part in batched_eigh(x.to(device))))


def test_more_matrices_than_cusolver_takes(device: str) -> None:
    x = symmetric(100_000, 10, torch.float32).to(device)
    values, vectors = batched_eigh(x)
    again = (vectors * values.unsqueeze(-2)) @ vectors.mT
    torch.testing.assert_close(again, x, rtol=0, atol=1e-4)


def test_larger_ones_go_to_torch(device: str) -> None:
    x = symmetric(3, 140, torch.float64).to(device)
    assert device == "cpu" or not applies(x)
    check_eigen(x.cpu(), *(part.cpu() for part in batched_eigh(x)))


def test_a_matrix_that_is_not_finite_gives_nan_for_itself_alone(device: str) -> None:
    x = symmetric(40, 20, torch.float64)
    x[3, 4, 1] = float("nan")
    values, vectors = (part.cpu() for part in batched_eigh(x.to(device)))
    assert values[3].isnan().all() and vectors[3].isnan().all()
    sound = torch.arange(40) != 3
    check_eigen(x[sound], values[sound], vectors[sound])
