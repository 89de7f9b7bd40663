"""Whole runs in this process: equal to those in workers, and minutes of them in no time."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Generator
from typing import Any

import pytest

from toolkit.base.clock import ManualClock
from toolkit.contracts import Outcome, Reported, TrialSpec, TrialState
from toolkit.executors.inline import Step
from toolkit.problem.final import in_words
from toolkit.run.facts import FINAL_S, OUTCOME, SEARCH_S


def slow(spec: TrialSpec) -> Generator[Step, None, None]:
    """Three epochs of ten seconds."""
    for epoch in range(1, 4):
        yield 10.0
        yield Reported(spec.key, epoch, {"accuracy": epoch / 10})
    yield Outcome(TrialState.DONE, {"accuracy": 0.3}, parameters=10)


def facts(run: Any) -> list[Any]:
    """What must not depend on where jobs run."""
    return [
        (r.number, r.phase, r.state, r.point, r.seed, r.values, r.parameters, r.told)
        for r in run.trials(None)
    ]


def test_a_run_in_this_process_equals_one_in_workers_to_the_digit(run: Any, inline: Any) -> None:
    options = ["budget.trials=2", "space={name: tiny_space, trained: true}", "train.epochs=2"]
    options += ["resources.gpus=0"]  # This process computes on the CPU.
    inline.folder = inline.home / "inline"
    assert inline(*options) == (0, "")
    assert run(*options) == (0, "")
    assert facts(inline) == facts(run)
    test = [one.fact(OUTCOME).test for one in (inline, run)]
    assert test[0] == test[1]
    assert [e["event"] for e in inline.events()] == [e["event"] for e in run.events()]
    weights = [(one.folder / "best/weights.safetensors").read_bytes() for one in (inline, run)]
    assert weights[0] == weights[1]


def test_a_budget_of_time_starts_no_trial_after_it_and_counts_every_session(inline: Any) -> None:
    inline.train = slow
    assert inline("budget={time: 100, failures: 3}")[0] == 0
    assert len(inline.trials()) == 4, "the fourth was begun after 90 seconds"
    assert (inline.fact(SEARCH_S), inline.fact(FINAL_S)) == (120, 30)
    assert {record.duration_s for record in inline.trials(None)} == {30}
    assert inline("budget={time: 119, failures: 3}")[0] == 0
    assert len(inline.trials()) == 4, "more was spent before"
    assert inline("budget={time: 121, failures: 3}")[0] == 0
    assert len(inline.trials()) == 5


class Jumping(ManualClock):
    """A clock whose time of day is set anew, by years, whenever it is looked at."""

    def __init__(self) -> None:
        super().__init__()
        self._jumps = itertools.cycle([0.0, -3e8, 4e8])

    def time(self) -> float:
        return super().time() + next(self._jumps)


@pytest.mark.faults
def test_a_time_of_day_that_jumps_changes_no_budget_and_no_book(inline: Any) -> None:
    inline.train, inline.clock = slow, Jumping()
    options = ["resources.trial_timeout=31", "budget={time: 100, total: 1h}"]
    assert inline(*options) == (0, "")
    assert len(inline.trials()) == 4
    assert (inline.fact(SEARCH_S), inline.fact(FINAL_S)) == (120, 30)
    assert {(r.state, r.duration_s) for r in inline.trials(None)} == {(TrialState.DONE, 30)}
    assert inline(*options) == (0, ""), "the ledger is read strictly"
    assert (inline.folder / "report.html").exists()


def test_ctrl_c_drains_and_the_same_command_goes_on(inline: Any) -> None:
    attempts: list[str] = []

    def train(spec: TrialSpec) -> Generator[Step, None, None]:
        attempts.append(spec.key)
        for step in slow(spec):
            if attempts == ["trial-1", "trial-2"] and isinstance(step, Reported):
                signal.raise_signal(signal.SIGINT)
            yield step

    inline.train = train
    assert inline("budget.trials=3")[0] == 130
    first, second = inline.trials()
    assert (first.state, second.state) == (TrialState.DONE, TrialState.QUEUED)
    assert second.epochs_paid == 1
    assert inline("budget.trials=3")[0] == 0
    assert attempts == ["trial-1", "trial-2", "trial-2", "trial-3", "trial-4"]
    assert [record.attempts for record in inline.trials()] == [1, 2, 1]


@pytest.mark.faults
def test_a_folder_that_is_moved_away_ends_the_run_and_goes_on_where_it_is(inline: Any) -> None:
    there, elsewhere = inline.folder, inline.home / "elsewhere"

    def train(spec: TrialSpec) -> Generator[Step, None, None]:
        if spec.key == "trial-2" and not elsewhere.exists():
            there.rename(elsewhere)
        yield from slow(spec)

    inline.train = train
    code, told = inline("budget.trials=3")
    assert code == 1 and "was moved or deleted while the run was at work" in told
    inline.folder = elsewhere
    assert [record.state for record in inline.trials()] == [TrialState.DONE, TrialState.RUNNING]
    assert inline("budget.trials=3") == (0, "")
    assert [record.state for record in inline.trials()] == [TrialState.DONE] * 3


@pytest.mark.faults
def test_a_closed_terminal_ends_nothing(inline: Any) -> None:
    def train(spec: TrialSpec) -> Generator[Step, None, None]:
        signal.raise_signal(signal.SIGHUP)
        yield from slow(spec)

    inline.train = train
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        assert inline("budget.trials=2") == (0, "")
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)
    assert [record.state for record in inline.trials()] == [TrialState.DONE] * 2
    told = [e["message"] for e in inline.events() if e["event"] == "noted"]
    assert any("The terminal was closed" in message for message in told)


@pytest.mark.parametrize("timeout_s", [29, 31])
def test_a_trials_time_is_its_own(inline: Any, timeout_s: int) -> None:
    inline.train = slow
    code, _ = inline("budget.trials=1", f"resources={{workers: 1, trial_timeout: {timeout_s}}}")
    (record,) = inline.trials()
    in_time = timeout_s > 30
    assert (code, record.state) == ((0, "done") if in_time else (3, "timeout"))


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("total", [200, 900])
def test_a_total_bounds_the_run_final_trainings_and_test_with_it(
    inline: Any, total: int, workers: int
) -> None:
    """A training takes 30 s; four final networks with two seeds would take 240 s."""
    inline.train = slow
    final = "train.final={seeds: 2, random: 3, baselines: false}"
    began = inline.clock.monotonic()
    assert inline(f"budget={{total: {total}}}", final, f"resources.workers={workers}")[0] == 0
    assert inline.clock.monotonic() - began <= 1.1 * total
    trained = [record for record in inline.trials("final") if record.state is TrialState.DONE]
    kept = [e["message"] for e in inline.events() if e["event"] == "warning"]
    assert inline.fact(OUTCOME) is not None
    if total == 900 or workers == 2:
        assert len(trained) == 8 and not kept
    else:
        labels = [record.label for record in trained]
        assert labels[:4] == ["found", "random-1", "random-2", "random-3"]
        assert "left no time for" in kept[0] and "of 8 final trainings" in kept[0]
    searched = sum(record.source is None for record in inline.trials())
    assert searched >= 1
    if total == 900 and workers == 1:
        assert 15 <= searched <= 20, "the final trainings' 240 s are kept, and no more"


def test_a_run_says_how_many_trainings_follow(inline: Any) -> None:
    assert inline("train.final={seeds: 2, random: 1, baselines: true}")[0] == 0
    (said,) = [e["message"] for e in inline.events() if e["event"] == "noted"]
    assert said.startswith("6 final trainings (3 networks, 2 seeds each) in the end")


def test_of_a_front_of_unknown_size_it_says_at_most_how_many(idle_session: Any) -> None:
    words = (
        "train={epochs: 3, batch_size: 8, final: {seeds: 2, random: 1, baselines: true, front: 3}}"
    )
    both = "objectives={accuracy: maximize, parameters: minimize}"
    assert in_words(idle_session(words, both).problem).startswith("up to 10 final trainings")
    assert in_words(idle_session(words).problem).startswith("6 final trainings")
