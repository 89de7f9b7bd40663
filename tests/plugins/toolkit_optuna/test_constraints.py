"""Constraints as Optuna's samplers hear of them."""

from __future__ import annotations

from typing import Any

import pytest

from toolkit.contracts import Bound, Proposal, SearchContext, Trial, TrialState
from toolkit.contracts.constraints import violations
from toolkit.space import Group, Int
from toolkit_optuna.samplers import OptunaNsga2, OptunaNsga3
from toolkit_optuna.strategy import OptunaRandom, OptunaStrategy, OptunaTPE

SPACE = Group(width=Int(1, 100), depth=Int(1, 100))
BOUND = Bound("width", "<=", 20)
OBJECTIVES = {"accuracy": "maximize", "parameters": "minimize"}


def feasible_share(strategy: OptunaStrategy, objectives: int, *, trained: bool = False) -> float:
    """Share of feasible proposals among the later half of 120; the wider, the more accurate."""
    named: Any = dict(list(OBJECTIVES.items())[:objectives])
    strategy.setup(SearchContext(SPACE, named, 0, 120, constraints=(BOUND,)))
    feasible = []
    for number in range(120):
        proposal = strategy.ask()
        assert isinstance(proposal, Proposal) and proposal.point is not None
        width, depth = proposal.point["width"], proposal.point["depth"]
        excess = width > 20
        trial = Trial(
            number,
            "train",
            proposal.point,
            {},
            0,
            str(number),
            proposal.token,
            violations=violations([BOUND], {"width": width}),
        )
        feasible.append(not excess)
        values = {"accuracy": width / 100 - depth / 1000, "parameters": width * depth}
        state = TrialState.INVALID if excess else TrialState.DONE
        strategy.tell(trial, state, values if trained or not excess else {})
    return sum(feasible[60:]) / 60


@pytest.mark.parametrize("objectives", [1, 2])
@pytest.mark.parametrize("trained", [False, True])
def test_tpe_and_genetic_algorithms_learn_where_the_feasible_is(
    objectives: int, trained: bool
) -> None:
    small = {"population_size": 10}
    for strategy in (
        OptunaTPE(OptunaTPE.Options()),
        OptunaNsga2(OptunaNsga2.Options(**small)),
        OptunaNsga3(OptunaNsga3.Options(**small)),
    ):
        share = feasible_share(strategy, objectives, trained=trained)
        assert share > 0.5, f"{type(strategy).__name__}: 20 % of the space are feasible"


def test_samplers_that_know_no_constraints_hear_of_failures() -> None:
    strategy = OptunaRandom(OptunaRandom.Options())
    assert feasible_share(strategy, 1) < 0.4
    states = {trial.state.name for trial in strategy._study.trials}
    assert states == {"COMPLETE", "FAIL"}
    assert not any(trial.constraints for trial in strategy._study.trials)


def test_a_study_names_constraints_as_recipes_do() -> None:
    strategy = OptunaTPE(OptunaTPE.Options())
    feasible_share(strategy, 1)
    told = [trial for trial in strategy._study.trials if trial.state.name == "COMPLETE"]
    assert len(told) == 120
    for trial in told:
        width = trial.params["width"]
        assert trial.constraints == {"width <= 20": max(0.0, (width - 20) / 20)}
