"""Found networks beside the tangent space on real recordings, each split by who or what recorded.

    python benchmarks/real_data.py FOLDER                # the baselines, about a minute
    python benchmarks/real_data.py FOLDER --search       # searches first; goes on where it was
    python benchmarks/real_data.py FOLDER --auto 0 1 2   # spd_auto, a search for each seed

FOLDER holds the recordings as `.npz` files (`SETS` names them and the options that read them; a
file that is missing is left out). The baseline is the usual one for covariance matrices (Barachant
et al., IEEE TBME 2012): affine-invariant tangent space at the mean of the training matrices, then
logistic regression, C = 1, nothing tuned, trained on training and validation part together. Twice:
on matrices in their plain form, and on those that the network gets. The network is trained on the
training part and, where a set says `refit`, once more on both.
"""

import argparse
import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pyriemann.tangentspace import TangentSpace
from sklearn.linear_model import LogisticRegression

from toolkit.contracts import Splits
from toolkit.recipe import load_recipe
from toolkit.registry import Registry

RIDGE = 1e-2
"""Of plain joint covariances; fixed beforehand."""


class RealSet(NamedTuple):
    """A set of recordings.

    Attributes:
        file: its file's name in the folder.
        recipe: what searches on it.
        overrides: of the recipe.
        plain: further overrides that give the matrices in their plain form.
        refit: further overrides of a retraining on training and validation part, if there is one.
    """

    file: str
    recipe: str
    overrides: tuple[str, ...]
    plain: tuple[str, ...] = ()
    refit: tuple[str, ...] = ()


_PLAIN = (
    "task.velocities=false",
    "task.bones=[]",
    "task.time_rows=0",
    "~task.components",
    "task.mean=false",
    f"task.ridge={RIDGE}",
    "task.scale=none",
)
# Random architectures of a retraining would be the given one.
_REFIT = ("task.refit=true", "train.final.random=0")
# Pieces of 0.4 s, every second joint, and the posture beside the movement.
_HARD = (
    "task.segment=12",
    "task.joints=[2,4,6,8,10,12,14,16,18,20,22,24,26,28,30]",
    "~task.keep",
    "~task.hip_joint",
    "~task.train_subjects",
    "task.validation=sequences",
    "task.bones=[]",
    "task.mean=true",
    "train.epochs=20",
)
SETS = {
    "msr_action3d": RealSet("msr_action3d.npz", "spd_skeleton", (), _PLAIN, _REFIT),
    "hdm05_segments": RealSet("hdm05_11.npz", "spd_skeleton", _HARD, _PLAIN, _REFIT),
    "rotor_3.30_to_3.35": RealSet("rotor_radar.npz", "spd_drone", ("task.test_groups=[1]",)),
    "rotor_3.35_to_3.30": RealSet("rotor_radar.npz", "spd_drone", ("task.test_groups=[0]",)),
    "eeg_fists_feet": RealSet(
        "eegmmidb_s001_21ch.npz", "spd_eeg", ("train.epochs=20",), refit=_REFIT
    ),
    "eeg_rest_task": RealSet(
        "eegmmidb_s001_21ch.npz",
        "spd_eeg",
        (
            "~task.classes",
            "task.merge={rest: [rest], task: [left, right, bothfists, feet]}",
            "task.test_groups=[11,12,13,14]",
            "train.epochs=20",
        ),
        refit=_REFIT,
    ),
}


