"""Cells: directed acyclic graphs of operations between feature maps.

A cell of the supernet and a cell of a derived network are one class: the first has every candidate
on every edge, the second one operation on two edges a node.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from .catalogue import make_operation
from .functional.means import frechet_mean, grouped_frechet_mean
from .genotype import REDUCTION
from .maps import LOG_EUCLIDEAN, SpdMap, concatenate
from .operations import Operation, Setting
from .stacking import evaluate


class Mixture(NamedTuple):
    """How the candidates of a cell are weighted.

    Attributes
    ----------
    weights : Tensor
        (edges, candidates), each row of sum one, or of zeros for an edge that is not there.
    active : list of lists of bool
        Which weights are not zero, known on the host: the other candidates are not evaluated,
        and neither their weights nor the architecture get a gradient from them, which is exact for
        weights off the support of a sparse map to the simplex.
    """

    weights: Tensor
    active: list[list[bool]]

    def select(self, keys: Sequence[tuple[int, int]]) -> Tensor:
        """Return the weights (k,) of k pairs (edge, candidate)."""
        # Lists as indices would be copied to the device, and that copy waited for.
        rows = self.weights.unbind()
        each = {edge: rows[edge].unbind() for edge in {edge for edge, _ in keys}}
        return torch.stack([each[edge][column] for edge, column in keys])


class Cell(nn.Module):
    """One cell.

    Parameters
    ----------
    kind : str
        `normal` or `reduction`.
    candidates : mapping
        (source, target) to the names of the edge's operations, in order of edges.
    inputs : sequence of Setting
        How each of the two inputs is brought to this cell's channels and size.
    setting : Setting
        Of operations on the cell's input nodes.
    preprocess : str
        The operation that brings the inputs to them.
    """

    def __init__(
        self,
        kind: str,
        candidates: Mapping[tuple[int, int], Sequence[str]],
        inputs: Sequence[Setting],
        setting: Setting,
        preprocess: str = "bimap_2",
    ) -> None:
        super().__init__()
        self.setting = setting
        self.edges = list(candidates)
        self.names = [list(names) for names in candidates.values()]
        self.targets = sorted({target for _, target in self.edges})
        self.preprocess = nn.ModuleList(
            make_operation(preprocess, each, each.size_in > each.size_out) for each in inputs
        )
        inner = replace(setting, size_in=setting.size_out)
        self.operations = nn.ModuleDict()
        for (source, target), names in candidates.items():
            reducing = kind == REDUCTION and source < 2
            place = setting if reducing else inner
            self.operations[f"{source}_{target}"] = nn.ModuleDict(
                {name: make_operation(name, place, reducing) for name in names}
            )

    def forward(self, first: SpdMap, second: SpdMap, mixture: Mixture | None = None) -> SpdMap:
        """Join the intermediate nodes of inputs (B, C0, n0, n0) and (B, C1, n1, n1).

        Without a mixture each edge has one operation.
        """
        pairs = zip(self.preprocess, (first, second), strict=True)
        nodes = dict(enumerate(evaluate([(cast(Operation, each), x) for each, x in pairs])))
        terms: dict[tuple[int, int], SpdMap] = {}
        self._send([0, 1], nodes, terms, mixture)
        for target in self.targets:
            nodes[target] = self._receive(target, terms, mixture)
            if target != self.targets[-1]:
                self._send([target], nodes, terms, mixture)
        return concatenate([nodes[target] for target in self.targets])

    def _send(
        self,
        sources: Sequence[int],
        nodes: Mapping[int, SpdMap],
        terms: dict[tuple[int, int], SpdMap],
        mixture: Mixture | None,
    ) -> None:
        """Evaluate every operation that leaves these nodes; results by (edge, candidate)."""
        keys, jobs = [], []
        for edge, (source, target) in enumerate(self.edges):
            if source not in sources:
                continue
            modules = cast(nn.ModuleDict, self.operations[f"{source}_{target}"])
            for column, module in enumerate(modules.values()):
                if mixture is None or mixture.active[edge][column]:
                    keys.append((edge, column))
                    jobs.append((cast(Operation, module), nodes[source]))
        terms.update(zip(keys, evaluate(jobs), strict=True))

    def _receive(
        self, target: int, terms: Mapping[tuple[int, int], SpdMap], mixture: Mixture | None
    ) -> SpdMap:
        """Mix the candidates of each edge, and take the uniform mean of the edges."""
        keys = [key for key in sorted(terms) if self.edges[key[0]][1] == target]
        counts = list(Counter(edge for edge, _ in keys).values())
        if self.setting.geometry == LOG_EUCLIDEAN:
            return self._receive_logarithms(keys, len(counts), terms, mixture)
        matrices = [terms[key].matrix for key in keys]
        if mixture is None or len(keys) == len(counts):
            values = torch.stack(matrices)
        else:
            steps = self.setting.steps
            weights = mixture.select(keys)
            values = grouped_frechet_mean(torch.stack(matrices), weights, counts, steps)
        return SpdMap.from_matrix(frechet_mean(values.movedim(0, -3), steps=self.setting.steps))

    def _receive_logarithms(
        self,
        keys: Sequence[tuple[int, int]],
        edges: int,
        terms: Mapping[tuple[int, int], SpdMap],
        mixture: Mixture | None,
    ) -> SpdMap:
        # The logarithm of the identity is zero: a constant candidate only takes weight away.
        live = [key for key in keys if not self._constant(key)] or list(keys)
        logarithms = torch.stack([terms[key].logarithm for key in live])
        if mixture is None:
            return SpdMap.from_logarithm(logarithms.sum(0) / edges)
        weights = mixture.select(live) / edges
        return SpdMap.from_logarithm(torch.tensordot(weights, logarithms, 1))

    def _constant(self, key: tuple[int, int]) -> bool:
        source, target = self.edges[key[0]]
        module = cast(nn.ModuleDict, self.operations[f"{source}_{target}"])
        return cast(Operation, module[self.names[key[0]][key[1]]]).constant
