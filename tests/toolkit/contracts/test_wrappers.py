"""A wrapper hands everything on: whatever the contract of strategies comes to hold."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from toolkit.contracts import Exhausted, Strategy, StrategyWrapper

METHODS = [
    name for name, member in vars(Strategy).items() if inspect.isfunction(member) and name[0] != "_"
]
VALUES = [
    name
    for name in {**vars(Strategy), **Strategy.__annotations__}
    if name[0] != "_" and name not in (*METHODS, "Options", "options")
]


class Inner(Strategy):
    """Its methods are put there by the tests."""

    def setup(self, context: Any) -> None: ...

    def ask(self) -> Exhausted:
        return Exhausted()

    def tell(self, trial: Any, state: Any, values: Any) -> None: ...


def test_the_contract_is_read_here() -> None:
    assert {"setup", "ask", "report", "tell", "resume", "promotable"} <= set(METHODS)
    assert {"choice", "replaying", "hears_reports"} <= set(VALUES)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_hands_on_what_it_is_given_and_what_comes_back(name: str) -> None:
    parameters = list(inspect.signature(getattr(Strategy, name)).parameters)[1:]
    given, answer, heard = [object() for _ in parameters], object(), []
    inner = Inner(Strategy.Options())

    def method(*arguments: Any) -> Any:
        heard.append(arguments)
        return answer

    setattr(inner, name, method)
    got = getattr(StrategyWrapper(inner), name)(*given)
    assert heard == [tuple(given)]
    returns_nothing = inspect.signature(getattr(Strategy, name)).return_annotation == "None"
    assert got is (None if returns_nothing else answer)


@pytest.mark.parametrize("name", VALUES)
def test_a_value_is_that_of_the_strategy_inside(name: str) -> None:
    for value in (True, False):
        inner = type("Valued", (Inner,), {name: value})(Strategy.Options())
        assert getattr(StrategyWrapper(inner), name) is value


def test_the_strategy_inside_learns_that_it_is_being_replayed() -> None:
    inner = Inner(Strategy.Options())
    wrapper = StrategyWrapper(inner)
    wrapper.replaying = True
    assert inner.replaying
    wrapper.replaying = False
    assert not inner.replaying and wrapper.options is inner.options