_EEG = ("task.x=x", "task.y=label", "task.groups=run", "task.rate=160")
_MOCAP = ("task.name=mocap", "task.output=series", "task.grouped=true")
_MOTION = ("task.train_subjects=[1,3,5,7,9]", "task.hip_joint=6", "task.bones=[[2,3],[3,6]]")
AUTO = {
    "msr_action3d": ("msr_action3d.npz", (*_MOCAP, "task.keep=in_cvpr12_list", *_MOTION)),
    "hdm05_segments": ("hdm05_11.npz", (*_MOCAP, *_HARD[:2])),
    "eeg_rest_task": (
        "eegmmidb_s001_21ch.npz",
        (
            *_EEG,
            "task.merge={rest: [rest], task: [left, right, bothfists, feet]}",
            "task.test_groups=[11,12,13,14]",
        ),
    ),
    "eeg_fists_feet": (
        "eegmmidb_s001_21ch.npz",
        (*_EEG, "task.classes=[bothfists,feet]", "task.test_groups=[13,14]"),
    ),
    "japanese_vowels": ("japanesevowels.npz", ()),
    "rotor_3.30_to_3.35": ("rotor_radar.npz", ("task.name=drone_radar", "task.test_groups=[1]")),
    "rotor_3.35_to_3.30": ("rotor_radar.npz", ("task.name=drone_radar", "task.test_groups=[0]")),
    "basic_motions": ("basicmotions.npz", ()),
}
"""The file of each set, and what `spd_auto` is told of it."""


def given_split(file: Path, folder: Path) -> Path:
    """Packs series that come as `x_train`, `x_test` into an archive that `recordings` reads."""
    with np.load(file, allow_pickle=False) as archive:
        parts = {name: archive[name] for name in archive.files}
    if "x_train" not in parts:
        return file
    folder.mkdir(parents=True, exist_ok=True)
    both = {n: np.concatenate([parts[f"{n}_train"], parts[f"{n}_test"]]) for n in ("x", "len", "y")}
    split = np.repeat(["train", "test"], [len(parts["y_train"]), len(parts["y_test"])])
    packed = folder / file.name
    np.savez(packed, X=both["x"], lengths=both["len"].astype(np.int64), y=both["y"], split=split)
    return packed


def expected_calibration_error(scores: NDArray[Any], labels: NDArray[Any], bins: int = 15) -> float:
    """Mean gap of confidence and accuracy over bins of equal width (Guo et al., ICML 2017)."""
    likely = np.exp(scores - scores.max(1, keepdims=True))
    likely /= likely.sum(1, keepdims=True)
    sure, right = likely.max(1), likely.argmax(1) == labels
    which = np.minimum((sure * bins).astype(int), bins - 1)
    gaps = [abs(sure[own].mean() - right[own].mean()) * own.mean() for own in _bins(which, bins)]
    return float(sum(gaps))


def _bins(which: NDArray[Any], bins: int) -> list[NDArray[Any]]:
    return [own for number in range(bins) if (own := which == number).any()]


def run_auto(name: str, data: Path, runs: Path, seed: int, overrides: list[str]) -> dict[str, str]:
    """Search a set with `spd_auto` and a seed; test accuracy, in percent, and calibration error."""
    file, told = AUTO[name]
    found = runs / f"auto_{name}_{seed}"
    given = [f"task.data={given_split(data / file, runs)}", *told, f"train.seed={seed}", *overrides]
    command = [sys.executable, "-m", "toolkit", "search", "spd_auto", *given, "-o", str(found)]
    subprocess.run(command, check=True)
    rows = {}
    for path in sorted(found.glob("final/*/predictions.npz")):
        with np.load(path, allow_pickle=False) as archive:
            tested = archive["part"] == "test"
            scores, labels = archive["scores"][tested].astype(float), archive["label"][tested]
        accuracy = 100 * (scores.argmax(1) == labels).mean()
        error = expected_calibration_error(scores, labels)
        label = path.parent.name.removesuffix("-seed0")
        rows[label] = f"{accuracy:.1f} of {len(labels)}, calibration error {error:.3f}"
    return rows


def load(recipe: str, overrides: list[str], folder: Path) -> Splits:
    """The data as a run of the recipe gets them."""
    loaded = load_recipe(recipe, overrides, Registry())
    task = Registry().get("tasks", loaded.task.name)
    options = task.Options.model_validate(dict(loaded.task.options))
    return task(options).load(folder, loaded.train.seed)


