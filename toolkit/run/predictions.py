"""What final trainings predicted, read back: which classes are taken for which."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.base.files import read_within
from toolkit.base.summary import Statistics
from toolkit.run.weights import HELD_OUT

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_CLASSES = 1000
MOST_BYTES = 1 << 30
"""Of the arrays in a file of predictions."""


@dataclass(frozen=True)
class Confusion:
    """How often each class was taken for each, over some trainings.

    Attributes:
        counts: (classes, classes) test samples: rows are the true classes, columns the predicted.
    """

    counts: tuple[tuple[int, ...], ...]

    @property
    def precision(self) -> list[float | None]:
        """Of each class, the share of what was taken for it that is of it; None if nothing was."""
        return [
            self.counts[k][k] / taken if (taken := sum(row[k] for row in self.counts)) else None
            for k in range(len(self.counts))
        ]

    @property
    def recall(self) -> list[float | None]:
        """Of each class, the share of its samples that was recognised; None if it has none."""
        return [
            row[k] / total if (total := sum(row)) else None for k, row in enumerate(self.counts)
        ]

    @property
    def f1(self) -> list[float | None]:
        """The harmonic mean of precision and recall; None where one of them is."""
        pairs = zip(self.precision, self.recall, strict=True)
        return [None if p is None or r is None else 2 * p * r / ((p + r) or 1.0) for p, r in pairs]


def hits(files: Iterable[Path]) -> list[float]:
    """Returns the share of trainings that were right, for each test sample; empty if unknown."""
    import numpy as np

    rows = []
    for path in files:
        read = _test_part(path)
        if read is None:
            return []
        rows.append(read[1] == read[0])
    if not rows or len({len(row) for row in rows}) > 1:
        return []
    return [float(share) for share in np.mean(rows, axis=0)]


@dataclass(frozen=True)
class Values:
    """What some trainings gave for the test samples, where targets are values.

    Attributes:
        targets: (N,).
        given: (trainings, N).
    """

    targets: NDArray[np.float64]
    given: NDArray[np.float64]

    def shares(self, metric: str) -> tuple[list[float], float] | None:
        """Returns what each sample adds to a metric, whose mean over the samples is the metric.

        Returns:
            The mean over the trainings (N,), and the variance over them, over their number, in the
            mean of the samples; 0 for a single one. None for a metric that is no such mean.
        """
        import numpy as np

        squared = np.square(self.given - self.targets)
        if metric == "mae":
            added = np.abs(self.given - self.targets)
        elif metric == "loss":
            added = squared
        elif metric == "r2" and self.targets.var() > 0:
            added = 1 - squared / self.targets.var()
        elif metric == "rmse" and squared.any():
            root = np.sqrt(squared.mean(axis=1, keepdims=True))
            added = (squared / np.maximum(root, 1e-300) + root) / 2  # its first-order expansion
        else:
            return None
        count = len(added)
        chance = float(added.var(axis=0, ddof=1).mean()) / count if count > 1 else 0.0
        return added.mean(axis=0).tolist(), chance


def values_of(files: Iterable[Path]) -> Values | None:
    """Returns what trainings gave for the test samples; None where these are no values."""
    import numpy as np

    targets: NDArray[np.float64] | None = None
    rows = []
    for path in files:
        try:
            part, labels, scores = _arrays(path, "part", "label", "scores")
            tested = part == "test"
            own, given = labels[tested].astype(np.float64), scores[tested].astype(np.float64)
            sound = labels.dtype.kind == "f" and given.shape == (len(own), 1) and len(own) > 0
        except Exception:  # Whatever is wrong with a file that somebody else may have written.
            return None
        finite = sound and np.isfinite(own).all() and np.isfinite(given).all()
        if not finite or (targets is not None and not np.array_equal(targets, own)):
            return None
        targets = own
        rows.append(given[:, 0])
    return None if targets is None else Values(targets, np.stack(rows))


@dataclass(frozen=True)
class GroupResult:
    """How the test samples of one group (a subject, a session) were judged.

    Attributes:
        group: its name.
        samples: of the test part.
        result: with its standard deviation over the trainings.
        metric: `accuracy`, or `mae` where targets are values.
    """

    group: str
    samples: int
    result: Statistics
    metric: str = "accuracy"


def by_group(files: Iterable[Path]) -> list[GroupResult]:
    """Returns the accuracy on each group, over some trainings; empty where groups are unknown.

    Of values it is the mean absolute error.
    """
    import numpy as np

    files = list(files)
    given = values_of(files)
    samples: dict[str, int] = {}
    found: dict[str, list[float]] = {}
    for number, path in enumerate(files):
        read = _test_part(path) if given is None else None
        try:
            groups, part = _arrays(path, "group", "part")
            own = groups[part == "test"]
        except Exception:  # There are no groups, or somebody else wrote the file.
            return []
        if given is not None:
            judged = np.abs(given.given[number] - given.targets)
        elif read is not None:
            judged = (read[0] == read[1]).astype(np.float64)
        else:
            return []
        if len(own) != len(judged):
            return []
        for group in map(str, np.unique(own)):
            samples[group] = int((own == group).sum())
            found.setdefault(group, []).append(float(judged[own == group].mean()))
    metric = "accuracy" if given is None else "mae"
    return [GroupResult(g, samples[g], Statistics.of(all_), metric) for g, all_ in found.items()]


def _arrays(path: Path, *names: str) -> list[NDArray[Any]]:
    """Some arrays of a file in a trial's folder, which somebody else may have written.

    Raises:
        Exception: it is no file of that folder, no archive of these arrays, or far too large.
    """
    import numpy as np

    content = io.BytesIO(read_within(path.parent, path, MOST_BYTES))
    with zipfile.ZipFile(content) as archive:
        if sum(held.file_size for held in archive.infolist()) > MOST_BYTES:
            raise ValueError(f"{path} holds more than {MOST_BYTES} bytes")
    content.seek(0)
    with np.load(content, allow_pickle=False) as arrays:
        return [arrays[name] for name in names]


def _test_part(path: Path) -> tuple[NDArray[np.int64], NDArray[np.int64], int] | None:
    """True and predicted classes of the test samples, and how many classes there are.

    None where a file cannot be read, or holds something else.
    """
    import numpy as np

    try:
        part, labels, scores = _arrays(path, "part", "label", "scores")
        tested, classes = part == "test", scores.shape[1]
        true, taken = labels[tested].astype(np.int64), scores[tested].argmax(axis=1)
        sound = 2 <= classes <= MOST_CLASSES and true.min() >= 0 and true.max() < classes
    except Exception:  # Whatever is wrong with a file that somebody else may have written.
        return None
    return (true, taken, classes) if sound else None


def confusion(files: Iterable[Path]) -> Confusion | None:
    """Returns the confusion of the test predictions in some files; None where there are none.

    Files that cannot be read, or hold something else, are left out.
    """
    import numpy as np

    total: NDArray[np.int64] | None = None
    for path in files:
        read = _test_part(path)
        if read is None:
            continue
        true, taken, classes = read
        flat = np.bincount(true * classes + taken, minlength=classes**2)
        counts = flat.reshape(classes, classes)
        if total is None:
            total = counts
        elif total.shape == counts.shape:
            total = total + counts
    return None if total is None else Confusion(tuple(tuple(map(int, row)) for row in total))


@dataclass(frozen=True)
class HeldOut:
    """What a trial predicted of the samples held out of one fold: scores (N, classes), labels."""

    scores: NDArray[np.float32]
    labels: NDArray[np.int64]


def held_out_of(folder: Path) -> list[HeldOut]:
    """Returns what a trial predicted of each fold; empty where nothing sound is in its folder."""
    import numpy as np

    found = []
    try:
        for number in range(1, len(list(folder.glob(f"{HELD_OUT}*.npz"))) + 1):
            scores, labels = _arrays(folder / f"{HELD_OUT}{number}.npz", "scores", "label")
            labels = labels.astype(np.int64)
            # Of values there is nothing to be right about, and nothing to calibrate.
            if (
                scores.ndim != 2
                or scores.shape[1] < 2
                or len(scores) != len(labels)
                or not np.isfinite(scores).all()
            ):
                return []
            found.append(HeldOut(scores, labels))
    except Exception:  # Whatever is wrong with a file that somebody else may have written.
        return []
    return found


def held_out_scores(run: Path, trial: Any, folds: int) -> list[HeldOut] | None:
    """Returns what a trial of a run predicted of each of so many folds; None if it is not known."""
    if not isinstance(trial, int):
        return None
    for folder in (run / "trials").glob(f"{trial:04d}-*"):
        found = held_out_of(folder)
        if len(found) == folds:
            return found
    return None


def held_out_hits(folder: Path) -> list[bool]:
    """Returns whether a trial was right, for each sample held out of it; empty if unknown."""
    found = held_out_of(folder)
    return [bool(hit) for fold in found for hit in fold.scores.argmax(1) == fold.labels]


def sharpness_together(folders: Sequence[Path], each: Sequence[float]) -> list[float]:
    """Returns what the scores of trials are multiplied by, so that their mean is calibrated.

    Args:
        folders: of the trials.
        each: the factors that calibrate them one by one; they stay where not all trials predicted
            the same held-out samples.
    """
    import numpy as np

    from toolkit.analysis.calibration import calibrate_mean

    found = [held_out_of(folder) for folder in folders]
    labels = [np.concatenate([f.labels for f in own]) if own else np.zeros(0) for own in found]
    if not all(len(own) and np.array_equal(own, labels[0]) for own in labels):
        return list(each)
    scores = [
        factor * np.concatenate([fold.scores for fold in own])
        for factor, own in zip(each, found, strict=True)
    ]
    common = calibrate_mean(scores, labels[0])
    return [common * factor for factor in each]


def sharpness_of(folder: Path) -> float:
    """Returns the factor that calibrates what a trial predicted of samples held out of it.

    Args:
        folder: the trial's; 1 where nothing sound is in it.
    """
    import numpy as np

    from toolkit.analysis.calibration import calibrate

    found = held_out_of(folder)
    if not found:
        return 1.0
    scores = np.concatenate([fold.scores for fold in found])
    return calibrate(scores, np.concatenate([fold.labels for fold in found]))[0]
