"""Does a search gain what its pilot expects? Predictions against what searches realised.

    python benchmarks/pilot_gain.py --table nas-bench-macro_cifar10.json [--data FOLDER] [--json]

A pilot of 8 random architectures with two seeds predicts what the best of some architectures, each
trained once, is ahead of a random one, with an interval. Then as many are tried, and the gain is
the quality of the one chosen less the mean of the space.

- Two spaces of known variances: normal numbers with an intraclass correlation of .9 and of .2.
- Two tables of networks that were trained three times each (NAS-Bench-Macro, CIFAR-10): the whole
  of it, and its better half, where seeds count for as much as architectures. A training is one of
  the three, and an architecture's quality the mean of the other two.
- With `--data`, two spaces of networks: `spd_cell` on EEG, both tasks of `real_data.py`. The pilot
  and the search are runs of their own with other seeds, kept in a folder, which go on where they
  were; the gain is the found network's mean test accuracy less that of random ones.

Of the first four each is repeated: the first outcome is printed, and how many of all pilots had the
gain of their search in their interval.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from real_data import SETS

from toolkit.analysis.variances import expected_gain
from toolkit.engine.pilot import ARCHITECTURES, SEEDS
from toolkit.run.facts import PILOT
from toolkit.run.ledger import Ledger

TRIED = 24
"""Architectures that a search tries."""
ICC = {"normal numbers, icc .9": 0.9, "normal numbers, icc .2": 0.2}
EEG = ("eeg_fists_feet", "eeg_rest_task")
RANDOM = 4
"""Random architectures trained beside the found network."""

Array = NDArray[np.float64]


class Row(NamedTuple):
    """One set-up: the first prediction, its outcome, and how often outcomes were held."""

    name: str
    value: float
    low: float
    high: float
    realised: float
    held: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the outcome lies in the interval."""
        return self.low <= self.realised <= self.high


Draw = Callable[[np.random.Generator, int], tuple[Array, Array]]
"""Draws architectures: results of two trainings (count, 2), and their quality (count,)."""


def normal(icc: float) -> Draw:
    """Architectures and seeds of normal numbers of unit variance together."""

    def draw(generator: np.random.Generator, count: int) -> tuple[Array, Array]:
        quality = generator.normal(0, icc**0.5, count)
        noise = generator.normal(0, (1 - icc) ** 0.5, (count, SEEDS))
        return quality[:, None] + noise, quality

    return draw


def table(results: Array) -> Draw:
    """Architectures of a table of three trainings (N, 3); gains are over the table's mean."""
    mean = results.mean()

    def draw(generator: np.random.Generator, count: int) -> tuple[Array, Array]:
        rows = results[generator.choice(len(results), count, replace=False)]
        rows = generator.permuted(rows, axis=1)
        # Of what is searched only the first training counts: the other two are its judges.
        return rows[:, :SEEDS], rows[:, 1:].mean(1) - mean

    return draw


def repeat(name: str, draw: Draw, times: int) -> Row:
    """Predict and search so often."""
    generator, held, first = np.random.default_rng(0), 0, None
    for _ in range(times):
        gain = expected_gain(draw(generator, ARCHITECTURES)[0].tolist(), TRIED)
        results, quality = draw(generator, TRIED)
        row = Row(name, gain.value, gain.low, gain.high, float(quality[results[:, 0].argmax()]))
        first, held = first or row, held + row.holds
    assert first is not None
    return first._replace(held=held / times)


def networks(name: str, data: Path, runs: Path) -> Row:
    """Run a pilot alone, then a random search without one, and compare."""
    one = SETS[name]
    given = [one.recipe, f"task.data={data / one.file}", *one.overrides, "strategy=random"]

    def search(label: str, seed: int, *more: str) -> Path:
        folder, command = runs / f"{name}_{label}", [sys.executable, "-m", "toolkit", "search"]
        own = [*given, f"train.seed={seed}", "train.final.baselines=false", *more]
        subprocess.run([*command, *own, "-o", str(folder)], check=True, stdout=sys.stderr)
        return folder

    trials = ARCHITECTURES * SEEDS + TRIED
    pilot = f"budget={{trials: {trials}, pilot: only}}"
    shortest = "train.final={seeds: 1, random: 0, baselines: false}"
    folder = search("pilot", 0, pilot, shortest)
    with closing(Ledger.open(folder / "ledger.sqlite", read_only=True)) as ledger:
        gain = ledger.get(PILOT).gain
    folder = search("search", 1, f"budget.trials={TRIED}", f"train.final.random={RANDOM}")
    told = subprocess.run(
        [sys.executable, "-m", "toolkit", "best", str(folder), "--json"],
        check=True,
        capture_output=True,
    )
    best: Any = json.loads(told.stdout)
    realised = best["test"]["accuracy"]["mean"] - best["baselines"]["random"]["accuracy"]["mean"]
    return Row(name, gain.value, gain.low, gain.high, realised)


def main() -> None:
    """Print a line for each set-up."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--table", type=Path, help="nas-bench-macro_cifar10.json")
    parser.add_argument("--data", type=Path, help="folder of the recordings of real_data.py")
    parser.add_argument("--runs", type=Path, default=Path("runs/pilot_gain"))
    parser.add_argument("--times", type=int, default=200, help="repetitions without training")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = [repeat(name, normal(icc), options.times) for name, icc in ICC.items()]
    if options.table:
        entries = json.loads(options.table.read_text())
        results = np.array([entry["test_acc"] for entry in entries.values()], float)
        better = results[results.mean(1) >= np.median(results.mean(1))]
        rows.append(repeat("NAS-Bench-Macro, points", table(results), options.times))
        rows.append(repeat("its better half, points", table(better), options.times))
    if options.data:
        rows += [networks(name, options.data, options.runs) for name in EEG]
    if options.json:
        print(json.dumps([{**row._asdict(), "holds": row.holds} for row in rows]))
        return
    for row in rows:
        often = "" if row.held is None else f", held in {row.held:.0%} of {options.times}"
        print(
            f"{row.name}: expected {row.value:.3g} ({row.low:.3g} to {row.high:.3g}), realised"
            f" {row.realised:.3g}{often}"
        )


if __name__ == "__main__":
    main()
