"""Runs whose architectures depend on other searched values, interrupted and not."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from toolkit.contracts import Outcome, TrialSpec, TrialState
from toolkit.executors.inline import Step
from toolkit.run.facts import PILOT

NARROW = "space={name: tiny_space, depths: {choice: [2, 64]}}"


def quick(spec: TrialSpec) -> Generator[Step, None, None]:
    architecture = spec.job.point["architecture"]  # type: ignore[union-attr]
    yield 1.0
    value = (architecture["width"] + architecture["depth"] / 64) / 10
    yield Outcome(TrialState.DONE, {"accuracy": value}, parameters=10)


def points(run: Any) -> list[dict[str, Any]]:
    return [record.point for record in run.trials()]


@pytest.mark.parametrize("strategy", ["random", "evolution.refine", "optuna.tpe", "optuna.nsga2"])
def test_a_resumed_run_proposes_what_an_undisturbed_one_would(inline: Any, strategy: str) -> None:
    inline.train = quick
    words = [NARROW, f"strategy={strategy}", "budget.trials=16"]
    whole, inline.folder = inline.folder, inline.home / "halves"
    assert inline.cut_off(*words, at="trial_ended", count=8)
    assert inline(*words) == (0, "")
    resumed, inline.folder = points(inline), whole
    assert inline(*words) == (0, "")
    assert points(inline) == resumed
    kept = {(point["space"]["depths"], point["architecture"]["depth"] <= 2) for point in resumed}
    assert (2, True) in kept and (2, False) not in kept


def test_every_point_of_a_finite_tree_is_tried_once(inline: Any) -> None:
    inline.train = quick
    space = "space={name: tiny_space, widths: 1, depths: {choice: [2, 6]}}"
    assert inline(space, "strategy=optuna.brute_force", "budget.trials=100") == (0, "")
    trained = [record.point for record in inline.trials() if record.source is None]
    depths = [(each["space"]["depths"], each["architecture"]["depth"]) for each in trained]
    assert sorted(depths) == [(2, 1), (2, 2), *((6, depth) for depth in range(1, 7))]


def test_a_pilot_compares_architectures_that_differ(inline: Any) -> None:
    inline.train = quick
    space = "space={name: tiny_space, widths: 1, depths: {choice: [1, 6]}}"
    assert inline(space, "strategy=random", "budget={trials: 28, pilot: only}") == (0, "")
    first = [str(record.point) for record in inline.trials()]
    assert len(set(first)) == 7 and len(first) == 14
    assert inline.fact(PILOT) is not None


def test_earlier_trials_are_taken_where_their_values_have_them(inline: Any) -> None:
    inline.train = quick
    assert inline("space={name: tiny_space, depths: {choice: [60, 64]}}", "strategy=random")[0] == 0
    earlier = inline.folder
    wide, inline.folder = points(inline), inline.home / "later"
    words = ["space={name: tiny_space, depths: {choice: [2, 60, 64]}}", "strategy=random"]
    assert inline(*words, earlier=earlier) == (0, "")
    assert [r.point for r in inline.trials() if r.origin] == wide
