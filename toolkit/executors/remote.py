"""One slot on another machine: its worker there, and what goes to and from it.

An executor over several machines brings a `RemoteSlot` to each place where a job shall run: into an
actor, or into a job of a batch system. It hands it orders and takes back parcels, by whatever way
it has. The worker, its messages, memory caps and the end of whatever a job starts are those of
`toolkit.executors.local`.

For plugin authors whose executor runs jobs on other machines: every public name is stable.
"""

from __future__ import annotations

import os
import queue
import threading
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import Field, TypeAdapter

from toolkit.base.secrets import hidden, hide_all
from toolkit.contracts import (
    Direction,
    Ended,
    Event,
    ExecutorContext,
    Message,
    Noted,
    Reported,
    TrialSpec,
)
from toolkit.executors.local import LocalExecutor
from toolkit.executors.messages import Run, Stop
from toolkit.executors.storage import Changes, Files, Storage, is_shared, name_of_run, write_files


@dataclass(frozen=True)
class Place(Message):
    """What a remote slot is built from: an `ExecutorContext` that can be sent.

    Attributes:
        recipe: the resolved recipe.
        plugin_paths: local plugin files, at the same paths on every machine.
        run_folder: on the engine's machine.
        gpus: of the slot.
        threads: of the slot.
        memory: bytes that a worker may take, or None.
        storage: a path or URL that every machine sees, or None.
        scratch: folder to work in on the slot's machine, where its run folder is another.
        hidden: values of the environment that stand in no text, each with its name.
    """

    recipe: Mapping[str, Any]
    plugin_paths: tuple[str, ...]
    run_folder: str
    gpus: float | None
    threads: int | None
    memory: int | None
    storage: str | None
    scratch: str
    objectives: Mapping[str, Direction] = field(default_factory=dict)
    hidden: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, context: ExecutorContext, scratch: str = "") -> Place:
        """Returns that of an executor's slots."""
        return cls(
            context.recipe,
            context.plugin_paths,
            str(context.folder),
            context.gpus,
            context.threads,
            context.memory,
            context.storage,
            scratch,
            context.objectives,
            hidden(),
        )

    @property
    def shared(self) -> bool:
        """Whether the slot's machine sees the run folder itself."""
        return is_shared(self.storage, Path(self.run_folder)) or not self.scratch

    @property
    def store(self) -> Storage | None:
        """Where files are exchanged, if not with messages."""
        if self.storage is None or self.shared:
            return None
        return Storage(self.storage, name_of_run(Path(self.run_folder)))


PLACE: TypeAdapter[Place] = TypeAdapter(Place)
Order: TypeAlias = Annotated[Run | Stop, Field(discriminator="kind")]
"""What a slot is told."""


@dataclass(frozen=True)
class Parcel:
    """What comes back from a slot: an event, and the files that belong to it.

    Attributes:
        event: of the worker.
        files: content by name.
        stored: names of files that lie in the storage instead.
    """

    event: Event
    files: Files = field(default_factory=dict)
    stored: tuple[str, ...] = ()


class RemoteSlot:
    """A worker on this machine, for an executor on another one.

    All methods may be called from any thread.

    Args:
        place: what to work on, and where.

    Raises:
        RecipeError: this machine has no room for it.
    """

    def __init__(self, place: Place) -> None:
        hide_all(place.hidden)
        self._place, self._store = place, place.store
        self._home = Path(place.run_folder if place.shared else place.scratch)
        self._home.mkdir(parents=True, exist_ok=True)
        self._orders: deque[tuple[Order | None, Files]] = deque()
        self._parcels: queue.SimpleQueue[Parcel] = queue.SimpleQueue()
        self._changes: dict[str, tuple[str, Changes]] = {}
        self._executor = LocalExecutor(
            ExecutorContext(
                place.recipe,
                place.plugin_paths,
                self._home,
                1,
                place.gpus,
                place.threads,
                place.objectives,
                place.memory,
            )
        )
        self._ear, self._voice = os.pipe()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def order(self, order: Order, files: Mapping[str, bytes] = {}) -> None:
        """Runs a job, whose files so far are given where they are not shared, or stops it."""
        self._orders.append((order, dict(files)))
        os.write(self._voice, b".")

    def take(self, wait_s: float) -> list[Parcel]:
        """Returns what has come, in its order; waits for the first of it."""
        found: list[Parcel] = []
        with suppress(queue.Empty):
            found.append(self._parcels.get(timeout=wait_s))
            while True:
                found.append(self._parcels.get_nowait())
        return found

    def close(self) -> None:
        """Ends the worker and all that it started."""
        if self._thread.is_alive():
            self._orders.append((None, {}))
            os.write(self._voice, b".")
            self._thread.join()

    def _serve(self) -> None:
        executor = self._executor
        executor.watch(self._ear, partial(os.read, self._ear, 1 << 10))  # type: ignore[arg-type]
        try:
            while self._heed(executor):
                for event in executor.events(3600.0):
                    self._parcels.put(self._packed(event))
        finally:
            executor.close()

    def _heed(self, executor: LocalExecutor) -> bool:
        while self._orders:
            order, files = self._orders.popleft()
            match order:
                case None:
                    return False
                case Run(spec):
                    executor.start(self._settled(spec, files), executor.slots()[0])
                case Stop(key, reason):
                    executor.stop(key, reason)
        return True

    def _settled(self, spec: TrialSpec, files: Files) -> TrialSpec:
        """The job with a folder of this machine, which holds its files."""
        if self._place.shared:
            return spec
        trial = Path(spec.folder).relative_to(self._place.run_folder).as_posix()
        folder = self._home / trial
        if self._store is not None:
            files = self._store.get(trial, list(files))  # They were put there under these names.
        write_files(folder, files)
        changes = Changes(folder)
        changes.skip()
        self._changes[spec.key] = (trial, changes)
        return replace(spec, folder=str(folder))

    def _packed(self, event: Event) -> Parcel:
        if isinstance(event, Noted) or event.key not in self._changes:
            return Parcel(event)
        if not isinstance(event, (Reported, Ended)):
            return Parcel(event)
        last = isinstance(event, Ended)
        trial, changes = self._changes[event.key]
        files = changes.take(last=last)
        if last:
            del self._changes[event.key]
        if self._store is None:
            return Parcel(event, files)
        self._store.put(trial, files)
        return Parcel(event, {}, tuple(files))
