"""The plugin `spd_cell`: which SPD networks exist, and how one is built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from toolkit.base.spelling import nearest
from toolkit.contracts import Architecture, OneShotSpace, Options, TaskInfo
from toolkit.errors import SpaceError
from toolkit.space import Choice, Group, Node, Space, validate

from .genotype import (
    CONVOLUTIONS,
    HEAD,
    NONE,
    NORMAL,
    NORMAL_OPERATIONS,
    REDUCTION,
    REDUCTION_OPERATIONS,
    Link,
    source_pairs,
    spdnet_sizes,
    write_cell,
)
from .pipeline.design import BASELINES, RIDGE, baseline_name, check

if TYPE_CHECKING:
    import networkx

    from toolkit.contracts import Learner

    from .networks import BackboneSpec
    from .supernet import SpdSupernet

CellType = Literal["normal", "reduction"]
HeadName = Literal[
    "full",
    "triangle",
    "power_euclidean",
    "log_cholesky",
    "power_cholesky",
    "bures_wasserstein",
    "correlation_cholesky",
    "correlation_log_cholesky",
]

_CELL_LR = 0.01
_SPDNET_LR = 0.03
_SGD_LR = 0.025  # as published
_LARGEST_STEM = 8


class SpdCellOptions(Options):
    """Options of the SPD cell space; the defaults suit matrices of any size and channels."""

    nodes: Annotated[int, Field(ge=1, le=8)] = Field(2, description="intermediate nodes of a cell")
    cells: Annotated[tuple[CellType, ...], Field(min_length=1)] = Field(
        ("reduction", "normal"), description="cell types from input to output"
    )
    channels: PositiveInt | tuple[PositiveInt, ...] = Field(
        2,
        description="channels of each cell; one number is the first cell's, and then doubles",
    )
    sizes: tuple[PositiveInt, ...] | None = Field(
        None, description="matrix size after each reduction; by default half, rounded up"
    )
    stem_channels: PositiveInt | None = Field(
        None, description="channels after the stem; by default as the input has, 8 at most"
    )
    stem: Literal["bimap", "entries"] = Field(
        "bimap",
        description="what comes first: a BiMap, or each entry of the logarithm normalised by"
        " itself, which leaves neighbours where convolutions look for them",
    )
    preprocess: Literal["bimap_2", "log_mixing", "log_convolution"] = Field(
        "bimap_2", description="what brings a cell's inputs to its channels and size"
    )
    normal_ops: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        NORMAL_OPERATIONS, description="candidate operations that keep the size"
    )
    reduction_ops: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        REDUCTION_OPERATIONS, description="candidate operations that reduce the size"
    )
    relaxation: Literal["sparsemax", "softmax", "sigmoid", "entmax15"] = Field(
        "sparsemax", description="map from scores to the weights of candidates"
    )
    mixing: Literal["log_euclidean", "affine_invariant"] = Field(
        "log_euclidean", description="metric of every mean and batch normalisation"
    )
    karcher_steps: PositiveInt = Field(1, description="steps of an affine-invariant mean")
    rectify: PositiveFloat = Field(1e-4, description="smallest eigenvalue after ReEig")
    rectify_relative: bool = Field(True, description="whether it is relative to trace / n")
    norm: Literal["mean", "dispersion"] = Field(
        "mean", description="what batch normalisation takes away: the mean, or dispersion as well"
    )
    head: HeadName | Annotated[tuple[HeadName, ...], Field(min_length=1)] = Field(
        "full",
        description="the classifier's metric; log-Euclidean ones read all of each logarithm, or its"
        " triangle. Of several the architecture decides",
    )
    input: Literal["covariance", "correlation"] = Field(
        "covariance", description="whether matrices are read as they are, or as correlations"
    )
    ridge: Annotated[float, Field(ge=0)] = Field(
        1e-5, description="multiple of trace x identity added to each input"
    )
    optimizer: Literal["adam", "sgd"] = Field(
        "adam", description="Riemannian Adam, or Riemannian SGD without momentum, as published"
    )
    dtype: Literal["float64", "float32"] = Field("float64", description="precision")
    checkpointing: bool = Field(
        False, description="compute each cell of the supernet twice: less memory, more time"
    )


class SpdCellSpace(OneShotSpace):
    """Cells of SPD operations (Sukthanker et al., IJCAI 2021), with SPDNet and SPDNetBN beside."""

    Options: ClassVar[type[Options]] = SpdCellOptions
    accepts: ClassVar[frozenset[str]] = frozenset({"spd"})
    gives: ClassVar[frozenset[str]] = frozenset({"scores", "values"})
    options: SpdCellOptions

    def parameters(self, task: TaskInfo) -> Space:
        """Return for each node of each cell type its two sources, and an operation for each."""
        self._check(task)
        members: dict[str, Node] = {}
        for kind in dict.fromkeys(self.options.cells):
            targets = range(2, self.options.nodes + 2)
            nodes = {f"node_{target}": self._node(kind, target) for target in targets}
            members[kind] = Group(nodes)
        if len(self._heads()) > 1:
            members[HEAD] = Choice(self._heads())
        return Group(members)

    def _node(self, kind: str, target: int) -> Node:
        def operation(source: int) -> Node:
            names = self._operations()[kind if source < 2 else NORMAL]
            return Choice([name for name in names if name != NONE])

        return Choice(
            {
                f"{a},{b}": Group({f"from_{source}": operation(source) for source in (a, b)})
                for a, b in source_pairs(target)
            }
        )

    def build(self, architecture: Architecture, task: TaskInfo) -> Learner:
        """Build a cell network or one of the hand-made networks.

        Raises
        ------
        SpaceError
            If the architecture is neither.
        """
        from .kernels import install
        from .learner import SpdLearner
        from .networks import CellNetwork, SpdNet

        install()
        if (name := baseline_name(architecture)) is not None:
            from .pipeline.learner import baseline_learner

            return baseline_learner(name, task, self.options.ridge * task.shape[-1])
        if "network" in architecture:
            sizes, batch_norm = _read_baseline(architecture, task)
            options = self.options
            network = SpdNet(
                task.shape[0],
                sizes,
                task.width,
                batch_norm,
                rectify=options.rectify,
                rectify_relative=options.rectify_relative,
                triangle="full" not in self._heads(),
                ridge=options.ridge,
                dtype=options.dtype,
                values=task.outputs == "values",
            )
            return SpdLearner(network, self._lr(_SPDNET_LR), options.optimizer)
        validate(self.parameters(task), architecture)
        cells = CellNetwork(architecture, **asdict(self._backbone(task)))
        return SpdLearner(cells, self._lr(_CELL_LR), self.options.optimizer)

    def graph(self, architecture: Architecture, task: TaskInfo) -> networkx.DiGraph:
        """Return the cells, or the chain of a hand-made network, as a labelled graph."""
        from .graphs import cell_graph, chain_graph, classifier_graph

        if (name := baseline_name(architecture)) is not None:
            return classifier_graph(task.shape[-1], name)
        if "network" in architecture:
            return chain_graph(*_read_baseline(architecture, task))
        return cell_graph(architecture)

    def supernet(self, task: TaskInfo) -> SpdSupernet:
        """Build the supernet with fresh weights."""
        from .kernels import install
        from .supernet import SpdSupernet, SupernetNetwork

        install()
        self._check(task)
        model = SupernetNetwork(self._operations(), self.options.nodes, self._backbone(task))
        model.checkpointing = self.options.checkpointing
        return SpdSupernet(model, self._lr(_CELL_LR), self.options.optimizer)

    def baselines(self, task: TaskInfo) -> dict[str, Architecture]:
        """Return SPDNet and SPDNetBN of fitting sizes, and what is linear in tangent space.

        For classes these are classifiers, and for values a ridge regression.
        """
        sizes = spdnet_sizes(task.shape[-1])
        nets = {name: {"network": name, "sizes": sizes} for name in ("spdnet", "spdnet_bn")}
        simple = (RIDGE,) if task.outputs == "values" else BASELINES
        return {**nets, **{name: {"network": name} for name in simple}}

    def anchors(self, task: TaskInfo) -> list[Architecture]:
        """Return cells of convolutions throughout, where they are among all candidates.

        Single trainings on the simulated radar put them ahead of most others (docs/results.md).
        """
        self._check(task)
        kinds, last = dict.fromkeys(self.options.cells), self.options.nodes + 1
        heads: Architecture = {HEAD: self._heads()[0]} if len(self._heads()) > 1 else {}
        found: list[Architecture] = []
        for name in CONVOLUTIONS:
            if not all(name in names for names in self._operations().values()):
                continue
            for chained in (False, True):
                links = [
                    Link(source, target, name)
                    for target in range(2, last + 1)
                    for source in ((target - 2, target - 1) if chained else (0, 1))
                ]
                point: Architecture = {kind: write_cell(links) for kind in kinds} | heads
                if point not in found:
                    found.append(point)
        return found

    def _lr(self, of_adam: float) -> float:
        return of_adam if self.options.optimizer == "adam" else _SGD_LR

    def _heads(self) -> tuple[HeadName, ...]:
        given = self.options.head
        return (given,) if isinstance(given, str) else given

    def _operations(self) -> dict[str, tuple[str, ...]]:
        return {NORMAL: self.options.normal_ops, REDUCTION: self.options.reduction_ops}

    def _check(self, task: TaskInfo) -> None:
        """Refuse data that are no square matrices, and options that do not fit them."""
        check(task)
        _check_operations(self._operations())
        options, (channels, n, _) = self.options, task.shape
        if options.stem == "entries" and options.stem_channels not in (None, channels):
            raise SpaceError(
                f"space.stem: entries leaves the data's {channels} channels as they are, but"
                f" space.stem_channels is {options.stem_channels}.",
                hint="Leave out stem_channels, or use stem: bimap.",
            )
        heads, last = self._heads(), (self._sizes(n) or [n])[-1]
        if len(set(heads)) < len(heads):
            raise SpaceError(
                f"space.head: {', '.join(heads)} names a head twice.", hint="List each head once."
            )
        if last < 2 and any(name.startswith("correlation") for name in heads):
            raise SpaceError(
                "space.head: the last cell's matrices are 1 x 1, which have no correlations.",
                hint="Give larger space.sizes, or another head.",
            )
        self._channels()

    def _backbone(self, task: TaskInfo) -> BackboneSpec:
        """What the options make of these data, every default filled in."""
        from .networks import BackboneSpec

        options, (channels, n, _) = self.options, task.shape
        return BackboneSpec(
            channels_in=channels,
            n=n,
            classes=task.width,
            cells=list(options.cells),
            channels=self._channels(),
            sizes=self._sizes(n),
            stem_channels=options.stem_channels or min(channels, _LARGEST_STEM),
            geometry=options.mixing,
            relaxation=options.relaxation,
            karcher_steps=options.karcher_steps,
            rectify=options.rectify,
            rectify_relative=options.rectify_relative,
            heads=list(self._heads()),
            ridge=options.ridge,
            dtype=options.dtype,
            dispersion=options.norm == "dispersion",
            stem=options.stem,
            preprocess=options.preprocess,
            correlation=options.input == "correlation",
            values=task.outputs == "values",
        )

    def _channels(self) -> list[int]:
        given, cells = self.options.channels, len(self.options.cells)
        if isinstance(given, int):
            return [given * 2**position for position in range(cells)]
        if len(given) != cells:
            raise SpaceError(
                f"space.channels has {len(given)} numbers for {cells} cells.",
                hint="Give one number for each cell, or a single one for the first.",
            )
        return list(given)

    def _sizes(self, n: int) -> list[int]:
        """Size of the matrices after each cell."""
        cells, given = self.options.cells, self.options.sizes
        reductions = cells.count(REDUCTION)
        if given is not None and len(given) != reductions:
            raise SpaceError(
                f"space.sizes has {len(given)} numbers for {reductions} reduction cells.",
                hint="Give the matrix size after each reduction.",
            )
        rest = list(given or ())
        sizes, last = [], n
        for kind in cells:
            if kind == REDUCTION:
                wanted = rest.pop(0) if given is not None else (last + 1) // 2
                if wanted > last:
                    raise SpaceError(
                        f"space.sizes: a reduction cannot bring {last} x {last} matrices to"
                        f" {wanted} x {wanted}.",
                        hint=f"Give a size of at most {last}.",
                    )
                last = wanted
            sizes.append(last)
        return sizes


def _check_operations(operations: Mapping[str, tuple[str, ...]]) -> None:
    published = {NORMAL: NORMAL_OPERATIONS, REDUCTION: REDUCTION_OPERATIONS}
    for kind, names in operations.items():
        known = set(published[kind])
        if not known.issuperset(names):
            # Beyond the published names the classes themselves say what there is; they need torch.
            from .catalogue import KEEPING, REDUCING

            known = set(KEEPING if kind == NORMAL else REDUCING)
        for name in names:
            if name not in known:
                near = nearest(name, known)
                raise SpaceError(
                    f"space.{kind}_ops: there is no operation {name!r} for {kind} edges.",
                    hint=f"Did you mean {near!r}?"
                    if near
                    else f"There are {', '.join(sorted(known))}.",
                )
        if len(set(names)) < len(names) or not set(names) - {NONE}:
            raise SpaceError(
                f"space.{kind}_ops: {', '.join(names)} names an operation twice, or nothing but"
                f" {NONE!r}.",
                hint="List each operation once, and at least one that does something.",
            )


def _read_baseline(architecture: Architecture, task: TaskInfo) -> tuple[list[int], bool]:
    """Sizes of a hand-made network, and whether it normalises."""
    name, sizes = architecture["network"], architecture.get("sizes")
    if name not in ("spdnet", "spdnet_bn"):
        raise SpaceError(
            f"There is no hand-made network {name!r}.",
            hint=f"There are {', '.join(map(repr, ('spdnet', 'spdnet_bn', *BASELINES, RIDGE)))}.",
        )
    n = task.shape[-1]
    fits = (
        isinstance(sizes, list)
        and len(sizes) > 1
        and all(isinstance(size, int) and size > 0 for size in sizes)
        and sizes[0] == n
        and sizes == sorted(sizes, reverse=True)
    )
    if not fits or sizes is None:
        raise SpaceError(
            f"The sizes {sizes!r} of {name} do not fit {n} x {n} matrices.",
            hint=f"Give a list that starts with {n} and does not increase, as {spdnet_sizes(n)}.",
        )
    return sizes, name == "spdnet_bn"
