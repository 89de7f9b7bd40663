"""Heads on the same network, at equal training: accuracy, deployed cost, collapse, novelty.

    python benchmarks/nullspace_heads.py                       scikit-learn's digits, 3 seeds
    python benchmarks/nullspace_heads.py --arrays FILE.npz     images of your own (see image_arrays)
    python benchmarks/nullspace_heads.py --json                a list of objects

The heads are the baselines of the space `nullspace_head`. Collapse is tr Sw / tr Sb inside the
discriminant space fitted to the features, and of the features as they are (`raw`). Novelty is the
area under the ROC curve for the two last classes when the network has learned the others alone: by
the distance to the nearest class point where the head is a null-space one, by the largest score
elsewhere. Costs are of the deployed model, end to end.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from toolkit import batches, costs, training
from toolkit.contracts import Splits, TaskInfo, Train
from toolkit.contracts.costs import COSTS
from toolkit_images.arrays import ImageArraysTask
from toolkit_images.digits import DigitsTask
from toolkit_images.task import ImageTask
from toolkit_nullspace.learner import NullspaceLearner
from toolkit_nullspace.portrait import measure as portrait
from toolkit_nullspace.space import NullspaceHeadSpace

CPU = torch.device("cpu")
NOVEL = 2
"""Classes left out where novelty is measured."""

Data = tuple[Tensor, Tensor]


@torch.enable_grad()
def train(
    space: NullspaceHeadSpace, name: str, info: TaskInfo, data: Data, epochs: int, seed: int
) -> NullspaceLearner:
    """Train a baseline of the space as the toolkit's loop does."""
    torch.manual_seed(seed)
    learner = space.build(space.baselines(info)[name], info)
    settings = Train(epochs=epochs, batch_size=100)
    optimizer = learner.optimizer(settings)
    schedule = training.Schedule(optimizer, settings.schedule, epochs, learner.schedule)
    dataset = torch.utils.data.TensorDataset(*data)
    order = torch.Generator().manual_seed(seed)
    for epoch in range(epochs):
        learner.model.train()
        own = learner.sampler(dataset, settings, order)
        indices = batches.shuffled(len(data[1]), 100, order) if own is None else list(own)
        for step, batch in enumerate(batches.fetch(dataset, indices, CPU)):
            schedule.set(epoch + step / len(indices))
            optimizer.zero_grad(set_to_none=True)
            loss = learner.loss(batch)
            loss.backward()  # type: ignore[no-untyped-call]
            training.stop_if_diverged(loss, training.clip_gradient(learner.model.parameters(), 5.0))
            optimizer.step()
    learner.model.eval()
    with torch.no_grad():
        learner.finalize(dataset)
    return learner


@torch.no_grad()
def measure(name: str, task: ImageTask, epochs: int, seed: int) -> dict[str, float]:
    """All measures of one head under one seed."""
    space = NullspaceHeadSpace(NullspaceHeadSpace.Options())
    splits, learner = trained(space, name, task, epochs, seed)
    test = splits.load_test()
    deployed = learner.deployed()
    images, labels = test.tensors  # type: ignore[attr-defined]
    scores = torch.cat([deployed(part) for part in images.split(256)])
    row = {"accuracy": 100 * float((scores.argmax(1) == labels).double().mean())}
    row |= costs.measure(deployed, images[:1], COSTS)
    row |= {f"{key}_train": value for key, value in portrait(learner, splits, splits.train).items()}
    row |= {f"{key}_test": value for key, value in portrait(learner, splits, test).items()}
    names = task.info().class_names[-NOVEL:]
    narrow = type(task)(task.options.model_copy(update={"novel_classes": names}))
    splits, learner = trained(space, name, narrow, epochs, seed)
    row["novelty_auroc"] = portrait(learner, splits, splits.load_test())["novelty_auroc"]
    return row


def trained(
    space: NullspaceHeadSpace, name: str, task: ImageTask, epochs: int, seed: int
) -> tuple[Splits, NullspaceLearner]:
    """A baseline of the space trained on a task, and the data."""
    splits = task.load(Path(tempfile.gettempdir()), seed)
    data: Data = splits.train.tensors  # type: ignore[attr-defined]
    return splits, train(space, name, task.info(), data, epochs, seed)


def sum_up(name: str, rows: list[dict[str, float]]) -> dict[str, Any]:
    """Mean and standard deviation over seeds."""
    row: dict[str, Any] = {"head": name, "seeds": len(rows)}
    for key in rows[0]:
        values = [one[key] for one in rows]
        row[key] = statistics.fmean(values)
        row[f"{key}_sd"] = statistics.stdev(values) if len(values) > 1 else 0.0
    return row


def show(rows: list[Mapping[str, Any]]) -> None:
    """Print a table, a column for each measure."""
    keys = [key for key in rows[0] if f"{key}_sd" in rows[0]]
    print("| head | " + " | ".join(keys) + " |\n|---" + "|---" * len(keys) + "|")
    for row in rows:
        cells = [f"{row[key]:.4g} ± {row[f'{key}_sd']:.2g}" for key in keys]
        print(f"| {row['head']} | " + " | ".join(cells) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare heads at equal training.")
    parser.add_argument("--arrays", type=Path, help="an .npz with X, y; default: digits")
    parser.add_argument("--names", nargs=4, help="names of X, y, and of test X, y in it")
    parser.add_argument("--heads", nargs="+", default=["null_space", "linear", "average"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    torch.set_num_threads(1)
    task: ImageTask = DigitsTask(DigitsTask.Options())
    if options.arrays:
        names = dict(zip(("x", "y", "test_x", "test_y"), options.names or (), strict=False))
        task = ImageArraysTask(ImageArraysTask.Options(data=options.arrays, **names))
    rows = [
        sum_up(name, [measure(name, task, options.epochs, seed) for seed in range(options.seeds)])
        for name in options.heads
    ]
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        show(rows)


if __name__ == "__main__":
    main()
