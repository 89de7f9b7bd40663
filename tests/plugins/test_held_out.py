"""What tasks fit to training samples, on every preparation: held-out samples have no say in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from toolkit.contracts import Pool
from toolkit_arrays.series import SeriesArraysTask
from toolkit_arrays.spd import SpdArraysTask
from toolkit_drone.task import DroneRadarTask
from toolkit_mocap.task import MocapTask

COUNT, CLASSES = 24, 2
LABELS, GROUPS = np.arange(COUNT) % CLASSES, np.arange(COUNT) // 6
LENGTHS = np.random.default_rng(2).integers(30, 40, COUNT)
TRAIN, HELD_OUT, TEST = (np.flatnonzero(g == GROUPS) for g in (0, 1, 3))
"""A fold: the third group is not used."""


def _samples(channels: int, changed: bool, length: int | None = None) -> list[np.ndarray]:
    """Series (time, channels); others where they are held out."""
    rng = np.random.default_rng(1)
    made = [rng.normal(size=(length or own, channels)) for own in LENGTHS]
    for number, one in enumerate(made):
        one *= 1 + LABELS[number]
        if changed and number not in TRAIN:
            one[:] = 50 * one[::-1] + 1
    return made


def _labels(changed: bool) -> np.ndarray:
    known = np.isin(np.arange(COUNT), TRAIN)
    return np.where(changed & ~known, 1 - LABELS, LABELS)


Make = Callable[[Path, bool, dict[str, Any]], Any]


def _spd(path: Path, changed: bool, options: dict[str, Any]) -> SpdArraysTask:
    matrices = np.stack([np.cov(one, rowvar=False) for one in _samples(3, changed)])
    np.savez(path, X=matrices, y=_labels(changed), groups=GROUPS)
    return SpdArraysTask(SpdArraysTask.Options.model_validate({"data": path, **options}))


def _series(path: Path, changed: bool, options: dict[str, Any]) -> SeriesArraysTask:
    rows = np.concatenate(_samples(3, changed))
    np.savez(path, X=rows, lengths=LENGTHS, y=_labels(changed), groups=GROUPS)
    return SeriesArraysTask(SeriesArraysTask.Options.model_validate({"data": path, **options}))


def _mocap(path: Path, changed: bool, options: dict[str, Any]) -> MocapTask:
    arrays = {"lengths": LENGTHS, "labels": _labels(changed), "subjects": GROUPS}
    np.savez(path, frames=np.concatenate(_samples(12, changed)), hip_joint=0, **arrays)
    return MocapTask(
        MocapTask.Options.model_validate({"data": path, "test_subjects": ["3"], **options})
    )


def _radar(path: Path, changed: bool, options: dict[str, Any]) -> DroneRadarTask:
    signals = np.stack([one[:, 0] + 1j * one[:, 1] for one in _samples(2, changed, 60)])
    np.savez(path, signals=signals, y=_labels(changed), groups=GROUPS)
    small = {"window": 6, "hop": 3, **options}
    return DroneRadarTask(
        DroneRadarTask.Options.model_validate({"data": path, "covariance": small})
    )


GROUPED = {"grouped": True, "test_groups": ["3"]}
WINDOWS = [[0, 1], [0, 0.5], [0.5, 1]]
PREPARATIONS: list[tuple[Make, dict[str, Any]]] = [
    *((_spd, {"scale": scale, "ridge": 0.01}) for scale in ("dataset", "trace", "none")),
    (_spd, GROUPED),
    *((_series, {"estimator": name}) for name in ("sample", "oas", "ledoit_wolf")),
    *((_series, {"scale": scale, "mean": 0.5}) for scale in ("dataset", "trace", "none")),
    (_series, {"band": [[5, 20], [20, 40]], "rate": 100, "windows": WINDOWS}),
    (_series, {"output": "series", **GROUPED}),
    (_mocap, {}),
    (_mocap, {"velocities": True, "time_rows": 2, "mean": True, "components": 7}),
    (_mocap, {"windows": [1, 2], "components": 5, "scale": "trace"}),
    (_mocap, {"segment": 8, "velocities": True, "scale": "none"}),
    (_mocap, {"bones": [[0, 1], [1, 2]], "mean": True, "grouped": True}),
    *((_radar, {"scale": scale}) for scale in ("trace", "power", "none")),
    (_radar, {"window": [4, 8], "embedding": "real_embedding"}),
]


def _flat(fitted: Any) -> list[np.ndarray]:
    """All numbers of nested mappings and sequences."""
    if isinstance(fitted, dict):
        return [each for value in fitted.values() for each in _flat(value)]
    if isinstance(fitted, list | tuple):
        return [each for value in fitted for each in _flat(value)]
    return [] if fitted is None else [np.asarray(fitted)]


@pytest.mark.parametrize(
    ("make", "options"), PREPARATIONS, ids=lambda given: getattr(given, "__name__", str(given))
)
def test_training_samples_are_the_same_whatever_is_held_out(
    make: Make, options: dict[str, Any], tmp_path: Path
) -> None:
    found = []
    for changed in (False, True):
        pool: Pool = make(tmp_path / f"{changed}.npz", changed, options).pool(tmp_path, 0)
        splits = pool.divide(TRAIN, HELD_OUT, TEST)
        train = [splits.train[number] for number in range(len(splits.train))]  # type: ignore[arg-type, index]
        held_out = [splits.val[number][0] for number in range(len(splits.val))]  # type: ignore[arg-type, index]
        found.append((train, _flat(dict(splits.fitted)), splits.preparation, held_out))
    (train, fitted, words, before), (other, others, other_words, after) = found
    assert len(train) == len(other) >= len(TRAIN)
    for (x, y), (changed_x, changed_y) in zip(train, other, strict=True):
        torch.testing.assert_close(x, changed_x, rtol=0, atol=0, equal_nan=True)
        assert int(y) == int(changed_y)
    assert all(map(np.array_equal, fitted, others)) and len(fitted) == len(others)
    assert words == other_words
    assert any(not torch.equal(x, y) for x, y in zip(before, after, strict=True)) or (
        options.get("scale", "trace") in ("trace", "power")
    ), "the change is one that held-out samples show"
