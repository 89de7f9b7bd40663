"""What a point of the space means: names of preparations, representations and classifiers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from toolkit.contracts import Architecture, TaskInfo
from toolkit.errors import SpaceError
from toolkit.space import Choice, Float, Group, Node

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
BASELINES: Mapping[str, Family] = {
    "tangent_lr": "logistic",
    "shrunken_lda": "shrunken_lda",
    "rbf_svm": "rbf_svm",
}
"""Classifiers in the tangent space of the matrices as they are, by the names of baselines."""


def tree(
    components: Sequence[int],
    norms: Sequence[str],
    ridge: tuple[float, float],
    representations: Sequence[str],
    standardize: Sequence[bool],
    classifiers: Sequence[str],
    n: int,
) -> Group:
    """Return the space of pipelines for n x n matrices; components are those below n, and all."""
    subtrees: dict[str, Node | None] = {
        "affine_invariant": Group({"mean": Choice(MEANS)}),
        "power": Group({"exponent": Choice(EXPONENTS)}),
    }
    return Group(
        {
            "components": Choice([ALL, *(count for count in components if count < n)]),
            "norm": Choice(norms),
            "ridge": Float(*ridge, log=True),
            "representation": Choice({name: subtrees.get(name) for name in representations}),
            "standardize": Choice(standardize),
            "classifier": Choice(classifiers),
        }
    )


def every_pipeline(n: int) -> Group:
    """Return the space of all that can be built for n x n matrices, whatever the options."""
    families = (BEST, *FAMILIES)
    return tree(range(1, n), NORMS, (1e-12, 1e3), REPRESENTATIONS, (False, True), families, n)


def baseline(name: str, ridge: float) -> dict[str, Any]:
    """Return one of `BASELINES` as a pipeline."""
    return {
        "components": ALL,
        "norm": "none",
        "ridge": ridge,
        "representation": {"affine_invariant": {"mean": "karcher"}},
        "standardize": False,
        "classifier": BASELINES[name],
    }


@dataclass(frozen=True)
class Design:
    """A point of the space, read: what its module is made of, and how it is fitted."""

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
        """Read a point of `every_pipeline`."""
        kept, chosen = architecture["components"], architecture["representation"]
        details: Mapping[str, Any] = {}
        name = chosen
        if isinstance(chosen, Mapping):
            ((name, details),) = chosen.items()
        classifier = architecture["classifier"]
        return cls(
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
                "channels": channels,
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
