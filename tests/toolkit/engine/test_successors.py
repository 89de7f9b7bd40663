"""What a space makes of its best results is tried last, once all else has ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from toolkit.contracts import Exhausted, Proposal, SearchContext, Strategy, Trial, TrialState, Wait
from toolkit.engine.successors import BEST, Succeeded
from toolkit.space import Choice, Group

SPACE = Group({"architecture": Group({"width": Choice(range(20)), "part": Choice(["a"])})})


class Rising(Strategy):
    """Proposes 0, 1, 2, ...; knows none of what others made of them."""

    def setup(self, context: SearchContext) -> None:
        self.trials, self.next, self.told = context.trials, 0, []

    def ask(self) -> Proposal | Wait | Exhausted:
        if self.next == 15:
            return Exhausted()
        self.next += 1
        return Proposal(point(self.next - 1))

    def tell(self, trial: Trial, state: TrialState, values: Mapping[str, float]) -> None:
        self.told.append(trial.point["architecture"]["part"])
        self.next = max(self.next, trial.point["architecture"]["width"] + 1)


def point(width: int, part: str = "a") -> dict[str, Any]:
    return {"architecture": {"width": width, "part": part}}


def made_of(parent: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Two of each even width; 2 and 3 share theirs, and odd ones otherwise have none."""
    width = parent["architecture"]["width"]
    width = 2 if width == 3 else width
    return [] if width % 2 else [point(width, part) for part in "bc"]


def begun(trials: int | None) -> Succeeded:
    strategy = Succeeded(Rising(Rising.Options()), made_of, each=2)
    strategy.setup(SearchContext(SPACE, {"accuracy": "maximize"}, 0, trials))
    return strategy


def trial_of(number: int, proposal: Proposal) -> Trial:
    return Trial(number, "train", proposal.point, {}, 0, str(number), proposal.token)


def end(strategy: Strategy, trial: Trial, accuracy: float | None = None) -> None:
    """Widths near 3 are best."""
    reached = -abs(trial.point["architecture"]["width"] - 3.1) if accuracy is None else accuracy
    strategy.tell(trial, TrialState.DONE, {"accuracy": reached})


def search(strategy: Succeeded, trials: int, begin: int = 1) -> list[tuple[int, str]]:
    found = []
    for number in range(begin, begin + trials):
        if not isinstance(proposal := strategy.ask(), Proposal):
            break
        found.append(tuple(proposal.point["architecture"].values()))
        end(strategy, trial_of(number, proposal))
    return found


def test_a_third_of_the_trials_at_most_are_left_to_them() -> None:
    strategy = begun(9)
    assert strategy.inner.trials == 6
    found = search(strategy, 20)
    assert found[:6] == [(width, "a") for width in range(6)]
    assert found[6:] == [(2, "b"), (2, "c"), (4, "b"), (4, "c"), (0, "b"), (0, "c")]
    assert isinstance(strategy.ask(), Exhausted)
    assert set(strategy.inner.told) == {"a"}, "what it does not search it does not hear of"
    assert len(found[6:]) == BEST * 2


def test_without_a_total_they_come_when_there_is_nothing_else() -> None:
    found = search(begun(None), 40)
    assert [part for _, part in found] == ["a"] * 15 + ["b", "c"] * 3


def test_they_wait_for_all_that_runs() -> None:
    strategy = begun(6)
    running = [trial_of(number, strategy.ask()) for number in range(1, 5)]
    assert isinstance(strategy.ask(), Wait)
    for trial in running:
        assert isinstance(strategy.ask(), Wait)
        end(strategy, trial)
    assert strategy.ask().point == point(2, "b")


def test_refused_trials_are_made_up_for() -> None:
    strategy = begun(6)
    for number in range(1, 5):
        strategy.tell(trial_of(number, strategy.ask()), TrialState.INVALID, {})
    assert strategy.ask().point == point(4)


@pytest.mark.parametrize("count", [3, 6, 7, 9])
def test_a_resumed_search_tries_the_same_and_none_twice(count: int) -> None:
    whole = search(begun(9), 12)
    first = begun(9)
    trials = []
    for number in range(1, count + 1):
        trials.append(trial_of(number, first.ask()))
        end(first, trials[-1])
    again = begun(9)
    again.replaying = True
    for trial in trials[:-1]:
        end(again, trial)
    again.resume(trials[-1])
    again.replaying = False
    end(again, trials[-1])
    assert search(again, 12, count + 1) == whole[count:]
