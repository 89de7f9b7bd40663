"""The executor `slurm`, as the engine sees it."""

from __future__ import annotations

import hmac
import os
import secrets
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from toolkit.base.files import write_atomically
from toolkit.contracts import (
    Ended,
    Event,
    Executor,
    ExecutorContext,
    Noted,
    Outcome,
    Slot,
    StopReason,
    TrialSpec,
    TrialState,
)
from toolkit.contracts.coding import MessageError, decode
from toolkit.errors import PluginError, RecipeError, ToolkitError
from toolkit.executors.channel import Channel
from toolkit.executors.local import LocalExecutor
from toolkit.executors.messages import Run, Stop
from toolkit.executors.processes import outcome_of_death
from toolkit.executors.remote import Place
from toolkit.executors.storage import Storage, read_files, write_files
from toolkit_slurm.messages import HELLO, WORD, Given, Leaving, Told
from toolkit_slurm.task import SlurmTask

FOLDER = "slurm"
"""Of submitit's files and the token, within the run folder."""
CLUSTER, HOST = "TOOLKIT_SLURM_CLUSTER", "TOOLKIT_SLURM_HOST"
SIGNAL_S = 120
"""Time between the signal of a pre-emption or time limit and the end of a task."""
MINUTES = 1440
"""Time limit of a task; SBATCH_TIMELIMIT counts before it."""
TRIES = 3
"""Tasks that may end one after the other in a slot, without a job that ended between them."""
_LONGEST_HELLO = 2048
_LOOK_S = 5.0


@dataclass(eq=False)
class _Seat:
    """A slot: its task in SLURM, the connection to it, and the job it runs or shall run.

    `given` says whether the job has been sent to the task, `leaving` that the task takes no other.
    """

    job: Any
    link: Channel | None = None
    spec: TrialSpec | None = None
    stopped: StopReason | None = None
    given: bool = False
    leaving: bool = False
    tries: int = 0


