"""A small CNN on the logarithms of the radar matrices: what a network without geometry reaches.

The same signals, split and fresh test signals as `toolkit search spd_drone` with equal seeds. Each
entry of a log-matrix is standardised by its mean and deviation over the training data; then three
convolutions 3 x 3 of `width`, 2 and 4 times `width` channels, each with batch normalisation and a
rectifier, maxima over 2 x 2 between them, the average over all places, and a linear map. AdamW
3e-3 with cosine decay, batch 32.

    python benchmarks/drone_cnn.py [--widths 8 32] [--epochs 13] [--seed 0]
        [--window 20] [--hop 10] [--json]
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import Tensor, nn

from toolkit_drone.task import DroneRadarTask
from toolkit_spd.functional.spectral import sym_log

BATCH = 32
LR = 3e-3
Part = tuple[Tensor, Tensor]


def make_cnn(channels: int, width: int, classes: int) -> nn.Sequential:
    """Return the network described above, for images (B, channels, n, n)."""
    layers: list[nn.Module] = []
    last = channels
    for depth in range(3):
        wide = width * 2**depth
        layers += [nn.Conv2d(last, wide, 3, padding=1), nn.BatchNorm2d(wide), nn.ReLU()]
        if depth < 2:
            layers.append(nn.MaxPool2d(2))
        last = wide
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(last, classes))


def read(task: DroneRadarTask, folder: Path, seed: int) -> list[Part]:
    """Return training, validation and fresh test images (N, C, n, n), standardised, and labels."""
    splits = task.load(folder, seed)
    parts = [each.tensors for each in (splits.train, splits.val, splits.load_test())]  # type: ignore[attr-defined]
    images = [sym_log(matrices).float() for matrices, _ in parts]
    mean, deviation = images[0].mean(0), images[0].std(0)
    return [
        ((image - mean) / deviation, part[1]) for image, part in zip(images, parts, strict=True)
    ]


def train(network: nn.Module, data: Part, epochs: int) -> None:
    """Train by AdamW with cosine decay; batches are full, as the toolkit's are."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=LR, weight_decay=1e-2)
    steps = epochs * (len(data[0]) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    network.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(data[0])).split(BATCH):
            if len(rows) < BATCH:
                continue
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(data[0][rows]), data[1][rows]).backward()
            optimizer.step()
            schedule.step()


@torch.no_grad()
def accuracy(network: nn.Module, data: Part) -> float:
    """Return the share of right answers."""
    network.eval()
    scores = torch.cat([network(images) for images in data[0].split(500)])
    return float((scores.argmax(1) == data[1]).double().mean())


def measure(parts: list[Part], width: int, epochs: int, trainings: int) -> dict[str, Any]:
    """Train with several seeds and judge each on validation and test signals."""
    val, test, seconds = [], [], []
    for seed in range(trainings):
        torch.manual_seed(seed)
        network = make_cnn(parts[0][0].shape[1], width, int(parts[0][1].max()) + 1)
        start = time.process_time()
        train(network, parts[0], epochs)
        seconds.append(time.process_time() - start)
        val.append(accuracy(network, parts[1]))
        test.append(accuracy(network, parts[2]))
    return {
        "width": width,
        "parameters": sum(each.numel() for each in network.parameters()),
        "epochs": epochs,
        "val_accuracy": round(statistics.mean(val), 4),
        "test_accuracy": round(statistics.mean(test), 4),
        "test_std": round(statistics.stdev(test), 4) if trainings > 1 else 0.0,
        "training_cpu_s": round(statistics.mean(seconds), 1),
    }


def main() -> None:
    """Print a line for each width."""
    parser = argparse.ArgumentParser(description="A small CNN on log-matrices of drone_radar")
    parser.add_argument("--widths", type=int, nargs="+", default=[8, 32])
    parser.add_argument("--epochs", type=int, default=13)
    parser.add_argument("--trainings", type=int, default=3, help="trainings of each network")
    parser.add_argument("--seed", type=int, default=0, help="of the signals and their split")
    parser.add_argument("--window", type=int, default=20, help="rows of the matrices, samples")
    parser.add_argument("--hop", type=int, default=10, help="from window to window, samples")
    parser.add_argument("--folder", type=Path, help="where signals are kept, as a run's data")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    covariance = {"window": arguments.window, "hop": arguments.hop}
    task = DroneRadarTask(DroneRadarTask.Options.model_validate({"covariance": covariance}))
    with tempfile.TemporaryDirectory() as folder:
        parts = read(task, arguments.folder or Path(folder), arguments.seed)
    rows = [
        measure(parts, width, arguments.epochs, arguments.trainings) for width in arguments.widths
    ]
    if arguments.json:
        print(json.dumps(rows, indent=1))
        return
    for row in rows:
        print("  ".join(f"{name} {value}" for name, value in row.items()))


if __name__ == "__main__":
    main()
