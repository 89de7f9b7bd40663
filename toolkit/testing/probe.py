"""A task, a space and a strategy for trying executors: jobs that report, hang, fail or die.

Workers load this file by its path, as they load a user's `--plugin`.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.contracts import (
    Architecture,
    Direction,
    Exhausted,
    Learner,
    SearchContext,
    SearchSpace,
    Splits,
    Strategy,
    Task,
    TaskInfo,
    Trial,
    TrialContext,
    TrialState,
)
from toolkit.space import Choice, Group, Int, Space

if TYPE_CHECKING:
    import torch


class ProbeTask(Task):
    """No data to speak of."""

    directions: Mapping[str, Direction] = {"value": "maximize"}

    def info(self) -> TaskInfo:
        return TaskInfo("probe", (1,), 2, 4)

    def load(self, data_dir: Path, seed: int) -> Splits:
        import torch
        from torch.utils.data import TensorDataset

        data = TensorDataset(torch.zeros(4, 1), torch.arange(4) % 2)
        return Splits(data, data, lambda: data)

    def metrics(self, scores: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
        return {"value": 0.0}


class ProbeLearner(Learner):
    """Reports step by step, each after a pause, and comes to the end it is told to."""

    def __init__(self, steps: int, pause_ms: int, ending: str) -> None:
        import torch

        super().__init__(torch.nn.Linear(1, 2))
        self.steps, self.pause_s, self.ending = steps, pause_ms / 1000, ending

    def fit(self, trial: TrialContext) -> dict[str, float]:
        for step in range(1, self.steps + 1):
            time.sleep(self.pause_s)
            trial.save({"step": step})
            trial.report(step, {"value": step / self.steps})
        if self.ending == "fails":
            raise RuntimeError("broken on purpose")
        if self.ending == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.ending == "hangs":
            time.sleep(3600)
        return {"value": 1.0}


class ProbeSpace(SearchSpace):
    """Its architectures say what a job does."""

    accepts = frozenset({"probe"})

    def parameters(self, task: TaskInfo) -> Space:
        return Group(
            steps=Int(1, 100_000),
            pause_ms=Int(0, 1000),
            ending=Choice(["well", "fails", "dies", "hangs"]),
        )

    def build(self, architecture: Architecture, task: TaskInfo) -> Learner:
        return ProbeLearner(**architecture)


class ProbeStrategy(Strategy):
    """Proposes nothing."""

    def setup(self, context: SearchContext) -> None: ...

    def ask(self) -> Exhausted:
        return Exhausted()

    def tell(self, trial: Trial, state: TrialState, values: Mapping[str, Any]) -> None: ...
