"""Simulated signals on disk, under a checksum of everything that determines them."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toolkit.datasets.arrays import read_arrays, write_arrays
from toolkit.errors import DataError
from toolkit_drone.parameters import RadarParameters
from toolkit_drone.simulator import SIMULATOR_VERSION, simulate


def cached_signals(
    parameters: RadarParameters, counts: Sequence[int], seed: int, stream: int, folder: Path
) -> tuple[NDArray[np.complex64], NDArray[np.int64]]:
    """`simulate`, read from `folder` where it was done before.

    A file that is truncated, altered or not ours is made again. Where the folder cannot be
    written to, nothing is cached.
    """
    path = folder / f"signals-{_key(parameters, counts, seed, stream)}.npz"
    kept = _read(path)
    if kept is not None:
        return kept
    signals, labels = simulate(parameters, counts, seed, stream)
    arrays: dict[str, ArrayLike] = {
        "signals": signals,
        "labels": labels,
        "checksum": _checksum(signals, labels),
    }
    with contextlib.suppress(OSError):
        write_arrays(path, arrays)
    return signals, labels


def _key(parameters: RadarParameters, counts: Sequence[int], seed: int, stream: int) -> str:
    facts = {
        "version": SIMULATOR_VERSION,
        "parameters": parameters.model_dump(mode="json"),
        "counts": list(counts),
        "seed": seed,
        "stream": stream,
    }
    text = json.dumps(facts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _checksum(signals: NDArray[np.complex64], labels: NDArray[np.int64]) -> str:
    digest = hashlib.sha256(np.ascontiguousarray(signals).tobytes())
    digest.update(np.ascontiguousarray(labels).tobytes())
    return digest.hexdigest()


def _read(path: Path) -> tuple[NDArray[np.complex64], NDArray[np.int64]] | None:
    if not path.exists():
        return None
    try:
        arrays = read_arrays(path, ["signals", "labels", "checksum"])
    except DataError:
        return None
    signals, labels = arrays["signals"], arrays["labels"]
    if str(arrays["checksum"]) != _checksum(signals, labels):
        return None
    return signals, labels