class SlurmExecutor(Executor):
    """One job array under SLURM, whose tasks connect back and run trainings and supernets.

    What sbatch needs to know (partition, account, time limit) it takes from its own variables:
    SBATCH_PARTITION, SBATCH_ACCOUNT, SBATCH_TIMELIMIT and the like. The run folder lies on a file
    system that every node sees, or `resources.storage` names a storage that does. A task that is
    pre-empted has its job end with a checkpoint and goes back to the queue. The first batch, the
    test and the export run in a worker beside the engine.

    Raises:
        PluginError: submitit is not installed.
        RecipeError: the number of workers is not given.
    """

    def __init__(self, context: ExecutorContext) -> None:
        super().__init__(context)
        if find_spec("submitit") is None:
            raise PluginError(
                "resources.executor: slurm needs submitit, which is not installed.",
                hint="pip install 'nas-toolkit[slurm]'",
            )
        if context.workers is None:
            raise RecipeError(
                "resources.workers: slurm submits as many tasks as this says, and it says nothing.",
                hint="Set resources.workers to the number of trials at once.",
            )
        self._local = LocalExecutor(replace(context, workers=1, gpus=0))
        self._gpus, self._threads = int(context.gpus or 0), context.threads or 1
        self._place = Place.of(
            replace(context, gpus=self._gpus, threads=self._threads),
            scratch="" if context.storage is None else "slurm",
        )
        self._store: Storage | None = self._place.store
        self._token = secrets.token_hex(32)
        self._seats: list[_Seat] = []
        self._callers: dict[int, tuple[socket.socket, bytearray]] = {}
        self._listener: socket.socket | None = None
        self._fault: ToolkitError | None = None
        self._looked = 0.0
        device = "cuda" if self._gpus else "cpu"
        self._slots = [Slot(n, device, None, self._threads) for n in range(context.workers)]

    @classmethod
    def check(cls, gpus: float | None) -> None:
        if gpus is not None and gpus != int(gpus):
            raise RecipeError(
                f"resources.gpus: {gpus:g} GPUs a trial, and SLURM gives whole ones.",
                hint="Set it to 0, 1, 2, ..., or use the executor ray, which shares them.",
            )

    def slots(self) -> Sequence[Slot]:
        return self._slots

    def start(self, spec: TrialSpec, slot: Slot) -> None:
        if not spec.trains:
            self._local.start(spec, self._local.slots()[0])
            return
        if self._listener is None:
            self._submit()
        seat = self._seats[slot.index]
        if seat.spec is not None:  # It took over what waited for another task.
            seat = next(each for each in self._seats if each.spec is None)
        seat.spec, seat.stopped, seat.given = spec, None, False
        self._hand_out()

    def events(self, timeout_s: float) -> Iterator[Event]:
        yield from self._local.events(timeout_s)
        if self._listener is not None and time.monotonic() - self._looked > _LOOK_S:
            self._looked = time.monotonic()
            self._hand_out()
            self._look_at_tasks()
        if self._fault is not None:
            raise self._fault

    def waiting(self, key: str) -> str:
        seat = self._seat_of(key)
        if seat is None or (seat.link is not None and seat.given):
            return ""
        return (
            f"It waits in SLURM's queue ({seat.job.job_id} is {seat.job.state}); each task asks for"
            f" {self._threads} CPU cores and {self._gpus} GPUs. `squeue --me` says why."
        )

    def _seat_of(self, key: str) -> _Seat | None:
        return next((s for s in self._seats if s.spec is not None and s.spec.key == key), None)

    def stop(self, key: str, reason: StopReason) -> None:
        seat = self._seat_of(key)
        if seat is None:
            self._local.stop(key, reason)
            return
        seat.stopped = reason
        if seat.link is not None and seat.given:
            seat.link.send(Given(Stop(key, reason)))
        elif reason in ("timeout", "now"):
            self._end(seat, outcome_of_death("", stopped=reason))
        else:
            self._end(seat, Outcome(TrialState.QUEUED))

    def close(self) -> None:
        for seat in self._seats:
            if seat.link is not None:
                self._local.unwatch(seat.link.fileno())
                seat.link.close()
                seat.link = None
            with suppress(Exception):  # It has ended already, or SLURM does not answer.
                seat.job.cancel(check=False)
        self._seats = []
        for caller, _ in list(self._callers.values()):
            self._forget(caller)
        if self._listener is not None:
            self._local.unwatch(self._listener.fileno())
            self._listener.close()
            self._listener = None
        self._local.close()

    def _submit(self) -> None:
        """Opens the door, then submits one job array of as many tasks as there are slots."""
        cluster = os.environ.get(CLUSTER)
        host = os.environ.get(HOST) or ("127.0.0.1" if cluster else socket.gethostname())
        self._listener = listener = socket.create_server((host, 0), backlog=len(self._slots) + 8)
        listener.setblocking(False)
        self._local.watch(listener.fileno(), partial(self._accept, listener))
        folder = self.context.folder / FOLDER
        folder.mkdir(mode=0o700, exist_ok=True)
        token = folder / "token"
        with suppress(FileNotFoundError):
            token.unlink()
        os.close(os.open(token, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600))
        mask = os.umask(0o077)
        try:
            write_atomically(token, self._token)
        finally:
            os.umask(mask)
        port = listener.getsockname()[1]
        self._tasks = [SlurmTask(host, port, str(token), slot.index) for slot in self._slots]
        self._submitter = make_submitter(self.context, folder, cluster, self._gpus, self._threads)
        with self._submitter.batch():
            jobs = [self._submitter.submit(task) for task in self._tasks]
        self._seats = [_Seat(job) for job in jobs]
        self._looked = time.monotonic()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            caller, _ = listener.accept()
            caller.setblocking(False)
            self._callers[caller.fileno()] = (caller, bytearray())
            self._local.watch(caller.fileno(), partial(self._greet, caller))

    def _greet(self, caller: socket.socket) -> None:
        """Takes in the first line of a connection; one without the token is closed."""
        if caller.fileno() not in self._callers:
            return
        _, said = self._callers[caller.fileno()]
        try:
            data = caller.recv(_LONGEST_HELLO)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        said += data
        if b"\n" not in said and data and len(said) < _LONGEST_HELLO:
            return
        try:
            hello = decode(HELLO, bytes(said).partition(b"\n")[0])
            known = hmac.compare_digest(hello.token.encode(), self._token.encode())
            known = known and 0 <= hello.slot < len(self._seats)
        except MessageError:
            known = False
        if not known:
            self._forget(caller)
            self._local.ready(Noted("A connection that does not know the run's token was refused."))
            return
        del self._callers[caller.fileno()]
        self._local.unwatch(caller.fileno())
        caller.setblocking(True)
        self._seat(self._seats[hello.slot], Channel.over(caller))

    def _forget(self, caller: socket.socket) -> None:
        del self._callers[caller.fileno()]
        self._local.unwatch(caller.fileno())
        caller.close()

    def _seat(self, seat: _Seat, link: Channel) -> None:
        """Has a task take its slot, in the place of one that has gone."""
        if seat.link is not None:
            self._drop(seat, seat.link)
        seat.link, seat.leaving = link, False
        self._local.watch(link.fileno(), partial(self._hear, seat, link))
        link.send(self._place)
        if seat.spec is not None:
            self._give(seat, link)

    def _hand_out(self) -> None:
        """Gives jobs to their tasks, or to others that have nothing to do while theirs queue."""
        here = [seat for seat in self._seats if seat.link is not None and not seat.leaving]
        for seat in self._seats:
            if seat.spec is None or seat.given:
                continue
            free = [each for each in here if each.spec is None]
            if seat not in here and free:
                free[0].spec, free[0].stopped, free[0].given = seat.spec, seat.stopped, False
                seat.spec, seat = None, free[0]
            if seat in here and seat.link is not None:
                self._give(seat, seat.link)

    def _give(self, seat: _Seat, link: Channel) -> None:
        spec = seat.spec
        assert spec is not None
        names: tuple[str, ...] = ()
        if self._store is not None:
            files = read_files(Path(spec.folder))
            self._store.put(self._trial(spec), files)
            names = tuple(files)
        seat.given = True
        link.send(Given(Run(spec), names))

    def _hear(self, seat: _Seat, link: Channel) -> None:
        if seat.link is not link:
            return
        junk = ""
        try:
            for word in link.receive(WORD, wait=False):
                if isinstance(word, Leaving):
                    seat.leaving = True
                else:
                    self._take(seat, word)
        except MessageError as error:
            junk = f"Its task wrote what is no event: {error}."
        if junk or not link.open:
            self._drop(seat, link, junk)

    def _take(self, seat: _Seat, told: Told) -> None:
        event, spec = told.event, seat.spec
        if isinstance(event, Noted):
            self._local.ready(event)
        elif spec is not None and event.key == spec.key:
            if told.stored and self._store is not None:
                files = self._store.get(self._trial(spec), list(told.stored))
                write_files(Path(spec.folder), files)
            if isinstance(event, Ended):
                seat.spec, seat.tries = None, 0
            self._local.ready(event)

    def _drop(self, seat: _Seat, link: Channel, junk: str = "") -> None:
        """Takes leave of a task; the job it ran is lost."""
        self._local.unwatch(link.fileno())
        link.close()
        seat.link = None
        if seat.spec is None or not seat.given:
            return
        if junk:
            self._end(seat, Outcome(TrialState.FAILED, error=junk))
        else:
            how = f"Its task {seat.job.job_id} under SLURM has gone; see {self._folder}."
            self._end(seat, outcome_of_death(how, stopped=seat.stopped))

    def _end(self, seat: _Seat, outcome: Outcome) -> None:
        assert seat.spec is not None
        self._local.ready(Ended(seat.spec.key, outcome))
        seat.spec = None

    def _look_at_tasks(self) -> None:
        """Submits a task anew where one has ended that a job waits for."""
        waiting = [seat for seat in self._seats if seat.spec is not None and seat.link is None]
        for seat in waiting:
            if not seat.job.done():
                continue
            seat.tries += 1
            if seat.tries > TRIES:
                self._fault = ToolkitError(
                    f"The task of a slot ended {seat.tries} times before it took a job, last"
                    f" {seat.job.job_id}.",
                    hint=f"See {self._folder}. The same command goes on, also with"
                    " --executor local.",
                )
                return
            seat.job = self._submitter.submit(self._tasks[self._seats.index(seat)])

    @property
    def _folder(self) -> Path:
        return self.context.folder / FOLDER

    def _trial(self, spec: TrialSpec) -> str:
        return Path(spec.folder).relative_to(self._place.run_folder).as_posix()


def make_submitter(
    context: ExecutorContext, folder: Path, cluster: str | None, gpus: int, threads: int
) -> Any:
    """Returns submitit's executor for a run's tasks.

    Args:
        context: of the run.
        folder: for submitit's files.
        cluster: `local` and `debug` are submitit's own, for tests; None for SLURM.
        gpus, threads: of a task.
    """
    import submitit

    made = submitit.AutoExecutor(folder=folder, cluster=cluster or "slurm")
    name = f"nas-{context.recipe['name']}"
    made.update_parameters(
        name=name,
        timeout_min=MINUTES,
        nodes=1,
        tasks_per_node=1,
        cpus_per_task=threads,
        slurm_array_parallelism=max(2, context.workers or 1),
        slurm_signal_delay_s=SIGNAL_S,
    )
    if gpus:
        made.update_parameters(gpus_per_node=gpus)
    if context.memory:
        # Beside the worker there are its keeper and the task itself.
        made.update_parameters(mem_gb=context.memory / 2**30 + 1)
    return made
