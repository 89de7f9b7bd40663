from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from toolkit.contracts import TrialState
from toolkit.report.watch.server import WatchServer
from toolkit.run.facts import BUDGET_TRIALS, FRONT, OBJECTIVES, RECIPE, Front
from toolkit.run.ledger import Ledger
from toolkit.run.records import TrialRecord


def trial(number: int, lr: float, accuracy: float | None, **more: Any) -> TrialRecord:
    """A trial of one searched value; of no result, one that runs."""
    ended = accuracy is not None
    facts: dict[str, Any] = {
        "phase": "search",
        "kind": "train",
        "state": TrialState.DONE if ended else TrialState.RUNNING,
        "point": {"architecture": {"a": 1}, "train": {"lr": lr, "schedule": number % 2 == 0}},
        "fingerprint": f"{number:016x}",
        "seed": number,
        "values": {"accuracy": accuracy, "parameters": 10.0 * number} if ended else {},
        "told": number if ended else None,
        **more,
    }
    return TrialRecord(number=number, **facts)


@pytest.fixture
def make_run() -> Callable[..., Path]:
    """Makes a run of some trials, given (lr, accuracy) of each."""

    def make(folder: Path, *results: tuple[float, float | None], name: str = "mine") -> Path:
        folder.mkdir(parents=True)
        ledger = Ledger.open(folder / "ledger.sqlite")
        ledger.put_fact(RECIPE, {"name": name, "strategy": {"name": "optuna.tpe"}})
        ledger.put_fact(OBJECTIVES, {"accuracy": "maximize", "parameters": "minimize"})
        ledger.put_fact(BUDGET_TRIALS, 20)
        front = Front({"accuracy": "maximize", "parameters": "minimize"}, {}, (1,), None, 1)
        ledger.put_fact(FRONT, front)
        for number, (lr, accuracy) in enumerate(results, 1):
            ledger.put(trial(number, lr, accuracy))
            for step in (1, 2, 3):
                ledger.add_metrics(number, step, {"accuracy": 0.1 * step}, {})
        ledger.close()
        return folder

    return make


@pytest.fixture
def serve() -> Iterator[Callable[..., WatchServer]]:
    """Starts a server for some folders."""
    servers: list[WatchServer] = []

    def start(*roots: Path) -> WatchServer:
        server = WatchServer(roots)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.close()
