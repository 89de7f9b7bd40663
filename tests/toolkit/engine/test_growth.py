"""Runs that grow: extended totals, widened spaces, trials of earlier runs."""

from __future__ import annotations

import json
import signal
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


def warnings(run: Any) -> list[str]:
    return [event["message"] for event in run.events() if event["event"] == "warning"]


def test_an_extension_adds_once_however_often_its_engine_dies(run: Any) -> None:
    slow = ["space={name: tiny_space, epochs: 2, pause_s: 0.05}", "budget.trials=2"]
    code, errors = run(*slow, "--extend=trials=3")
    assert code == 2
    assert "no run" in errors
    assert run(*slow)[0] == 0
    for attempt in range(2):
        process = run.start(*slow, "--extend=trials=3")
        run.await_event("run_started", 2 + attempt)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert run(*slow, "--extend=trials=3")[0] == 0
    assert len(run.trials()) == 5
    assert run(*slow)[0] == 0
    assert len(run.trials()) == 5, "remembered where the command does not repeat it"
    assert run(*slow, "--extend=trials=3")[0] == 0
    assert len(run.trials()) == 8, "used up, so that it adds again"
    assert run.fact(BUDGET_TRIALS) == 8
    code, errors = run(*slow, "--extend=time=5")
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


def test_a_total_of_epochs_ends_a_search(run: Any) -> None:
    rungs = "space={name: tiny_space, rungs: true}"
    assert run("budget={epochs: 20}", "train.epochs=9", "strategy=halving.asha", rungs)[0] == 0
    paid = sum(record.epochs_paid for record in run.trials())
    assert 20 <= paid < 20 + 9
    ended = next(event for event in run.events() if event["event"] == "search_ended")
    assert ended["reason"] == "epochs"


def test_a_resumed_run_may_search_more_but_nothing_else(run: Any) -> None:
    narrow = ["space={name: tiny_space, widths: 4, depths: 3}", SEARCHED, "strategy=optuna.tpe"]
    assert run(*narrow, "budget.trials=4")[0] == 0
    before = run.trials()
    wide = ["space={name: tiny_space, widths: 8, depths: 3}", "train.lr={log: [0.001, 0.1]}"]
    assert run(*wide, "strategy=optuna.tpe", "budget.trials=8")[0] == 0
    assert run.trials()[:4] == before
    assert run.fact(RECIPE)["space"]["widths"] == 8
    for change, told in (
        ("space.widths=6", "space.widths: 8 there, 6 now"),
        ("space.epochs=4", "space.epochs: 3 there, 4 now"),
        ("train.lr=0.01", "train.lr"),
        ("train.seed=1", "train.seed: 0 there, 1 now"),
    ):
        code, errors = run(*wide, "strategy=optuna.tpe", "budget.trials=9", change)
        assert code == 7, change
        assert told in errors
    assert len(run.trials()) == 8


def test_an_option_that_a_newer_version_has_added_is_no_difference(run: Any) -> None:
    assert run("budget.trials=1")[0] == 0
    ledger = Ledger.open(run.folder / "ledger.sqlite")
    recipe = ledger.get(RECIPE)
    del recipe["space"]["depths"], recipe["budget"]["epochs"], recipe["fidelity"]["data"]
    ledger.put_fact(RECIPE, recipe)
    ledger.close()
    code, errors = run("budget.trials=2", "space.depths=32")
    assert code == 7, "not the default"
    assert "space.depths: 64 there, 32 now" in errors
    assert run("budget.trials=2")[0] == 0


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


def earlier_run(run: Any, *overrides: str) -> Path:
    """A finished run, moved out of the way."""
    assert run(*overrides)[0] == 0
    moved = run.home / "earlier"
    run.folder.rename(moved)
    return Path(moved)


def test_an_earlier_runs_trials_are_told_first_and_answer_repeats(run: Any) -> None:
    small = ["space={name: tiny_space, widths: 2, depths: 2}"]
    earlier = earlier_run(run, *small, "budget.trials=6")
    run.environment["TOLD"] = str(run.home / "told")
    assert run(*small, "budget.trials=4", f"--from={earlier}")[0] == 0
    trials = run.trials()
    taken = [record for record in trials if record.origin]
    own = [record for record in trials if not record.origin]
    assert len(own) == 4, "what was taken over is not paid for"
    assert [record.number for record in taken] == list(range(1, len(taken) + 1))
    assert {record.origin.rsplit("#")[0] for record in taken} == {str(earlier)}
    assert all(record.comparable and record.epochs_paid == 0 for record in taken)
    assert any(record.source in {r.number for r in taken} for record in own)
    told = (run.home / "told").read_text().splitlines()
    assert [int(line.split()[0]) for line in told] == [record.number for record in trials]
    assert warnings(run) == []

    # Resumed with the option or without it, they stay and are not taken over again.
    assert run(*small, "budget.trials=5", f"--from={earlier}")[0] == 0
    assert run(*small, "budget.trials=6")[0] == 0
    assert len(run.trials()) == len(taken) + 6


def test_trials_that_mean_something_else_inform_the_strategy_alone(run: Any) -> None:
    earlier = earlier_run(run, "space.widths=100", "budget.trials=12")
    changed = ["space.widths=60", "train.weight_decay=0.1"]
    assert run(*changed, "budget.trials=2", f"--from={earlier}")[0] == 0
    trials = run.trials()
    taken = [record for record in trials if record.origin]
    assert 0 < len(taken) < 12
    assert not any(record.comparable for record in taken)
    assert all(record.source is None for record in trials)
    (message,) = [text for text in warnings(run) if text.startswith("Warm start")]
    assert "space.widths: 100 there, 60 now; train.weight_decay: 0.0 there, 0.1 now" in message
    assert "of 12 do not fit" in message
    best = run.fact(OUTCOME)
    assert not trials[best.trial - 1].origin, "it cannot be what this search has found"
    assert max(r.values["accuracy"] for r in taken) > best.values["accuracy"]


@pytest.mark.parametrize(
    "strategy", ["optuna.tpe", "optuna.nsga2", "evolution.regularized", "nni.tpe", "halving.asha"]
)
def test_a_widened_space_may_begin_with_what_a_narrower_one_gave(run: Any, strategy: str) -> None:
    base = ["train.epochs=9", f"strategy={strategy}"]
    earlier = earlier_run(run, *base, SEARCHED, "space.widths=4", "budget.trials=5")
    wide = [*base, "train.lr={log: [0.001, 0.1]}", "space.widths=4"]
    assert run(*wide, "budget.trials=3", f"--from={earlier}")[0] == 0
    trials = run.trials()
    assert len([record for record in trials if record.origin]) == 5
    assert all(record.comparable for record in trials), "ranges do not change a point's meaning"
    assert {record.state for record in trials} == {TrialState.DONE}


def test_a_run_that_cannot_be_begun_with_is_refused(run: Any) -> None:
    code, errors = run("--from=nowhere")
    assert (code, "no ledger.sqlite" in errors) == (2, True)
    assert not run.folder.exists()
    earlier = earlier_run(run, "budget.trials=1", "space.widths=100", "train.seed=3")
    ledger = Ledger.open(earlier / "ledger.sqlite", read_only=True)
    (trial,) = ledger.trials("search")
    ledger.close()
    assert json.loads(json.dumps(trial.point))["architecture"]["width"] > 1
    code, errors = run(f"--from={earlier}", "space.widths=1")
    assert (code, "None of the 1 finished trials" in errors) == (2, True)
