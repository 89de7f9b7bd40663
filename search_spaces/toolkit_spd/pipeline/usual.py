"""What is usually worth a try on series of some length and sampling rate."""

from __future__ import annotations

from typing import TypeAlias

from toolkit.contracts import TaskInfo

from .design import ALL

_Banks: TypeAlias = tuple[tuple[tuple[float, float], ...], ...]

_LONG = 128
"""Samples from which a series has bands and parts worth telling apart."""
_EEG = (80.0, 2000.0)
"""Rates, Hz, at which the bands of brain and muscle signals are taken."""
_EEG_BANDS: _Banks = (
    ((8, 30),),
    ((4, 40),),
    ((8, 13), (13, 30)),
    ((6, 10), (10, 14), (14, 20), (20, 30)),
)
_OCTAVES: _Banks = (
    ((0.03125, 0.25),),
    ((0.0625, 0.125), (0.125, 0.25)),
    ((0.03125, 0.0625), (0.0625, 0.125), (0.125, 0.25), (0.25, 0.5)),
)
_CROPS = ("0-0.5", "0-0.75", "0.125-0.875", "0.25-0.75", "0.25-1", "0.5-1")


def usual_bands(task: TaskInfo) -> tuple[str, ...]:
    """Return bands as points spell them."""
    if not _is_long(task):
        return (ALL,)
    rate, banks = task.rate, _OCTAVES
    if rate is not None and _EEG[0] <= rate <= _EEG[1]:
        banks = tuple(tuple((a / rate, b / rate) for a, b in bank) for bank in _EEG_BANDS)
    return (ALL, *("+".join(f"{low:.6f}-{high:.6f}" for low, high in bank) for bank in banks))


def usual_crops(task: TaskInfo) -> tuple[str, ...]:
    """Return parts of a series as points spell them."""
    return (ALL, *_CROPS) if _is_long(task) else (ALL,)


def _is_long(task: TaskInfo) -> bool:
    return task.shortest is not None and task.shortest >= _LONG
