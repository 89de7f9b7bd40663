"""The books of a run whose engine was killed: what was trained is paid, and once."""

from __future__ import annotations

import logging
import shutil
import weakref
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from toolkit.contracts import Outcome, Reported, TrainJob, TrialSpec, TrialState
from toolkit.engine.engine import _logging_to
from toolkit.executors.inline import Step
from toolkit.run.events import EventLog

pytestmark = pytest.mark.faults


def trained(inline: Any, folder: str) -> list[str]:
    """The epochs that a trial's jobs have trained, all attempts together."""
    lines: list[str] = (inline.folder / folder / "epochs.txt").read_text().split()
    return lines


def test_epochs_of_a_killed_session_are_paid_as_they_were_told(inline: Any) -> None:
    command = ["space={name: tiny_space, rungs: true}", "train.epochs=5", "budget.trials=2"]
    assert inline.cut_off(*command, at="trial_reported", count=4)
    (cut,) = inline.trials()
    assert cut.state is TrialState.RUNNING
    assert cut.epochs_paid == 3, "the fourth had not been written when the engine died"
    assert inline(*command)[0] == 0
    for record in inline.trials():
        assert record.state is TrialState.DONE
        assert record.epochs_paid == len(trained(inline, record.folder))


def uneven(spec: TrialSpec) -> Generator[Step, None, None]:
    """Trainings of which a later one often ends before an earlier one."""
    assert isinstance(spec.job, TrainJob)
    width = spec.job.point["architecture"]["width"]
    for epoch in range(1, spec.job.fidelity.get("epochs", 9) + 1):
        yield 1.0 + 7 * width % 5
        yield Reported(spec.key, epoch, {"accuracy": width / 1000 + epoch / 100})
    yield Outcome(TrialState.DONE, {"accuracy": width / 1000 + epoch / 100}, parameters=10)


def test_a_deterministic_search_is_the_same_wherever_its_engine_is_killed(inline: Any) -> None:
    """Also between the end that a strategy was told and the question that follows it."""
    command = ["strategy=halving.asha", "train.epochs=9", "budget.trials=12"]
    command += [
        "resources.workers=3",
        "resources.deterministic=true",
        "space={name: tiny_space, widths: 500}",
    ]
    inline.train = uneven

    def course() -> list[Any]:
        return [(r.number, r.fingerprint, r.seed, r.continues, r.told) for r in inline.trials()]

    assert inline(*command)[0] == 0
    whole, count = course(), 1
    assert any(continues for *_, continues, _ in whole), "nothing was promoted"
    while True:
        shutil.rmtree(inline.folder)
        if not inline.cut_off(*command, at="trial_ended", count=count):
            break
        assert inline(*command)[0] == 0
        assert course() == whole, f"killed at the end number {count}"
        count += 1
    assert count >= 12


@pytest.mark.parametrize("count", range(9, 30, 4))
def test_a_checkpoint_stays_until_the_strategy_has_heard_of_its_trial(
    inline: Any, count: int
) -> None:
    """In deterministic runs a trial may have ended long before the strategy hears of it."""
    command = ["strategy=halving.asha", "train.epochs=9", "budget.trials=13"]
    command += ["resources.workers=3", "resources.deterministic=true"]
    command += ["space={name: tiny_space, rungs: true}"]
    assert inline.cut_off(*command, count=count)
    assert inline(*command)[0] == 0
    warnings = [event for event in inline.events() if event["event"] == "warning"]
    assert not [each for each in warnings if "is gone" in each["message"]]
    for record in inline.trials():
        epochs = trained(inline, record.folder) if record.source is None else []
        assert record.continues is None or "1" not in epochs, "a promoted trial goes on"


def test_a_log_that_cannot_be_written_costs_a_run_nothing(
    inline: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", True)  # pytest's own handlers set it.
    assert inline("budget.trials=1")[0] == 0
    (inline.folder / "engine.log").unlink()
    (inline.folder / "engine.log").symlink_to("/dev/full")
    assert inline("budget.trials=2")[0] == 0
    assert [record.state for record in inline.trials()] == [TrialState.DONE] * 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_library_that_configures_logging_takes_nothing_from_the_log(tmp_path: Path) -> None:
    with _logging_to(tmp_path / "engine.log"), closing(EventLog(tmp_path / "e.jsonl")) as events:
        events.emit("run_started")
        # What `logging.config` does; submitit calls it as it is imported.
        logging.shutdown([weakref.ref(each) for each in logging.getLogger("toolkit").handlers])
        logging.getLogger("toolkit.run.events").disabled = True
        events.emit("run_ended")
    assert "run_ended" in (tmp_path / "engine.log").read_text()
