"""The plugin `spd_pipeline`: which pipelines exist, and how one is built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from toolkit.contracts import Architecture, Options, SearchSpace, TaskInfo
from toolkit.errors import SpaceError
from toolkit.space import Space

from .design import (
    BASELINES,
    BEST,
    CLASS_TANGENT,
    ESTIMATORS,
    KINDS,
    MEANS,
    NETWORKS,
    NORMS,
    POWERS,
    RECENTRINGS,
    REPRESENTATIONS,
    Design,
    Estimator,
    Family,
    Network,
    Norm,
    Offered,
    Recentring,
    RepresentationName,
    anchors,
    baseline_name,
    check,
    check_point,
    read_bands,
    read_crop,
    read_windows,
    tree,
)
from .usual import usual_bands, usual_crops

if TYPE_CHECKING:
    from toolkit.contracts import Learner

_RIDGE = 1e-3
AFFINE_INVARIANT: Literal["affine_invariant"] = "affine_invariant"
_MOST_ENTRIES = 500_000
"""Training samples times entries of a vector up to which networks follow."""
_MOST_OF_CLASSES = 40_000_000
"""The same times classes, for what sees samples from each class's mean."""
_EXAMPLES = {
    "bands": "all, or shares of the sampling rate up to 0.5, 0.05-0.2, several with + between",
    "crops": "all, or shares of the length, 0.25-1",
    "windows": "numbers of windows, 1, or 1+2",
}


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
    classifiers: Annotated[tuple[Family | Network | Literal["best"], ...], Field(min_length=1)] = (
        Field(
            (BEST,),
            description="families of classifiers, and networks; best is the one of fifteen that"
            " is most accurate on folds of the training part",
        )
    )

    networks: tuple[Network, ...] = Field(
        NETWORKS,
        description="networks that follow on the three best preparations, once these are searched:"
        " perceptrons in the tangent space, regression in tangent spaces at the class means, and a"
        " bilinear map that starts at the closed form; [] for none. A search over them as over all"
        " else names them among the classifiers",
    )
    recentring: Annotated[tuple[Recentring, ...], Field(min_length=1)] = Field(
        RECENTRINGS,
        description="where the task says who or what each input is from (`grouped`): whether the"
        " matrices of each group are recentred to the identity, or their vectors to zero, without"
        " labels; a model that recentres needs new data in whole groups",
    )
    bands: Annotated[tuple[str, ...], Field(min_length=1)] | None = Field(
        None,
        description="of series, bands to choose from, as shares of the sampling rate: all,"
        " 0.05-0.2, or several with + between, a channel each; by default the EEG's where the task"
        " says a rate of 80 to 2000 Hz, octaves of other long series, and all of short ones",
    )
    crops: Annotated[tuple[str, ...], Field(min_length=1)] | None = Field(
        None,
        description="of series, parts to choose from, as shares of the length: all, or 0.25-1; by"
        " default a few parts of long series",
    )
    windows: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        ("1", "1+2"),
        description="of series, numbers of half-overlapping windows, each a channel: 1, 1+2, ...",
    )
    velocities: Annotated[tuple[bool, ...], Field(min_length=1)] = Field(
        (False, True), description="of series, whether differences in time are rows too"
    )
    time_rows: Annotated[tuple[NonNegativeInt, ...], Field(min_length=1)] = Field(
        (0, 2, 4), description="of series, how many cosines of time are rows too"
    )
    estimators: Annotated[tuple[Estimator, ...], Field(min_length=1)] = Field(
        ESTIMATORS, description="of series, estimators of the covariance"
    )
    means: Annotated[tuple[NonNegativeFloat, ...], Field(min_length=1)] = Field(
        (0.0, 0.1, 0.3, 1.0),
        description="of series, weight b of the mean m in [[C + b^2 mm', bm], [bm', 1]]",
    )


