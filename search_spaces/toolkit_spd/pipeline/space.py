"""The plugin `spd_pipeline`: which pipelines exist, and how one is built."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from toolkit.contracts import Architecture, Options, SearchSpace, TaskInfo
from toolkit.errors import SpaceError
from toolkit.space import Space

from .design import (
    BASELINES,
    BEST,
    NORMS,
    REPRESENTATIONS,
    Design,
    Family,
    Norm,
    RepresentationName,
    anchors,
    baseline_name,
    check,
    check_point,
    tree,
)

if TYPE_CHECKING:
    from toolkit.contracts import Learner

_RIDGE = 1e-3


class SpdPipelineOptions(Options):
    """Options of the pipeline space: what each decision is taken from."""

    components: tuple[PositiveInt, ...] = Field(
        (20, 30, 45),
        description="numbers of leading eigenvectors of the mean covariance to keep, beside all",
    )
    channels: (
        Annotated[
            tuple[Annotated[tuple[NonNegativeInt, ...], Field(min_length=1)], ...],
            Field(min_length=1),
        ]
        | None
    ) = Field(
        None,
        description="groups of channels, one of which is read; by default all, and each alone",
    )
    norms: Annotated[tuple[Norm, ...], Field(min_length=1)] = Field(
        NORMS,
        description="how matrices are normalised: each to trace n, to unit diagonal, or rows by"
        " their deviation over the training part",
    )
    ridge: tuple[PositiveFloat, PositiveFloat] = Field(
        (1e-5, 0.3),
        description="least and largest multiple of trace / n added to the diagonal, drawn in the"
        " logarithm",
    )
    representations: Annotated[tuple[RepresentationName, ...], Field(min_length=1)] = Field(
        REPRESENTATIONS,
        description="the metric whose logarithm makes a vector of a matrix",
    )
    standardize: Annotated[tuple[bool, ...], Field(min_length=1)] = Field(
        (False, True), description="whether each entry is divided by its standard deviation"
    )
    classifiers: Annotated[tuple[Family | Literal["best"], ...], Field(min_length=1)] = Field(
        (BEST,),
        description="families of classifiers; best is the one of fifteen that is most accurate on"
        " folds of the training part",
    )


class SpdPipelineSpace(SearchSpace):
    """Preparation, representation in a vector space, and classifier, for small sets of matrices."""

    Options: ClassVar[type[Options]] = SpdPipelineOptions
    accepts: ClassVar[frozenset[str]] = frozenset({"spd"})
    options: SpdPipelineOptions

    def parameters(self, task: TaskInfo) -> Space:
        """Return the decisions; components are those below the size of the matrices."""
        check(task)
        options = self.options
        for group in options.channels or ():
            if max(group) >= task.shape[0] or len(set(group)) < len(group):
                raise SpaceError(
                    f"space.channels: the group {list(group)} names a channel twice, or one that is"
                    f" none of the data's {task.shape[0]}, which are counted from 0.",
                    hint="Give lists of different indices.",
                )
        if options.ridge[0] > options.ridge[1]:
            raise SpaceError(
                f"space.ridge goes from {options.ridge[0]:g} to {options.ridge[1]:g}.",
                hint="Give the least value first.",
            )
        return tree(
            options.components,
            options.norms,
            options.ridge,
            options.representations,
            options.standardize,
            options.classifiers,
            options.channels,
            task,
        )

    def build(self, architecture: Architecture, task: TaskInfo) -> Learner:
        """Build a pipeline, as yet not fitted.

        Raises
        ------
        SpaceError
            If the architecture is no pipeline.
        """
        from ..kernels import install
        from .learner import PipelineLearner, baseline_learner

        install()
        check(task)
        if (name := baseline_name(architecture)) is not None:
            return baseline_learner(name, task, _RIDGE)
        check_point(architecture, task)
        return PipelineLearner(Design.of(architecture), task)

    def anchors(self, task: TaskInfo) -> list[Architecture]:
        """Return plain pipelines at the Karcher mean and at the identity, with usual ridges."""
        return anchors(self.options.classifiers[0])

    def baselines(self, task: TaskInfo) -> dict[str, Architecture]:
        """Return classifiers of the matrices as they are, by distances and in the tangent space."""
        return {name: {"network": name} for name in BASELINES}
