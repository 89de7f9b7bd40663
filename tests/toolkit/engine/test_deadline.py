"""How much of `budget.total` is left, and what has time in it, by a clock that stands still."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from toolkit.base.clock import ManualClock
from toolkit.contracts import TrialState
from toolkit.engine.deadline import Deadline
from toolkit.run.records import TrialRecord


def make(total: float | None, clock: ManualClock, began: float | None = None) -> Deadline:
    final = SimpleNamespace(seeds=1, random=1, ensemble=1, baselines=False)
    recipe = SimpleNamespace(
        budget=SimpleNamespace(total=total), train=SimpleNamespace(final=final)
    )
    problem = SimpleNamespace(recipe=recipe, objectives={"accuracy": "maximize"})
    deadline = Deadline(cast(Any, problem), 1, 0.0, clock, began)
    return deadline


def ended(duration_s: float) -> TrialRecord:
    return TrialRecord(1, "search", "supernet", TrialState.DONE, None, "", 0, duration_s=duration_s)


def test_time_counts_from_the_commands_start() -> None:
    clock = ManualClock()
    clock.sleep(10)
    assert make(100, clock, began=0.0).left_s == 100 - 5 - 10
    assert make(100, clock).left_s == 100 - 5


@pytest.mark.parametrize(("smoke_s", "kept"), [(3.0, 5.0), (12.0, 12.0), (80.0, 25.0)])
def test_a_slow_first_batch_says_how_much_the_end_needs(smoke_s: float, kept: float) -> None:
    deadline = make(100, ManualClock())
    deadline.smoke_s = smoke_s
    assert deadline.left_s == 100 - kept


def test_a_first_trial_is_allowed_while_any_time_is_left() -> None:
    """However long the final trainings seem: without it there would be nothing to train."""
    clock = ManualClock()
    deadline = make(100, clock)
    deadline.guess_s = 500.0
    assert not deadline.ends_search()
    clock.sleep(96)
    assert deadline.ends_search()


def test_a_supernet_ends_where_the_final_trainings_need_the_rest() -> None:
    clock = ManualClock()
    deadline = make(100, clock)
    deadline.guess_s = 20.0  # Two networks of 20 s each.
    clock.sleep(40)
    assert not deadline.needs_rest(10) and deadline.needs_rest(15)
    deadline.take(ended(40.0))
    assert deadline.ends_search(15) and not make(None, clock).needs_rest(1e9)
