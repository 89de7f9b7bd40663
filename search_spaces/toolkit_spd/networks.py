"""Whole networks: derived cell networks, and the hand-made SPDNet and SPDNetBN.

Every network keeps its constructor's arguments, plain JSON, in `config`: `type(net)(**net.config)`
has the same structure.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from toolkit.datasets.targets import Units

from .catalogue import HEADS
from .cell import Cell, Mixture
from .functional.constants import RECTIFY, RIDGE
from .functional.spectral import add_ridge
from .genotype import HEAD, read_cell
from .heads.mixture import HeadMixture
from .layers import BiMap, LogHead, ReEig
from .log_convolution import EntryNorm
from .maps import AFFINE_INVARIANT, LOG_EUCLIDEAN, SpdMap
from .normalization import frozen_statistics, make_batch_norm
from .operations import Setting

Candidates = Mapping[tuple[int, int], Sequence[str]]


def read_input(x: Tensor, dtype: torch.dtype, ridge: float, correlation: bool = False) -> SpdMap:
    """Make a map of input matrices (B, n, n) or (B, C, n, n), in the network's own precision.

    With `correlation` each is divided by its standard deviations, after the ridge is added.

    Inputs have to be symmetric positive semi-definite and finite, which tasks check when they
    read data; nothing is checked here, as that would stop a GPU at every batch. Of an asymmetric
    matrix decompositions read the lower triangle. Where a logarithm is taken, eigenvalues below
    the rounding error of the largest are raised to it, so that a singular matrix has a finite one;
    a matrix that is clearly not positive gives a logarithm of no meaning. Where a Cholesky factor
    is taken (affine-invariant means) it gives NaN. An entry that is not finite makes the loss NaN,
    or has torch raise `LinAlgError`; training takes both for divergence.
    """
    matrices = x.to(dtype)
    if matrices.dim() == 3:
        matrices = matrices.unsqueeze(1)
    matrices = add_ridge(matrices, ridge)
    if correlation:
        # A row of zeros stays one: nothing is known of what does not vary.
        scale = matrices.diagonal(dim1=-2, dim2=-1).clamp_min(torch.finfo(dtype).tiny).rsqrt()
        matrices = matrices * scale.unsqueeze(-1) * scale.unsqueeze(-2)
    return SpdMap.from_matrix(matrices)


@dataclass(frozen=True)
class BackboneSpec:
    """Shapes and settings of stem, cells and head; all of it plain JSON.

    Attributes
    ----------
    channels_in, n, classes : int
        Shape (channels_in, n, n) of an input, and number of classes; 1 where `values`.
    cells : sequence of str
        Cell types from input to output.
    channels : sequence of int
        Channels C of each cell's nodes.
    sizes : sequence of int
        Matrix size of each cell's output; equal to the size before except in reductions.
    stem_channels : int
        Channels of the stem.
    geometry : str
        `affine_invariant` or `log_euclidean`.
    relaxation : str
        Map to the simplex for learned weights within operations.
    karcher_steps : int
        Steps of affine-invariant means.
    rectify : float
        Threshold of ReEig.
    rectify_relative : bool
        Whether it is relative to trace / n.
    heads : sequence of str
        Names in `catalogue.HEADS`. An architecture that says nothing of its head has the first.
    ridge : float
        Multiple of trace * I added to the input.
    dtype : str
        `float64` or `float32`.
    dispersion : bool
        Whether every batch normalisation normalises dispersion too.
    stem : str
        `bimap`, a BiMap to `stem_channels` and a batch normalisation, or `entries`: the logarithms'
        own entries in `channels_in` channels, each normalised by itself.
    preprocess : str
        The operation that brings a cell's inputs to its channels and size.
    correlation : bool
        Whether inputs are made correlation matrices.
    values : bool
        Whether the network gives values in units, and no scores of classes.
    """

    channels_in: int
    n: int
    classes: int
    cells: Sequence[str]
    channels: Sequence[int]
    sizes: Sequence[int]
    stem_channels: int = 1
    geometry: str = LOG_EUCLIDEAN
    relaxation: str = "sparsemax"
    karcher_steps: int = 1
    rectify: float = RECTIFY
    rectify_relative: bool = False
    heads: Sequence[str] = ("full",)
    ridge: float = RIDGE
    dtype: str = "float64"
    dispersion: bool = False
    stem: str = "bimap"
    preprocess: str = "bimap_2"
    correlation: bool = False
    values: bool = False

    def setting(self, channels_in: int, channels_out: int, size_in: int, size_out: int) -> Setting:
        """Return what an operation from one shape to another must fit."""
        return Setting(
            channels_in,
            channels_out,
            size_in,
            size_out,
            self.geometry,
            self.relaxation,
            self.karcher_steps,
            self.rectify,
            self.rectify_relative,
            self.dispersion,
        )


class CellBackbone(nn.Module):
    """Stem, cells and head; what derived networks and the supernet have in common.

    Parameters
    ----------
    candidates : mapping
        For each cell type, the operations of each edge (see `Cell`).
    spec : BackboneSpec
        Everything else.

    Attributes
    ----------
    checkpointing : bool
        Whether the backward of a training batch computes each cell once more, instead of keeping
        what happens inside: less memory for more time (measured in benchmarks/README.md).
    """

    def __init__(self, candidates: Mapping[str, Candidates], spec: BackboneSpec) -> None:
        super().__init__()
        self.spec = spec
        self.checkpointing = False
        self.stem: BiMap | None = None
        self.stem_norm: nn.Module = EntryNorm(spec.channels_in, spec.n)
        before = last = (spec.channels_in, spec.n)
        if spec.stem == "bimap":
            before = last = (spec.stem_channels, spec.n)
            self.stem = BiMap(spec.channels_in, spec.stem_channels, spec.n, spec.n)
            self.stem_norm = make_batch_norm(
                spec.n, spec.geometry, spec.karcher_steps, spec.dispersion
            )
        self.cells = nn.ModuleList()
        for kind, width, size in zip(spec.cells, spec.channels, spec.sizes, strict=True):
            inputs = [spec.setting(c, width, m, last[1]) for c, m in (before, last)]
            setting = spec.setting(width, width, last[1], size)
            cell = Cell(kind, candidates[kind], inputs, setting, spec.preprocess)
            self.cells.append(cell)
            before, last = last, (width * len(cell.targets), size)
        made = {name: HEADS[name](*last, spec.classes) for name in spec.heads}
        self.head = HeadMixture(made) if len(made) > 1 else made[spec.heads[0]]
        self.to(getattr(torch, spec.dtype))
        self.units = Units() if spec.values else None

    def run(
        self, x: Tensor, mixtures: Sequence[Mixture | None], heads: Mixture | None = None
    ) -> Tensor:
        """Return logits (B, classes), or values (B, 1), of (B, C, n, n), or (B, n, n) matrices."""
        dtype = getattr(torch, self.spec.dtype)
        last = read_input(x, dtype, self.spec.ridge, self.spec.correlation)
        if self.stem is not None:
            last = self.stem(last)
        before = last = self.stem_norm(last)
        for cell, mixture in zip(self.cells, mixtures, strict=True):
            run = _run_again if self.checkpointing and torch.is_grad_enabled() else _run
            before, last = last, run(cast(Cell, cell), before, last, mixture)
        mixed = () if heads is None else (heads.weights[0], heads.active[0])
        found = cast(Tensor, self.head(last, *mixed))
        return found if self.units is None else cast(Tensor, self.units(found))


def _run(cell: Cell, first: SpdMap, second: SpdMap, mixture: Mixture | None) -> SpdMap:
    return cast(SpdMap, cell(first, second, mixture))


def _run_again(cell: Cell, first: SpdMap, second: SpdMap, mixture: Mixture | None) -> SpdMap:
    """Run a cell that is computed once more in backward, from its inputs alone."""

    def inner(base: Tensor, other: Tensor) -> Tensor:
        maps = SpdMap(base, first.logarithmic), SpdMap(other, second.logarithmic)
        return _run(cell, *maps, mixture).base

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), frozen_statistics()

    base = checkpoint(
        inner,
        first.base,
        second.base,
        use_reentrant=False,
        preserve_rng_state=False,
        context_fn=contexts,
    )
    return SpdMap(base, cell.setting.geometry == LOG_EUCLIDEAN)


class CellNetwork(CellBackbone):
    """The network of one architecture.

    Parameters
    ----------
    architecture : dict
        As `genotype` describes it.
    spec
        The attributes of a `BackboneSpec`.
    """

    def __init__(self, architecture: dict[str, Any], **spec: Any) -> None:
        candidates = {
            kind: {(link.source, link.target): [link.operation] for link in read_cell(cell)}
            for kind, cell in architecture.items()
            if kind != HEAD
        }
        heads = [architecture[HEAD]] if HEAD in architecture else list(spec.get("heads", ["full"]))
        super().__init__(candidates, BackboneSpec(**{**spec, "heads": heads[:1]}))
        self.config = {"architecture": architecture, **asdict(self.spec)}

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, classes) of inputs (B, C, n, n), or (B, n, n) for one channel."""
        return self.run(x, [None] * len(self.cells))


