"""How long `predict` takes beside the network's own forward with its preparation.

Both take 10,000 covariance matrices of 22 channels from an archive to classes; CPU seconds of one
process, medians of three rounds in turns.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import toolkit
from toolkit.export.loading import load_file

CHANNELS = 22


def covariances(count: int, seed: int) -> tuple[Any, Any]:
    """Return matrices (count, 22, 22) and labels of four classes."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 4
    series = rng.normal(size=(count, CHANNELS, 60))
    for label in range(4):
        series[labels == label, 3 * label : 3 * label + 3] *= 1.5
    return series @ series.swapaxes(1, 2) / 60, labels


def cpu_seconds(work: Callable[[], Any]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        X, y = covariances(240, 0)
        run = toolkit.search(
            {"task": {"name": "spd_arrays", "X": X, "y": y}, "space": "spd_cell"},
            strategy="random",
            budget={"trials": 1},
            train={"epochs": 1, "final": {"seeds": 1, "random": 0, "baselines": False}},
            output=folder / "run",
        )
        new = folder / "new.npz"
        np.savez(new, X=covariances(asked.count, 1)[0])
        model = load_file(run.folder / "best").Model.load()

        def forward() -> None:
            with np.load(new) as archive:
                raw = torch.from_numpy(archive["X"])
            with torch.inference_mode():
                for part in raw.split(256):
                    model(part).argmax(-1)

        ours, peer = [], []
        for _ in range(3):
            peer.append(cpu_seconds(forward))
            ours.append(cpu_seconds(lambda: run.predict(new)))
    mine, other = statistics.median(ours), statistics.median(peer)
    print(f"predict {mine:.2f} CPU s, own forward {other:.2f} CPU s, ratio {mine / other:.2f}")


if __name__ == "__main__":
    main()
