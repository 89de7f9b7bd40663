"""The contract of executors: where jobs run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

StopReason: TypeAlias = Literal["pruned", "timeout", "drain", "now"]
"""Why a job shall end: the strategy's word, its deadline, the first or the second Ctrl-C."""


@dataclass(frozen=True)
class Slot:
    """One share of a device that one trial can occupy.

    Attributes:
        index: position among the executor's slots.
        device: `"cpu"` or `"cuda"`.
        gpu_uuid: the GPU, where there is one.
        threads: CPU threads a trial may use in it.
    """

    index: int
    device: str = "cpu"
    gpu_uuid: str | None = None
    threads: int = 1


@dataclass(frozen=True)
class TrialSpec:
    """Everything a worker needs to run one job; plain JSON, so it can cross a pipe or a network.

    Attributes:
        key: name of the job within the run, e.g. `"trial-7"`.
        kind: `train`, `supernet`, `smoke` (one batch), `test` (judge finished trainings on the
            test split) or `export` (hand one of them over).
        payload: what the kind needs: the architecture, the training block, folders.
        seed: seeds data order and weights.
        folder: the job's own folder.
        timeout_s: seconds after which the engine stops it, or None.
    """

    key: str
    kind: Literal["train", "supernet", "smoke", "test", "export"]
    payload: Mapping[str, Any]
    seed: int
    folder: str
    timeout_s: float | None = None


@dataclass(frozen=True)
class Event:
    """Something that happened to a job.

    Attributes:
        key: the job's.
        kind: `started` once the job's own code begins, after the worker's imports (the deadline
            counts from here); `reported` (`body`: step, values); or `ended` (`body`: state,
            values, and as they apply duration_s, error, exit_code, parameters, architectures,
            warnings, result). Or `noted`, of no job, to be told to the user (`body`: message).
    """

    key: str
    kind: Literal["started", "reported", "ended", "noted"]
    body: Mapping[str, Any]


@dataclass(frozen=True)
class ExecutorContext:
    """What an executor is built from.

    Attributes:
        recipe: the resolved recipe; its jobs rebuild task and space from it.
        plugin_paths: local plugin files to load in every worker.
        folder: the run folder.
        workers: jobs at once, or None for as many as fit.
        gpus: GPUs per job (fractions share one), or None for 1 where there are any.
        threads: CPU threads per job, or None for an equal share.
    """

    recipe: Mapping[str, Any]
    plugin_paths: tuple[str, ...]
    folder: Path
    workers: int | None = None
    gpus: float | None = None
    threads: int | None = None


class Executor(ABC):
    """Where jobs run. Called from one thread, `wake` apart."""

    def __init__(self, context: ExecutorContext) -> None:
        self.context = context

    @abstractmethod
    def slots(self) -> Sequence[Slot]:
        """The slots there are; fixed once started."""

    @abstractmethod
    def start(self, spec: TrialSpec, slot: Slot) -> None:
        """Start a job in a free slot; returns at once."""

    @abstractmethod
    def events(self, timeout_s: float) -> Iterator[Event]:
        """Yield what happened, waiting at most `timeout_s` for the first event.

        Every job yields `started` when it begins to run, and exactly one `ended`, also when its
        worker died (state `lost`,
        or `oom` where the kernel's killer is known to have struck).
        """

    def wake(self) -> None:  # noqa: B027 - an executor may wait in short steps instead
        """Make a waiting `events` return; called from a signal handler. May do nothing."""

    @abstractmethod
    def stop(self, key: str, reason: StopReason) -> None:
        """Ask a job to end: after its next report, or at once for `timeout` and `now`.

        It then ends `pruned`, `timeout`, `queued` (drained, with its checkpoint) or `lost`.
        """

    @abstractmethod
    def close(self) -> None:
        """Stop everything and free what was taken. Safe to call twice."""
