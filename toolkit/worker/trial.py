"""A trial as the code inside it sees it, and what its folder is written with."""

from __future__ import annotations

import json
import math
import operator
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.base.files import open_to_append, read_within
from toolkit.base.plain import finite, floats, size_in_words
from toolkit.contracts import Splits, StopTrial, TrialContext
from toolkit.contracts.jobs import AskStop, Report
from toolkit.problem import Problem
from toolkit.worker.checkpoint import Checkpoint

if TYPE_CHECKING:
    import torch

MOST_REPORTED = 10_000_000
"""Characters of one report as JSON: each stays in the ledger."""
_LAST_STEP = 2**63 - 2


class JobTrial(TrialContext):
    """The trial as the code inside it sees it.

    Args:
        problem: of the run.
        splits: the data, the training part cut to the fidelity's share; those of the first fold
            where the trial is judged on folds.
        device: to train on.
        point: what is trained; None for a supernet.
        fidelity: what it overrides of the recipe's training block.
        seed: of the trial.
        folder: of the trial; `begin` and `report` write to it.
        report: is handed every report.
        ask_stop: is asked after every report.
        known_steps: the last step that an earlier attempt's report of has arrived.
        prepared: what the space has prepared for all trainings.
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
        known_steps: int = 0,
        prepared: Path | None = None,
    ) -> None:
        self.prepared = prepared
        self.data = float(fidelity.get("data", 1.0))
        source = problem.source_of(point)
        self.task, self.info, self.splits = source.task, source.info, splits
        self.train = problem.train(point, fidelity)
        self.of_epochs = fidelity.get("of_epochs") or self.train.epochs
        self.seed, self.device, self.folder = seed, device, folder
        self._report, self._ask_stop = report, ask_stop
        self._process = os.getpid()
        self._checkpoint = Checkpoint(folder)
        self._known_steps = known_steps
        self._metrics = folder / "metrics.jsonl"

        self.costs: dict[str, float] = {}
        """Of the deployed model, where objectives or constraints ask for them."""

    @property
    def goes_on(self) -> bool:
        """Whether there is a checkpoint to go on from."""
        return self._checkpoint.exists

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know of, in sentences."""
        return tuple(self._checkpoint.warnings)

    def begin(self) -> None:
        """Takes up what an earlier attempt left: tells of its reports that have not arrived.

        Where it left no checkpoint to go on from, its reports are forgotten.
        """
        self._checkpoint.forget_unsettled()
        if not self.goes_on:
            self._metrics.unlink(missing_ok=True)
        _end_at_whole_line(self._metrics)
        for step, values, records in _reports(self._metrics):
            if step > self._known_steps:
                self._report(step, values, records)

    def report(self, step: int, values: Mapping[str, float], **records: Any) -> None:
        self._end_children()
        step = operator.index(step)
        if abs(step) > _LAST_STEP:
            raise ValueError(f"step {step:.3g} reported, expected one that fits into 64 bits")
        # Known from the start, so that pruning by several objectives can take them in.
        values = {**self.costs, **floats(values)}
        records = finite(records)
        line = json.dumps(finite({"step": step, "values": values, "records": records}))
        if len(line) > MOST_REPORTED:
            raise ValueError(
                f"{size_in_words(len(line))} reported, expected at most"
                f" {size_in_words(MOST_REPORTED)}; write what is large to a file in `trial.folder`"
            )
        with os.fdopen(open_to_append(self._metrics), "a", encoding="utf-8") as stream:
            stream.write(line + "\n")
        self._checkpoint.settle()
        self._report(step, values, records)
        reason = self._ask_stop()
        if reason is not None:
            raise StopTrial(reason)

    def save(self, state: Mapping[str, Any]) -> None:
        self._end_children()
        self._checkpoint.write(state)

    def restore(self) -> dict[str, Any] | None:
        return self._checkpoint.read()

    def _end_children(self) -> None:
        """Ends a process that a job's code has forked: its files are those of the trial itself."""
        if os.getpid() != self._process:
            os._exit(1)

    def end(self) -> None:
        """Keeps what was saved after the last report."""
        self._checkpoint.settle()


def _end_at_whole_line(path: Path) -> None:
    """Drops a line that a kill or a full disk has cut short, so that the next one is whole."""
    if path.exists():
        content = read_within(path.parent, path, None)
        if not content.endswith(b"\n"):
            os.truncate(path, content.rfind(b"\n") + 1)


def _reports(path: Path) -> Iterator[tuple[int, dict[str, float], dict[str, Any]]]:
    """What a trial has told of, as far as its lines are whole; null stands for NaN."""
    if not path.exists():
        return
    for line in read_within(path.parent, path, None).decode("utf-8", "replace").splitlines():
        try:
            report = json.loads(line)
            values = {k: math.nan if v is None else v for k, v in report["values"].items()}
            yield operator.index(report["step"]), floats(values), dict(report["records"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue  # Cut short by a kill, or written by an earlier version.
