"""A trial as the code inside it sees it, and what its folder is written with."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.contracts import StopTrial, TrialContext
from toolkit.ledger import finite
from toolkit.run_folder import CHECKPOINT

if TYPE_CHECKING:
    from toolkit.jobs import JobRunner

Send = Callable[[int, Mapping[str, float], Mapping[str, Any]], None]
"""Takes a report: step, values, records."""
Stop = Callable[[], str | None]
"""Why the job shall end after its next report, or None."""


class JobTrial(TrialContext):
    """The trial as the code inside it sees it."""

    def __init__(self, runner: JobRunner, job: Mapping[str, Any], send: Send, stop: Stop) -> None:
        problem, payload = runner.problem, job["payload"]
        fidelity = payload.get("fidelity") or {}
        self.data = float(fidelity.get("data", 1.0))
        self.task, self.info, self.splits = problem.task, problem.info, runner.share(self.data)
        self.space = problem.space(payload["point"])
        self.train = problem.train(payload["point"], fidelity)
        self.of_epochs = fidelity.get("of_epochs") or self.train.epochs
        self.seed, self.device = job["seed"], runner.device
        self.folder = Path(job["folder"])
        self._send, self._stop = send, stop
        self._checkpoint = self.folder / CHECKPOINT
        self._metrics = self.folder / "metrics.jsonl"

        self.costs: dict[str, float] = {}
        """Of the deployed model, where objectives or constraints ask for them."""

    @property
    def goes_on(self) -> bool:
        """Whether there is a checkpoint to go on from."""
        return self._checkpoint.exists()

    def begin(self) -> None:
        """Forget the reports of an attempt that left no checkpoint to go on from."""
        if not self.goes_on:
            self._metrics.unlink(missing_ok=True)

    def report(self, step: int, values: Mapping[str, float], **records: Any) -> None:
        # Known from the start, so that pruning by several objectives can take them in.
        values = {**self.costs, **plain(values)}
        line = finite({"step": step, **values, **records})
        with self._metrics.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")
        self._send(step, values, finite(records))
        reason = self._stop()
        if reason is not None:
            raise StopTrial(reason)

    def save(self, state: Mapping[str, Any]) -> None:
        import torch

        self._checkpoint.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._checkpoint.with_suffix(".part")
        torch.save(dict(state), temporary)
        temporary.replace(self._checkpoint)

    def restore(self) -> dict[str, Any] | None:
        import torch

        if not self.goes_on:
            return None
        state: dict[str, Any] = torch.load(self._checkpoint, map_location="cpu", weights_only=True)
        return state


def write_text(path: Path, text: str) -> None:
    """Write a small file atomically; it can be made again, so the disk is not waited for."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def plain(values: Mapping[str, Any]) -> dict[str, float]:
    """Metrics as plain floats, also where they came as 0-d tensors or NumPy scalars."""
    return {str(name): float(value) for name, value in values.items()}
