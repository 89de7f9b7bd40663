"""Runs that grow: extended totals, widened spaces, trials of earlier runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from toolkit.api.totals import additions
from toolkit.contracts import TrialState
from toolkit.engine.compatibility import contains
from toolkit.errors import RecipeError
from toolkit.run.facts import BUDGET_TRIALS, OUTCOME, RECIPE
from toolkit.run.ledger import Ledger
from toolkit.space import Choice, Float, Group, Int, Node

SEARCHED = "train.lr={log: [0.01, 0.1]}"


def warnings(inline: Any) -> list[str]:
    """What was warned of, but for networks that are no better than chance, as tiny ones are."""
    said = [event["message"] for event in inline.events() if event["event"] == "warning"]
    return [message for message in said if "no better than chance" not in message]


def test_an_extension_adds_once_however_often_its_engine_dies(inline: Any) -> None:
    more = {"extend": {"trials": 3}}
    code, errors = inline("budget.trials=2", **more)
    assert code == 2
    assert "no run" in errors
    assert inline("budget.trials=2")[0] == 0
    for event in ("run_started", "trial_started"):
        assert inline.cut_off("budget.trials=2", at=event, **more)
    assert inline("budget.trials=2", **more)[0] == 0
    assert len(inline.trials()) == 5
    assert inline("budget.trials=2")[0] == 0
    assert len(inline.trials()) == 5, "remembered where the command does not repeat it"
    assert inline("budget.trials=2", **more)[0] == 0
    assert len(inline.trials()) == 8, "used up, so that it adds again"
    assert inline.fact(BUDGET_TRIALS) == 8
    code, errors = inline("budget.trials=2", extend={"time": 5.0})
    assert code == 2
    assert "no total of time" in errors


@pytest.mark.parametrize("text", ["trials", "trials=x", "trials=-1", "epoch=3", "time=soon"])
def test_an_addition_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(RecipeError, match="--extend"):
        additions([text])


def test_additions_are_numbers_and_durations() -> None:
    assert additions(["trials=50", "time=10m", "epochs=2.5"]) == {
        "trials": 50,
        "time": 600.0,
        "epochs": 2.5,
    }


def test_a_total_of_epochs_ends_a_search(inline: Any) -> None:
    rungs = "space={name: tiny_space, rungs: true}"
    assert inline("budget={epochs: 20}", "train.epochs=9", "strategy=halving.asha", rungs)[0] == 0
    paid = sum(record.epochs_paid for record in inline.trials())
    assert 20 <= paid < 20 + 9
    ended = next(event for event in inline.events() if event["event"] == "search_ended")
    assert ended["reason"] == "epochs"


def test_a_resumed_run_may_search_more_but_nothing_else(inline: Any) -> None:
    narrow = ["space={name: tiny_space, widths: 4, depths: 3}", SEARCHED, "strategy=optuna.tpe"]
    assert inline(*narrow, "budget.trials=4")[0] == 0
    before = inline.trials()
    wide = ["space={name: tiny_space, widths: 8, depths: 3}", "train.lr={log: [0.001, 0.1]}"]
    assert inline(*wide, "strategy=optuna.tpe", "budget.trials=8")[0] == 0
    assert inline.trials()[:4] == before
    assert inline.fact(RECIPE)["space"]["widths"] == 8
    for change, told in (
        ("space.widths=6", "space.widths: 8 there, 6 now"),
        ("space.epochs=4", "space.epochs: 3 there, 4 now"),
        ("train.lr=0.01", "train.lr"),
        ("train.seed=1", "train.seed: 0 there, 1 now"),
    ):
        code, errors = inline(*wide, "strategy=optuna.tpe", "budget.trials=9", change)
        assert code == 7, change
        assert told in errors
    assert len(inline.trials()) == 8


def test_an_option_that_a_newer_version_has_added_is_no_difference(inline: Any) -> None:
    assert inline("budget.trials=1")[0] == 0
    ledger = Ledger.open(inline.folder / "ledger.sqlite")
    recipe = ledger.get(RECIPE)
    del recipe["space"]["depths"], recipe["budget"]["epochs"], recipe["fidelity"]["data"]
    ledger.put_fact(RECIPE, recipe)
    ledger.close()
    code, errors = inline("budget.trials=2", "space.depths=32")
    assert code == 7, "not the default"
    assert "space.depths: 64 there, 32 now" in errors
    assert inline("budget.trials=2")[0] == 0


@pytest.mark.parametrize(
    ("wide", "narrow", "expected"),
    [
        (Int(1, 9), Int(2, 8, step=2), True),
        (Int(2, 8, step=2), Int(2, 8), False),
        (Int(1, 9, step=2), Int(2, 2), False),
        (Float(0, 1), Float(0.5, 1), True),
        (Float(0.5, 1), Float(0, 1), False),
        (Choice([1, 2, 3]), Choice([3, 1]), True),
        (Choice([True, 2]), Choice([1]), False),
        (Choice({"a": Group(x=Int(1, 3)), "b": None}), Choice({"a": Group(x=Int(1, 2))}), True),
        (Choice({"a": None}), Choice({"a": Group(x=Int(1, 2))}), False),
        (Group(x=Int(1, 2), y=Int(1, 2)), Group(x=Int(1, 2)), False),
        (Int(1, 2), Choice([1, 2]), False),
    ],
)
def test_a_tree_contains_another_if_all_its_points_are_there(
    wide: Node, narrow: Node, expected: bool
) -> None:
    assert contains(wide, narrow) is expected


def earlier_run(inline: Any, *overrides: str) -> Path:
    """A finished run, moved out of the way."""
    assert inline(*overrides)[0] == 0
    moved = inline.home / "earlier"
    inline.folder.rename(moved)
    return Path(moved)


def test_an_earlier_runs_trials_are_told_first_and_answer_repeats(inline: Any) -> None:
    small = ["space={name: tiny_space, widths: 2, depths: 2}"]
    earlier = earlier_run(inline, *small, "budget.trials=6")
    inline.environment["TOLD"] = str(inline.home / "told")
    assert inline(*small, "budget.trials=4", earlier=earlier)[0] == 0
    trials = inline.trials()
    taken = [record for record in trials if record.origin]
    own = [record for record in trials if not record.origin]
    assert len(own) == 4, "what was taken over is not paid for"
    assert [record.number for record in taken] == list(range(1, len(taken) + 1))
    assert {record.origin.rsplit("#")[0] for record in taken} == {str(earlier)}
    assert all(record.comparable and record.epochs_paid == 0 for record in taken)
    assert any(record.source in {r.number for r in taken} for record in own)
    told = (inline.home / "told").read_text().splitlines()
    assert [int(line.split()[0]) for line in told] == [record.number for record in trials]
    assert warnings(inline) == []

    # Resumed with the option or without it, they stay and are not taken over again.
    assert inline(*small, "budget.trials=5", earlier=earlier)[0] == 0
    assert inline(*small, "budget.trials=6")[0] == 0
    assert len(inline.trials()) == len(taken) + 6


def test_trials_that_mean_something_else_inform_the_strategy_alone(inline: Any) -> None:
    earlier = earlier_run(inline, "space.widths=100", "budget.trials=12")
    changed = ["space.widths=60", "train.weight_decay=0.1"]
    assert inline(*changed, "budget.trials=2", earlier=earlier)[0] == 0
    trials = inline.trials()
    taken = [record for record in trials if record.origin]
    assert 0 < len(taken) < 12
    assert not any(record.comparable for record in taken)
    assert all(record.source is None for record in trials)
    (message,) = [text for text in warnings(inline) if text.startswith("Warm start")]
    assert "space.widths: 100 there, 60 now; train.weight_decay: 0.0 there, 0.1 now" in message
    assert "of 12 do not fit" in message
    best = inline.fact(OUTCOME)
    assert not trials[best.trial - 1].origin, "it cannot be what this search has found"
    assert max(r.values["accuracy"] for r in taken) > best.values["accuracy"]


@pytest.mark.parametrize(
    "strategy", ["optuna.tpe", "optuna.nsga2", "evolution.regularized", "nni.tpe", "halving.asha"]
)
def test_a_widened_space_may_begin_with_what_a_narrower_one_gave(
    inline: Any, strategy: str
) -> None:
    base = ["train.epochs=9", f"strategy={strategy}"]
    earlier = earlier_run(inline, *base, SEARCHED, "space.widths=4", "budget.trials=5")
    wide = [*base, "train.lr={log: [0.001, 0.1]}", "space.widths=4"]
    assert inline(*wide, "budget.trials=3", earlier=earlier)[0] == 0
    trials = inline.trials()
    assert len([record for record in trials if record.origin]) == 5
    assert all(record.comparable for record in trials), "ranges do not change a point's meaning"
    assert {record.state for record in trials} == {TrialState.DONE}


def test_a_run_that_cannot_be_begun_with_is_refused(inline: Any) -> None:
    code, errors = inline(earlier=Path("nowhere"))
    assert (code, "no ledger.sqlite" in errors) == (2, True)
    assert not inline.folder.exists()
    earlier = earlier_run(inline, "budget.trials=1", "space.widths=100", "train.seed=3")
    ledger = Ledger.open(earlier / "ledger.sqlite", read_only=True)
    (trial,) = ledger.trials("search")
    ledger.close()
    assert json.loads(json.dumps(trial.point))["architecture"]["width"] > 1
    code, errors = inline("space.widths=1", earlier=earlier)
    assert (code, "None of the 1 finished trials" in errors) == (2, True)
