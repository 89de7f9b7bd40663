"""The compiled eigensolver agrees with LAPACK within a small multiple of n times epsilon."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from symmetric_matrices import (
    FACTOR,
    SPECTRA,
    check_eigen,
    structured,
    symmetric,
    with_spectrum,
)
from toolkit_spd.kernels import available, batched_eigh, exp_divided, log_divided
from toolkit_spd.kernels import library as kernel
from toolkit_spd.kernels.eigh import applies

pytestmark = pytest.mark.skipif(not available(), reason="the compiled kernel is not installed")

DTYPES = (torch.float64, torch.float32)
INSTRUCTIONS = range(kernel.load().instructions + 1 if available() else 0)


@contextmanager
def using(instructions: int) -> Iterator[None]:
    os.environ[kernel.SWITCH] = kernel.INSTRUCTIONS[instructions]
    kernel.load.cache_clear()
    try:
        yield
    finally:
        del os.environ[kernel.SWITCH]
        kernel.load.cache_clear()


def decompose(x: Tensor, instructions: int) -> tuple[Tensor, Tensor]:
    with using(instructions):
        assert applies(x)
        return batched_eigh(x)


@pytest.fixture(params=INSTRUCTIONS, ids=lambda i: kernel.INSTRUCTIONS[i])
def instructions(request: pytest.FixtureRequest) -> int:
    return request.param


@pytest.fixture(params=DTYPES, ids=str)
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    return request.param


@settings(max_examples=40)
@given(
    st.integers(3, 40),
    st.integers(1, 33),
    st.integers(0, 2**31),
    st.sampled_from(DTYPES),
    st.sampled_from(list(INSTRUCTIONS)),
)
def test_random_symmetric(
    batch: int, n: int, seed: int, dtype: torch.dtype, instructions: int
) -> None:
    x = symmetric(batch, n, dtype, seed)
    check_eigen(x, *decompose(x, instructions))


@pytest.mark.parametrize("n", [34, 45])
def test_larger_matrices(n: int, dtype: torch.dtype, instructions: int) -> None:
    x = symmetric(17, n, dtype)
    check_eigen(x, *decompose(x, instructions))


@pytest.mark.parametrize("name", SPECTRA)
def test_spectra(name: str, dtype: torch.dtype, instructions: int) -> None:
    x = with_spectrum(SPECTRA[name], dtype)
    check_eigen(x, *decompose(x, instructions))


@pytest.mark.parametrize("factor", ["smallest", "tiny", "huge", "largest"])
def test_any_scale(factor: str, dtype: torch.dtype, instructions: int) -> None:
    info = torch.finfo(dtype)
    by = {
        "smallest": info.tiny * 8,
        "tiny": 1e-200 if dtype == torch.float64 else 1e-30,
        "huge": 1e200 if dtype == torch.float64 else 1e30,
        "largest": info.max / 64,
    }[factor]
    x = symmetric(11, 12, dtype)
    x = x / x.abs().amax() * by
    values, vectors = decompose(x, instructions)
    if factor != "smallest":  # there, eigenvalues themselves lose bits
        check_eigen(x, values, vectors)
    eye = torch.eye(12, dtype=dtype)
    assert ((vectors.mT @ vectors - eye).abs() <= FACTOR * 12 * info.eps).all()


def test_mixed_scales_in_one_batch(dtype: torch.dtype, instructions: int) -> None:
    x = symmetric(40, 9, dtype) * torch.logspace(-15, 15, 40, dtype=dtype)[:, None, None]
    x[7] = 0
    x[8] = torch.eye(9, dtype=dtype)
    check_eigen(x, *decompose(x, instructions))


@pytest.mark.parametrize("name", structured(4, torch.float64))
def test_structured(name: str, dtype: torch.dtype, instructions: int) -> None:
    for n in (2, 8, 20):
        x = structured(n, dtype)[name].to(dtype).expand(17, n, n)
        check_eigen(x, *decompose(x, instructions))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_not_finite_gives_nan_for_that_matrix_only(
    value: float, dtype: torch.dtype, instructions: int
) -> None:
    x = symmetric(21, 6, dtype)
    x[4, 3, 1] = value
    x[20, 0, 0] = value
    values, vectors = decompose(x, instructions)
    bad = torch.zeros(21, dtype=torch.bool)
    bad[[4, 20]] = True
    assert values[bad].isnan().all() and vectors[bad].isnan().all()
    check_eigen(x[~bad], values[~bad], vectors[~bad])


@pytest.mark.parametrize("batch", [3, 7, 8, 9, 15, 16, 17, 31, 33, 65])
def test_any_batch_size(batch: int, dtype: torch.dtype, instructions: int) -> None:
    x = symmetric(batch, 5, dtype)
    values, vectors = decompose(x, instructions)
    check_eigen(x, values, vectors)
    alone = decompose(x[-3:], instructions)[0]
    assert torch.equal(values[-3:], alone), "the result depends on the neighbours in the batch"


def test_reads_the_lower_triangle(instructions: int) -> None:
    x = symmetric(20, 7, torch.float64)
    garbage = x.tril() + torch.full((7, 7), float("nan")).double().triu(1).nan_to_num(1e9)
    assert torch.equal(decompose(garbage, instructions)[0], decompose(x, instructions)[0])


def test_accepts_what_torch_accepts() -> None:
    x = symmetric(24, 6, torch.float64)
    expected = torch.linalg.eigvalsh(x)
    strided = torch.empty(24, 6, 12, dtype=torch.float64)[..., ::2].copy_(x)
    for given_ in (x.mT, strided, x.clone().requires_grad_(), torch.nn.Parameter(x)):
        values, vectors = batched_eigh(given_)
        assert not values.requires_grad and not vectors.requires_grad
        torch.testing.assert_close(values, expected)
    values, vectors = batched_eigh(x.view(2, 3, 4, 6, 6))
    torch.testing.assert_close(values, expected.view(2, 3, 4, 6))
    assert vectors.stride() == torch.linalg.eigh(x.view(2, 3, 4, 6, 6))[1].stride()
    empty = batched_eigh(x[:0])
    assert empty[0].shape == (0, 6) and empty[1].shape == (0, 6, 6)
    assert batched_eigh(x[0])[0].shape == (6,)
    with pytest.raises(RuntimeError):
        batched_eigh(torch.zeros(5, 2, 3))


CHILD = """
import multiprocessing
import torch
from toolkit_spd.kernels import available, batched_eigh

