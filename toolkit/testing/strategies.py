"""What every strategy promises, checked on an engine that trains nothing."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from toolkit.base.plain import digest
from toolkit.contracts import (
    Direction,
    Exhausted,
    Proposal,
    SearchContext,
    Strategy,
    Trial,
    TrialState,
    Wait,
)
from toolkit.space import Space, sample, validate
from toolkit.testing.promises import Promise, keep, promise

Judge = Callable[[Mapping[str, Any]], float]
"""Value of a point; more is better."""
ENDINGS = (
    TrialState.DONE,
    TrialState.DONE,
    TrialState.DONE,
    TrialState.FAILED,
    TrialState.DONE,
    TrialState.PRUNED,
    TrialState.INVALID,
)
"""How trials end, in turn."""
AT_ONCE = 3
"""Trials that run side by side."""
LARGE = 1000
"""Points from which on a strategy that proposes its first point again has started over."""


def arbitrary(point: Mapping[str, Any]) -> float:
    """A value from 0 to 1 without rhyme or reason, but always the same."""
    return int(digest(point)[:8], 16) / 0xFFFFFFFF


@dataclass(eq=False)
class StrategyCase:
    """A strategy and what it searches.

    What was rehearsed for one promise serves the others.

    Attributes:
        make: makes a new strategy object.
        tree: what to search.
        judge: value (to be maximised) of a point.
        trials: proposals to ask for.
        epochs: epochs of a full training.
    """

    make: Callable[[], Strategy]
    tree: Space
    judge: Judge = arbitrary
    trials: int = 12
    epochs: int = 27
    _rehearsed: dict[int, Rehearsal] = field(default_factory=dict, repr=False)

    @property
    def context(self) -> SearchContext:
        """What the strategy is told first."""
        objectives: dict[str, Direction] = {"value": "maximize"}
        return SearchContext(self.tree, objectives, 0, self.trials, self.epochs)

    def new(self) -> Strategy:
        """Makes a strategy and sets it up."""
        strategy = self.make()
        strategy.setup(self.context)
        return strategy

    def rehearsed(self, at_once: int) -> Rehearsal:
        """Runs a whole search, so many trials side by side, once."""
        if at_once not in self._rehearsed:
            self._rehearsed[at_once] = Rehearsal(self, self.new()).run(self.trials, at_once)
        return self._rehearsed[at_once]


@dataclass
class Told:
    """An ended trial as a strategy hears of it: what it reported, then how it ended."""

    trial: Trial
    reports: tuple[dict[str, float], ...]
    state: TrialState
    values: dict[str, float]

    def to(self, strategy: Strategy) -> None:
        """Tells a strategy."""
        for step, values in enumerate(self.reports, 1):
            strategy.report(self.trial, step, values)
        strategy.tell(self.trial, self.state, self.values)


@dataclass
class Rehearsal:
    """A search in which nothing is trained: trials end at once, or as soon as others have begun."""

    case: StrategyCase
    strategy: Strategy
    history: list[Told] = field(default_factory=list)
    running: list[Trial] = field(default_factory=list)
    number: int = 0
    over: bool = False
    kept: set[int] = field(default_factory=set)
    """Trials whose checkpoints are there yet."""

    def run(self, trials: int, at_once: int = 1) -> Rehearsal:
        """Asks, reports and tells until so many trials have ended, or nothing is proposed."""
        while len(self.history) < trials and not self.over:
            while len(self.running) < at_once and self.begin() is not None:
                pass
            if self.running:
                self.end()
        return self

    def begin(self) -> Trial | None:
        """Asks for a trial; None if there is none for now, or any more."""
        answer = self.strategy.ask()
        if isinstance(answer, Exhausted):
            self.over = not self.running
            return None
        if isinstance(answer, Wait):
            assert self.running, "it waits although nothing runs, and would wait for ever"
            return None
        assert isinstance(answer, Proposal), f"`ask` returned {answer!r}"
        trial = self._enter(answer)
        self.running.append(trial)
        return trial

    def end(self) -> None:
        """Ends the trial that has run longest."""
        trial = self.running.pop(0)
        told = self._outcome(trial)
        told.to(self.strategy)
        self.history.append(told)
        named = set(self.strategy.promotable() or ())
        early = named - {told.trial.number for told in self.history}
        assert not early, f"`promotable` names trials that have not ended: {sorted(early)}"
        # As the engine does: what is not promotable now is deleted for good.
        self.kept = (self.kept | {trial.number}) & named

    def _enter(self, proposal: Proposal) -> Trial:
        self.number += 1
        assert json.loads(json.dumps(proposal.token)) == proposal.token, (
            f"the token {proposal.token!r} is not plain JSON"
        )
        if proposal.kind == "train":
            validate(self.case.tree, proposal.point)
            self._check_continuation(proposal)
        return Trial(
            self.number,
            proposal.kind,
            proposal.point,
            dict(proposal.fidelity),
            self.number if proposal.seed is None else proposal.seed,
            digest([proposal.point]),
            proposal.token,
            continues=proposal.continues,
        )

    def _check_continuation(self, proposal: Proposal) -> None:
        if proposal.continues is None:
            return
        known = {told.trial.number: told.trial for told in self.history}
        assert proposal.continues in known, (
            f"it proposed to continue trial {proposal.continues}, which has not ended"
        )
        assert known[proposal.continues].point == proposal.point, (
            f"it proposed to continue trial {proposal.continues} with another point"
        )
        assert proposal.continues in self.kept, (
            f"it proposed to continue trial {proposal.continues}, which `promotable` did not name,"
            " so that its checkpoint is gone"
        )

    def _outcome(self, trial: Trial) -> Told:
        if trial.kind == "supernet":
            tree, rng = self.case.tree.members["architecture"], random.Random(0)
            derived = Trial(
                trial.number,
                "supernet",
                None,
                trial.fidelity,
                trial.seed,
                "supernet",
                trial.token,
                derived=(sample(tree, rng),),
            )
            return Told(derived, (), TrialState.DONE, {"value": 0.5})
        assert trial.point is not None
        state = ENDINGS[(trial.number - 1) % len(ENDINGS)]
        value = {"value": self.case.judge(trial.point)}
        heard = state in (TrialState.DONE, TrialState.PRUNED)
        return Told(trial, (value, value), state, value if heard else {})


def check_strategy(
    make: Callable[[], Strategy],
    tree: Space,
    judge: Judge,
    *,
    trials: int = 12,
) -> None:
    """Checks a strategy: valid proposals, any ending told, replay, going on after it.

    Args:
        make: makes a new strategy object.
        tree: what to search.
        judge: value (to be maximised) of a point.
        trials: proposals to ask for.

    Raises:
        AssertionError: a promise of `toolkit.contracts.Strategy` is broken.
    """
    keep(strategy_promises(StrategyCase(make, tree, judge, trials)))


def strategy_promises(case: StrategyCase) -> Iterator[Promise]:
    """Yields what a strategy promises; see `check_strategy`."""
    yield promise(proposals_are_points_of_the_tree, case)
    yield promise(equal_histories_give_equal_proposals, case)
    yield promise(a_replayed_strategy_goes_on, case)
    yield promise(running_trials_are_taken_up, case)
    yield promise(trials_it_never_proposed_are_heard, case)
    yield promise(reports_without_a_number_are_heard, case)


def proposals_are_points_of_the_tree(case: StrategyCase) -> None:
    """Checks points, tokens and promotions, whatever the trials before ended with."""
    for at_once in (1, AT_ONCE):
        assert case.rehearsed(at_once).history, "it proposes nothing at all"


def equal_histories_give_equal_proposals(case: StrategyCase) -> None:
    """Checks that draws depend on the seed and on what was told alone."""
    ours, theirs = case.rehearsed(AT_ONCE), Rehearsal(case, case.new())
    theirs.run(case.trials, AT_ONCE)
    for first, second in zip(ours.history, theirs.history, strict=True):
        assert first == second, (
            f"trial {first.trial.number} is {first.trial.point} in one search and"
            f" {second.trial.point} in another of the same seed and results"
        )


def a_replayed_strategy_goes_on(case: StrategyCase) -> None:
    """Checks that a new object that is told what there was goes on instead of starting over."""
    live = case.rehearsed(1)
    proposal = _replayed(case, live.history).ask()
    if isinstance(proposal, Proposal) and proposal.kind == "train":
        validate(case.tree, proposal.point)
        first = live.history[0].trial
        again = proposal.point == first.point and proposal.continues is None
        # Genetic ones may come back to a point; then the live strategy does so, too.
        over = again and case.tree.size() > LARGE and live.strategy.ask() != proposal
        assert not over, (
            f"after a replay of {len(live.history)} trials it starts over with {proposal.point}"
        )


def running_trials_are_taken_up(case: StrategyCase) -> None:
    """Checks that a resumed strategy hears of trials that still run, and of their ends."""
    live = Rehearsal(case, case.new()).run(case.trials // 2, AT_ONCE)
    while len(live.running) < AT_ONCE and live.begin() is not None:
        pass
    resumed = Rehearsal(case, _replayed(case, live.history, live.running), list(live.history))
    resumed.running, resumed.number, resumed.kept = list(live.running), live.number, live.kept
    resumed.run(case.trials, AT_ONCE)


def trials_it_never_proposed_are_heard(case: StrategyCase) -> None:
    """Checks that trials of an earlier run, also of points outside the tree, do no harm."""
    rehearsal, rng = Rehearsal(case, case.new()), random.Random(1)
    for point in (sample(case.tree, rng), {"architecture": {"none": "of these"}}):
        rehearsal.number += 1
        trial = Trial(
            rehearsal.number, "train", point, {}, 0, digest([point]), origin="runs/earlier/1"
        )
        told = Told(trial, (), TrialState.DONE, {"value": 0.5})
        told.to(rehearsal.strategy)
        rehearsal.history.append(told)
    rehearsal.run(2 + case.trials // 2)


def reports_without_a_number_are_heard(case: StrategyCase) -> None:
    """Checks that a report without the objective, or with NaN, breaks nothing."""
    rehearsal = Rehearsal(case, case.new())
    trial = rehearsal.begin()
    assert trial is not None, "it proposes nothing at all"
    reports: list[dict[str, Any]] = [{"loss": 1.0}, {"value": math.nan}, {"value": None}]
    for step, values in enumerate(reports, 1):
        answer = rehearsal.strategy.report(trial, step, values)
        assert isinstance(answer, bool), f"`report` returned {answer!r}, expected True or False"
    rehearsal.end()


def _replayed(
    case: StrategyCase, history: list[Told], running: list[Trial] | None = None
) -> Strategy:
    """A new strategy that was told an earlier engine's trials, as the engine does it."""
    strategy = case.new()
    strategy.replaying = True
    for told in history:
        heard = strategy.hears_reports
        if heard is True or (heard and told.state is TrialState.PRUNED):
            told.to(strategy)
        else:
            strategy.tell(told.trial, told.state, told.values)
    for trial in running or ():
        strategy.resume(trial)
    strategy.replaying = False
    return strategy
