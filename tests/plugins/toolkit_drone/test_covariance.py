"""Window covariances are what their formula says."""

import numpy as np
import pytest

from toolkit.datasets.matrices import add_ridge
from toolkit_drone.covariance import window_covariances


def _signals(count: int = 300, samples: int = 145) -> np.ndarray:
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((2, count, samples))
    white = noise[0] + 1j * noise[1]
    return white[:, 1:] + 0.9 * white[:, :-1]


def _hermitian(signal: np.ndarray, window: int, hop: int) -> np.ndarray:
    starts = range(0, len(signal) - window + 1, hop)
    columns = np.stack([signal[start : start + window] for start in starts], axis=1)
    return np.cov(columns)


def test_equals_numpy_cov_of_the_windows() -> None:
    signals = _signals()
    found = window_covariances(signals, 20, 10, ridge=0, scale="none")
    for number in (0, 255, 256, 299):
        expected = _hermitian(signals[number], 20, 10).real
        assert np.allclose(found[number], expected, rtol=1e-12, atol=1e-12)


def test_embedding_has_every_eigenvalue_twice() -> None:
    signals = _signals(count=4)
    found = window_covariances(signals, 6, 3, "real_embedding", ridge=0, scale="none")
    assert found.shape == (4, 12, 12)
    for number in range(4):
        expected = np.repeat(np.linalg.eigvalsh(_hermitian(signals[number], 6, 3)), 2)
        assert np.allclose(np.linalg.eigvalsh(found[number]), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("embedding", ["real_part", "real_embedding"])
def test_result_is_symmetric_and_positive_definite(embedding: str) -> None:
    signals = _signals(samples=60)  # five windows of 20: rank deficient before the ridge
    found = window_covariances(signals, 20, 10, embedding, ridge=1e-5)  # type: ignore[arg-type]
    assert np.array_equal(found, found.swapaxes(1, 2))
    assert (np.linalg.eigvalsh(found)[:, 0] > 0.9e-5).all()


def test_trace_scale_removes_the_gain() -> None:
    signals = _signals(count=3)
    once, louder = (window_covariances(gain * signals) for gain in (1, 1e-4))
    assert np.allclose(once, louder, rtol=1e-10)
    assert np.allclose(np.trace(once, axis1=1, axis2=2), 20 * (1 + 1e-5))


def test_power_scale_is_a_property_of_the_signal() -> None:
    signals = _signals(count=3)
    unit = signals / np.sqrt(np.mean(np.abs(signals) ** 2, axis=1, keepdims=True))
    assert np.allclose(
        window_covariances(7 * signals, scale="power"), window_covariances(unit, scale="none")
    )


def test_ridge_is_a_fraction_of_the_mean_eigenvalue() -> None:
    assert np.allclose(add_ridge(np.diag([1.0, 3.0]), 0.1), np.diag([1.2, 3.2]))


def test_one_window_is_not_enough() -> None:
    with pytest.raises(ValueError, match="fewer than two windows"):
        window_covariances(_signals(count=1, samples=26), 20, 10)


@pytest.mark.parametrize("embedding", ["real_part", "real_embedding"])
def test_several_windows_stand_block_by_block(embedding) -> None:
    signals = _signals(count=3)
    found = window_covariances(signals, (4, 10), 5, embedding)
    short, long = (window_covariances(signals, each, 5, embedding) for each in (4, 10))
    n = short.shape[-1]
    assert np.array_equal(found[:, :n, :n], short)
    assert np.array_equal(found[:, n:, n:], long)
    assert not found[:, :n, n:].any() and not found[:, n:, :n].any()
