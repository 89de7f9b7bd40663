"""The same trial, whoever proposes it and wherever it runs."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from toolkit.run.ledger import Ledger

RECIPE = """
version: 1
name: same
task: digits
space:
  name: nullspace_head
  only: {backbone: smallcnn, backbone.smallcnn.width: [8, 12], backbone.smallcnn.kernel: 3}
strategy: draw
fidelity: {epochs: 1}
budget: {trials: 3}
resources: {workers: 1, threads: 1}
train: {batch_size: 64, epochs: 1, final: {seeds: 1, random: 0, baselines: false}}
"""
PROPOSERS = {
    "optuna": ["strategy=enqueued_optuna"],
    "nni in process": ["strategy=fixed_nni"],
    "nni's manager": ["strategy=fixed_nni", "--executor", "nni"],
}


def test_a_fixed_list_of_architectures_gives_equal_rows_whoever_proposes_it(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE.replace("draw", "enqueued_optuna"))
    plugin = Path(__file__).with_name("fixed_points")
    (tmp_path / "home").mkdir()
    environment = {**os.environ, "HOME": str(tmp_path / "home"), "OMP_NUM_THREADS": "1"}
    ledgers: dict[str, list[dict[str, Any]]] = {}
    for name, words in PROPOSERS.items():
        folder = tmp_path / name.replace(" ", "-")
        answer = subprocess.run(
            [
                sys.executable,
                "-m",
                "toolkit",
                "search",
                str(recipe),
                *words,
                "-o",
                str(folder),
                "--plugin",
                str(plugin),
            ],
            env=environment,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        assert answer.returncode == 0, answer.stderr
        ledgers[name] = rows(folder)
        assert (folder / "nni").exists() == ("manager" in name)
    first, *others = ledgers.values()
    assert len(first) == 4, "three of the search and the final training"
    assert len({row["fingerprint"] for row in first}) == 3
    for other in others:
        assert other == first


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
