"""What `toolkit evaluate` costs beside a plain loop: leave one of nine subjects out, one network.

Both are processes of their own, and all CPU seconds of each count, imports included. The plain loop
reads the series, takes their covariances, and trains and tests the same network nine times with the
same optimiser and epochs; it validates nothing, and keeps nothing.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

SUBJECTS, CHANNELS, SAMPLES, CLASSES = 9, 22, 250, 4


def write_series(path: Path, trials: int) -> None:
    """Write series of nine subjects: classes differ in the power of a few mixed sources."""
    rng = np.random.default_rng(0)
    series, labels, subjects = [], [], []
    for subject in range(SUBJECTS):
        mixing = np.eye(CHANNELS) + 0.1 * rng.normal(size=(CHANNELS, CHANNELS))
        for trial in range(trials):
            label = trial % CLASSES
            sources = rng.normal(size=(CHANNELS, SAMPLES))
            sources[3 * label : 3 * label + 3] *= 1.3
            series.append((mixing @ sources).astype(np.float32))
            labels.append(label)
            subjects.append(f"S{subject + 1}")
    np.savez(path, X=np.array(series), y=np.array(labels), groups=np.array(subjects))


def plain_loop(archive: Path, epochs: int) -> None:
    """Train and test nine times, as one does by hand."""
    import torch
    from torch.nn.functional import cross_entropy

    from toolkit.contracts import Train

    torch.set_num_threads(1)
    problem = problem_of(archive, epochs)
    with np.load(archive) as kept:
        series, labels, subjects = kept["X"].astype(float), kept["y"], kept["groups"]
    series -= series.mean(-1, keepdims=True)
    matrices = torch.from_numpy(series @ series.swapaxes(1, 2) / (SAMPLES - 1))[:, None]
    matrices /= matrices.diagonal(dim1=-2, dim2=-1).mean()
    targets = torch.from_numpy(labels)
    found = []
    for subject in np.unique(subjects):
        torch.manual_seed(0)
        learner = problem.learner({"architecture": network_of(problem)})
        model = learner.model
        optimizer = learner.optimizer(Train(epochs=epochs, batch_size=32))
        train = np.flatnonzero(subjects != subject)
        for _ in range(epochs):
            model.train()
            for batch in torch.randperm(len(train)).split(32):
                chosen = torch.from_numpy(train)[batch]
                optimizer.zero_grad()
                loss = cross_entropy(model(matrices[chosen]), targets[chosen])
                loss.backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
                optimizer.step()
        model.eval()
        with torch.inference_mode():
            test = torch.from_numpy(np.flatnonzero(subjects == subject))
            hits = model(matrices[test]).argmax(1) == targets[test]
        found.append(float(hits.double().mean()))
    print(f"plain loop: accuracy {np.mean(found):.3f}")


def recipe_of(archive: Path, epochs: int) -> dict[str, object]:
    """Return the recipe that both follow."""
    return {
        "version": 1,
        "name": "folds",
        "task": {"name": "series_arrays", "data": str(archive)},
        "space": "spd_cell",
        "resources": {"workers": 1, "threads": 1},
        "train": {
            "epochs": epochs,
            "batch_size": 32,
            "final": {"seeds": 1, "random": 0, "baselines": False},
        },
    }


def problem_of(archive: Path, epochs: int) -> Any:
    """Return the recipe's plugins, put together."""
    from toolkit.problem import Problem
    from toolkit.recipe import load_recipe
    from toolkit.registry import Registry

    registry = Registry([])
    return Problem(load_recipe(recipe_of(archive, epochs), [], registry), registry)


def network_of(problem: Any) -> Any:
    """Return the SPDNet that stands beside every search of these data."""
    return problem.space().baselines(problem.info)["spdnet"]


def cpu_seconds(command: list[str], folder: Path) -> float:
    """Run a command; the CPU seconds of it and all that it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    print("\n".join(done.stdout.splitlines()[-6:]), file=sys.stderr)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=48, help="of each subject")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--plain", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    if asked.plain:
        plain_loop(asked.plain, asked.epochs)
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_series(folder / "series.npz", asked.trials)
        recipe = recipe_of(folder / "series.npz", asked.epochs)
        (folder / "folds.yaml").write_text(json.dumps(recipe))
        network = network_of(problem_of(folder / "series.npz", asked.epochs))
        (folder / "network.json").write_text(json.dumps(network))
        own = [sys.executable, __file__, "--plain", str(folder / "series.npz")]
        peer = cpu_seconds([*own, "--epochs", str(asked.epochs)], folder)
        command = [sys.executable, "-m", "toolkit", "evaluate", "folds.yaml"]
        folds = ["--folds", "leave_one_group_out", "--architecture", "network.json"]
        ours = cpu_seconds([*command, *folds, "-o", "run"], folder)
    print(f"evaluate {ours:.1f} CPU s, plain loop {peer:.1f} CPU s, ratio {ours / peer:.2f}")


if __name__ == "__main__":
    main()
