"""The rows of a ledger: trials, and what they reported."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from toolkit.base.plain import copied
from toolkit.contracts import Architecture, Trial, TrialKind, TrialState

Phase = Literal["search", "final"]

FOUND, RANDOM = "found", "random"
"""Networks of final trainings: what the search found, and all random architectures together."""
FRONT_POINT = "front-"
"""Begins the labels of further points of the front, before the number of their trial."""


@dataclass(frozen=True)
class TrialRecord:
    """One row of the ledger.

    Attributes:
        number: from 1, in the order of asking; final trainings count on.
        phase: `search`, or `final` for trainings from scratch after it.
        label: of a final training what is trained: `found`, `random-1`, or a baseline's name.
        fidelity: what the trial overrides of the recipe's training block.
        values: validation metrics of a done trial; the last reported ones of a pruned one.
        derived: architectures a supernet trial ended with, best first.
        parameters: trainable numbers of the deployed model.
        duration_s: time in workers, all attempts together.
        attempts: how often it was started.
        source: the trial whose result answered this one (`budget.dedup`).
        folder: within the run folder.
        error: why it did not end well; the last line is the error itself.
        told: position in the order in which the strategy heard of the ends of trials.
        continues: the trial whose checkpoint and seed it was given.
        epochs_paid: epochs really trained, all attempts together; an epoch on a share of the
            training data counts as that share.
        origin: the run and trial it was taken over from (`--from`); such a trial is not paid for.
        comparable: False where that run's task, options or training were others: it informs the
            strategy, and neither answers repeats nor counts as found.
        violations: bounds of the recipe's constraints that it breaks, as text, and by how much:
            see `Trial.violations`. An invalid trial with violations was not trained.
    """

    number: int
    phase: Phase
    kind: TrialKind
    state: TrialState
    point: dict[str, Any] | None
    fingerprint: str
    seed: int
    label: str = ""
    fidelity: Mapping[str, Any] = field(default_factory=dict)
    token: Any = None
    values: Mapping[str, float] = field(default_factory=dict)
    derived: tuple[Architecture, ...] = ()
    parameters: int | None = None
    duration_s: float = 0.0
    attempts: int = 0
    source: int | None = None
    folder: str = ""
    error: str = ""
    created: float = field(default_factory=time.time)
    started: float | None = None
    ended: float | None = None
    told: int | None = None
    continues: int | None = None
    epochs_paid: float = 0.0
    origin: str = ""
    comparable: bool = True
    violations: Mapping[str, float] = field(default_factory=dict)

    @property
    def eligible(self) -> bool:
        """Whether it may be what a search found: done, comparable, within the constraints."""
        done = self.state is TrialState.DONE and self.kind == "train"
        return done and self.comparable and not self.violations

    @property
    def network(self) -> str:
        """The network of a final training: its label, or `random` for every random architecture."""
        return network_of(self.label)

    @property
    def in_full(self) -> bool:
        """Whether it was a whole training: not the start of a longer one, and on all the data."""
        return not self.fidelity.keys() & {"of_epochs", "data"}

    def trial(self) -> Trial:
        """What a strategy sees of it: copies, as it may change what it is given."""
        return Trial(
            self.number,
            self.kind,
            copied(self.point),
            dict(self.fidelity),
            self.seed,
            self.fingerprint,
            copied(self.token),
            tuple(copied(architecture) for architecture in self.derived),
            self.continues,
            self.origin,
            dict(self.violations),
        )


def network_of(label: str) -> str:
    """The network that a label of final trainings stands for, see `TrialRecord.network`."""
    return RANDOM if label.startswith(f"{RANDOM}-") else label


def candidates(records: Iterable[TrialRecord]) -> list[TrialRecord]:
    """The eligible trials that were trained in full, or all eligible ones if none was."""
    eligible = [record for record in records if record.eligible]
    return [record for record in eligible if record.in_full] or eligible


@dataclass(frozen=True)
class MetricRecord:
    """What a trial reported after one step (epoch); None stands for NaN and infinities."""

    step: int
    values: Mapping[str, float | None]
    records: Mapping[str, Any]
    time: float
