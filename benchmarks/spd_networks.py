"""Whole SPD networks: ours against the same built from spd-learn layers.

    python benchmarks/spd_networks.py [--json] [--only PART_OF_A_NAME]

- One epoch of SPDNet 20-16-8 and 93-70-50-30, batch 30, each with its own library's way to keep
  weights orthonormal: Riemannian Adam here, a Cayley parametrisation and Adam there.
- Forward and backward of a supernet cell with log-Euclidean means, every candidate of every edge in
  it. The peer is the same cell built operation by operation; outputs are checked to be equal.

Needs the extra `bench`.
"""

import argparse
from collections.abc import Callable, Iterator
from itertools import pairwise

import torch
from spd_learn.modules import BiMap, ExpEig, LogEig, ReEig
from timing import Row, compare, covariances, report
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from toolkit_spd.cell import Cell, Mixture
from toolkit_spd.genotype import NORMAL_OPERATIONS, cell_edges
from toolkit_spd.kernels import install
from toolkit_spd.maps import SpdMap
from toolkit_spd.networks import SpdNet
from toolkit_spd.operations import Setting
from toolkit_spd.optim import RiemannianAdam

PEER = "spd-learn 0.2.1"
EPOCHS = {"20-16-8": ([20, 16, 8], 3, 1500), "93-70-50-30": ([93, 70, 50, 30], 117, 300)}
"""Sizes, classes, and samples of an epoch."""
THRESHOLD = 1e-4
BATCH = 30


class PeerNet(nn.Sequential):
    """SPDNet from the peer's layers."""

    def __init__(self, sizes: list[int], classes: int) -> None:
        layers: list[nn.Module] = []
        for n, m in pairwise(sizes):
            layers += [BiMap(n, m, dtype=torch.float64), ReEig(THRESHOLD)]
        head = nn.Linear(sizes[-1] ** 2, classes, dtype=torch.float64)
        super().__init__(*layers, LogEig(upper=False), nn.Flatten(), head)


def epoch(
    model: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, labels: Tensor
) -> Callable[[], None]:
    """Return one pass over the data in batches, with an optimiser step for each."""

    def work() -> None:
        for batch, targets in zip(x.split(BATCH), labels.split(BATCH), strict=True):
            optimizer.zero_grad()
            cross_entropy(model(batch), targets).backward()
            optimizer.step()

    return work


def compare_epochs(name: str, repeats: int) -> Row:
    """Time an epoch of SPDNet."""
    sizes, classes, count = EPOCHS[name]
    x, labels = covariances(count, sizes[0], sizes[0]), torch.arange(count) % classes
    ours, theirs = SpdNet(1, sizes, classes, rectify=THRESHOLD), PeerNet(sizes, classes)
    return compare(
        f"SPDNet {name}, epoch of {count}, batch {BATCH}, float64",
        epoch(ours, RiemannianAdam(ours.parameters(), lr=0.01), x, labels),
        epoch(theirs, torch.optim.Adam(theirs.parameters(), lr=0.01), x, labels),
        PEER,
        repeats,
    )


class PeerNorm(nn.Module):
    """Log-Euclidean batch normalisation of the mean, from the peer's LogEig and ExpEig."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.log, self.exp = LogEig(upper=False, flatten=False), ExpEig()
        self.bias = nn.Parameter(torch.zeros(n, n, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        logarithm = self.log(x)
        bias = (self.bias + self.bias.mT) / 2
        normalised: Tensor = self.exp(logarithm - logarithm.mean((0, 1)) + bias)
        return normalised


class PeerBilinear(nn.Module):
    """BiMap over all pairs of channels, batch normalisation, and ReEig before or after."""

    def __init__(self, channels_in: int, channels: int, n: int, name: str, weight: Tensor) -> None:
        super().__init__()
        self.channels, self.name = channels, name
        self.bimap = BiMap(n, n, depthwise=channels * channels_in, dtype=torch.float64)
        with torch.no_grad():
            self.bimap.weight = weight.reshape(-1, n, n)
        self.norm, self.rectify = PeerNorm(n), ReEig(THRESHOLD)

    def forward(self, x: Tensor) -> Tensor:
        if self.name == "bimap_2":
            x = self.rectify(x)
        every = self.bimap(x.repeat(1, self.channels, 1, 1))
        mapped = self.norm(every.unflatten(1, (self.channels, -1)).sum(2))
        return self.rectify(mapped) if self.name == "bimap_1" else mapped


class PeerPooling(nn.Module):
    """Weighted log-Euclidean means of the channels, then batch normalisation."""

    def __init__(self, n: int, weights: Tensor) -> None:
        super().__init__()
        self.weights = nn.Parameter(weights.clone())
        self.log, self.exp, self.norm = LogEig(upper=False, flatten=False), ExpEig(), PeerNorm(n)

    def forward(self, x: Tensor) -> Tensor:
        pooled = self.exp(torch.einsum("oc,bcij->boij", self.weights, self.log(x)))
        normalised: Tensor = self.norm(pooled)
        return normalised


class PeerNone(nn.Module):
    """Every matrix becomes the identity."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.eye(x.shape[-1], dtype=x.dtype).expand(x.shape)


