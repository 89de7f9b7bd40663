"""What of the SPD search matters? The default recipe against variants of it, over several seeds.

Each variant and seed is a whole run: search, final trainings and fresh test signals, under the same
training budget. Equal seeds mean equal data, so differences are paired; intervals are Student's
over the seeds. Runs are kept in a folder and go on where they were.
"""

import argparse
import json
from pathlib import Path

from spd_search_value import METRIC, interval, outcome

ALONE = "train.final.baselines=false"
DEFAULT = "default"
VARIANTS: dict[str, tuple[str, ...]] = {
    DEFAULT: (),
    "softmax": ("space.relaxation=softmax",),
    "sigmoid": ("space.relaxation=sigmoid",),
    "architecture_lr_3e-4": ("strategy.architecture_lr=0.0003",),
    "architecture_lr_1e-2": ("strategy.architecture_lr=0.01",),
    "second_order": ("strategy.order=second",),
    "affine_invariant": ("space.mixing=affine_invariant",),
}
"""Variant -> overrides. The default is sparsemax, log-Euclidean, first order, 3e-3."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="spd_drone")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--folder", type=Path, default=Path("runs/studies"))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="for every variant")
    options = parser.parse_args()
    table: dict[str, list[float]] = {}
    for variant in dict.fromkeys((DEFAULT, *options.variants)):
        for seed in options.seeds:
            overrides = (ALONE, *VARIANTS[variant], *options.overrides)
            best = outcome(options.recipe, seed, 0, overrides, options.folder / variant)
            table.setdefault(variant, []).append(best["test"][METRIC]["mean"])
    compared = {
        variant: interval([own - base for own, base in zip(row, table[DEFAULT], strict=True)])
        for variant, row in table.items()
        if variant != DEFAULT
    }
    if options.json:
        print(json.dumps({"accuracy": table, "minus_default": compared}))
        return
    for variant, row in table.items():
        print(f"{variant:>22}  " + "  ".join(f"{value:.4f}" for value in row))
    for variant, (mean, half) in compared.items():
        print(f"{variant} - {DEFAULT}: {100 * mean:+.2f} points, 95 % interval ±{100 * half:.2f}")


if __name__ == "__main__":
    main()
