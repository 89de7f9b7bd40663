"""All architectures of the cell space in one model: mixed operations over shared weights."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import cast

import torch
from torch import Tensor, nn

from toolkit.contracts import Architecture, EdgeWeights, Supernet, Train
from toolkit.training.simplex import RELAXATIONS

from .cell import Cell, Mixture
from .genotype import HEAD, REDUCTION, cell_edges, derive_cell, read_cell
from .learner import make_optimizer
from .networks import BackboneSpec, CellBackbone, CellNetwork
from .operations import Operation
from .optim import move_parameters

_ABSENT = -1e9
"""Score of a column that an edge has no candidate for: its weight is exactly zero."""


class SupernetNetwork(CellBackbone):
    """The model: every candidate on every edge, weighted by a map of scores to the simplex.

    Cells of one type share one score a candidate and edge.

    Parameters
    ----------
    operations : mapping
        Candidates of `normal` and `reduction` edges, by name. Edges of a reduction cell that do
        not leave its inputs have the normal candidates, and share columns with the others.
    nodes : int
        Intermediate nodes of a cell.
    spec : BackboneSpec
        As for `CellBackbone`; its relaxation maps the scores, too.
    """

    def __init__(
        self,
        operations: Mapping[str, Sequence[str]],
        nodes: int,
        spec: BackboneSpec,
    ) -> None:
        kinds = list(dict.fromkeys(spec.cells))
        names = {
            kind: [
                list(operations[kind if kind != REDUCTION or source < 2 else "normal"])
                for source, _ in cell_edges(nodes)
            ]
            for kind in kinds
        }
        candidates = {
            kind: dict(zip(cell_edges(nodes), names[kind], strict=True)) for kind in kinds
        }
        super().__init__(candidates, spec)
        self.kinds, self.names, self.nodes = kinds, names, nodes
        self.temperature = 1.0
        self.scores = nn.ParameterDict()
        for kind in kinds:
            columns = max(len(row) for row in names[kind])
            initial = 1e-3 * torch.randn(len(names[kind]), columns, dtype=torch.float64)
            self.scores[kind] = nn.Parameter(initial)
            absent = torch.tensor([[k >= len(row) for k in range(columns)] for row in names[kind]])
            self.register_buffer(f"absent_{kind}", absent, persistent=False)
        if len(spec.heads) > 1:
            self.scores[HEAD] = nn.Parameter(
                1e-3 * torch.randn(1, len(spec.heads), dtype=torch.float64)
            )
            self.register_buffer(
                f"absent_{HEAD}", torch.zeros(1, len(spec.heads), dtype=torch.bool), False
            )

    def weights(self, kind: str) -> Tensor:
        """Return the weights (edges, candidates) of a cell type, or (1, heads) of `head`."""
        absent = cast(Tensor, getattr(self, f"absent_{kind}"))
        scores = (self.scores[kind] / self.temperature).masked_fill(absent, _ABSENT)
        return RELAXATIONS[self.spec.relaxation](scores)

    def mixture(self, weights: Tensor) -> Mixture:
        """Make a mixture of weights; the one place where the host waits for values."""
        return Mixture(weights.to(getattr(torch, self.spec.dtype)), (weights != 0).tolist())

    def one_hot(self, architecture: Architecture) -> dict[str, Mixture]:
        """Return the mixtures that leave of the supernet just this architecture."""
        mixtures = {}
        for kind in self.kinds:
            weights = torch.zeros_like(self.scores[kind])
            for link in read_cell(architecture[kind]):
                edge = cell_edges(self.nodes).index((link.source, link.target))
                weights[edge, self.names[kind][edge].index(link.operation)] = 1
            mixtures[kind] = self.mixture(weights)
        if HEAD in self.scores:
            weights = torch.zeros_like(self.scores[HEAD])
            weights[0, list(self.spec.heads).index(architecture[HEAD])] = 1
            mixtures[HEAD] = self.mixture(weights)
        return mixtures

    def forward(self, x: Tensor, mixtures: Mapping[str, Mixture] | None = None) -> Tensor:
        """Return logits (B, classes) of inputs (B, C, n, n), by the current or given mixtures."""
        if mixtures is None:
            mixtures = {kind: self.mixture(self.weights(kind)) for kind in self.scores}
        cells = [mixtures[kind] for kind in self.spec.cells]
        return self.run(x, cells, mixtures.get(HEAD))

    def child(self, architecture: Architecture) -> CellNetwork:
        """Return the derived network of an architecture with a copy of the shared weights."""
        network = CellNetwork(architecture, **asdict(self.spec))
        mine = self.state_dict()
        if HEAD in self.scores:
            chosen = f"head.choices.{architecture[HEAD]}."
            own = [name for name in mine if name.startswith(chosen)]
            mine.update({f"head.{name.removeprefix(chosen)}": mine[name] for name in own})
        network.load_state_dict({name: mine[name] for name in network.state_dict()})
        return network


class SpdSupernet(Supernet):
    """Supernet of the SPD cell space.

    Parameters
    ----------
    model : SupernetNetwork
        The model.
    lr : float
        Default learning rate of the weights.
    optimizer : str
        `adam` or `sgd`, the Riemannian optimiser of the weights.
    """

    model: SupernetNetwork

    def __init__(self, model: SupernetNetwork, lr: float = 0.01, optimizer: str = "adam") -> None:
        super().__init__(model, lr=lr)
        self.optimizer_name = optimizer
        self.units = model.units

    def architecture_parameters(self) -> list[nn.Parameter]:
        """Return the scores, one tensor (edges, candidates) a cell type, and one of heads."""
        return list(self.model.scores.values())

    def anneal(self, temperature: float) -> None:
        """Divide the scores by a temperature from now on."""
        self.model.temperature = temperature

    def optimizer(self, train: Train) -> torch.optim.Optimizer:
        """Return the Riemannian optimiser of the weights."""
        return make_optimizer(self.optimizer_name, self.weight_parameters(), train, self.lr)

    def move(self, directions: Sequence[Tensor], step: float) -> None:
        """Move the weights along their manifolds by `-step` times the Riemannian gradients."""
        move_parameters(self.weight_parameters(), directions, step)

    @torch.no_grad()
    def edge_weights(self) -> dict[str, EdgeWeights]:
        """Return the current weights of each cell type."""
        found = {}
        for kind in self.model.kinds:
            names = self.model.names[kind]
            edges = cell_edges(self.model.nodes)
            columns = range(max(map(len, names)))
            labels = [dict.fromkeys(row[k] for row in names if k < len(row)) for k in columns]
            found[kind] = EdgeWeights(
                edges=tuple(f"{source}→{target}" for source, target in edges),
                operations=tuple(" | ".join(label) for label in labels),
                weights=tuple(tuple(row) for row in self.model.weights(kind).tolist()),
            )
        if HEAD in self.model.scores:
            found[HEAD] = EdgeWeights(
                edges=(HEAD,),
                operations=tuple(self.model.spec.heads),
                weights=(tuple(self.model.weights(HEAD)[0].tolist()),),
            )
        return found

    @torch.no_grad()
    def derive(self) -> Architecture:
        """Return the architecture that the published rule reads off the weights."""
        model = self.model
        found: Architecture = {
            kind: derive_cell(model.weights(kind).tolist(), model.names[kind], model.nodes)
            for kind in model.kinds
        }
        if HEAD in model.scores:
            found[HEAD] = model.spec.heads[int(model.weights(HEAD)[0].argmax())]
        return found

    def warnings(self) -> list[str]:
        """Name the cells in which the derived architecture hardly has a trained operation."""
        found = []
        derived = self.derive()
        for kind in self.model.kinds:
            choice = derived[kind]
            cell = cast(Cell, self.model.cells[self.model.spec.cells.index(kind)])
            if not any(_learns(cell, *link) for link in read_cell(choice)):
                found.append(
                    f"The {kind} cell has collapsed: every operation chosen in it is (almost)"
                    " without parameters."
                )
        return found


def _learns(cell: Cell, source: int, target: int, operation: str) -> bool:
    modules = cast(nn.ModuleDict, cell.operations[f"{source}_{target}"])
    return cast(Operation, modules[operation]).learns