class PeerCell(nn.Module):
    """A normal cell, each operation from SPD matrices to SPD matrices, with our cell's weights."""

    def __init__(self, ours: Cell, channels_in: int, channels: int, n: int, nodes: int) -> None:
        super().__init__()
        self.edges, self.nodes = cell_edges(nodes), nodes
        self.preprocess = nn.ModuleList(
            PeerBilinear(channels_in, channels, n, "bimap_2", each.bimap.weight)  # type: ignore
            for each in ours.preprocess
        )
        self.operations = nn.ModuleDict()
        for source, target in self.edges:
            found = {}
            for name, module in ours.operations[f"{source}_{target}"].items():  # type: ignore
                if name == "none":
                    found[name] = PeerNone()
                elif name == "skip":
                    found[name] = nn.Identity()
                elif name == "weighted_pooling":
                    found[name] = PeerPooling(n, module.pooling.logits.softmax(-1).detach())
                else:
                    found[name] = PeerBilinear(channels, channels, n, name, module.bimap.weight)
            self.operations[f"{source}_{target}"] = nn.ModuleDict(found)
        self.log, self.exp = LogEig(upper=False, flatten=False), ExpEig()

    def mean(self, matrices: list[Tensor], weights: Tensor) -> Tensor:
        logarithms = torch.stack([self.log(each) for each in matrices])
        mixed: Tensor = self.exp(torch.tensordot(weights, logarithms, 1))
        return mixed

    def forward(self, first: Tensor, second: Tensor, weights: Tensor) -> Tensor:
        pairs = zip(self.preprocess, (first, second), strict=True)
        states = [each(x) for each, x in pairs]
        for target in range(2, self.nodes + 2):
            entering = []
            for edge, (source, into) in enumerate(self.edges):
                if into == target:
                    modules = self.operations[f"{source}_{target}"]
                    outputs = [each(states[source]) for each in modules.values()]  # type: ignore
                    entering.append(self.mean(outputs, weights[edge]))
            uniform = torch.full((len(entering),), 1 / len(entering), dtype=first.dtype)
            states.append(self.mean(entering, uniform))
        return torch.cat(states[2:], 1)


def compare_cells(nodes: int, channels: int, repeats: int) -> Row:
    """Time forward and backward of a cell of 20 x 20 matrices."""
    n = 20
    settings = "log_euclidean", "softmax", 1, THRESHOLD, False
    inputs = [Setting(channels, channels, n, n, *settings) for _ in range(2)]
    candidates = dict.fromkeys(cell_edges(nodes), NORMAL_OPERATIONS)
    ours = Cell("normal", candidates, inputs, inputs[0]).double()
    theirs = PeerCell(ours, channels, channels, n, nodes)
    scores = torch.rand(len(candidates), len(NORMAL_OPERATIONS), dtype=torch.float64)
    scores.requires_grad_()
    every = [[True] * len(NORMAL_OPERATIONS)] * len(candidates)
    data = [covariances(BATCH, channels, n, n, seed=seed) for seed in range(2)]
    for x in data:
        x.requires_grad_()

    def run_ours() -> Tensor:
        mixture = Mixture(scores.softmax(-1), every)
        return ours(*map(SpdMap.from_matrix, data), mixture).logarithm

    def run_theirs() -> Tensor:
        logarithm: Tensor = theirs.log(theirs(*data, scores.softmax(-1)))
        return logarithm

    torch.testing.assert_close(run_ours(), run_theirs(), rtol=1e-7, atol=1e-7)
    gradient = torch.randn_like(run_ours())
    gradient = gradient + gradient.mT
    return compare(
        f"supernet cell, {nodes} nodes, {len(candidates)} edges of 6 operations, {channels}"
        f" channels, log-Euclidean, {BATCH} x 20x20, float64",
        lambda: run_ours().backward(gradient),
        lambda: run_theirs().backward(gradient),
        PEER,
        repeats,
    )


def measure(arguments: argparse.Namespace) -> Iterator[Row]:
    """Yield one row for each network."""
    install()
    for name in EPOCHS:
        if arguments.only in f"SPDNet {name}":
            yield compare_epochs(name, min(arguments.repeats, 5))
    for nodes, channels in ((2, 2), (4, 1)):
        if arguments.only in "supernet cell":
            yield compare_cells(nodes, channels, arguments.repeats)


if __name__ == "__main__":
    report(__doc__, measure)
