"""A trial as the code inside it sees it, and what its folder is written with."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.contracts import Splits, StopTrial, TrialContext
from toolkit.files import replacing
from toolkit.plain import finite, floats
from toolkit.problem import Problem
from toolkit.run.folder import CHECKPOINT

if TYPE_CHECKING:
    import torch

Send = Callable[[int, Mapping[str, float], Mapping[str, Any]], None]
"""Takes a report: step, values, records."""
Stop = Callable[[], str | None]
"""Why the job shall end after its next report, or None."""


class JobTrial(TrialContext):
    """The trial as the code inside it sees it."""

    def __init__(
        self,
        problem: Problem,
        splits: Splits,
        device: torch.device,
        job: Mapping[str, Any],
        send: Send,
        stop: Stop,
    ) -> None:
        payload = job["payload"]
        fidelity = payload.get("fidelity") or {}
        self.data = float(fidelity.get("data", 1.0))
        self.task, self.info, self.splits = problem.task, problem.info, splits
        self.train = problem.train(payload["point"], fidelity)
        self.of_epochs = fidelity.get("of_epochs") or self.train.epochs
        self.seed, self.device = job["seed"], device
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
        values = {**self.costs, **floats(values)}
        line = finite({"step": step, **values, **records})
        with self._metrics.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")
        self._send(step, values, finite(records))
        reason = self._stop()
        if reason is not None:
            raise StopTrial(reason)

    def save(self, state: Mapping[str, Any]) -> None:
        import torch

        with replacing(self._checkpoint, durable=False) as temporary:
            torch.save(dict(state), temporary)

    def restore(self) -> dict[str, Any] | None:
        import torch

        if not self.goes_on:
            return None
        state: dict[str, Any] = torch.load(self._checkpoint, map_location="cpu", weights_only=True)
        return state
