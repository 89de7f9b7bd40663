"""Measure how hard the simulated radar task is: a plain SPDNet over several seeds.

The published figure for SPDNet on the RADAR set is 93.2 % (Brooks et al., NeurIPS 2019; Chen et
al., ICLR 2024). The simulator's ranges are right while the mean lands at 93 +- 2 %. Each seed
draws its own data, split and weights.

    python benchmarks/calibrate_drone_radar.py [--seeds 5] [--epochs 30] [--json]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_

from toolkit_drone.task import DroneRadarTask
from toolkit_spd.networks import SpdNet
from toolkit_spd.optim import RiemannianAdam

SIZES = (20, 16, 8)
BATCH = 32
LR = 0.03
CLIP = 5.0
TARGET = (0.91, 0.95)


def train(x: Tensor, y: Tensor, epochs: int, seed: int) -> SpdNet:
    """Train an SPDNet by Riemannian Adam with cosine decay."""
    torch.manual_seed(seed)
    network = SpdNet(x.shape[1], SIZES, int(y.max()) + 1)
    optimizer = RiemannianAdam(network.parameters(), lr=LR)
    steps = epochs * -(-len(x) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad()
            cross_entropy(network(x[rows]), y[rows]).backward()
            clip_grad_norm_(network.parameters(), CLIP)
            optimizer.step()
            schedule.step()
    return network.eval()


def measure(task: DroneRadarTask, data_dir: Path, epochs: int, seed: int) -> dict[str, Any]:
    """Train under one seed; accuracies, parameters and the CPU seconds of data and training."""
    start = time.process_time()
    splits = task.load(data_dir, seed)
    test = splits.load_test()
    ready = time.process_time()
    inputs, labels = splits.train.tensors  # type: ignore[attr-defined]
    network = train(inputs, labels, epochs, seed)
    trained = time.process_time()
    row: dict[str, Any] = {"seed": seed}
    for name, part in (("train", splits.train), ("val", splits.val), ("test", test)):
        x, y = part.tensors  # type: ignore[attr-defined]
        with torch.no_grad():
            row[f"{name}_accuracy"] = task.metrics(network(x), y)["accuracy"]
    row["parameters"] = sum(each.numel() for each in network.parameters())
    return row | {"data_cpu_s": ready - start, "training_cpu_s": trained - ready}


def summarise(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean and standard deviation of every column."""
    columns = [name for name in rows[0] if name != "seed"]
    spread = {name: stdev(row[name] for row in rows) if len(rows) > 1 else 0.0 for name in columns}
    return [
        {"seed": "mean", **{name: mean(row[name] for row in rows) for name in columns}},
        {"seed": "std", **spread},
    ]


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as a Markdown table; accuracies in percent."""
    lines = ["| " + " | ".join(name.replace("_", " ") for name in rows[0]) + " |"]
    lines.append("|" + "---|" * len(rows[0]))
    for row in rows:
        cells = []
        for name, value in row.items():
            if name in ("seed", "parameters"):
                cells.append(f"{value:.0f}" if isinstance(value, float) else str(value))
            else:
                cells.append(f"{100 * value:.2f}" if "accuracy" in name else f"{value:.1f}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Run the seeds and print the table."""
    parser = argparse.ArgumentParser(description="SPDNet on simulated drone radar, over seeds")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    task = DroneRadarTask(DroneRadarTask.Options())
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            measure(task, Path(folder), arguments.epochs, seed) for seed in range(arguments.seeds)
        ]
    summary = summarise(rows)
    low, high = TARGET
    on_target = low <= summary[0]["test_accuracy"] <= high
    if arguments.json:
        print(json.dumps({"rows": rows, "summary": summary, "on_target": on_target}))
    else:
        print(table([*rows, *summary]))
        verdict = "inside" if on_target else "OUTSIDE"
        print(f"\nMean test accuracy is {verdict} {100 * low:.0f} to {100 * high:.0f} %.")


if __name__ == "__main__":
    main()
