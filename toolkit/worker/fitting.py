"""Training a point: on its own parts, on folds, or as an ensemble whose results are known."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from toolkit.base.files import write_atomically
from toolkit.base.plain import floats, is_number
from toolkit.contracts import Learner, Outcome, Splits, TrainJob, TrialContext, TrialState
from toolkit.contracts.constraints import describe, violations
from toolkit.contracts.jobs import ENSEMBLE, FEW_SHOT
from toolkit.problem import is_ensemble
from toolkit.run.predictions import held_out_scores
from toolkit.run.weights import HELD_OUT, WEIGHTS
from toolkit.training import costs
from toolkit.worker.artefacts import keep_predictions, save_weights
from toolkit.worker.folds import FoldTrial, fit_folds, summary
from toolkit.worker.state import seed_everything
from toolkit.worker.trial import JobTrial
from toolkit.worker.workplace import Workplace, first_inputs

if TYPE_CHECKING:
    import torch


class Fitting:
    """Trains the points of a worker's jobs."""

    def __init__(self, place: Workplace) -> None:
        self._place = place

    def train(self, job: TrainJob, trial: JobTrial) -> Outcome:
        """Trains a point and judges it on validation data; keeps its weights where asked to."""
        write_atomically(
            trial.folder / "architecture.json",
            json.dumps(job.point["architecture"]) + "\n",
            durable=False,
        )
        learner = self._place.problem.learner(job.point)
        may_be_refused = job.searched and not trial.goes_on
        for names in costs.stages(self._place.problem.costs):
            example = learner.example(first_inputs(trial.splits, 1))
            trial.costs |= costs.of_learner(learner, example, self._place.device, names)
            if may_be_refused and (refused := self._refusal(trial.costs)) is not None:
                return refused
        if job.searched and self._place.problem.recipe.validation.on_folds:
            values = self._fit_folds(job.point, trial)
        elif self._place.problem.refits:
            known = self._known_on_folds(job.point, trial)
            if known is None:
                values = self._fit_folds(job.point, trial, learner)
            else:
                self._decide(learner, trial)
                self._fit(learner, trial)
                values = known
        else:
            values = self._fit(learner, trial)
            if job.searched:
                self._keep_held_out(learner, trial, 1)
        trial.end()
        if job.keep_weights:
            save_weights(learner, trial.folder / WEIGHTS)
        size = costs.parameters(learner.deployed())
        if "parameters" in trial.costs:
            trial.costs["parameters"] = float(size)
        results = {**trial.costs, **values}
        return Outcome(TrialState.DONE, results, parameters=size, warnings=trial.warnings)

    def _fit(self, learner: Learner, trial: TrialContext) -> dict[str, float]:
        from toolkit.training.class_weights import weigh_classes
        from toolkit.training.loop import train_model
        from toolkit.training.targets import fit_targets

        weigh_classes(learner, trial)
        fit_targets(learner, trial)
        fitted = train_model(trial, learner) if learner.fit is None else learner.fit(trial)
        values = floats(fitted)
        return values | self._measures(learner, trial, values)

    def _fit_folds(
        self, point: Mapping[str, Any], trial: JobTrial, kept: Learner | None = None
    ) -> dict[str, float]:
        """Results on folds; then trains the learner that is to be kept on the trial's own parts."""

        folds = self._place.data.folds(self._place.problem.source_of(point), trial.data)
        own = self._place.problem.learner(point)
        if own.cross_fit is not None:
            found = self._cross_fit(own, trial, folds, kept is None)
            if kept is not None:
                kept.decided = own.decided
                self._fit(kept, trial)
            return found

        def fit(fold: FoldTrial) -> dict[str, float]:
            seed_everything(fold.seed)
            learner = self._place.problem.learner(point)
            values = self._fit(learner, fold)
            if kept is None:
                self._keep_held_out(learner, fold, fold.number)
            return values

        def refit(whole: FoldTrial) -> dict[str, float]:
            assert kept is not None
            seed_everything(whole.seed)
            return self._fit(kept, whole)

        return fit_folds(trial, folds, fit, None if kept is None else refit)

    def _decide(self, learner: Learner, trial: JobTrial) -> None:
        """Has the members of an ensemble choose what they leave open as they did when judged."""
        from toolkit.problem.ensemble import EnsembleLearner

        if isinstance(learner, EnsembleLearner):
            learner.decide_on(trial, lambda source: self._place.data.folds(source, trial.data))

    def _cross_fit(
        self, learner: Learner, trial: JobTrial, folds: Sequence[Splits], keeps: bool
    ) -> dict[str, float]:
        """Results on folds of a learner that judges itself on all of them; their predictions kept.

        Its trial counts as one epoch of each fold.
        """
        from toolkit.training.batches import labels_of

        assert learner.cross_fit is not None
        seed_everything(trial.seed)
        results = []
        every = learner.cross_fit(trial, folds)
        for number, (scores, splits) in enumerate(zip(every, folds, strict=True), 1):
            predicted = scores, labels_of(splits.val)
            if keeps:
                self._keep_predicted(predicted, trial, number)
            results.append(floats(trial.task.metrics(*predicted)))
            trial.report(number, results[-1], fold=number)
        if learner.few_shot_accuracy is None:
            return summary(results)
        return summary(results) | {FEW_SHOT: learner.few_shot_accuracy}

    def _known_on_folds(
        self, point: Mapping[str, Any], trial: TrialContext
    ) -> dict[str, float] | None:
        """How an ensemble does on folds, where every member was judged on them; else None.

        What its members predicted of the samples held out of each fold says it without a training.
        """
        if not is_ensemble(point["architecture"]):
            return None
        members = point["architecture"][ENSEMBLE]
        source = self._place.problem.source_of(point)
        count = len(self._place.data.folds(source, trial.data))
        run = trial.folder.parents[1]
        predicted = [held_out_scores(run, member.get("trial"), count) for member in members]
        if any(own is None for own in predicted):
            return None
        import torch

        from toolkit.export.averaging import average

        results = []
        for fold in zip(*filter(None, predicted), strict=True):
            labels = fold[0].labels
            if any(own.labels.tolist() != labels.tolist() for own in fold):
                return None
            scores = average(
                [torch.from_numpy(own.scores) for own in fold],
                [member["sharpness"] for member in members],
            )
            results.append(floats(source.task.metrics(scores, torch.from_numpy(labels))))
        return summary(results)

    def _keep_held_out(self, learner: Learner, trial: TrialContext, number: int) -> None:
        """Writes what a fit predicts of samples held out of it, for ensembles and pilots."""
        if self._keeps_held_out:
            from toolkit.training.loop import predict

            predicted = predict(learner, trial.splits.val, self._place.device)
            self._keep_predicted(predicted, trial, number)

    @property
    def _keeps_held_out(self) -> bool:
        recipe = self._place.problem.recipe
        return recipe.train.final.ensemble > 1 or recipe.budget.pilot != "off"

    def _keep_predicted(
        self, predicted: tuple[torch.Tensor, torch.Tensor], trial: TrialContext, number: int
    ) -> None:
        if self._keeps_held_out:
            path = trial.folder / f"{HELD_OUT}{number}.npz"
            keep_predictions({"held_out": predicted}, path)

    def _refusal(self, found: Mapping[str, float]) -> Outcome | None:
        """How a trial ends that need not be trained, as its model costs too much."""
        bounds = self._place.problem.bounds
        broken = violations(bounds, found)
        if not broken:
            return None
        return Outcome(
            TrialState.INVALID,
            dict(found),
            f"Not trained, because {describe(bounds, found)}.",
            parameters=int(found["parameters"]) if "parameters" in found else None,
            violations=broken,
        )

    def _measures(
        self, learner: Learner, trial: TrialContext, values: Mapping[str, float]
    ) -> dict[str, float]:
        """What the space measures of a training on the validation part; nothing if it diverged."""
        import torch

        if not all(map(is_number, values.values())):
            return {}
        learner.model.eval()
        with torch.no_grad():
            return floats(learner.measures(trial, trial.splits.val))
