"""A trial as the code inside it sees it, and what its folder is written with."""

from __future__ import annotations

import json
import operator
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.base.files import replacing
from toolkit.base.plain import finite, floats
from toolkit.contracts import Splits, StopTrial, TrialContext
from toolkit.contracts.jobs import AskStop, Report
from toolkit.problem import Problem
from toolkit.run.folder import CHECKPOINT

if TYPE_CHECKING:
    import torch


class JobTrial(TrialContext):
    """The trial as the code inside it sees it.

    Args:
        problem: of the run.
        splits: the data, the training part cut to the fidelity's share.
        device: to train on.
        point: what is trained; None for a supernet.
        fidelity: what it overrides of the recipe's training block.
        seed: of the trial.
        folder: of the trial; `begin` and `report` write to it.
        report: is handed every report.
        ask_stop: is asked after every report.
    """

    def __init__(
        self,
        problem: Problem,
        splits: Splits,
        device: torch.device,
        *,
        point: Mapping[str, Any] | None,
        fidelity: Mapping[str, Any],
        seed: int,
        folder: Path,
        report: Report,
        ask_stop: AskStop,
    ) -> None:
        self.data = float(fidelity.get("data", 1.0))
        source = problem.source_of(point)
        self.task, self.info, self.splits = source.task, source.info, splits
        self.train = problem.train(point, fidelity)
        self.of_epochs = fidelity.get("of_epochs") or self.train.epochs
        self.seed, self.device, self.folder = seed, device, folder
        self._report, self._ask_stop = report, ask_stop
        self._checkpoint = folder / CHECKPOINT
        self._metrics = folder / "metrics.jsonl"

        self.costs: dict[str, float] = {}
        """Of the deployed model, where objectives or constraints ask for them."""

    @property
    def goes_on(self) -> bool:
        """Whether there is a checkpoint to go on from."""
        return self._checkpoint.exists()

    def begin(self) -> None:
        """Forgets the reports of an attempt that left no checkpoint to go on from."""
        if not self.goes_on:
            self._metrics.unlink(missing_ok=True)

    def report(self, step: int, values: Mapping[str, float], **records: Any) -> None:
        step = operator.index(step)
        # Known from the start, so that pruning by several objectives can take them in.
        values = {**self.costs, **floats(values)}
        records = finite(records)
        line = finite({"step": step, **values, **records})
        with self._metrics.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")
        self._report(step, values, records)
        reason = self._ask_stop()
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
