"""The bridge to Ray: a process of its own, which a broken cluster may take down with it.

Started as `python -m toolkit_ray.bridge CONTROL_FD EVENTS_FD ENGINE_PID`. The engine never imports
Ray: its own process outlives the loss of a cluster's head, which ends every process that has
connected to it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from toolkit.contracts import Ended, Noted, Outcome, StopReason, TrialSpec, TrialState
from toolkit.contracts.coding import EVENT, MessageError, decode, encode
from toolkit.errors import RecipeError
from toolkit.executors.channel import Channel
from toolkit.executors.messages import Run, Stop
from toolkit.executors.processes import outcome_of_death
from toolkit.executors.storage import Storage, read_files, write_files
from toolkit.worker.main import die_with
from toolkit_ray.actor import SlotActor
from toolkit_ray.cluster import plan, shown
from toolkit_ray.messages import COMMAND, CONNECT, Begin, Connect, Connected, Refused, Waiting

TICK_S = 0.05
"""Longest time until an order is heeded."""
POLL_S = 5.0
"""Longest time that an actor is asked to wait for events."""
ROOM_S = 5.0
"""Time between two words on who waits for room; after as long a job waits, or an actor is idle."""
TRIES, PAUSE_S = 6, 3.0
"""Actors that may go before a job has begun in them, and the time between two."""
ANSWER_S = 15.0
"""Time that an actor has to end a job at once."""


@dataclass(eq=False)
class _Seat:
    """An actor and the job it runs; `heard` once the actor, `begun` once the job has answered.

    `since` is when the job was given to it, or ended.
    """

    actor: Any
    spec: TrialSpec | None = None
    sent: list[Any] = field(default_factory=list)
    poll: Any = None
    heard: bool = False
    begun: bool = False
    tries: int = 0
    since: float = 0.0
    stopped: StopReason | None = None
    until: float | None = None


class Bridge:
    """Starts actors, brings them jobs, and brings back events and files.

    Args:
        channel: to the engine.
        given: its first word.
    """

    def __init__(self, channel: Channel, given: Connect) -> None:
        self._channel, self._place = channel, given.place
        self._store: Storage | None = None
        self._seats: dict[int, _Seat] = {}
        self._again: list[tuple[float, int, TrialSpec, int]] = []
        self._looked_for_room, self._told_waiting = 0.0, False
        self._connect(given)

    def _connect(self, given: Connect) -> None:
        import ray

        address = os.environ.get("RAY_ADDRESS") or "local"
        until = time.monotonic() + given.patience_s
        while True:
            try:
                ray.init(
                    address=address,
                    include_dashboard=False if address == "local" else None,
                    log_to_driver=False,
                    configure_logging=False,
                    **_local_resources(address),
                )
                break
            except Exception:
                if time.monotonic() > until:
                    raise
                with suppress(Exception):
                    ray.shutdown()
                time.sleep(1.0)
        place = given.place
        slots, self._share = plan(
            machines(), workers=given.workers, gpus=place.gpus, threads=place.threads
        )
        self._place = replace(
            place, gpus=self._share.gpus, threads=self._share.threads, scratch="ray"
        )
        if self._place.shared:
            self._place = replace(self._place, scratch="")
        self._store = self._place.store
        self._channel.send(Connected(slots, self._share.threads, self._share.gpus))

    def serve(self) -> None:
        """Goes on until the engine has gone."""
        import ray

        while True:
            for command in self._channel.receive(COMMAND, wait=False):
                match command:
                    case Begin(slot, spec):
                        self._begin(slot, spec)
                    case Stop(key, reason):
                        self._halt(key, reason)
            if not self._channel.open:
                return
            self._look_at_the_clock()
            waiting = {ref: seat for seat in self._seats.values() for ref in _open(seat)}
            if not waiting:
                _wait_for(self._channel, 1.0)
                continue
            ready, _ = ray.wait(list(waiting), num_returns=1, timeout=TICK_S)
            for ref in ready:
                self._hear(waiting[ref], ref)

    def close(self) -> None:
        """Ends all actors."""
        import ray

        last = [seat.actor.close.remote() for seat in self._seats.values() if seat.heard]
        with suppress(Exception):
            ray.wait(last, num_returns=len(last), timeout=5.0)
        for seat in self._seats.values():
            with suppress(Exception):
                ray.kill(seat.actor)
        ray.shutdown()

    def _begin(self, slot: int, spec: TrialSpec, tries: int = 0) -> None:
        import ray

        seat = self._seats.get(slot)
        if seat is None:
            made = ray.remote(SlotActor).options(
                num_cpus=self._share.threads,
                num_gpus=self._share.gpus,
                max_restarts=0,
                max_concurrency=4,
            )
            seat = self._seats[slot] = _Seat(made.remote(encode(self._place)))
        seat.spec, seat.since, seat.stopped, seat.until = spec, time.monotonic(), None, None
        seat.begun, seat.tries = False, tries
        files: dict[str, bytes] = {}
        if not self._place.shared:
            files = read_files(Path(spec.folder))
            if self._store is not None:
                self._store.put(self._trial(spec), files)
                files = dict.fromkeys(files, b"")
        seat.sent.append(seat.actor.order.remote(encode(Run(spec)), files))
        if seat.poll is None:
            seat.poll = seat.actor.take.remote(POLL_S)

    def _halt(self, key: str, reason: StopReason) -> None:
        gone = outcome_of_death("", stopped=reason)
        unbegun = gone if reason in ("timeout", "now") else Outcome(TrialState.QUEUED)
        if any(spec.key == key for _, _, spec, _ in self._again):
            self._again = [each for each in self._again if each[2].key != key]
            self._end(key, unbegun)
        for slot, seat in list(self._seats.items()):
            if seat.spec is None or seat.spec.key != key:
                continue
            seat.stopped = reason
            if not seat.heard:  # It waits for room still.
                self._drop(slot, seat)
                self._end(key, unbegun)
                continue
            seat.sent.append(seat.actor.order.remote(encode(Stop(key, reason)), {}))
            if reason in ("timeout", "now"):
                seat.until = time.monotonic() + ANSWER_S

    def _hear(self, seat: _Seat, ref: Any) -> None:
        import ray

        try:
            answer = ray.get(ref)
        except ray.exceptions.RayError as error:
            self._lose(seat, error)
            return
        except Exception as error:  # What the actor's own code raised.
            self._lose(seat, error)
            return
        if ref is not seat.poll:
            seat.sent.remove(ref)
            return
        seat.heard = True
        for event, files, stored in answer:
            self._take(seat, event, files, list(stored))
        seat.poll = seat.actor.take.remote(POLL_S)

    def _take(self, seat: _Seat, line: bytes, files: dict[str, bytes], stored: list[str]) -> None:
        """Writes what belongs to an event into the run folder, then tells the event."""
        event = decode(EVENT, line)
        spec = seat.spec
        if isinstance(event, Noted):
            self._channel.send(event)
            return
        if spec is None or event.key != spec.key:
            return
        seat.begun = True
        if stored and self._store is not None:
            files = self._store.get(self._trial(spec), stored)
        write_files(Path(spec.folder), files)
        if isinstance(event, Ended):
            seat.spec, seat.since = None, time.monotonic()
        self._channel.send(event)

    def _lose(self, seat: _Seat, error: Exception) -> None:
        """Takes leave of an actor that has gone, with its machine perhaps."""
        slot = next((number for number, each in self._seats.items() if each is seat), None)
        if slot is None:
            return
        spec = seat.spec
        self._drop(slot, seat)
        if spec is not None and not seat.begun and seat.stopped is None and seat.tries < TRIES:
            # Ray takes a while to see that a machine is gone, and puts actors there meanwhile.
            self._again.append((time.monotonic() + PAUSE_S, slot, spec, seat.tries + 1))
        elif spec is not None:
            told = str(error).strip().splitlines()
            how = f"Its actor on Ray has gone ({type(error).__name__}: {told[0] if told else ''})"
            self._end(spec.key, outcome_of_death(how, stopped=seat.stopped))

    def _drop(self, slot: int, seat: _Seat) -> None:
        import ray

        del self._seats[slot]
        with suppress(Exception):
            ray.kill(seat.actor)

    def _end(self, key: str, outcome: Outcome) -> None:
        self._channel.send(Ended(key, outcome))

    def _look_at_the_clock(self) -> None:
        now = time.monotonic()
        due = [each for each in self._again if each[0] <= now]
        self._again = [each for each in self._again if each[0] > now]
        for _, slot, spec, tries in due:
            self._begin(slot, spec, tries)
        for slot, seat in list(self._seats.items()):
            if seat.until is not None and seat.spec is not None and now > seat.until:
                key = seat.spec.key
                self._drop(slot, seat)
                self._end(key, outcome_of_death("It did not answer.", stopped=seat.stopped))
        if now - self._looked_for_room > ROOM_S:
            self._looked_for_room = now
            self._tell_of_room(now)

    def _tell_of_room(self, now: float) -> None:
        seats = [seat for seat in self._seats.values() if not seat.heard]
        keys = [s.spec.key for s in seats if s.spec is not None and now - s.since > ROOM_S]
        # Where a machine has gone, an actor without a job may hold the room of one that has one.
        for slot in self._idle(now)[: len(keys)]:
            self._drop(slot, self._seats[slot])
        if keys or self._told_waiting:
            self._told_waiting = bool(keys)
            text = (
                f"It waits for room on the Ray cluster: each trial asks for {self._share}, and"
                f" the machines have: {shown(machines())}."
            )
            self._channel.send(Waiting(tuple(keys), text))

    def _idle(self, now: float) -> list[int]:
        """Slots whose actors have had nothing to do for a while."""
        return [
            slot
            for slot, seat in self._seats.items()
            if seat.heard and seat.spec is None and now - seat.since > ROOM_S
        ]

    def _trial(self, spec: TrialSpec) -> str:
        return Path(spec.folder).relative_to(self._place.run_folder).as_posix()


def machines() -> list[dict[str, float]]:
    """Returns the resources of each living machine of the cluster."""
    import ray

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def main(arguments: Sequence[str]) -> None:
    """Serves one engine."""
    control, events, engine = map(int, arguments)
    die_with(engine)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel = Channel(control, events)
    for descriptor in (control, events):
        os.set_inheritable(descriptor, False)
    given = channel.receive_one(CONNECT)
    if given is None:
        return
    try:
        bridge = Bridge(channel, given)
    except RecipeError as error:
        channel.send(Refused(error.message, error.hint))
        return
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        where = os.environ.get("RAY_ADDRESS") or "this machine"
        channel.send(
            Refused(
                f"No Ray cluster answers at {where}: {lines[0]}",
                "Set RAY_ADDRESS to a cluster's head (HOST:PORT) or unset it to have one started"
                " on this machine; see engine.log.",
            )
        )
        return
    with suppress(MessageError):
        bridge.serve()
    bridge.close()


def _open(seat: _Seat) -> list[Any]:
    return [*seat.sent, *([] if seat.poll is None else [seat.poll])]


def _wait_for(channel: Channel, wait_s: float) -> None:
    import select

    select.select([channel], [], [], wait_s)


def _local_resources(address: str) -> dict[str, Any]:
    """What a cluster on this machine has: the cores this process may use, not all there are."""
    from toolkit.executors.slots import count_cores, find_gpus

    if address != "local":
        return {}
    return {"num_cpus": count_cores(), "num_gpus": len(find_gpus())}


if __name__ == "__main__":
    main(sys.argv[1:])
