"""The contract of executors: where jobs run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from toolkit.contracts.common import Direction
from toolkit.contracts.jobs import Event, TrialSpec

StopReason: TypeAlias = Literal["pruned", "timeout", "drain", "now"]
"""Why a job shall end: the strategy's word, its deadline, the first or the second Ctrl-C."""

BusyGpus: TypeAlias = Literal["share", "avoid"]
"""What to do with GPUs on which somebody else computes."""


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
class ExecutorContext:
    """What an executor is built from.

    Attributes:
        recipe: the resolved recipe; its jobs rebuild task and space from it.
        plugin_paths: local plugin files to load in every worker.
        folder: the run folder.
        workers: jobs at once, or None for as many as fit.
        gpus: GPUs per job (fractions share one), or None for 1 where there are any.
        threads: CPU threads per job, or None for an equal share.
        objectives: metric -> direction, the first being the primary one.
        memory: bytes of host memory that a worker may take with all it starts, or None.
        busy_gpus: `share` GPUs on which somebody else computes, or `avoid` them.
        storage: a path or an fsspec URL that every machine of the executor sees, or None.
    """

    recipe: Mapping[str, Any]
    plugin_paths: tuple[str, ...]
    folder: Path
    workers: int | None = None
    gpus: float | None = None
    threads: int | None = None
    objectives: Mapping[str, Direction] = field(default_factory=dict)
    memory: int | None = None
    storage: str | None = None
    busy_gpus: BusyGpus = "share"


class Executor(ABC):
    """Where jobs run.

    The engine makes one for a run, asks for its slots, and then, in one thread, starts a job
    whenever a slot is free, asks for events over and over while jobs run, and closes it in the end.
    What a job does is `toolkit.worker`'s affair: an executor brings a `TrialSpec` to a place where
    a worker runs, and events back (`toolkit.executors` has what that takes).

    For every job started there is one `Started` when it begins to run, any number of `Reported`,
    and exactly one `Ended`, however its worker fares. An executor that cannot go on raises a
    `ToolkitError`.
    """

    def __init__(self, context: ExecutorContext) -> None:
        self.context = context

    @classmethod  # noqa: B027
    def check(cls, gpus: float | None) -> None:
        """Refuses what can be known to be impossible before anything runs; may do nothing.

        Args:
            gpus: GPUs that a job asks for (`resources.gpus`), or None for what there is.

        Raises:
            RecipeError: there will never be so many.
        """

    @classmethod
    def preview(
        cls,
        workers: int | None,
        gpus: float | None,
        threads: int | None,
        busy_gpus: BusyGpus = "share",
    ) -> str:
        """Says in words what would run where, for `toolkit validate`; empty (the default) if only
        a run finds out.

        Raises:
            RecipeError: nothing fits.
        """
        return ""

    @abstractmethod
    def slots(self) -> Sequence[Slot]:
        """The slots there are, at least one; asked often, and always the same."""

    @abstractmethod
    def start(self, spec: TrialSpec, slot: Slot) -> None:
        """Start a job in a free slot; returns at once. A slot is free once its job has ended."""

    @abstractmethod
    def events(self, timeout_s: float) -> Iterator[Event]:
        """Yield what happened, waiting at most `timeout_s` for the first event.

        Called while jobs run, with a fraction of a second: between two calls the engine heeds
        deadlines and Ctrl-C. It may start and stop jobs while it iterates.

        A worker that died makes its job end `lost`, or `oom` where the kernel's killer is known to
        have struck. The engine runs a lost job again, some times.
        """

    def waiting(self, key: str) -> str:
        """Says in a sentence what a started job waits for that has not begun, such as a place in a
        cluster's queue; empty (the default) if it only takes its worker's time to begin.

        The engine asks where a job takes long to begin, tells the user, and has no time limit
        count against a job that waits.
        """
        return ""

    @abstractmethod
    def stop(self, key: str, reason: StopReason) -> None:
        """Ask a job to end: after its next report, or at once for `timeout` and `now`.

        It then ends `pruned`, `timeout`, `queued` (drained, with its checkpoint) or `lost`, unless
        it comes to an end of its own before. A job that has ended already is no fault.
        """

    @abstractmethod
    def close(self) -> None:
        """Stop everything and free what was taken.

        Called on every way out, the third Ctrl-C included, which may come in the middle of any
        other method. Safe to call twice.
        """
