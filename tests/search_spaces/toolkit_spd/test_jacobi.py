"""The GPU's eigensolver, run line by line by Triton's interpreter; `tests/gpu` runs it compiled."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from functools import partial
from types import ModuleType

import pytest
import torch
from torch import Tensor

from symmetric_matrices import SPECTRA, check_eigen, structured, symmetric, with_spectrum

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="torch was installed without Triton"
)

NAME = "toolkit_spd.kernels.jacobi"
Decompose = Callable[..., tuple[Tensor, Tensor]]


@pytest.fixture(scope="module")
def decompose() -> Iterator[Decompose]:
    # Triton decides when it is imported whether it interprets; this copy of it is for here alone.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_INTERPRET", "1")
        kept = dict(sys.modules)
        for name in kept:
            if name == NAME or (name.startswith("triton") and not name.startswith("triton._C")):
                del sys.modules[name]
        try:
            jacobi = importlib.import_module(NAME)
            yield partial(run, jacobi)
        finally:
            for name in set(sys.modules) - set(kept):
                if name.startswith("triton"):
                    del sys.modules[name]
            sys.modules.update(kept)


def run(jacobi: ModuleType, x: Tensor, sweeps: int | None = None) -> tuple[Tensor, Tensor]:
    values, vectors = x.new_empty(x.shape[:-1]), torch.empty_like(x)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jacobi, "SWEEPS", sweeps or jacobi.SWEEPS)
        jacobi.decompose(x, values, vectors, torch.finfo(x.dtype).eps)
    return values, vectors.mT


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 11])
def test_any_size(decompose: Decompose, n: int, dtype: torch.dtype) -> None:
    x = symmetric(2, n, dtype)
    check_eigen(x, *decompose(x))


@pytest.mark.parametrize("name", ["condition 1e12", "two repeated eigenvalues"])
def test_a_dozen_sweeps_are_enough(decompose: Decompose, name: str) -> None:
    x = with_spectrum(SPECTRA[name], torch.float64)[:1]
    check_eigen(x, *decompose(x, sweeps=12))


def test_structured(decompose: Decompose) -> None:
    x = torch.stack(list(structured(4, torch.float64).values()))
    check_eigen(x, *decompose(x))


def test_any_scale_and_the_lower_triangle_alone(decompose: Decompose) -> None:
    x = symmetric(4, 4, torch.float32) * torch.tensor([1e-30, 1e-12, 1e12, 1e30])[:, None, None]
    values, vectors = decompose(x)
    check_eigen(x, values, vectors)
    garbage = x.tril() + torch.full((4, 4), 1e9).triu(1)
    assert torch.equal(decompose(garbage)[0], values)


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_not_finite_gives_nan_for_that_matrix_only(decompose: Decompose, value: float) -> None:
    x = symmetric(2, 5, torch.float64)
    x[1, 3, 1] = value
    values, vectors = decompose(x)
    assert values[1].isnan().all() and vectors[1].isnan().all()
    check_eigen(x[:1], values[:1], vectors[:1])
