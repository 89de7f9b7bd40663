"""What final trainings predicted, read back: which classes are taken for which."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.analysis.summary import Statistics
from toolkit.run.weights import HELD_OUT

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_CLASSES = 1000


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
class GroupResult:
    """How the test samples of one group (a subject, a session) were told apart.

    Attributes:
        group: its name.
        samples: of the test part.
        accuracy: with its standard deviation over the trainings.
    """

    group: str
    samples: int
    accuracy: Statistics


def by_group(files: Iterable[Path]) -> list[GroupResult]:
    """Returns the accuracy on each group, over some trainings; empty where groups are unknown."""
    import numpy as np

    samples: dict[str, int] = {}
    found: dict[str, list[float]] = {}
    for path in files:
        read = _test_part(path)
        try:
            with np.load(path, allow_pickle=False) as archive:
                own = archive["group"][archive["part"] == "test"]
        except Exception:  # There are no groups, or somebody else wrote the file.
            return []
        if read is None or len(own) != len(read[0]):
            return []
        for group in map(str, np.unique(own)):
            hit = (read[0] == read[1])[own == group]
            samples[group] = len(hit)
            found.setdefault(group, []).append(float(hit.mean()))
    return [GroupResult(g, samples[g], Statistics.of(shares)) for g, shares in found.items()]


def _test_part(path: Path) -> tuple[NDArray[np.int64], NDArray[np.int64], int] | None:
    """True and predicted classes of the test samples, and how many classes there are.

    None where a file cannot be read, or holds something else.
    """
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as archive:
            part, labels, scores = (archive[name] for name in ("part", "label", "scores"))
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
            with np.load(folder / f"{HELD_OUT}{number}.npz", allow_pickle=False) as archive:
                scores, labels = archive["scores"], archive["label"].astype(np.int64)
            if scores.ndim != 2 or len(scores) != len(labels) or not np.isfinite(scores).all():
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

    from toolkit.training.calibration import calibrate_mean

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

    from toolkit.training.calibration import calibrate

    found = held_out_of(folder)
    if not found:
        return 1.0
    scores = np.concatenate([fold.scores for fold in found])
    return calibrate(scores, np.concatenate([fold.labels for fold in found]))[0]