class SpdPipelineSpace(SearchSpace):
    """Preparation, representation in a vector space, and classifier, for small sets."""

    Options: ClassVar[type[Options]] = SpdPipelineOptions
    accepts: ClassVar[frozenset[str]] = frozenset(KINDS)
    usual: ClassVar[Mapping[str, Any]] = {
        "strategy": "evolution.refine",
        "validation": "folds",
        "budget": {"trials": 42},  # 30 in closed form, four networks on each of the three best
        "train": {
            "final": {"seeds": 1, "random": 0, "ensemble": 10, "hand_over": "ensemble"},
        },
    }
    searches_preparations = True
    options: SpdPipelineOptions

    def parameters(self, task: TaskInfo) -> Space:
        """Return the decisions; components are those below the size of the matrices."""
        check(task)
        options, count = self.options, task.shape[0] - task.kind.startswith("grouped")
        for group in options.channels or ():
            if max(group) >= count or len(set(group)) < len(group):
                raise SpaceError(
                    f"space.channels: the group {list(group)} names a channel twice, or one that is"
                    f" none of the data's {count}, which are counted from 0.",
                    hint="Give lists of different indices.",
                )
        if options.ridge[0] > options.ridge[1]:
            raise SpaceError(
                f"space.ridge goes from {options.ridge[0]:g} to {options.ridge[1]:g}.",
                hint="Give the least value first.",
            )
        return tree(self._offered(task), task)

    def searched(self, task: TaskInfo) -> Space | None:
        """Return the pipelines without networks, which follow on the best of these."""
        if not set(self.options.networks) - set(self.options.classifiers):
            return None
        return tree(self._offered(task, networks=False), task)

    def successors(self, architecture: Architecture, task: TaskInfo) -> list[Architecture]:
        """Return the networks on a preparation, in the tangent space at the Karcher mean.

        Pipelines that differ in representation or mean alone have the same, so that others follow.
        There are none on several channels, nor on so many entries that they would take minutes.
        """
        if baseline_name(architecture) is not None:
            return []
        design, options = Design.of(architecture), self.options
        spec = design.spec(task)
        entries = task.train_size * design.vector_size(task)
        if design.network is not None or len(spec["channels"]) > 1 or entries > _MOST_ENTRIES:
            return []
        prepared = dict(architecture)
        if AFFINE_INVARIANT in options.representations:
            prepared["representation"] = {AFFINE_INVARIANT: {"mean": MEANS[0]}}
        if False in options.standardize:
            prepared["standardize"] = False
        found: list[Architecture] = []
        for name in options.networks:
            if name != CLASS_TANGENT:
                found.append({**prepared, "classifier": name})
            elif entries * task.classes <= _MOST_OF_CLASSES:
                found += [{**prepared, "classifier": {name: {"power": p}}} for p in POWERS]
        return found

    def _offered(self, task: TaskInfo, networks: bool = True) -> Offered:
        """What each decision is taken from on these data."""
        options = self.options
        bands = usual_bands(task) if options.bands is None else options.bands
        crops = usual_crops(task) if options.crops is None else options.crops
        read = {"bands": read_bands, "crops": read_crop, "windows": read_windows}
        chosen = {"bands": bands, "crops": crops, "windows": options.windows}
        for name, reader in read.items():
            for text in chosen[name]:
                if reader(text) is None:
                    raise SpaceError(
                        f"space.{name}: {text!r} cannot be read.",
                        hint=f"Write {_EXAMPLES[name]}.",
                    )
        return Offered(
            components=options.components,
            norms=options.norms,
            ridge=options.ridge,
            representations=options.representations,
            standardize=options.standardize,
            classifiers=options.classifiers,
            networks=options.networks if networks else (),
            channels=options.channels,
            recentring=options.recentring,
            bands=bands,
            crops=crops,
            windows=options.windows,
            velocities=options.velocities,
            time_rows=options.time_rows,
            estimators=options.estimators,
            means=options.means,
        )

    def build(self, architecture: Architecture, task: TaskInfo) -> Learner:
        """Build a pipeline, as yet not fitted.

        Raises
        ------
        SpaceError
            If the architecture is no pipeline.
        """
        from ..kernels import install
        from .learner import baseline_learner, learner_of

        install()
        check(task)
        if (name := baseline_name(architecture)) is not None:
            return baseline_learner(name, task, _RIDGE)
        check_point(architecture, task)
        return learner_of(Design.of(architecture), task)

    def anchors(self, task: TaskInfo) -> list[Architecture]:
        """Return plain pipelines at the Karcher mean and at the identity, with usual ridges."""
        return anchors(self._offered(task), task)

    def advice(self, task: TaskInfo) -> str:
        """Return what to look at: most classifiers have neither epochs nor learning rates."""
        look = (
            "Most of these classifiers have no epochs or learning rates: see whether labels are in"
            " the order of the samples, and channels, sampling rate (rate) and units right."
        )
        if not task.grouped:
            return (
                f"{look} Where samples are of several people or recordings, name these as the"
                " task's groups and write task.grouped=true: the space then recentres each."
            )
        return (
            f"{look} Groups are recentred already where that did better; one held-out group says"
            " little: `toolkit evaluate RECIPE --folds leave_one_group_out` tests on each."
        )

    def baselines(self, task: TaskInfo) -> dict[str, Architecture]:
        """Return classifiers of the matrices as they are, by distances and in the tangent space."""
        return {name: {"network": name} for name in BASELINES}
