"""A trial on folds goes on where it was, fold by fold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from torch.utils.data import Subset

from small_networks import small_learner
from toolkit.contracts import Splits, StopTrial, TrialContext
from toolkit.datasets.folds import group_folds, stratified_folds
from toolkit.errors import DataError
from toolkit.training.loop import train_model
from toolkit.worker.folds import fit_folds, summary


def fit(fold: TrialContext) -> Mapping[str, float]:
    return train_model(fold, small_learner(seed=fold.seed))


def folds_of(run: Any) -> list[Splits]:
    whole = run.splits.train
    parts = [np.arange(len(whole)) % 3 == number for number in range(3)]
    return [
        Splits(
            Subset(whole, np.flatnonzero(~held_out)),
            Subset(whole, np.flatnonzero(held_out)),
            run.splits.load_test,
        )
        for held_out in parts
    ]


@pytest.mark.parametrize("stop_after", [1, 4, 6, 8])
def test_a_stopped_trial_goes_on_in_its_fold_and_comes_to_the_same(
    trial: Any, stop_after: int
) -> None:
    undisturbed = trial("undisturbed", epochs=4)
    expected = fit_folds(undisturbed, folds_of(undisturbed), fit)

    stopped = trial("stopped", epochs=4, stop_after=stop_after)
    with pytest.raises(StopTrial):
        fit_folds(stopped, folds_of(stopped), fit)
    again = trial("stopped", epochs=4)
    assert fit_folds(again, folds_of(again), fit) == expected
    steps = [step for run in (stopped, again) for step, *_ in run.reports]
    assert steps == list(range(1, 13)), "no epoch twice"
    assert [records["fold"] for *_, records in undisturbed.reports] == [1] * 4 + [2] * 4 + [3] * 4


def test_a_promoted_trial_continues_every_fold(trial: Any) -> None:
    first = trial("rung", epochs=2)
    first.of_epochs = 6
    fit_folds(first, folds_of(first), fit)
    second = trial("rung", epochs=6)
    results = fit_folds(second, folds_of(second), fit)
    assert [step for step, *_ in second.reports] == [3, 4, 5, 6, 9, 10, 11, 12, 15, 16, 17, 18]

    whole = trial("whole", epochs=6)
    assert fit_folds(whole, folds_of(whole), fit) == results


def test_means_and_standard_errors_of_results() -> None:
    found = summary([{"accuracy": 0.5, "loss": 1.0}, {"accuracy": 0.7, "loss": float("nan")}])
    assert found["accuracy"] == pytest.approx(0.6)
    assert found["accuracy_se"] == pytest.approx(0.1)
    assert "loss_se" not in found and found["loss"] != found["loss"]


def test_every_sample_is_held_out_once_in_a_round_and_each_class_alike() -> None:
    labels = np.repeat([0, 1, 2], [9, 12, 6])
    members = np.arange(0, 27)
    folds = stratified_folds(members, labels, "abc", 3, 2, seed=1)
    assert len(folds) == 6
    for round_ in (folds[:3], folds[3:]):
        assert sorted(np.concatenate([fold.held_out for fold in round_])) == list(range(27))
        for train, held_out in round_:
            assert np.bincount(labels[held_out]).tolist() == [3, 4, 2]
            assert not set(train) & set(held_out)
    again = stratified_folds(members, labels, "abc", 3, 2, seed=1)
    assert all(np.array_equal(a.train, b.train) for a, b in zip(folds, again, strict=True))


def test_a_class_of_one_group_cannot_be_left_out() -> None:
    labels, groups = np.array([0, 1, 0, 1, 2, 0]), np.array([1.0, 1.0, 2.0, 2.0, 3.0, 3.0])
    with pytest.raises(DataError, match="Class 'c' is in the group 3 alone"):
        group_folds(np.arange(6), labels, "abc", groups, None)
    folds = group_folds(np.arange(4), labels, "ab", groups, None)
    assert [fold.held_out.tolist() for fold in folds] == [[0, 1], [2, 3]]
    with pytest.raises(DataError, match="of 1 groups, and 2 folds"):
        group_folds(np.arange(2), labels, "ab", groups, None)
    with pytest.raises(DataError, match="The data have no groups"):
        group_folds(np.arange(4), labels, "ab", None, None)
