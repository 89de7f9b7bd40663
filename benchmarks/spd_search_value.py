"""Does the search earn its cost? The default recipe over several seeds of the whole search.

Each seed is a run of its own: data split, supernet, architecture, final trainings and fresh test
signals. Per seed, the found architecture's mean test accuracy is compared with that of random
architectures of the space under the same training budget and seeds; the interval is Student's over
the seeds. Runs are kept in a folder and go on where they were.
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scipy.stats import t as student

METRIC = "accuracy"


def outcome(recipe: str, seed: int, random: int, overrides: Sequence[str], folder: Path) -> Any:
    """Run the recipe with one seed, or go on with it; what `toolkit best --json` says."""
    run = folder / f"seed{seed}"
    settings = [f"train.seed={seed}", f"train.final.random={random}", *overrides]
    command = [sys.executable, "-m", "toolkit"]
    subprocess.run(
        [*command, "search", recipe, *settings, "-o", str(run)], check=True, stdout=sys.stderr
    )
    told = subprocess.run([*command, "best", str(run), "--json"], check=True, capture_output=True)
    return json.loads(told.stdout)


def interval(differences: Sequence[float]) -> tuple[float, float]:
    """Mean of paired differences and half the width of its 95 % interval."""
    if len(differences) < 2:
        return differences[0], float("nan")
    error = statistics.stdev(differences) / len(differences) ** 0.5
    return statistics.mean(differences), error * float(student.ppf(0.975, len(differences) - 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="spd_drone")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--random", type=int, default=5, help="random architectures a seed")
    parser.add_argument("--folder", type=Path, default=Path("runs/search_value"))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    options = parser.parse_args()
    rows = []
    for seed in options.seeds:
        best = outcome(options.recipe, seed, options.random, options.overrides, options.folder)
        networks = {"found": best["test"], **best["baselines"]}
        rows.append({name: test[METRIC]["mean"] for name, test in networks.items()})
    compared = {
        name: interval([row["found"] - row[name] for row in rows])
        for name in rows[0]
        if name != "found"
    }
    if options.json:
        print(json.dumps({"rows": rows, "found_minus": compared}))
        return
    print("seed  " + "  ".join(f"{name:>9}" for name in rows[0]))
    for seed, row in zip(options.seeds, rows, strict=True):
        print(f"{seed:4}  " + "  ".join(f"{value:9.4f}" for value in row.values()))
    for name, (mean, half) in compared.items():
        print(f"found - {name}: {100 * mean:+.2f} points, 95 % interval ±{100 * half:.2f}")


if __name__ == "__main__":
    main()
