"""Promoted trials go on from the checkpoints they were promoted for, also after kills."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from toolkit.contracts import TrialState
from toolkit.run.facts import OUTCOME
from toolkit.run.records import TrialRecord

ASHA = ["strategy=halving.asha", "train.epochs=9"]
RUNGS = "space={name: tiny_space, rungs: true, pause_s: 0.03}"


def paid(run: Any, record: TrialRecord) -> list[int]:
    return [int(line) for line in (run.folder / record.folder / "epochs.txt").read_text().split()]


def assert_continued(run: Any, trials: list[TrialRecord]) -> list[TrialRecord]:
    """No trial trained what the one it continues had trained; those that continue one."""
    by_number = {record.number: record for record in trials}
    continued = []
    for record in trials:
        if record.source is not None:
            continue
        parent = by_number[record.continues] if record.continues is not None else None
        if parent is not None:
            parent = by_number[parent.source] if parent.source is not None else parent
            continued.append(record)
            assert record.seed == parent.seed
            assert record.point == parent.point
        begun = 0 if parent is None else parent.fidelity["epochs"]
        seen = paid(run, record)
        assert seen == sorted(seen)
        assert set(seen) == set(range(begun + 1, record.fidelity["epochs"] + 1))
    return continued


def kept(run: Any) -> list[str]:
    return sorted(path.parent.name for path in (run.folder / "trials").glob("*/checkpoint"))


def test_asha_pays_each_epoch_once_and_says_so(run: Any) -> None:
    assert run(*ASHA, "space={name: tiny_space, rungs: true}", "budget.trials=13")[0] == 0
    trials = run.trials()
    assert {record.state for record in trials} == {TrialState.DONE}
    continued = assert_continued(run, trials)
    assert len(continued) >= 4
    assert max(record.fidelity["epochs"] for record in continued) == 9
    for record in trials:
        assert record.epochs_paid == len(paid(run, record))
    assert {record.fidelity.get("of_epochs", 9) for record in trials} == {9}
    last = {f"{r.number:04d}-{r.fingerprint[:4]}" for r in trials if r.fidelity["epochs"] == 9}
    promoted = {record.continues for record in continued}
    assert not last & set(kept(run)), "the longest trainings lead nowhere"
    assert not {name for name in kept(run) if int(name[:4]) in promoted}
    found = run.fact(OUTCOME).trial
    assert trials[found - 1].fidelity["epochs"] == 9, "what was found was trained in full"


def test_a_promoted_training_equals_one_in_one_go_bit_for_bit(run: Any) -> None:
    assert run(*ASHA, "space={name: tiny_space, trained: true}", "budget.trials=13")[0] == 0
    best = next(r for r in run.trials() if r.fidelity["epochs"] == 9)
    assert best.epochs_paid == 6
    again = subprocess.run(
        [sys.executable, "-m", "toolkit.worker.reproduce", str(run.folder), str(best.number)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    assert again.stdout.splitlines()[0].startswith("1 "), "from its first epoch"
    straight = json.loads(again.stdout.splitlines()[-1])
    assert straight["values"] == best.values


@pytest.mark.parametrize("strategy", ["halving.asha", "halving.hyperband_synchronous"])
def test_promotions_survive_kills(run: Any, strategy: str) -> None:
    rng = random.Random(strategy)
    command = [*ASHA, f"strategy={strategy}", RUNGS, "budget.trials=22", "resources.workers=2"]
    for _ in range(4):
        process = run.start(*command)
        path = run.folder / "events.jsonl"
        before = len(run.events()) if path.exists() else 0
        while process.poll() is None:
            if path.exists() and len(path.read_text().splitlines()) > before + 12:
                break
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.4))
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.communicate()
    code, errors = run(*command)
    assert code == 0, errors
    trials = run.trials()
    assert [record.number for record in trials] == list(range(1, 23))
    assert sorted(record.told for record in trials) == list(range(1, 23))
    assert {record.state for record in trials} == {TrialState.DONE}
    assert len(assert_continued(run, trials)) >= 4
    warnings = [event["message"] for event in run.events() if event["event"] == "warning"]
    assert not [message for message in warnings if "is gone" in message]


def test_a_lost_checkpoint_is_said_and_its_training_begins_at_zero(run: Any) -> None:
    command = [*ASHA, "space={name: tiny_space, rungs: true}"]
    assert run(*command, "budget.trials=3")[0] == 0
    shutil.rmtree(run.folder / "trials" / kept(run)[0] / "checkpoint")
    for name in kept(run):
        shutil.rmtree(run.folder / "trials" / name / "checkpoint")
    assert run(*command, "budget.trials=4")[0] == 0
    record = run.trials()[-1]
    assert record.continues is not None
    assert (paid(run, record), record.epochs_paid) == ([1, 2, 3], 3)
    warnings = [event["message"] for event in run.events() if event["event"] == "warning"]
    gone = f"The checkpoint of trial {record.continues} is gone"
    assert [message for message in warnings if message.startswith(gone)]


def test_a_share_of_the_data_is_a_fidelity(run: Any) -> None:
    assert (
        run(
            "strategy={name: halving.asha, fidelity: data}",
            "train.epochs=9",
            "space={name: tiny_space, trained: true}",
            "budget.trials=13",
        )[0]
        == 0
    )
    trials = run.trials()
    assert {round(r.fidelity.get("data", 1.0), 3) for r in trials} == {0.111, 0.333, 1.0}
    whole = next(record for record in trials if "data" not in record.fidelity)
    parent = trials[whole.continues - 1]
    first = trials[parent.continues - 1]
    # Nine epochs of a ninth, six of a third and six of all: as much as nine of all.
    assert first.epochs_paid + parent.epochs_paid + whole.epochs_paid == pytest.approx(9)


def test_the_start_of_a_worker_is_not_the_trials_time(run: Any) -> None:
    slow = run.home / "slow"
    slow.mkdir()
    (slow / "sitecustomize.py").write_text(
        "import sys, time\nif 'toolkit.worker.main' in sys.orig_argv:\n    time.sleep(4)\n"
    )
    run.environment["PYTHONPATH"] = str(slow)
    options = ["space.fault=die_once", "budget.trials=1"]
    assert run(*options, "resources={workers: 1, trial_timeout: 3}")[0] == 0
    (record,) = run.trials()
    assert (record.state, record.attempts) == (TrialState.DONE, 2)