def tangent_space(splits: Splits) -> float:
    """Test accuracy of logistic regression in the tangent space, channels side by side."""
    parts = [splits.train, splits.val, splits.load_test()]
    arrays = [[tensor.numpy() for tensor in part.tensors] for part in parts]  # type: ignore[attr-defined]
    matrices, labels = (np.concatenate(pair) for pair in zip(*arrays[:2], strict=True))
    fitted: list[tuple[TangentSpace, int]] = []
    for channel in range(matrices.shape[1]):
        fitted.append((TangentSpace(metric="riemann").fit(matrices[:, channel]), channel))

    def features(x: NDArray[Any]) -> NDArray[Any]:
        return np.hstack([space.transform(x[:, channel]) for space, channel in fitted])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        classifier = LogisticRegression(max_iter=1000).fit(features(matrices), labels)
    return float(classifier.score(features(arrays[2][0]), arrays[2][1]))


def run(name: str, one: RealSet, data: Path, runs: Path, overrides: list[str]) -> None:
    """Search, and retrain on all training data; or go on with what is there."""
    command = [sys.executable, "-m", "toolkit"]
    given = [f"task.data={data / one.file}", *one.overrides, *overrides]
    found = str(runs / name)
    subprocess.run([*command, "search", one.recipe, *given, "-o", found], check=True)
    if one.refit:
        again = ["retrain", one.recipe, "--from", found, "-o", f"{found}_refit"]
        subprocess.run([*command, *again, *given, *one.refit], check=True)


def outcome(folder: Path) -> dict[str, str]:
    """Test accuracy of every network of a run, in percent."""
    if not folder.is_dir():
        return {}
    command = [sys.executable, "-m", "toolkit", "best", str(folder), "--json"]
    told = subprocess.run(command, capture_output=True, text=True)
    if told.returncode:
        return {}
    best = json.loads(told.stdout)
    networks = {"found": best["test"], **best["baselines"]}
    rows = {name: networks[name]["accuracy"] for name in networks}
    return {name: f"{100 * r['mean']:.1f} ± {100 * r['std']:.1f}" for name, r in rows.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path, metavar="FOLDER")
    known = [*SETS, *(name for name in AUTO if name not in SETS)]
    parser.add_argument("--sets", nargs="+", choices=known, default=known)
    parser.add_argument("--auto", nargs="+", type=int, metavar="SEED", help="search with spd_auto")
    parser.add_argument("--runs", type=Path, default=Path("runs/real_data"))
    parser.add_argument("--search", action="store_true", help="search where no run is there yet")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    options = parser.parse_intermixed_args()
    rows: dict[str, Any] = {}
    data = options.data.expanduser().resolve()
    for name in options.sets if options.auto else ():
        for seed in options.auto:
            row = run_auto(name, data, options.runs, seed, options.overrides)
            print(f"{name}, seed {seed}" + "".join(f"\n    {n:30} {v}" for n, v in row.items()))
    for name in () if options.auto else (name for name in options.sets if name in SETS):
        one = SETS[name]
        if not (data / one.file).exists():
            print(f"{name}: there is no {one.file}", file=sys.stderr)
            continue
        if options.search:
            run(name, one, data, options.runs, options.overrides)
        given = [f"task.data={data / one.file}", *one.overrides]
        plain, same = load(one.recipe, [*given, *one.plain], data), load(one.recipe, given, data)
        again = outcome(options.runs / f"{name}_refit")
        rows[name] = {
            "tangent space": f"{100 * tangent_space(plain):.1f}",
            "tangent space, same input": f"{100 * tangent_space(same):.1f}",
            **outcome(options.runs / name),
            **{f"{network}, all data": value for network, value in again.items()},
        }
        if not options.json:
            print(name + "".join(f"\n    {n:30} {v}" for n, v in rows[name].items()), flush=True)
    if options.json:
        print(json.dumps(rows))


if __name__ == "__main__":
    main()
