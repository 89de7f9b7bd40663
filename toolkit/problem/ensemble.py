"""How an ensemble learns: its members one after the other, each as it would alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toolkit.contracts import Learner, Splits, Train, TrialContext
from toolkit.export.averaging import Ensemble, average, own_inputs
from toolkit.problem.joined import JoinedSplits
from toolkit.problem.source import DataSource
from toolkit.training.loop import evaluate, train_model

if TYPE_CHECKING:
    import torch
    from torch.utils.data import Dataset


@dataclass(frozen=True)
class Member:
    """A model of an ensemble.

    Attributes:
        learner: trains it.
        train: the training block with its own values.
        sharpness: see `toolkit.export.averaging.Ensemble`.
        source: of its data.
        part: which of the joined sources that is; None where all members take the same.
        first: where its inputs begin among the joined ones.
    """

    learner: Learner
    train: Train
    sharpness: float
    source: DataSource
    part: int | None = None
    first: int = 0


class EnsembleLearner(Learner):
    """Averages the probabilities of models that learn the same data with equal weights.

    Where a training is interrupted, it begins anew: members keep no checkpoint.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = tuple(members)
        self.sharpness = [member.sharpness for member in members]
        self.slices = None
        if self.members[0].part is not None:
            self.slices = [(member.first, member.source.info.shape) for member in members]
        super().__init__(Ensemble([m.learner.model for m in members], self.sharpness, self.slices))
        self.transductive = any(member.learner.transductive for member in members)
        self.weighs_classes = all(member.learner.weighs_classes for member in members)

    def predict(self, inputs: torch.Tensor) -> torch.Tensor:
        """Returns the logarithms of the mean probabilities."""
        each = own_inputs(inputs, len(self.members), self.slices)
        scores = [m.learner.predict(own) for m, own in zip(self.members, each, strict=True)]
        return average(scores, self.sharpness)

    def fit(self, trial: TrialContext) -> dict[str, float]:
        """Trains every member; returns the metrics of their mean on the validation part."""
        for number, member in enumerate(self.members):
            part = MemberTrial(trial, member, number)
            member.learner.class_weights = self.class_weights
            if member.learner.fit is None:
                train_model(part, member.learner)
            else:
                member.learner.fit(part)
        return evaluate(self, trial.splits.val, trial.task, trial.device)

    def decide_on(
        self, trial: TrialContext, folds_of: Callable[[DataSource], Sequence[Splits]]
    ) -> None:
        """Has each member choose what it leaves open by the folds of its own data."""
        for number, member in enumerate(self.members):
            if member.learner.decide is not None:
                part = MemberTrial(trial, member, number)
                member.learner.decide(part, folds_of(member.source))

    def measures(self, trial: TrialContext, held_out: Dataset[Any]) -> dict[str, float]:
        """Returns the means of what the members measure; nothing where their inputs differ."""
        if self.slices is not None:
            return {}
        found = [member.learner.measures(trial, held_out) for member in self.members]
        return {name: sum(each[name] for each in found) / len(found) for name in found[0]}

    def deployed(self) -> torch.nn.Module:
        """Returns the ensemble of what each member hands over."""
        members = [member.learner.deployed() for member in self.members]
        return Ensemble(members, self.sharpness, self.slices).to(
            next(iter(self.model.buffers())).device
        )


class MemberTrial(TrialContext):
    """The trial of an ensemble, as one of its members sees it."""

    def __init__(self, trial: TrialContext, member: Member, number: int) -> None:
        train = member.train
        self.task, self.info, self.splits = trial.task, trial.info, trial.splits
        if member.part is not None:
            assert isinstance(trial.splits, JoinedSplits)
            self.task, self.info = member.source.task, member.source.info
            self.splits = trial.splits.parts[member.part]
        self.seed, self.device, self.folder = trial.seed, trial.device, trial.folder
        self.data, self.train, self.of_epochs = trial.data, train, train.epochs
        self.prepared = trial.prepared
        self._trial, self._number = trial, number

    def report(self, step: int, values: Mapping[str, float], **records: Any) -> None:
        """Reports the epoch as one of the whole ensemble's."""
        before = self._number * (self.train.epochs or 0)
        self._trial.report(before + step, values, member=self._number + 1, **records)

    def save(self, state: Mapping[str, Any]) -> None:
        """Keeps nothing."""

    def restore(self) -> None:
        """Finds nothing."""
