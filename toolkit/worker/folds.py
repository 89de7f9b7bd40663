"""A trial that is judged on several folds: one training after the other, one result."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from toolkit.contracts import Splits, TrialContext
from toolkit.worker.trial import JobTrial


def fit_folds(
    trial: JobTrial, folds: Sequence[Splits], fit: Fit, refit: Fit | None = None
) -> dict[str, float]:
    """Trains a model on each fold, and returns the mean of each result.

    Beside each mean stands its standard error over the folds, under the name with `_se`. The epochs
    of all folds are counted on, so that pruners compare trials on the same fold; a trial that is
    interrupted, or goes on from one of fewer epochs, continues every fold from its checkpoint.

    Args:
        trial: the whole trial.
        folds: the data of each fold.
        fit: trains on a fold.
        refit: trains on `trial.splits` after all folds; its results are left out of the means.
    """
    books = _Books(trial)
    for number, splits in enumerate(folds):
        if number not in books.results:
            fold = FoldTrial(trial, splits, number, books)
            books.results[number] = dict(fit(fold))
    if refit is not None:
        refit(FoldTrial(trial, trial.splits, len(folds), books))
    return summary([books.results[number] for number in range(len(folds))])


def summary(results: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Returns the mean of each result over folds, and its standard error."""
    means: dict[str, float] = {}
    errors: dict[str, float] = {}
    for name in results[0]:
        values = [fold[name] for fold in results]
        means[name] = statistics.fmean(values)
        if len(values) > 1 and all(map(math.isfinite, values)):
            errors[f"{name}_se"] = statistics.stdev(values) / math.sqrt(len(values))
    return means | errors


class _Books:
    """What the checkpoint of the whole trial holds: the state of each fold, the results so far."""

    def __init__(self, trial: JobTrial) -> None:
        state = trial.restore() or {"epochs": None, "states": {}, "results": {}}
        self._trial, self._epochs = trial, trial.train.epochs
        self.states: dict[int, Any] = dict(state["states"])
        self.results: dict[int, dict[str, float]] = {}
        if state["epochs"] == self._epochs:  # Else it is that of a trial of fewer epochs.
            self.results = dict(state["results"])

    def save(self) -> None:
        self._trial.save({"epochs": self._epochs, "states": self.states, "results": self.results})


class FoldTrial(TrialContext):
    """A trial on one fold, as the code that trains sees it."""

    def __init__(self, trial: JobTrial, splits: Splits, number: int, books: _Books) -> None:
        self.task, self.info, self.splits = trial.task, trial.info, splits
        self.train, self.of_epochs, self.data = trial.train, trial.of_epochs, trial.data
        self.seed, self.device, self.folder = trial.seed, trial.device, trial.folder
        self.prepared, self.number = trial.prepared, number + 1
        self._trial, self._number, self._books = trial, number, books

    def report(self, step: int, values: Mapping[str, float], **records: Any) -> None:
        before = self._number * (self.train.epochs or 0)
        self._trial.report(before + step, values, fold=self.number, **records)

    def save(self, state: Mapping[str, Any]) -> None:
        self._books.states[self._number] = dict(state)
        self._books.save()

    def restore(self) -> dict[str, Any] | None:
        state: dict[str, Any] | None = self._books.states.get(self._number)
        return state


Fit = Callable[[FoldTrial], Mapping[str, float]]
"""Trains a model from its beginning, on the data of the trial it is handed; its results."""