def work(_):
    values, _ = batched_eigh(torch.eye(4).expand(9, 4, 4))
    return available() and bool((values == 1).all())

if __name__ == "__main__":
    torch.set_num_threads(1)
    assert work(None)
    for method in ("fork", "spawn"):
        with multiprocessing.get_context(method).Pool(1) as pool:
            assert pool.map(work, [0, 1]) == [True, True]
"""


def test_works_in_forked_and_spawned_processes(tmp_path: Path) -> None:
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    subprocess.run([sys.executable, script], check=True, timeout=120)


def test_switched_off_uses_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(kernel.SWITCH, "off")
    kernel.load.cache_clear()
    try:
        assert not available()
        x = symmetric(20, 4, torch.float64)
        assert all(
            torch.equal(a, b) for a, b in zip(batched_eigh(x), torch.linalg.eigh(x), strict=True)
        )
    finally:
        kernel.load.cache_clear()


def refuse(values: Tensor) -> Tensor:
    raise AssertionError("the kernel did not apply")


@pytest.mark.parametrize("n", [1, 2, 7, 16, 20, 33])
@pytest.mark.parametrize("name", ["log", "exp"])
def test_divided_differences(name: str, n: int, dtype: torch.dtype, instructions: int) -> None:
    spread = torch.linspace(-9, 6, n, dtype=torch.float64)
    close = torch.logspace(-18, 0, n, dtype=torch.float64)
    logarithms = torch.stack([spread, close, 2 + close, torch.full_like(close, -1)]).sort().values
    values = (logarithms.exp() if name == "log" else logarithms).to(dtype).view(2, 2, n)
    with using(instructions):
        result = {"log": log_divided, "exp": exp_divided}[name](values, refuse)
    a, b = values.double().unsqueeze(-1), values.double().unsqueeze(-2)
    gap = (a - b).abs().clamp_min(1e-150)
    if name == "log":
        ratio = (gap / torch.minimum(a, b)).clamp_min(1e-150)
        exact = torch.log1p(ratio) / ratio / torch.minimum(a, b)
    else:
        exact = torch.expm1(-gap) / -gap * torch.maximum(a, b).exp()
    # Two logarithms below 9 are subtracted where they differ by log(1.5) or more.
    tolerance = (9 / 0.4 + 10) * torch.finfo(dtype).eps
    assert ((result.double() - exact).abs() <= tolerance * exact).all()
    assert torch.equal(result, result.mT)


def test_divided_differences_fall_back() -> None:
    assert log_divided(torch.ones(2, 3, dtype=torch.float16), torch.zeros_like).sum() == 0
    assert log_divided(torch.ones(0, 3), refuse).shape == (0, 3, 3)
