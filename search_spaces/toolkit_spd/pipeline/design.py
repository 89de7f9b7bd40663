"""What a point of the space means: names of preparations, representations and classifiers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from toolkit.contracts import Architecture, TaskInfo
from toolkit.errors import SpaceError
from toolkit.space import Choice, Float, Group, Node, validate

if TYPE_CHECKING:
    from .classifier import PipelineClassifier

Norm = Literal["none", "trace", "correlation", "deviation"]
Mean = Literal["karcher", "log_euclidean", "arithmetic"]
RepresentationName = Literal[
    "affine_invariant", "log_euclidean", "power", "log_cholesky", "euclidean"
]
Family = Literal[
    "logistic", "ridge", "shrunken_lda", "linear_svm", "rbf_svm", "neighbors", "nearest_mean"
]
NORMS: tuple[Norm, ...] = get_args(Norm)
MEANS: tuple[Mean, ...] = get_args(Mean)
REPRESENTATIONS: tuple[RepresentationName, ...] = get_args(RepresentationName)
FAMILIES: tuple[Family, ...] = get_args(Family)
EXPONENTS = (0.25, 0.5)
BEST: Literal["best"] = "best"
"""The classifier of any family that is best on folds of the training part."""
ALL = "all"
MDM = "mdm"
"""Least distance to the class means, which is no classifier of vectors."""
_TANGENT: Mapping[str, Family] = {
    "tangent_lr": "logistic",
    "shrunken_lda": "shrunken_lda",
    "rbf_svm": "rbf_svm",
}
"""Classifiers in the tangent space of the matrices as they are."""
BASELINES = (MDM, *_TANGENT)


def tree(
    components: Sequence[int],
    norms: Sequence[str],
    ridge: tuple[float, float],
    representations: Sequence[str],
    standardize: Sequence[bool],
    classifiers: Sequence[str],
    channels: Sequence[Sequence[int]] | None,
    task: TaskInfo,
) -> Group:
    """Return the space of pipelines for these data.

    Components are those below the matrices' size, and all; groups of channels are by default all of
    them, and each alone.
    """
    count, n, _ = task.shape
    if channels is None:
        channels = [range(count), *([index] for index in range(count) if count > 1)]
    subtrees: dict[str, Node | None] = {
        "affine_invariant": Group({"mean": Choice(MEANS)}),
        "power": Group({"exponent": Choice(EXPONENTS)}),
    }
    return Group(
        {
            "channels": Choice(list(dict.fromkeys(_named(group, count) for group in channels))),
            "components": Choice([ALL, *(kept for kept in components if kept < n)]),
            "norm": Choice(norms),
            "ridge": Float(*ridge, log=True),
            "representation": Choice({name: subtrees.get(name) for name in representations}),
            "standardize": Choice(standardize),
            "classifier": Choice(classifiers),
        }
    )


def anchors(classifier: str) -> list[dict[str, Any]]:
    """Return pipelines that are seldom far from the best."""
    plain = {**baseline("tangent_lr", 0.01), "classifier": classifier}
    return [
        plain,
        {**plain, "ridge": 0.1},
        {**plain, "representation": "log_euclidean"},
        {**plain, "representation": "log_euclidean", "ridge": 0.1},
        {**plain, "norm": "trace", "ridge": 0.001},
    ]


def baseline_name(architecture: Architecture) -> str | None:
    """Return which of `BASELINES` a hand-made architecture `{"network": name}` is, if it is one."""
    name = architecture.get("network")
    return name if len(architecture) == 1 and name in BASELINES else None


def _named(channels: Sequence[int], count: int) -> str:
    """A group of channels, as points spell it."""
    return ALL if list(channels) == list(range(count)) else ",".join(map(str, channels))


def check_point(architecture: Architecture, task: TaskInfo) -> None:
    """Refuse what cannot be built for these data, whatever the options.

    Raises
    ------
    SpaceError
        With what is wrong.
    """
    families, read = (BEST, *FAMILIES), architecture.get("channels")
    channels: list[Sequence[int]] = [range(task.shape[0])]
    if isinstance(read, str) and re.fullmatch(r"\d{1,6}(,\d{1,6})*", read):
        group = [int(index) for index in read.split(",")]
        if max(group) < task.shape[0] and len(set(group)) == len(group):
            channels.append(group)
    sizes, both = range(1, task.shape[-1]), (False, True)
    every = tree(sizes, NORMS, (1e-12, 1e3), REPRESENTATIONS, both, families, channels, task)
    validate(every, architecture)


def baseline(name: str, ridge: float) -> dict[str, Any]:
    """Return one of `BASELINES`, but for `MDM`, as a pipeline."""
    return {
        "channels": ALL,
        "components": ALL,
        "norm": "none",
        "ridge": ridge,
        "representation": {"affine_invariant": {"mean": "karcher"}},
        "standardize": False,
        "classifier": _TANGENT[name],
    }


@dataclass(frozen=True)
class Design:
    """A point of the space, read: what its module is made of, and how it is fitted."""

    channels: tuple[int, ...] | None
    components: int | None
    norm: str
    ridge: float
    representation: str
    mean: str
    exponent: float
    standardize: bool
    families: tuple[str, ...]

    @classmethod
    def of(cls, architecture: Architecture) -> Design:
        """Read a point that `check_point` lets pass."""
        kept, chosen = architecture["components"], architecture["representation"]
        details: Mapping[str, Any] = {}
        name = chosen
        if isinstance(chosen, Mapping):
            ((name, details),) = chosen.items()
        classifier = architecture["classifier"]
        read = architecture["channels"]
        return cls(
            channels=None if read == ALL else tuple(map(int, read.split(","))),
            components=None if kept == ALL else kept,
            norm=architecture["norm"],
            ridge=architecture["ridge"],
            representation=name,
            mean=details.get("mean", MEANS[0]),
            exponent=details.get("exponent", 1.0),
            standardize=architecture["standardize"],
            families=FAMILIES if classifier == BEST else (classifier,),
        )

    def module(self, task: TaskInfo) -> PipelineClassifier:
        """Return the pipeline for these data, not fitted."""
        from .classifier import PipelineClassifier

        channels, n, _ = task.shape
        return PipelineClassifier(
            {
                "channels": list(range(channels) if self.channels is None else self.channels),
                "n": n,
                "components": self.components or n,
                "norm": self.norm,
                "ridge": self.ridge,
                "representation": self.representation,
                "exponent": self.exponent,
            },
            task.classes,
        )


def check(task: TaskInfo) -> None:
    """Refuse data that are no square matrices."""
    if len(task.shape) != 3 or task.shape[1] != task.shape[2] or min(task.shape) < 1:
        raise SpaceError(
            f"The data have shape {task.shape}, and this space needs (channels, n, n).",
            hint="Give square matrices, or use a task that makes covariances of series.",
        )
