"""Whether `best/` holds the right network: eight small data sets of different kinds, three seeds.

Of every search it is looked up whether another network that was trained from scratch is ahead on
validation data by more than the standard error of the difference over the seeds, and whether one
dominates the exported network in all objectives. Trainings are short, and run in this process;
`--only` names some sets.
"""

import argparse
import math
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import toolkit
from toolkit.analysis.pareto import dominates, scores
from toolkit.api.given import gather
from toolkit.base.summary import Statistics
from toolkit.engine import run_search
from toolkit.problem import assemble
from toolkit.worker.inline import inline_executor

FINAL = {"seeds": 2, "random": 1}
Recipe = dict[str, Any]


def matrices(folder: Path, channels: int = 5, bands: bool = False) -> Recipe:
    """Covariances, of one channel or two."""
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    series = rng.normal(size=(90, 2 if bands else 1, channels, 30))
    for label in range(3):
        series[y == label, :, label] *= 1.8
    X = series @ series.swapaxes(-1, -2) / 30
    return {"task": {"name": "spd_arrays", "X": X, "y": y}, "space": "spd_cell"}


def eeg(folder: Path) -> Recipe:
    """Series of four subjects, tested on the last."""
    rng = np.random.default_rng(1)
    y, subjects = np.arange(96) % 2, np.arange(96) // 24
    mixing = np.eye(6) + 0.1 * rng.normal(size=(4, 6, 6))
    series = rng.normal(size=(96, 6, 100))
    series[y == 1, :2] *= 1.5
    X = mixing[subjects] @ series
    task = {"name": "series_arrays", "X": X, "y": y, "groups": subjects}
    return {"task": task, "space": "spd_pipeline", "strategy": "random"}


def pngs(folder: Path) -> Recipe:
    """A folder of small coloured images."""
    from PIL import Image

    rng = np.random.default_rng(2)
    for label, name in enumerate(("cat", "dog", "fox")):
        (folder / "pngs" / name).mkdir(parents=True)
        for number in range(24):
            pixels = rng.integers(0, 120, (12, 12, 3), dtype=np.uint8)
            pixels[:, :6, label] += 100
            Image.fromarray(pixels).save(folder / "pngs" / name / f"{number}.png")
    task = {"name": "image_folder", "data": str(folder / "pngs"), "size": 12}
    return {"task": task, "space": "nullspace_head", "strategy": "random"}


def digits(folder: Path) -> Recipe:
    """Scikit-learn's digits, two epochs as a beginner sets them."""
    task = {"name": "digits", "per_class": 20}
    return {"task": task, "space": "nullspace_head", "strategy": "random", "train": {"epochs": 2}}


def radar(folder: Path) -> Recipe:
    """Simulated radar."""
    task = {"name": "drone_radar", "signals_per_class": 20, "test_signals": 0}
    return {"task": task, "space": "spd_cell"}


def skeletons(folder: Path) -> Recipe:
    """Series of joints relative to the hip."""
    rng = np.random.default_rng(3)
    y = np.arange(72) % 3
    X = rng.normal(size=(72, 12, 40))
    for label in range(3):
        X[y == label, 3 * label : 3 * label + 3] *= 1.7
    task = {"name": "series_arrays", "X": X, "y": y, "root_joint": 3}
    return {"task": task, "space": "spd_cell", "train": {"epochs": 2}}


def cheap(folder: Path) -> Recipe:
    """Covariances again, with the size of the model as a second objective."""
    objectives = {"accuracy": "maximize", "parameters": "minimize"}
    return {**matrices(folder, 4), "objectives": objectives}


SETS: Mapping[str, Callable[[Path], Recipe]] = {
    "covariances": matrices,
    "two channels": lambda folder: matrices(folder, 4, True),
    "EEG": eeg,
    "PNG folder": pngs,
    "digits, 2 epochs": digits,
    "radar": radar,
    "skeletons, 2 epochs": skeletons,
    "two objectives": cheap,
}


def faults(run: toolkit.Run) -> list[str]:
    """Say which other networks are ahead of the exported one, or dominate it."""
    outcome = run.outcome
    assert outcome is not None
    recipe = run.recipe["objectives"] or {"accuracy": "maximize"}
    labels = dict.fromkeys(training.label for training in outcome.trainings)
    means, errors = {}, {}
    for label in labels:
        own = outcome.trainings_of(label)
        values = [float(training.values["accuracy"]) for training in own]
        found = Statistics.of(values)
        size = float(np.mean([training.parameters or 0 for training in own]))
        means[label] = {"accuracy": found.mean, "parameters": size}
        errors[label] = found.std / math.sqrt(len(values))
    handed, said = outcome.handed_over, []
    chosen = scores({name: means[handed][name] for name in recipe}, recipe)
    for label in labels:
        other = scores({name: means[label][name] for name in recipe}, recipe)
        if chosen is not None and other is not None and len(recipe) > 1:
            said += [f"{label} dominates {handed}"] * dominates(other, chosen)
        ahead = means[label]["accuracy"] - means[handed]["accuracy"]
        if len(recipe) == 1 and ahead > math.hypot(errors[label], errors[handed]) + 1e-9:
            said.append(f"{label} is ahead of {handed} by {ahead:.3f}")
    return said


def search(recipe: Recipe, folder: Path) -> toolkit.Run:
    """Runs a recipe to the end of its test, when it is decided what is to be exported."""
    given = gather(recipe, (), {}, ())
    with given.stored(folder) as stored:
        problem = assemble(stored.recipe, given.registry)
        code = run_search(problem, folder, executor=inline_executor, hand_over=False)
    if code:
        raise SystemExit(f"The run ended with {code}.")
    return toolkit.Run(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=list(SETS))
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    bad = 0
    for name in asked.only:
        for seed in range(asked.seeds):
            with tempfile.TemporaryDirectory() as scratch:
                folder = Path(scratch)
                recipe = {"strategy": "random", **SETS[name](folder)}
                train = {"epochs": 6, **recipe.pop("train", {}), "seed": seed, "final": FINAL}
                if recipe["space"] == "spd_pipeline":
                    del train["epochs"]
                recipe |= {"budget": {"trials": 3}, "train": train}
                began = time.process_time()
                run = search(recipe, folder / "run")
                found = faults(run)
                bad += bool(found)
                held = run.outcome.handed_over if run.outcome else ""
                spent = time.process_time() - began
                said = "; ".join(found) or "right"
                print(f"{name}, seed {seed}: {held}; {said} ({spent:.0f} CPU s)", flush=True)
    print(f"{bad} of {len(asked.only) * asked.seeds} runs exported another network than the right")


if __name__ == "__main__":
    main()