class SpdNet(nn.Module):
    """SPDNet (Huang and Van Gool, AAAI 2017): BiMap and ReEig by turns, LogEig, linear.

    Parameters
    ----------
    channels_in, classes : int
        Channels of an input and number of classes.
    sizes : sequence of int
        Matrix sizes, the input's first, not increasing.
    batch_norm : bool
        Riemannian batch normalisation after each BiMap (Brooks et al., NeurIPS 2019).
    rectify, rectify_relative, triangle, ridge, dtype, values
        As of a `BackboneSpec`.
    """

    def __init__(
        self,
        channels_in: int,
        sizes: Sequence[int],
        classes: int,
        batch_norm: bool = False,
        rectify: float = RECTIFY,
        rectify_relative: bool = False,
        triangle: bool = False,
        ridge: float = RIDGE,
        dtype: str = "float64",
        values: bool = False,
    ) -> None:
        super().__init__()
        self.config = {
            "channels_in": channels_in,
            "sizes": list(sizes),
            "classes": classes,
            "batch_norm": batch_norm,
            "rectify": rectify,
            "rectify_relative": rectify_relative,
            "triangle": triangle,
            "ridge": ridge,
            "dtype": dtype,
            "values": values,
        }
        self.ridge = ridge
        layers: list[nn.Module] = []
        for n, m in pairwise(sizes):
            layers.append(BiMap(channels_in, channels_in, n, m))
            if batch_norm:
                layers.append(make_batch_norm(m, AFFINE_INVARIANT, 1))
            layers.append(ReEig(rectify, rectify_relative))
        self.layers = nn.Sequential(*layers)
        self.head = LogHead(channels_in, sizes[-1], classes, triangle)
        self.to(getattr(torch, dtype))
        self.units = Units() if values else None

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, classes), or values (B, 1), of (B, C, n, n), or (B, n, n) matrices."""
        x_map = read_input(x, self.head.linear.weight.dtype, self.ridge)
        found = cast(Tensor, self.head(self.layers(x_map)))
        return found if self.units is None else cast(Tensor, self.units(found))
