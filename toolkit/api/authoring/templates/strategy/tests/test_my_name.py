"""The strategy keeps every promise of `toolkit.contracts.Strategy`, and climbs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from my_name.strategy import MyName
from toolkit.contracts import Proposal, SearchContext, Strategy, Trial, TrialState
from toolkit.space import Group, Int
from toolkit.testing import StrategySuite


class TestMyName(StrategySuite):
    @pytest.fixture
    def make(self) -> Callable[[], Strategy]:
        return lambda: MyName(MyName.Options(initial=3))


def test_it_climbs_a_hill() -> None:
    strategy = MyName(MyName.Options())
    strategy.setup(SearchContext(Group(x=Int(0, 99), y=Int(0, 99)), {"height": "maximize"}, 0, 60))
    heights = []
    for number in range(60):
        proposal = strategy.ask()
        assert isinstance(proposal, Proposal) and proposal.point is not None
        heights.append(-abs(proposal.point["x"] - 70) - abs(proposal.point["y"] - 20))
        trial = Trial(number, "train", proposal.point, {}, number, str(number))
        strategy.tell(trial, TrialState.DONE, {"height": heights[-1]})
    assert max(heights[30:]) > max(heights[:5])
