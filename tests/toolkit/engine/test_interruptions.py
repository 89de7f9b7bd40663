"""Kills, signals and locks: nothing is lost, nothing counts twice, no process stays."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

import pytest

from light_workers import found_first
from toolkit.contracts import Outcome, TrialSpec, TrialState
from toolkit.executors.inline import Step
from toolkit.run.facts import OUTCOME

pytestmark = pytest.mark.faults

SLOW = "space={name: tiny_space, epochs: 4, pause_s: 0.1}"
KILLS = int(os.environ.get("TOOLKIT_TEST_KILLS", "1"))


def epochs(folder: Path) -> list[int]:
    return [int(line) for line in (folder / "epochs.txt").read_text().split()]


def assert_continued(folder: Path) -> None:
    """No epoch was begun again once a later one had been reached."""
    seen = epochs(folder)
    assert seen == sorted(seen)
    assert set(seen) == set(range(1, seen[-1] + 1))


def assert_complete(run: Any, total: int) -> None:
    """Every trial is there, done and told once, and so is the outcome."""
    trials = run.trials()
    assert [record.number for record in trials] == list(range(1, total + 1))
    assert {record.state for record in trials} == {TrialState.DONE}
    assert sorted(record.told for record in trials) == list(range(1, total + 1))
    for record in (*trials, *run.trials("final")):
        if record.source is None:
            assert_continued(run.folder / record.folder)
    assert run.fact(OUTCOME).test


@pytest.mark.parametrize("strategy", ["draw", "one_shot"])
def test_a_run_killed_after_few_events_completes_with_exact_totals(
    inline: Any, strategy: str
) -> None:
    command = ["resources.workers=2", "budget.trials=7", f"strategy={strategy}"]
    if strategy == "one_shot":
        command.append("strategy={name: one_shot, epochs: 30}")
    # An engine that goes on tells of five events before a job of its has got anywhere.
    kills = 0
    while inline.cut_off(*command, count=3 + kills % 7):
        kills += 1
        assert kills < 100, "it does not get on"
    assert kills > 10
    assert_complete(inline, 3 if strategy == "one_shot" else 7)


def test_a_run_killed_at_random_moments_completes_with_exact_totals(
    run: Any,
    children_of: Callable[[int], list[int]],
    left_behind: Callable[[list[int]], list[int]],
) -> None:
    # Seeded, so that a failure can be looked at again; moments differ by load anyway.
    rng = random.Random("draw")
    command = ["resources.workers=2", "budget.trials=12", "strategy=draw", SLOW]
    workers: list[int] = []
    for _ in range(KILLS):
        process = run.start(*command)
        before = len(run.events()) if (run.folder / "events.jsonl").exists() else 0
        started = time.monotonic()
        while process.poll() is None and time.monotonic() - started < 20:
            # Only once it is at work: a kill before that meets the same folder again.
            path = run.folder / "events.jsonl"
            if path.exists() and len(path.read_text().splitlines()) > before + 2:
                break
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 1.0))
        workers += children_of(process.pid)
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.communicate()
    assert left_behind(workers) == []
    code, errors = run(*command)
    assert code == 0, errors
    assert_complete(run, 12)


def test_ctrl_c_drains_and_the_same_command_goes_on(
    run: Any,
    children_of: Callable[[int], list[int]],
    left_behind: Callable[[list[int]], list[int]],
) -> None:
    command = ["budget.trials=3", "space={name: tiny_space, epochs: 10, pause_s: 0.1}"]
    process = run.start(*command)
    run.await_event("trial_reported", 3)
    workers = children_of(process.pid)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    process.communicate()
    assert left_behind(workers) == []
    (record,) = run.trials()
    assert record.state is TrialState.QUEUED
    done = epochs(run.folder / record.folder)[-1]
    assert 3 <= done < 10
    assert run(*command)[0] == 0
    trials = run.trials()
    assert len(trials) == 3
    assert trials[0].attempts == 2
    assert epochs(run.folder / trials[0].folder) == list(range(1, 11)), "no epoch twice"


def test_another_find_before_the_test_is_trained_with_its_own_rivals(inline: Any) -> None:
    space = "space={name: tiny_space, epochs: 10, widths: 90, rivals: true}"
    command = ["train.final={seeds: 1, random: 1, baselines: true}", space]

    def interrupt(event: str, facts: Mapping[str, Any]) -> None:
        if event == "final_started":
            signal.raise_signal(signal.SIGINT)

    assert inline("budget.trials=1", *command, on_event=interrupt)[0] == 130
    before = {record.label: record for record in inline.trials("final")}
    assert inline("budget.trials=4", *command)[0] == 0
    after = {record.label: record for record in inline.trials("final")}
    assert after["found"].fingerprint != before["found"].fingerprint
    assert len(after) == len(before) == 3
    assert after["random-1"].number == before["random-1"].number
    found = after["found"].point["architecture"]
    (rival,) = (r for label, r in after.items() if label in ("odd", "even"))
    assert rival.point["architecture"] == {**found, "depth": found["depth"] + 1}
    assert set(inline.fact(OUTCOME).baselines) == {rival.label, "random"}


def test_a_second_engine_is_locked_out_and_a_second_signal_stops_the_first(
    run: Any, inline: Any
) -> None:
    command = ["budget.trials=3", "space={name: tiny_space, epochs: 10, pause_s: 30}"]
    run.environment["PYTHONPATH"] = found_first()  # Nothing is computed.
    process = run.start(*command)
    run.await_event("trial_started")
    code, errors = inline(*command)
    assert code == 6
    assert f"pid {process.pid} on " in errors
    process.send_signal(signal.SIGTERM)
    with pytest.raises(Exception, match="timed out"):
        process.wait(0.5)
    process.send_signal(signal.SIGTERM)
    assert process.wait(5) == 143
    process.communicate()
    assert [record.state for record in run.trials()] == [TrialState.QUEUED]


def test_a_killed_worker_costs_no_trial_and_the_start_of_another_is_not_the_trials_time(
    run: Any, children_of: Callable[[int], list[int]]
) -> None:
    slow = run.home / "slow"
    slow.mkdir()
    (slow / "sitecustomize.py").write_text(
        "import sys, time\nif 'toolkit.worker.main' in sys.orig_argv:\n    time.sleep(8)\n"
    )
    run.environment["PYTHONPATH"] = str(slow)
    space = "space={name: tiny_space, epochs: 10, pause_s: 0.1}"
    process = run.start(space, "budget.trials=2", "resources={workers: 1, trial_timeout: 7}")
    run.await_event("trial_reported", 3)
    (worker,) = children_of(process.pid)
    os.kill(worker, signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == 0
    trials = run.trials()
    assert [record.state for record in trials] == [TrialState.DONE] * 2
    assert trials[0].attempts == 2
    assert_continued(run.folder / trials[0].folder)


def test_a_trial_that_kills_its_workers_fails_in_the_end(inline: Any) -> None:
    def train(spec: TrialSpec) -> Generator[Step, None, None]:
        yield Outcome(TrialState.LOST, error="Its worker ended by SIGKILL.")

    inline.train = train
    assert inline("budget.trials=1")[0] == 3
    (record,) = inline.trials()
    assert record.state is TrialState.FAILED
    assert record.attempts == 3
    assert "Its worker died 3 times" in record.error
    assert "SIGKILL" in record.error
