"""Recordings that `spd_auto` cannot serve, or can with a doubt: the command says one sentence."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from command_line import IN_PROCESS, run_toolkit

N = 36
Y = np.arange(N) % 2
GROUPS = np.array(["anna", "bert", "cleo"])[np.arange(N) // 2 % 3]
Arrays = dict[str, Any]


def _arrays(**changes: Any) -> Arrays:
    rng = np.random.default_rng(0)
    series = rng.normal(size=(N, 4, 20))
    series[:, 0] += (2 * Y - 1)[:, None] * series[:, 1]
    arrays = {"X": series, "y": Y.astype(str), "groups": GROUPS, **changes}
    return {name: array for name, array in arrays.items() if array is not None}


def _with(value: float, where: Any) -> np.ndarray[Any, Any]:
    series: np.ndarray[Any, Any] = _arrays()["X"]
    series[where] = value
    return series


CASES: dict[str, tuple[Callable[[], Arrays], int, str]] = {
    "two groups": (
        lambda: _arrays(groups=np.array(["anna", "bert"])[np.arange(N) // 2 % 2]),
        0,
        "All 18 samples to train and validate on are of one group (anna)",
    ),
    "one group": (
        lambda: _arrays(groups=np.array(["anna"] * N)),
        2,
        "All groups (anna) would be for testing and none for training",
    ),
    "a class in one group": (
        lambda: _arrays(y=np.where(GROUPS == "anna", Y, 0).astype(str)),
        2,
        "Class '1' is in the group anna alone",
    ),
    "a class in the test groups": (
        lambda: _arrays(y=np.where(GROUPS == "cleo", Y, 0).astype(str)),
        2,
        "Class '1' has samples in the test part alone, and none to train on",
    ),
    "few of a class": (
        lambda: _arrays(groups=None, y=np.array(["a"] * (N - 4) + ["b"] * 4)),
        0,
        "Class 'b' has 3 samples to train and validate on, fewer than the 5 folds that are usual",
    ),
    "a constant channel": (
        lambda: _arrays(X=_with(5.0, np.s_[:, 2])),
        0,
        "Channel 2 of 'X' is constant in all of the 36 series looked at",
    ),
    "a constant epoch": (
        lambda: _arrays(X=_with(5.0, 7)),
        2,
        "Series 7 of 'X' is constant, so it has no covariance.\nhint: Leave it out.",
    ),
    "an epoch of NaN": (
        lambda: _arrays(X=_with(np.nan, 3)),
        2,
        "Series 3 of 'X' is nan at time 0, channel 0.\nhint: Leave out the series",
    ),
    "no groups named": (
        lambda: {**_arrays(groups=None), "subjects": GROUPS},
        0,
        "add `groups: subjects` to the task",
    ),
    "no groups": (
        lambda: _arrays(groups=None),
        0,
        "The data do not say who or what each sample is from",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_with_recordings_is_a_sentence(case: str, tmp_path: Path) -> None:
    made, code, words = CASES[case]
    np.savez(tmp_path / "mine.npz", **made())
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        answer = run_toolkit("validate", "spd_auto", "task.data=mine.npz", folder=tmp_path)
    assert answer.code == code, answer
    said = "\n".join([answer.out, answer.err, *(str(one.message) for one in told)])
    assert words in said and "Traceback" not in said
    about = sum("add `groups" in line or "do not say who" in line for line in said.splitlines())
    assert about <= 1, "the same is said once"


def test_a_recentring_model_says_what_new_data_lack(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", **_arrays())
    made = run_toolkit(
        "search",
        "spd_auto",
        "--plugin",
        IN_PROCESS,
        "task.data=mine.npz",
        "space={name: spd_pipeline, recentring: [matrices], networks: []}",
        "resources={executor: in_process, workers: 1, threads: 1}",
        "budget.trials=2",
        "train.final={baselines: false, ensemble: 1, hand_over: found}",
        "-o",
        "run",
        folder=tmp_path,
    )
    assert made.code == 0, made.err
    np.savez(tmp_path / "one.npz", X=_arrays()["X"][:1], groups=["zoe"])
    np.savez(tmp_path / "whose.npz", X=_arrays()["X"][:3])
    one = run_toolkit("predict", "run", "one.npz", "-o", "new.csv", folder=tmp_path)
    whose = run_toolkit("predict", "run", "whose.npz", "-o", "new.csv", folder=tmp_path)
    assert one.code == whose.code == 2
    assert "The group 'zoe' has one input, and the model recentres each group" in one.err
    assert "do not say who or what each one is from" in whose.err
