"""How final trainings do on the test split, and what is kept of it for the report."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.base.plain import floats
from toolkit.contracts import Drawing, Learner, Outcome, Splits, Tested, TestJob, TrialState
from toolkit.contracts.costs import COSTS
from toolkit.contracts.jobs import AskStop, Report
from toolkit.problem import DataSource
from toolkit.run.weights import PREDICTIONS, SAMPLES
from toolkit.training import costs
from toolkit.worker.artefacts import keep_predictions, keep_samples
from toolkit.worker.trial import JobTrial
from toolkit.worker.workplace import Workplace, first_inputs

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)


class Judging:
    """Tests the final trainings of a worker's jobs."""

    def __init__(self, place: Workplace) -> None:
        self._place = place

    def test(self, job: TestJob, report: Report, ask_stop: AskStop) -> Outcome:
        """Tests some trainings, each on the data of its point."""
        tests: dict[str, Any] = {}
        tested = {}
        references: dict[str, dict[str, float]] = {}
        for training in job.trainings:
            source = self._place.problem.source_of(training.point)
            splits = self._place.splits(source)
            if source.key not in tests:
                tests[source.key] = splits.load_test()
            trial = JobTrial(
                self._place.problem,
                splits,
                self._place.device,
                point=training.point,
                fidelity={},
                seed=training.seed,
                folder=Path(training.folder),
                report=report,
                ask_stop=ask_stop,
                prepared=self._place.prepared(training.point, splits),
            )
            learner, drawn = self._place.rebuild(training), training.number == job.drawn
            tested[training.number] = self._judge(learner, trial, source, tests[source.key], drawn)
            if drawn or not references:
                references = self._references(source, splits, tests[source.key])
        return Outcome(TrialState.DONE, tested=tested, references=references)

    def _references(
        self, source: DataSource, splits: Splits, test: Any
    ) -> dict[str, dict[str, float]]:
        found = source.task.references(splits, test, self._place.device)
        return {name: floats(values) for name, values in found.items()}

    def _judge(
        self, learner: Learner, trial: JobTrial, source: DataSource, test: Any, drawn: bool
    ) -> Tested:
        """How a finished training does on the test split, and its drawing if it is to draw one."""
        import torch

        from toolkit.training.data import count
        from toolkit.training.loop import predict

        judged, predicted = self._judged(learner, trial, source, test)
        found = floats(judged)
        counts = tuple(count(test, trial.info).values())
        drawing = None
        prices = self._costs_or_none(learner, trial.splits)
        with torch.no_grad():
            found |= floats(learner.measures(trial, test))
            if drawn and (drawings := _several(learner.drawing(trial, test))):
                names = list(trial.info.class_names)
                drawing = {"drawings": [d.to_json() for d in drawings], "class_names": names}
        known = counts if len(counts) == trial.info.classes else ()
        if trial.info.outputs != "values":
            return Tested(found, prices, drawing, known)
        values, targets = predicted or predict(learner, test, self._place.device)
        p_value = _p_of_training_mean(trial, values, targets)
        return Tested(found, prices, drawing, known, len(targets), p_value)

    def _judged(
        self, learner: Learner, trial: JobTrial, source: DataSource, test: Any
    ) -> tuple[Mapping[str, float], tuple[torch.Tensor, torch.Tensor] | None]:
        """The task's metrics on the test split, and what was predicted there for them, if it was.

        Scores, or values, are kept beside the weights.
        """
        from toolkit.training.loop import evaluate, predict

        if trial.info.outputs == "images":
            path = trial.folder / SAMPLES
            keep_samples(learner, trial.splits, test, trial.info, self._place.device, path)
        if trial.task.judge is not None or trial.info.outputs == "images":
            return evaluate(learner, test, trial.task, self._place.device), None
        parts = {"val": trial.splits.val, "test": test}
        if self._place.problem.refits:  # It was trained on its validation part as well.
            del parts["val"]
        predicted = {
            name: predict(learner, part, self._place.device) for name, part in parts.items()
        }
        groups = {
            name: source.groups_of(name, labels.numpy()) for name, (_, labels) in predicted.items()
        }
        keep_predictions(predicted, trial.folder / PREDICTIONS, groups)
        return trial.task.metrics(*predicted["test"]), predicted["test"]

    def _costs_or_none(self, learner: Learner, splits: Splits) -> dict[str, float]:
        """Every cost for the table of networks; a model that cannot be counted goes without."""
        try:
            example = learner.example(first_inputs(splits, 1))
            return costs.of_learner(learner, example, self._place.device, COSTS)
        except Exception:
            logger.exception("The costs of %s cannot be measured.", type(learner).__name__)
            return {}


def _p_of_training_mean(
    trial: JobTrial, values: torch.Tensor, targets: torch.Tensor
) -> float | None:
    """The p-value of values (N, 1) being no nearer to targets (N,) than the training mean."""
    from toolkit.analysis.significance import p_of_mean
    from toolkit.training.batches import labels_of

    mean = float(labels_of(trial.splits.train).double().mean())
    return p_of_mean(values[:, 0].tolist(), targets.tolist(), mean)


def _several(drawn: Drawing | Sequence[Drawing] | None) -> Sequence[Drawing]:
    if drawn is None:
        return ()
    return drawn if isinstance(drawn, Sequence) else (drawn,)
