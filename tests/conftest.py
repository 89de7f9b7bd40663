"""A trial in a folder, as a worker gives it to the training loop, without an engine around it."""

from __future__ import annotations

import gc
import os
import re
import signal
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from hypothesis import HealthCheck, settings
from torch.utils.data import Dataset, TensorDataset

from toolkit.contracts import Direction, Splits, StopTrial, Task, TaskInfo, Train, TrialContext
from toolkit.datasets.arrays import classification_metrics

torch.set_num_threads(1)
# Slow machines are no fault of an example; `pytest --hypothesis-profile=long` tries more of them.
settings.register_profile(
    "suite",
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
)
settings.register_profile("long", max_examples=2000, deadline=None)
settings.load_profile("suite")
# All modules and tests stay to the end: no search for garbage need look through them.
gc.disable()
# The many Pythons that tests start find the toolkit compiled.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# Commands that tests start can be interrupted, also where the suite runs in a shell's background.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
    gc.enable()


SHARES = re.compile(r"""scope="(module|class)"|class Test\w+\(ExecutorSuite\)""")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Has one worker of `pytest -n` run all tests that share what a module or class makes once.

    pytest-xdist has marks for groups, which it loses with the node ids of pytest 9.2.
    """
    from xdist.scheduler import LoadScopeScheduling

    @cache
    def shares(path: str) -> bool:
        return bool(SHARES.search((config.rootpath / path).read_text()))

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path, *_ = nodeid.split("::")
            return nodeid.partition("[")[0].rpartition("::")[0] if shares(path) else nodeid

    return Together(config, log) if config.getvalue("dist") in ("load", "loadgroup") else None


class Blobs(Task):
    """Two noisy Gaussian blobs in the plane."""

    directions: ClassVar[dict[str, Direction]] = {
        "accuracy": "maximize",
        "balanced_accuracy": "maximize",
        "loss": "minimize",
    }

    def info(self) -> TaskInfo:
        return TaskInfo("vector", (2,), 2, 33)

    def load(self, data_dir: Path, seed: int) -> Splits:
        draw = torch.Generator().manual_seed(seed)

        def part(count: int) -> TensorDataset:
            labels = torch.arange(count) % 2
            noise = torch.randn(count, 2, generator=draw)
            return TensorDataset(noise + 2.0 * labels[:, None], labels)

        return Splits(part(33), part(20), lambda: part(20))

    def metrics(self, scores: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
        return classification_metrics(scores, labels)


class FolderTrial(TrialContext):
    """Checkpoints go through a file, read back as the engine reads them: no pickle."""

    def __init__(self, folder: Path, train: Train, stop_after: int | None = None) -> None:
        self.task = Blobs(Blobs.Options())
        self.info = self.task.info()
        self.splits = self.task.load(folder, 0)
        self.train, self.seed, self.folder = train, 7, folder
        self.device = torch.device("cpu")
        self.stop_after = stop_after
        self.reports: list[tuple[int, dict[str, float], dict[str, Any]]] = []

    def report(self, step: int, values: Mapping[str, float], **records: Any) -> None:
        self.reports.append((step, dict(values), records))
        if step == self.stop_after:
            raise StopTrial

    def save(self, state: Mapping[str, Any]) -> None:
        torch.save(dict(state), self.folder / "checkpoint.pt")

    def restore(self) -> dict[str, Any] | None:
        path = self.folder / "checkpoint.pt"
        return torch.load(path, weights_only=True) if path.exists() else None


@pytest.fixture
def trial(tmp_path: Path) -> Callable[..., FolderTrial]:
    """Make a trial in a folder of its own; `name` tells trials apart."""

    def make(
        name: str = "trial",
        *,
        stop_after: int | None = None,
        data: Dataset[Any] | None = None,
        **train: Any,
    ) -> FolderTrial:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        block = Train(**{"epochs": 4, "batch_size": 8, **train})
        made = FolderTrial(folder, block, stop_after)
        if data is not None:
            made.splits = Splits(data, made.splits.val, made.splits.load_test)
        return made

    return make


@pytest.fixture(autouse=True)
def nothing_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test has hidden of its environment is a word like any other in the next one."""
    monkeypatch.setattr("toolkit.base.secrets._known", {})
