"""A trial's result does not depend on what its worker ran before."""

from __future__ import annotations

import decimal
import gc
import locale
import logging
import os
import resource
import signal
import socket
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tiny import PLUGIN
from toolkit.contracts import TrainJob, TrialSpec
from toolkit.recipe import load_recipe
from toolkit.registry import Registry
from toolkit.worker.jobs import JobRunner

CHANGES: dict[str, Callable[[], Any]] = {
    "default dtype": lambda: torch.set_default_dtype(torch.float64),
    "default device": lambda: torch.set_default_device("meta"),
    "gradients": lambda: torch.set_grad_enabled(False),
    "anomalies": lambda: torch.autograd.set_detect_anomaly(True),
    "determinism": lambda: torch.use_deterministic_algorithms(True, warn_only=True),
    "precision": lambda: torch.set_float32_matmul_precision("medium"),
    "threads": lambda: torch.set_num_threads(torch.get_num_threads() + 1),
    "cudnn": lambda: setattr(torch.backends.cudnn, "benchmark", not cudnn("benchmark")),
    "floating-point errors": lambda: np.seterr(all="raise"),
    "working folder": lambda: os.chdir("/"),
    "an added variable": lambda: os.environ.update(LEFT_BEHIND="1"),
    "a changed variable": lambda: os.environ.update(KNOWN="changed"),
    "a removed variable": lambda: os.environ.pop("KNOWN"),
    "umask": lambda: os.umask(0o077),
    "path of modules": lambda: sys.path.insert(0, "/elsewhere"),
    "warnings": lambda: warnings.simplefilter("error"),
    "logging": lambda: logging.disable(logging.CRITICAL),
    "level of logging": lambda: logging.root.setLevel(logging.DEBUG - 1),
    "locale": lambda: locale.setlocale(locale.LC_ALL, "C"),
    "signals": lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN),
    "recursion": lambda: sys.setrecursionlimit(sys.getrecursionlimit() + 100),
    "garbage": gc.disable,
    "sockets": lambda: socket.setdefaulttimeout(3.5),
    "decimals": lambda: setattr(decimal.getcontext(), "prec", 3),
    "denormal numbers": lambda: torch.set_flush_denormal(True),
    "kernels": lambda: setattr(torch.backends.mkldnn, "enabled", False),
    "tf32": lambda: setattr(torch.backends.cudnn, "allow_tf32", False),
    "printing": lambda: np.set_printoptions(precision=2),
    "a timer": lambda: signal.setitimer(signal.ITIMER_VIRTUAL, 3600),
    "limits of resources": lambda: resource.setrlimit(
        resource.RLIMIT_NOFILE, (512, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    ),
}


def cudnn(name: str) -> bool:
    return bool(getattr(torch.backends.cudnn, name))


def what_is_set() -> dict[str, Any]:
    mask = os.umask(0)
    os.umask(mask)
    return {
        "dtype": torch.get_default_dtype(),
        "device": torch.empty(0).device,
        "gradients": torch.is_grad_enabled(),
        "anomalies": torch.is_anomaly_enabled(),
        "determinism": torch.get_deterministic_debug_mode(),
        "precision": torch.get_float32_matmul_precision(),
        "threads": torch.get_num_threads(),
        "cudnn": [cudnn(name) for name in ("enabled", "benchmark", "deterministic")],
        "errors": np.geterr(),
        "folder": Path.cwd(),
        "environment": dict(os.environ),
        "umask": mask,
        "modules": list(sys.path),
        "warnings": list(warnings.filters),
        "logging": (logging.root.manager.disable, logging.root.level),
        "locale": locale.setlocale(locale.LC_ALL),
        "signals": signal.getsignal(signal.SIGTERM),
        "recursion": sys.getrecursionlimit(),
        "garbage": gc.isenabled(),
        "sockets": socket.getdefaulttimeout(),
        "decimals": decimal.getcontext().prec,
        "denormal": sys.float_info.min / 2,
        "kernels": torch.backends.mkldnn.enabled,
        "tf32": torch.backends.cudnn.allow_tf32,
        "printing": np.get_printoptions()["precision"],
        "timer": signal.getitimer(signal.ITIMER_VIRTUAL)[0] > 0,
        "limits": resource.getrlimit(resource.RLIMIT_NOFILE),
    }


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a training in which the learner calls a function first."""
    monkeypatch.setenv("KNOWN", "as it was")
    (tmp_path / "recipe.yaml").write_text(
        "{version: 1, name: traces, task: tiny_task, space: tiny_space, strategy: one_shot}"
    )
    recipe = load_recipe(tmp_path / "recipe.yaml", [], Registry([PLUGIN]))
    runner = JobRunner(recipe.resolved(), [str(PLUGIN)], "cpu")
    _ = runner.problem
    learner = sys.modules["tiny_plugin"].SlowLearner
    fit = learner.fit

    def run(first: Callable[[], Any]) -> Any:
        def changing(self: Any, trial: Any) -> Any:
            values = fit(self, trial)
            first()
            return values

        monkeypatch.setattr(learner, "fit", changing)
        job = TrainJob({"architecture": {"width": 4, "depth": 1}})
        spec = TrialSpec("trial-1", job, 1, str(tmp_path))
        return runner.run(spec, lambda *report: None, lambda: None)

    return run


@pytest.mark.parametrize("name", CHANGES)
def test_what_a_trial_sets_is_as_it_was_before(train: Any, name: str) -> None:
    before = what_is_set()
    during: dict[str, Any] = {}

    def change() -> None:
        CHANGES[name]()
        during.update(what_is_set())

    assert train(change).error == ""
    assert during != before
    assert what_is_set() == before


def test_a_trial_that_fails_leaves_nothing_either(train: Any) -> None:
    def change_and_fail() -> None:
        for change in CHANGES.values():
            change()
        raise RuntimeError("broken on purpose")

    before = what_is_set()
    assert "broken on purpose" in train(change_and_fail).error
    assert what_is_set() == before


def test_a_folder_that_is_gone_costs_no_trial(train: Any, tmp_path: Path) -> None:
    home, gone = Path.cwd(), tmp_path / "gone"
    gone.mkdir()
    os.chdir(gone)
    try:
        outcome = train(gone.rmdir)
        again = train(lambda: None)
    finally:
        os.chdir(home)
    assert (outcome.error, again.error) == ("", "")
