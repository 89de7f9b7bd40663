"""The contract of strategies: which trial to run next."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from toolkit.contracts.common import Architecture, Direction, Options
from toolkit.contracts.constraints import Bound
from toolkit.space import Space

if TYPE_CHECKING:
    from toolkit.contracts.spaces import SearchSpace
    from toolkit.contracts.trials import TrialContext


class TrialState(StrEnum):
    """Where a trial stands; see design notes in `toolkit.run.ledger` for the transitions."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    PRUNED = "pruned"
    FAILED = "failed"
    OOM = "oom"
    TIMEOUT = "timeout"
    LOST = "lost"
    INVALID = "invalid"

    @property
    def ended(self) -> bool:
        """Whether the strategy has heard, or will hear, of it."""
        return self not in (TrialState.QUEUED, TrialState.RUNNING, TrialState.LOST)


TrialKind: TypeAlias = Literal["train", "supernet"]


@dataclass(frozen=True)
class Proposal:
    """What a strategy wants tried.

    Attributes:
        point: a point of the run's tree: `{"architecture": ..., "train": {...}, "space": {...}}`,
            the last two only where the recipe searches values under them. None for a supernet.
        fidelity: e.g. `{"epochs": 3}`; what it leaves out is the recipe's full training. The
            learning-rate schedule is laid out over the full training's epochs, or over
            `"of_epochs"` where it is given, so that 3 of 9 epochs are the first 3 of the 9.
            `"data"` is the share of the training data to train on.
        token: anything JSON the strategy wants to see again in `tell`, replays included.
        continues: number of an ended trial of the same architecture whose training goes on,
            with its checkpoint and its seed; see `Strategy.promotable`.
        seed: of the trial; by default derived from the run's seed and the trial's number.
    """

    point: dict[str, Any] | None
    kind: TrialKind = "train"
    fidelity: Mapping[str, Any] = field(default_factory=dict)
    token: Any = None
    continues: int | None = None
    seed: int | None = None


@dataclass(frozen=True)
class Trial:
    """A proposal as the engine runs it: one architecture, one seed, one fidelity.

    Attributes:
        derived: architectures that a supernet trial ended with, best first.
        continues: the trial whose training it went on with.
        origin: where it comes from if an earlier run trained it (`--from`), else empty.
        violations: bounds of `SearchContext.constraints` that it broke, as text, such as
            `"parameters <= 50000"`, and by how much, as a share of the bound (`Bound.excess_in`);
            empty if it is feasible, or ended before that was known.
    """

    number: int
    kind: TrialKind
    point: dict[str, Any] | None
    fidelity: Mapping[str, Any]
    seed: int
    fingerprint: str
    token: Any = None
    derived: tuple[Architecture, ...] = ()
    continues: int | None = None
    origin: str = ""
    violations: Mapping[str, float] = field(default_factory=dict)


class Wait:
    """Nothing to propose until another trial ends."""


class Exhausted:
    """Nothing to propose any more, whatever happens."""


@dataclass(frozen=True)
class SearchContext:
    """What a strategy is told once, before anything else.

    Attributes:
        space: the run's tree (see `Proposal.point`).
        objectives: metric -> direction, the first being the primary one.
        seed: the run's seed.
        trials: the run's total of trials, or None.
        epochs: epochs of a full training of the search; None where they differ from point to
            point.
        constraints: the bounds that a trial must keep to.
    """

    space: Space
    objectives: Mapping[str, Direction]
    seed: int
    trials: int | None
    epochs: int | None = None
    constraints: tuple[Bound, ...] = ()


class Strategy(ABC):
    """Which trial to run next.

    The engine calls `setup` once; on a resumed run `report` for everything a trial reported (see
    `hears_reports`) and then `tell`, for every ended trial of the ledger in the order of the first
    telling, and `resume` and `report` for every trial that goes on; then `ask`, `report` and `tell`
    as things happen, all in one thread. A strategy keeps no state on disk: what it learns, it
    learns through `report` and `tell`. So that a resumed run goes on instead of starting over,
    random draws must depend on the seed and on what was told.
    """

    Options: ClassVar[type[Options]] = Options
    hears_reports: bool | Literal["pruned"] = True
    """Whether a resumed run gives the reports of earlier engines to `report` again. False spares a
    strategy that keeps nothing of them the reading of them all; `"pruned"` has it hear only those
    of trials that were pruned or have not ended."""
    replaying: bool = False
    """True while the results of an earlier engine are heard again: answers to `report` are not
    used, so what only makes these may be left out."""

    def __init__(self, options: Any) -> None:
        self.options = options

    def default_trials(self) -> int | None:
        """Total of trials where the recipe limits neither trials nor time; None for no limit."""
        return 20

    @property
    def choice(self) -> str:
        """What it chose to do with this recipe, in a few words, once set up; mostly nothing."""
        return ""

    @abstractmethod
    def setup(self, context: SearchContext) -> None:
        """Take the tree and the objectives in.

        Raises:
            RecipeError: this strategy cannot serve them.
        """

    def resume(self, trial: Trial) -> None:  # noqa: B027 - most strategies need not know
        """Hear of a trial that an earlier engine started and that goes on; `tell` will follow.

        A strategy that must not propose the same once more learns here that it has been.
        """

    @abstractmethod
    def ask(self) -> Proposal | Wait | Exhausted:
        """Propose the next trial. Called whenever a slot is free and the budget allows."""

    def report(self, trial: Trial, step: int, values: Mapping[str, float]) -> bool:
        """Hear an intermediate result; False ends the trial as pruned.

        A value that was not finite is None or NaN. A trial that was cut short may report steps
        again. On a resumed run the results of earlier engines are heard again, and the answer is
        not asked for.
        """
        return True

    @abstractmethod
    def tell(self, trial: Trial, state: TrialState, values: Mapping[str, float]) -> None:
        """Hear how a trial ended. `values` is empty unless it is done or pruned.

        A trial that breaks a constraint is invalid, and `Trial.violations` says how far it is from
        feasible; its `values` are there if it was trained all the same, because what it breaks is
        known only then.

        A trial may be told that this object never proposed: an earlier engine's, or one answered
        from the ledger because its fingerprint, fidelity and seed were known, or one of the run
        that this one is warm started from (`Trial.origin`).
        """

    def promotable(self) -> Collection[int] | None:
        """Numbers of ended trials that a later proposal may continue (`Proposal.continues`).

        Asked after each `tell`. The engine keeps the checkpoints of these trials and deletes those
        of all others; a training that continues a trial without checkpoint starts from zero.

        Returns:
            None (the default) if this strategy continues no trial, ever.
        """
        return None


class OneShotStrategy(Strategy):
    """A strategy whose first trial is a supernet, and whose further ones it derives."""

    needs_supernet: ClassVar[bool] = True
    """Whether `search` builds the space's supernet: a space without one is refused at once."""

    @abstractmethod
    def search(self, trial: TrialContext, space: SearchSpace) -> SupernetResult:
        """Run the supernet trial, in a worker. Reports, checkpoints and stops like any trial.

        Args:
            trial: what trial code may use.
            space: the run's search space; a `OneShotSpace` where `needs_supernet` says so.
        """


@dataclass(frozen=True)
class SupernetResult:
    """What a supernet trial ends with; `architectures` best first."""

    values: dict[str, float]
    architectures: tuple[Architecture, ...]
    warnings: tuple[str, ...] = ()
