"""Trees of a run's points."""

from __future__ import annotations

import pytest

from toolkit.errors import RecipeError
from toolkit.problem.trees import tree_of_all
from toolkit.space import Choice, Group, Int


def test_a_parameter_that_is_of_another_kind_with_a_searched_value_is_refused_by_name() -> None:
    trees = [Group(kept=Int(1, 9)), Group(kept=Choice(["all"]))]
    with pytest.raises(RecipeError, match=r"^task: searching task\.rows changes") as told:
        tree_of_all(trees, {"task.rows": Int(2, 9)})
    assert "Int(low=1, high=9" in told.value.message and "separate recipes" in told.value.hint
