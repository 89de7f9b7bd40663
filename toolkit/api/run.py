"""A run, read from its folder: while its engine is at work, and ever after."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.api.best import Best
from toolkit.api.ledger import outcome_of, reading, recipe_of, require_run
from toolkit.base.errors import RecipeError, ToolkitError
from toolkit.base.files import is_inside
from toolkit.base.places import expanded
from toolkit.base.summary import format_number

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from toolkit.base.summary import Statistics as Statistics
    from toolkit.contracts import Architecture
    from toolkit.export.predictions import Predictions
    from toolkit.run.following import Event
    from toolkit.run.ledger import Ledger
    from toolkit.run.outcome import RunOutcome
    from toolkit.run.over_folds import OverFolds
    from toolkit.run.records import TrialRecord
    from toolkit.run.results import NetworkResult
    from toolkit.run.state import State


class Run:
    """A run folder, to read.

    Everything is read when it is asked for, so that a run at work can be watched. Plugins that the
    run names are not imported, except by `model`, which runs the network's own file.

    Args:
        folder: the run folder, such as `runs/spd_drone`.

    Raises:
        RecipeError: it is no run folder.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = expanded(folder)
        require_run(self.folder)

    def __repr__(self) -> str:
        try:
            reached = "".join(
                f", best {name} {format_number(value)}" for name, value in self._reached()
            )
            return f"<{type(self).__name__} {self.name!r} in {self.folder}: {self.state}{reached}>"
        except ToolkitError as error:
            return f"<{type(self).__name__} in {self.folder}: {error.message}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: how far the run is, and its networks in the test."""
        from toolkit.api.shown import run_as_html

        return run_as_html(self)

    @property
    def name(self) -> str:
        """The name that the recipe gives the run."""
        return str(self.recipe.get("name") or self.folder.name)

    @property
    def recipe(self) -> dict[str, Any]:
        """The recipe with every default stated; itself a recipe."""
        with reading(self.folder) as ledger:
            return recipe_of(ledger)

    @property
    def state(self) -> State:
        """Whether the run is at work, or how it ended."""
        from toolkit.run.state import state_of

        return state_of(self.folder)

    @property
    def status(self) -> dict[str, Any]:
        """How far the run is, as `toolkit status --json` says it."""
        from toolkit.run.lock import holder
        from toolkit.run.state import is_study
        from toolkit.run.status import summary

        with reading(self.folder) as ledger:
            said: dict[str, Any] = {"run": str(self.folder)}
            if is_study(ledger):
                said["study"] = "open" if holder(self.folder) else "closed"
            said |= {"state": self.state, "engine": holder(self.folder) or "not running"}
            said |= summary(ledger)
        tests = self.further_tests
        return {**said, "further_tests": tests} if tests else said

    @property
    def further_tests(self) -> list[dict[str, Any]]:
        """What `toolkit.test` has tested beside the run's own outcome: trial, folder, results."""
        from toolkit.api.further import further_tests

        return further_tests(self.folder)

    @property
    def test_reads(self) -> str:
        """Says how often the test split was read; empty where it was but once."""
        from toolkit.api.further import reads_in_words

        return reads_in_words(self.folder)

    def trials(self, all: bool = False) -> Any:
        """Returns the trials as a pandas DataFrame, or a list of dicts where there is no pandas.

        Searched values are columns by their dotted names (`train.lr`), and so are the metrics.

        Args:
            all: the final trainings too, not the search alone.
        """
        from toolkit.api.rows import flat, table

        return table([flat(record) for record in self._records(all)])

    def rows(self, all: bool = False) -> list[dict[str, Any]]:
        """Returns the trials as `toolkit trials --json` prints them.

        Args:
            all: the final trainings too, not the search alone.
        """
        from toolkit.api.rows import row

        return [row(record) for record in self._records(all)]

    def trial(self, number: int) -> dict[str, Any]:
        """Returns one trial as `toolkit show --json` prints it: with its `metrics`, by epoch.

        Raises:
            RecipeError: there is no such trial.
        """
        from toolkit.api.rows import row

        with reading(self.folder) as ledger:
            record = self._record(ledger, number)
            metrics = ledger.metrics(number)
        return {**row(record), "metrics": [{"step": m.step, **m.values} for m in metrics]}

    @property
    def best(self) -> Best | None:
        """What the run found, or has found so far; None where no trial has ended well yet.

        None of an evaluation's folds is the best: see `evaluation`.
        """
        from toolkit.run.over_folds import is_evaluation
        from toolkit.run.status import best_so_far

        with reading(self.folder) as ledger:
            if is_evaluation(ledger):
                return None
            outcome = outcome_of(ledger)
            record = best_so_far(ledger) if outcome is None else None
        if outcome is not None:
            return Best(
                outcome.point,
                outcome.values,
                outcome.trial,
                outcome.fingerprint,
                outcome.parameters,
            )
        if record is None:
            return None
        return Best(
            record.point or {},
            dict(record.values),
            record.number,
            record.fingerprint,
            record.parameters,
        )

    @property
    def evaluation(self) -> OverFolds | None:
        """What an evaluation on folds has come to; None for any other run, and before its end."""
        from toolkit.run.over_folds import is_evaluation, over_folds

        with reading(self.folder) as ledger:
            return over_folds(self.folder) if is_evaluation(ledger) else None

    @property
    def architecture(self) -> Architecture | None:
        """The best architecture, or the best so far; None where there is none yet."""
        best = self.best
        return None if best is None else best.architecture

    @property
    def outcome(self) -> RunOutcome | None:
        """What the run found and how it and its rivals did in the test; None before the test."""
        with reading(self.folder) as ledger:
            return outcome_of(ledger)

    def result(self) -> dict[str, Any] | None:
        """Returns what the run found as `toolkit best --json` prints it; None where it is nothing.

        Before the test, it is the best so far, with None in `test`. An evaluation on folds has
        `evaluation` alone.
        """
        from toolkit.run.facts import OUTCOME
        from toolkit.run.searched import searched_at

        if (evaluation := self.evaluation) is not None:
            return {"evaluation": evaluation.plain()}
        found, outcome = self.best, self.outcome
        if found is None:
            return None
        untested = {
            "architecture": found.architecture,
            "point": found.point,
            "trial": found.trial,
            "fingerprint": found.fingerprint,
            "values": found.values,
            "parameters": found.parameters,
            "test": None,
            "baselines": {},
        }
        folder, front = self.folder / "best", self.front
        return {
            **(untested if outcome is None else OUTCOME.plain(outcome)),
            "searched": searched_at(found.point),
            "folder": str(folder) if folder.is_dir() else None,
            **({"front": front} if front else {}),
        }

    @property
    def networks(self) -> list[NetworkResult]:
        """The found network and those beside it, as they did in the test; empty before it."""
        from toolkit.run.results import network_results

        outcome = self.outcome
        return [] if outcome is None else network_results(outcome)

    @property
    def verdict(self) -> str:
        """Whether the search earned its cost, in a sentence or two, as the report says it."""
        from toolkit.report.facts import read_facts
        from toolkit.report.verdict import judge

        return judge(read_facts(self.folder)).sentence

    @property
    def handed_over(self) -> str:
        """Which network `best/` holds, and whether the search found it; empty before the test."""
        from toolkit.run.status import handed_over

        with reading(self.folder) as ledger:
            return handed_over(ledger).get("best_holds", "")

    @property
    def warning(self) -> str:
        """What should be known of the network in `best/`: that it is no better than chance."""
        from toolkit.run.status import handed_over

        with reading(self.folder) as ledger:
            return handed_over(ledger).get("warning", "")

    @property
    def front(self) -> dict[str, Any] | None:
        """The Pareto front of a run with several objectives, see `toolkit.run.status.front`."""
        from toolkit.run.status import front

        with reading(self.folder) as ledger:
            return front(ledger)

    def report(self, output: str | Path | None = None) -> Path:
        """Writes the run's report, in whatever state the run is; its path.

        Args:
            output: the file to write; by default `report.html` in the run folder.
        """
        from toolkit.report import write_report

        return write_report(self.folder, None if output is None else expanded(output))

    def reproduce(
        self,
        number: int | str,
        on_report: Callable[[int, Mapping[str, float]], object] | None = None,
    ) -> dict[str, Any]:
        """Runs one trial again in this process, from its beginning; the run is left as it is.

        This imports the run's plugins: do so with your own runs, and those of people you trust.

        Args:
            number: the trial's number, or `smoke` for the run's first batch.
            on_report: called with the epoch and the metrics, after each epoch.

        Returns:
            `state`, `values`, `error` of this time; `recorded`, the values in the ledger; `same`,
            whether these are equal to the bit (None where there are none to compare), but for
            latencies, which are measured anew.

        Raises:
            ToolkitError: there is no such trial.
        """
        from toolkit.contracts.costs import TIMED
        from toolkit.engine.reproduce import rerun

        def heard(step: int, values: Mapping[str, float], records: Mapping[str, Any]) -> None:
            if on_report is not None:
                on_report(step, values)

        outcome, known = rerun(self.folder, str(number), heard)
        recorded = dict(known.values) if known else {}
        compared = recorded.keys() - TIMED
        values = {name: value for name, value in outcome.values.items() if name in compared}
        same = values == {name: recorded[name] for name in compared}
        return {
            "state": str(outcome.state),
            "values": dict(outcome.values),
            "recorded": recorded,
            "same": same if compared else None,
            "error": outcome.error,
        }

    def model(self) -> torch.nn.Module:
        """Returns the trained network with its weights, ready to predict.

        This runs `best/model.py` of the run folder: do so with your own runs, and those of people
        you trust.

        Raises:
            ToolkitError: the run has exported none yet.
        """
        from toolkit.api.predict import exported
        from toolkit.export import load_model

        return load_model(exported(self.folder))

    def export(
        self,
        *,
        network: str | None = None,
        trial: int | None = None,
        output: str | Path | None = None,
        to: str | Sequence[str] = (),
    ) -> Path:
        """Writes a network that was trained from scratch, as `best/` holds one; its folder.

        This imports the run's plugins: do so with your own runs, and those of people you trust.

        Args:
            network: `found`, a baseline's name, `random-1`, ...; by default that of `best/`.
            trial: the number of a final training, in place of a network.
            output: a new or empty folder; by default `exports/NETWORK` in the run folder.
            to: formats beside `model.py` and its weights: `torch-export`, `onnx`, `state-dict` or
                `all`. Each is compared with the model on real inputs; a format of `all` that
                cannot hold the model is passed over with a warning.

        Raises:
            RecipeError: there is no such network or format, or the folder holds something.
            ToolkitError: the run has not been tested yet, or the export failed.
        """
        from toolkit.engine.exports import export

        target = None if output is None else expanded(output)
        formats = [to] if isinstance(to, str) else to
        return export(self.folder, network=network, trial=trial, output=target, to=formats)

    def sample(self, name: str, n: int = 16, seed: int = 0) -> torch.Tensor:
        """Returns new images (n, C, H, W) in [0, 1] of a class, by the generator in `best/`.

        This runs the run's `best/model.py`: do so with your own runs, and those of people you
        trust. Equal seeds give equal images.

        Raises:
            RecipeError: there is no such class, or `n` is out of range.
            ToolkitError: the run has exported no model yet, or its model generates nothing.
        """
        from toolkit.api.sample import sample

        return sample(self.folder, name, n, seed)

    def write_samples(self, name: str, n: int, folder: str | Path, seed: int = 0) -> list[Path]:
        """Writes what `sample` returns as PNG files into a folder; returns their paths."""
        from toolkit.api.sample import write_samples

        return write_samples(self.folder, name, n, seed, Path(folder))

    def predictions(self, data: Any, groups: Any = None) -> Predictions:
        """Returns what the network in `best/` says of new data, prepared as the training's were.

        This runs the run's task plugin and `best/model.py`: do so with your own runs, and those of
        people you trust.

        Args:
            data: a path of data as the task reads them, labels not needed, or an array of raw
                inputs for tasks that take arrays.
            groups: who or what each input of an array is from (N,), which models need that recentre
                groups; a file holds them itself.

        Raises:
            DataError: the data are missing, malformed, or of another shape than the model's; or the
                model recentres groups, and there are none, or one has a single input.
            ToolkitError: the run has exported no model yet, or its task reads no data of a user's.
        """
        from toolkit.api.predict import predict

        return predict(self.folder, data, groups)

    def predict(self, data: Any, groups: Any = None) -> NDArray[Any]:
        """Returns the predicted class of each input, (N,), or its value, see `predictions`.

        Classes are text, and whole numbers where all are named by one, as labels are.
        """
        import numpy as np

        found = self.predictions(data, groups)
        named_by_numbers = all(re.fullmatch("0|-?[1-9][0-9]*", name) for name in found.classes)
        if found.classes and named_by_numbers:
            return np.array([int(name) for name in found.predicted])
        return np.array(found.predicted)

    def predict_proba(self, data: Any, groups: Any = None) -> NDArray[np.float64]:
        """Returns a probability for each input and class, (N, classes), see `predictions`.

        Raises:
            ToolkitError: the model gives values, and knows no classes.
        """
        found = self.predictions(data, groups)
        if found.values is not None:
            raise ToolkitError(
                f"The model of {self.folder} gives values, and no probabilities of classes.",
                hint="Use `predict`.",
            )
        return found.probabilities

    def events(self, follow: bool = True) -> Iterator[Event]:
        """Yields what has happened in the run, from its beginning.

        Args:
            follow: wait for what is still to happen, until the engine has ended or is gone.
        """
        from toolkit.run import following

        return following.follow(self.folder, wait=follow)

    def logs(self, number: int | None = None) -> list[Path]:
        """Returns the files of what was printed that are there: the engine's log, or a trial's.

        Raises:
            RecipeError: there is no such trial.
        """
        paths = [self.folder / "engine.log"]
        if number is not None:
            with reading(self.folder) as ledger:
                folder = self.folder / self._record(ledger, number).folder
            paths = [folder / "stdout.log", folder / "stderr.log"]
        return [path for path in paths if path.is_file() and is_inside(self.folder, path)]

    def _reached(self) -> list[tuple[str, float]]:
        """The objective's value of what was found, or of the test where nothing was searched."""
        from toolkit.run.status import objectives

        if (evaluation := self.evaluation) is not None:
            return [(f"test {evaluation.metric}", evaluation.mean)]
        with reading(self.folder) as ledger:
            name, outcome = next(iter(objectives(ledger))), outcome_of(ledger)
        best = self.best
        if best is not None and name in best.values:
            return [(name, best.values[name])]
        tested = {} if outcome is None else outcome.test
        return [(f"test {name}", tested[name].mean)] if name in tested else []

    def _records(self, everything: bool) -> list[TrialRecord]:
        with reading(self.folder) as ledger:
            return ledger.trials(None if everything else "search")

    def _record(self, ledger: Ledger, number: int) -> TrialRecord:
        record = ledger.trial(number)
        if record is None:
            raise RecipeError(
                f"{self.folder} has no trial {number}.",
                hint=f"`toolkit trials {self.folder} --all` lists them.",
            )
        return record
