"""What keeps Optuna within little memory: no progress bars, and densities in pieces."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from optuna.samplers import TPESampler

MOST_DENSITIES = 150_000
"""Candidates times known trials of which TPE works out the densities at once."""
_BARS = "tqdm.auto"


@contextmanager
def without_progress_bars() -> Iterator[None]:
    """Optuna imported herein does without tqdm, and the event loop it brings, until it draws one.

    A study that is asked and told draws none.
    """
    if _BARS in sys.modules or "optuna" in sys.modules:
        yield
        return
    stand_in = ModuleType(_BARS)
    stand_in.tqdm = _Bar  # type: ignore[attr-defined]
    sys.modules[_BARS] = stand_in
    try:
        yield
    finally:
        del sys.modules[_BARS]


class _RealBar(type):
    def __call__(cls, *args: Any, **options: Any) -> Any:
        return _tqdm()(*args, **options)

    def __getattr__(cls, name: str) -> Any:
        return getattr(_tqdm(), name)


class _Bar(metaclass=_RealBar):
    """Stands for tqdm's bar, which is imported once it is used."""


def _tqdm() -> Any:
    return importlib.import_module(_BARS).tqdm


def in_pieces(sampler: TPESampler) -> TPESampler:
    """Returns a sampler that works out the densities of many trials for some candidates at a time.

    For 24 candidates and 10,000 trials all at once are 13 MB. The densities are the same.
    """
    if hasattr(sampler, "_parzen_estimator_cls"):
        sampler._parzen_estimator_cls = _estimator()
    return sampler


@cache
def _estimator() -> Any:
    import numpy as np
    from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator

    class Estimator(_ParzenEstimator):
        def log_pdf(self, samples_dict: dict[str, np.ndarray]) -> np.ndarray:
            count = len(next(iter(samples_dict.values()), ()))
            kernels = len(self._mixture_distribution.weights)
            each = -(-count // -(-count * kernels // MOST_DENSITIES)) if count else 1
            if each >= count:
                return super().log_pdf(samples_dict)
            pieces = [
                {name: values[start : start + each] for name, values in samples_dict.items()}
                for start in range(0, count, each)
            ]
            return np.concatenate([super(Estimator, self).log_pdf(piece) for piece in pieces])

    return Estimator
