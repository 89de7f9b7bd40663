"""Promoted trials go on from the checkpoints they were promoted for, also after kills."""

from __future__ import annotations

import json
import random
import shutil
from typing import Any

import pytest

from toolkit.contracts import TrialState
from toolkit.engine.reproduce import reproduce
from toolkit.run.facts import OUTCOME
from toolkit.run.records import TrialRecord

ASHA = ["strategy=halving.asha", "train.epochs=9"]
RUNGS = "space={name: tiny_space, rungs: true}"


def paid(inline: Any, record: TrialRecord) -> list[int]:
    return [
        int(line) for line in (inline.folder / record.folder / "epochs.txt").read_text().split()
    ]


def assert_continued(inline: Any, trials: list[TrialRecord]) -> list[TrialRecord]:
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
        seen = paid(inline, record)
        assert seen == sorted(seen)
        assert set(seen) == set(range(begun + 1, record.fidelity["epochs"] + 1))
    return continued


def kept(inline: Any) -> list[str]:
    return sorted(path.parent.name for path in (inline.folder / "trials").glob("*/checkpoint"))


def test_asha_pays_each_epoch_once_and_says_so(inline: Any) -> None:
    assert inline(*ASHA, RUNGS, "budget.trials=13")[0] == 0
    trials = inline.trials()
    assert {record.state for record in trials} == {TrialState.DONE}
    continued = assert_continued(inline, trials)
    assert len(continued) >= 4
    assert max(record.fidelity["epochs"] for record in continued) == 9
    for record in trials:
        assert record.epochs_paid == len(paid(inline, record))
    assert {record.fidelity.get("of_epochs", 9) for record in trials} == {9}
    last = {f"{r.number:04d}-{r.fingerprint[:4]}" for r in trials if r.fidelity["epochs"] == 9}
    promoted = {record.continues for record in continued}
    assert not last & set(kept(inline)), "the longest trainings lead nowhere"
    assert not {name for name in kept(inline) if int(name[:4]) in promoted}
    found = inline.fact(OUTCOME).trial
    assert trials[found - 1].fidelity["epochs"] == 9, "what was found was trained in full"


def test_a_promoted_training_equals_one_in_one_go_bit_for_bit(
    inline: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert inline(*ASHA, "space={name: tiny_space, trained: true}", "budget.trials=13")[0] == 0
    best = next(r for r in inline.trials() if r.fidelity["epochs"] == 9)
    assert best.epochs_paid == 6
    assert reproduce(inline.folder, str(best.number)) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("1 "), "from its first epoch"
    straight = json.loads(told[-1])
    assert straight["values"] == best.values


@pytest.mark.parametrize("strategy", ["halving.asha", "halving.hyperband_synchronous"])
def test_promotions_survive_kills(inline: Any, strategy: str) -> None:
    rng = random.Random(strategy)
    command = [*ASHA, f"strategy={strategy}", RUNGS, "budget.trials=22", "resources.workers=2"]
    kills = 0
    while inline.cut_off(*command, count=rng.randint(8, 24)):
        kills += 1
        assert kills < 100, "it does not get on"
    assert kills >= 4
    trials = inline.trials()
    assert [record.number for record in trials] == list(range(1, 23))
    assert sorted(record.told for record in trials) == list(range(1, 23))
    assert {record.state for record in trials} == {TrialState.DONE}
    assert len(assert_continued(inline, trials)) >= 4
    warnings = [event["message"] for event in inline.events() if event["event"] == "warning"]
    assert not [message for message in warnings if "is gone" in message]


def test_a_lost_checkpoint_is_said_and_its_training_begins_at_zero(inline: Any) -> None:
    command = [*ASHA, RUNGS]
    assert inline(*command, "budget.trials=3")[0] == 0
    shutil.rmtree(inline.folder / "trials" / kept(inline)[0] / "checkpoint")
    for name in kept(inline):
        shutil.rmtree(inline.folder / "trials" / name / "checkpoint")
    assert inline(*command, "budget.trials=4")[0] == 0
    record = inline.trials()[-1]
    assert record.continues is not None
    assert (paid(inline, record), record.epochs_paid) == ([1, 2, 3], 3)
    warnings = [event["message"] for event in inline.events() if event["event"] == "warning"]
    gone = f"The checkpoint of trial {record.continues} is gone"
    assert [message for message in warnings if message.startswith(gone)]


def test_a_share_of_the_data_is_a_fidelity(inline: Any) -> None:
    assert (
        inline(
            "strategy={name: halving.asha, fidelity: data}",
            "train.epochs=9",
            "space={name: tiny_space, trained: true}",
            "budget.trials=13",
        )[0]
        == 0
    )
    trials = inline.trials()
    assert {round(r.fidelity.get("data", 1.0), 3) for r in trials} == {0.111, 0.333, 1.0}
    whole = next(record for record in trials if "data" not in record.fidelity)
    parent = trials[whole.continues - 1]
    first = trials[parent.continues - 1]
    # Nine epochs of a ninth, six of a third and six of all: as much as nine of all.
    assert first.epochs_paid + parent.epochs_paid + whole.epochs_paid == pytest.approx(9)
