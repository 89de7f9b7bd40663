"""The suite of executors: passed by jobs in this process, and by none that breaks a promise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from toolkit.contracts import (
    Ended,
    Event,
    Executor,
    ExecutorContext,
    Outcome,
    Reported,
    Slot,
    Started,
    StopReason,
    TrialSpec,
    TrialState,
)
from toolkit.executors.inline import InlineExecutor
from toolkit.testing import ExecutorSuite, check_executor, executors
from toolkit.worker.inline import inline_executor


class TestInline(ExecutorSuite):
    """Real jobs in this process."""

    isolated: ClassVar[bool] = False

    @pytest.fixture
    def make(self) -> Any:
        return inline_executor


def script(spec: TrialSpec) -> Iterator[Any]:
    """What the probe's jobs do, without a worker."""
    architecture = spec.job.point["architecture"]  # type: ignore[union-attr]
    for step in range(1, architecture["steps"] + 1):
        yield architecture["pause_ms"] / 1000
        yield Reported(spec.key, step, {"value": step})
    endings = {
        "well": Outcome(TrialState.DONE, {"value": 1.0}),
        "fails": Outcome(TrialState.FAILED, error="broken on purpose"),
        "dies": Outcome(TrialState.LOST, error="It died."),
    }
    if architecture["ending"] == "hangs":
        yield 3600.0
    yield endings[architecture["ending"]]


class Sound(InlineExecutor):
    """An executor that keeps every promise."""

    def __init__(self, context: ExecutorContext) -> None:
        super().__init__(context, script)


class Wavering(Sound):
    def slots(self) -> Sequence[Slot]:
        self.asked = getattr(self, "asked", 0) + 1
        return super().slots()[: 1 + self.asked % 2]


class Crowded(Sound):
    def slots(self) -> Sequence[Slot]:
        return [Slot(index) for index in range(5)]


class Nervous(Sound):
    def events(self, timeout_s: float) -> Iterator[Event]:
        yield Started("trial-0")


class Unstarted(Sound):
    def events(self, timeout_s: float) -> Iterator[Event]:
        for event in super().events(timeout_s):
            if not isinstance(event, Started):
                yield event


class Twice(Sound):
    def events(self, timeout_s: float) -> Iterator[Event]:
        for event in super().events(timeout_s):
            yield event
            if isinstance(event, Ended):
                yield event


class Anonymous(Sound):
    """Confuses the jobs of its slots."""

    def start(self, spec: TrialSpec, slot: Slot) -> None:
        self.last = getattr(self, "last", spec.key) if slot.index else spec.key
        super().start(spec, slot)

    def events(self, timeout_s: float) -> Iterator[Event]:
        for event in super().events(timeout_s):
            yield Ended(self.last, event.outcome) if isinstance(event, Ended) else event


class Mute(Sound):
    def events(self, timeout_s: float) -> Iterator[Event]:
        for event in super().events(timeout_s):
            failed = isinstance(event, Ended) and event.outcome.state is TrialState.FAILED
            yield Ended(event.key, Outcome(TrialState.FAILED)) if failed else event  # type: ignore[union-attr]


class Deaf(Sound):
    def stop(self, key: str, reason: StopReason) -> None:
        super().stop(key, "pruned")


class Fussy(Sound):
    def stop(self, key: str, reason: StopReason) -> None:
        if key not in self._jobs:
            raise KeyError(key)
        super().stop(key, reason)


class Optimist(Sound):
    def events(self, timeout_s: float) -> Iterator[Event]:
        for event in super().events(timeout_s):
            lost = isinstance(event, Ended) and event.outcome.error == "It died."
            yield Ended(event.key, Outcome(TrialState.DONE)) if lost else event  # type: ignore[union-attr]


class ClosedOnce(Sound):
    closed = False

    def close(self) -> None:
        assert not self.closed, "it is closed already"
        self.closed = True
        super().close()


@pytest.mark.parametrize(
    ("executor", "says"),
    [
        (Wavering, "and then"),
        (Crowded, "5 slots for 2 workers"),
        (Nervous, "nothing was started"),
        (Unstarted, "the first that is heard of trial-1 is Reported"),
        (Twice, r"tells .*'Ended', 'Ended'"),
        (Anonymous, "no Ended of trial-"),
        (Mute, "does not say why"),
        (Deaf, "stopped for 'drain' it ends pruned, expected queued"),
        (Fussy, "trial-"),
        (Optimist, "whose worker is killed ends done"),
        (ClosedOnce, "closed already"),
    ],
)
def test_executors_that_break_a_promise_are_told(
    executor: type[Executor], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors, "PATIENCE_S", 3.0)
    with pytest.raises(Exception, match=says):
        check_executor(executor, tmp_path)  # type: ignore[arg-type]


def test_a_sound_executor_passes(tmp_path: Path) -> None:
    check_executor(Sound, tmp_path)
