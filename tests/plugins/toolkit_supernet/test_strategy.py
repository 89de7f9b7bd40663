from __future__ import annotations

from typing import Any

import pytest

from toolkit.contracts import Exhausted, Proposal, SearchContext, Trial, TrialState, Wait
from toolkit.errors import RecipeError
from toolkit.space import Choice, Float, Group
from toolkit_supernet.strategy import SupernetStrategy

TREE = Group(architecture=Group(operation=Choice(["a", "b", "c"])))
FOUND: tuple[dict[str, Any], ...] = ({"operation": "b"}, {"operation": "a"})


def new(tree: Group = TREE, **options: Any) -> SupernetStrategy:
    strategy = SupernetStrategy(SupernetStrategy.Options(**options))
    strategy.setup(SearchContext(tree, {"accuracy": "maximize"}, seed=0, trials=2))
    return strategy


def supernet(derived: tuple[dict[str, Any], ...] = FOUND) -> Trial:
    return Trial(0, "supernet", None, {}, 0, "supernet", derived=derived)


def derived(number: int, architecture: dict[str, Any]) -> Trial:
    return Trial(number, "train", {"architecture": architecture}, {}, number, str(number))


def test_a_supernet_comes_first_then_what_it_derived_then_nothing() -> None:
    strategy = new()
    first = strategy.ask()
    assert isinstance(first, Proposal) and first.kind == "supernet" and first.point is None
    assert isinstance(strategy.ask(), Wait)
    strategy.tell(supernet(), TrialState.DONE, {"accuracy": 0.9})
    assert [strategy.ask() for _ in FOUND] == [Proposal({"architecture": a}) for a in FOUND]
    assert isinstance(strategy.ask(), Exhausted)


@pytest.mark.parametrize(
    "state", [TrialState.FAILED, TrialState.OOM, TrialState.TIMEOUT, TrialState.INVALID]
)
def test_a_failed_supernet_ends_the_search(state: TrialState) -> None:
    strategy = new()
    strategy.ask()
    strategy.tell(supernet(()), state, {})
    assert isinstance(strategy.ask(), Exhausted)


def test_after_a_replay_nothing_is_proposed_twice() -> None:
    strategy = new()
    strategy.tell(supernet(), TrialState.DONE, {"accuracy": 0.9})
    strategy.tell(derived(1, FOUND[0]), TrialState.FAILED, {})
    assert strategy.ask() == Proposal({"architecture": FOUND[1]})
    assert isinstance(strategy.ask(), Exhausted)


def test_what_goes_on_from_an_earlier_engine_is_not_proposed_again() -> None:
    strategy = new()
    strategy.resume(supernet(()))
    assert isinstance(strategy.ask(), Wait)
    later = new()
    later.tell(supernet(), TrialState.DONE, {"accuracy": 0.9})
    later.resume(derived(1, FOUND[0]))
    assert later.ask() == Proposal({"architecture": FOUND[1]})
    assert isinstance(later.ask(), Exhausted)


def test_what_it_cannot_search_is_refused() -> None:
    tree = Group(architecture=TREE, train=Group(lr=Float(1e-3, 1e-1)))
    with pytest.raises(RecipeError, match="train"):
        new(tree)
    with pytest.raises(RecipeError, match="warmup"):
        new(epochs=2, warmup=2)


@pytest.mark.parametrize(("derive", "trials"), [(1, 2), (3, 4)])
def test_the_default_total_covers_the_supernet_and_all_it_derives(derive: int, trials: int) -> None:
    strategy = SupernetStrategy(SupernetStrategy.Options(derive=derive))
    assert strategy.default_trials() == trials
