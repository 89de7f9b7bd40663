"""The same trial, whoever proposes it and wherever it runs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch

import toolkit
from command_line import IN_PROCESS
from toolkit.run.ledger import Ledger

RECIPE = """
version: 1
name: same
task: {name: digits, per_class: 40}
space:
  name: nullspace_head
  only: {backbone: smallcnn, backbone.smallcnn.width: [8, 12], backbone.smallcnn.kernel: 3}
strategy: draw
fidelity: {epochs: 1}
budget: {trials: 3}
resources: {workers: 1, threads: 1}
train: {batch_size: 64, epochs: 1, final: {seeds: 1, random: 0, baselines: false}}
"""
FIXED_POINTS = Path(__file__).with_name("fixed_points")


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
def test_a_fixed_list_of_architectures_gives_equal_rows_whoever_proposes_it(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE.replace("draw", "enqueued_optuna"))
    optuna, nni = (
        toolkit.search(
            recipe,
            strategy=strategy,
            executor="in_process",
            plugins=[FIXED_POINTS, IN_PROCESS],
            output=tmp_path / strategy,
        ).folder
        for strategy in ("enqueued_optuna", "fixed_nni")
    )
    managed = tmp_path / "managed"
    search_under_nnis_manager(recipe, managed)
    assert [(folder / "nni").exists() for folder in (optuna, nni, managed)] == [False, False, True]

    first = rows(optuna)
    assert len(first) == 4, "three of the search and the final training"
    assert len({row["fingerprint"] for row in first}) == 3
    assert rows(nni) == first
    one, _ = rows(managed)
    assert one == first[0], "and wherever it runs"


def search_under_nnis_manager(recipe: Path, folder: Path) -> None:
    (folder.parent / "home").mkdir()
    command = [sys.executable, "-m", "toolkit", "search", str(recipe)]
    command += ["strategy=fixed_nni", "budget.trials=1"]  # Each trial is a process.
    answer = subprocess.run(
        [*command, "--executor", "nni", "-o", str(folder), "--plugin", str(FIXED_POINTS)],
        # NNI keeps its list of experiments in the home folder.
        env={**os.environ, "HOME": str(folder.parent / "home"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr


def rows(folder: Path) -> list[dict[str, Any]]:
    """What the ledger says of each trial, times apart."""
    with closing(Ledger.open(folder / "ledger.sqlite", read_only=True)) as ledger:
        return [
            {
                "number": trial.number,
                "phase": trial.phase,
                "state": trial.state,
                "point": trial.point,
                "fingerprint": trial.fingerprint,
                "seed": trial.seed,
                "fidelity": dict(trial.fidelity),
                "parameters": trial.parameters,
                "values": trial.values,
                "reports": [(m.step, m.values) for m in ledger.metrics(trial.number)],
            }
            for trial in ledger.trials()
        ]
