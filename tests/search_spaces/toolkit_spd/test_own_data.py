"""Five lines of recipe search a user's own matrices, and hand over a model for raw ones."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from command_line import IN_PROCESS, Answer, run_toolkit
from toolkit.export import load_model

RECIPE = """version: 1
name: own
task: {name: spd_arrays, data: own.npz}
space: spd_cell
strategy: supernet
"""
TINY = (
    "train.epochs=1 train.final.seeds=1 train.final.random=0 train.final.baselines=false"
    " strategy.epochs=1 strategy.warmup=0 resources.executor=in_process"
    " space.nodes=1 space.cells=[reduction]"
)


def _matrices(n: int) -> np.ndarray:
    factor = np.random.default_rng(0).standard_normal((24, n, 3 * n))
    return factor @ factor.swapaxes(-1, -2) / (3 * n)


def _search(folder: Path) -> Answer:
    (folder / "own.yaml").write_text(RECIPE)
    words = ["search", "own.yaml", "--plugin", IN_PROCESS, *TINY.split(), "-o", "run"]
    return run_toolkit(*words, folder=folder)


def test_the_card_says_how_raw_matrices_become_inputs(tmp_path: Path) -> None:
    from toolkit_arrays.spd import SpdArraysTask

    path = tmp_path / "own.npz"
    np.savez(path, X=1e-9 * _matrices(3), y=np.array(["rest", "move"])[np.arange(24) % 2])
    done = _search(tmp_path)
    assert done.code == 0, done.err
    best = tmp_path / "run" / "best"
    said = re.search(r"divided by (\S+) \(mean", (best / "card.md").read_text())
    assert said is not None and said[1] in (best / "model.py").read_text()
    with np.load(path) as archive, torch.no_grad():
        scores = load_model(best)(torch.from_numpy(archive["X"]) / float(said[1]))
    options = SpdArraysTask.Options.model_validate({"data": path})
    test = SpdArraysTask(options).load(tmp_path, 0).load_test().tensors  # type: ignore[attr-defined]
    own = [
        index
        for matrix in test[0][:, 0].numpy()
        for index in np.flatnonzero(
            np.isclose(matrix * float(said[1]), np.load(path)["X"], rtol=1e-9, atol=0).all(
                axis=(1, 2)
            )
        )
    ]
    assert len(own) == len(test[0])
    guessed = scores.numpy().argmax(axis=1)[own]
    shown = run_toolkit("best", tmp_path / "run", "--json").out
    accuracy = json.loads(shown)["test"]["accuracy"]["mean"]
    assert (guessed == test[1].numpy()).mean() == pytest.approx(accuracy)


def test_a_wrong_matrix_is_one_sentence_and_mending_it_goes_on(tmp_path: Path) -> None:
    wrong, labels = _matrices(3), np.arange(24) % 2
    wrong[7, 0, 1] += 1
    np.savez(tmp_path / "own.npz", X=wrong, y=labels)
    done = _search(tmp_path)
    assert done.code == 2
    assert "Matrix 7 of 'X' is not symmetric" in done.err
    assert "Traceback" not in done.err and "toolkit.worker.jobs" not in done.err
    np.savez(tmp_path / "own.npz", X=_matrices(3), y=labels)
    done = _search(tmp_path)
    assert done.code == 0, done.err
