"""The rows of new classes: mixtures of the source classes' rows with residuals, or free ones.

For layer l and a new class: gain' = W Gamma + R and shift' = V B + S, where Gamma and B (K, width)
are the source classes' rows, W and V (n, K) weights, and R and S (n, width) residuals.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from toolkit.training.simplex import softmax, sparsemax
from toolkit_gan.generator import Tables

Mixing: TypeAlias = Literal["linear", "softmax", "sparsemax"]
_NEARLY_ALL = 0.9
"""The weight of the nearest class at the start of a softmax."""


class Rows(nn.Module, ABC):
    """Rows that learn."""

    @abstractmethod
    def tables(self) -> Tables:
        """Rows (n, width) of every layer."""

    @abstractmethod
    def penalty(self, l1: float, l2: float) -> Tensor:
        """What is added to the generator's loss."""

    @abstractmethod
    def mixtures(self) -> Tensor | None:
        """Weights of source classes in gains and in shifts, by layer (2, layers, n, K), if any."""


class FreeRows(Rows):
    """Rows of their own: start + residual, of the layers that learn.

    Args:
        start: rows to begin with, (n, width) each.
        layers: which layers' rows learn.
    """

    gains: nn.ParameterList
    shifts: nn.ParameterList

    def __init__(self, start: Tables, layers: Sequence[int]) -> None:
        super().__init__()
        self.layers = tuple(layers)
        self.start_gains = _buffers([gain for gain, _ in start])
        self.start_shifts = _buffers([shift for _, shift in start])
        for name, tables in (("gains", self.start_gains), ("shifts", self.start_shifts)):
            own = [nn.Parameter(torch.zeros_like(table)) for table in tables]
            for layer, residual in enumerate(own):
                residual.requires_grad_(layer in self.layers)
            setattr(self, name, nn.ParameterList(own))

    def tables(self) -> Tables:
        """Rows (n, width) of every layer."""
        gains = [a + b for a, b in zip(self.start_gains, self.gains, strict=True)]
        shifts = [a + b for a, b in zip(self.start_shifts, self.shifts, strict=True)]
        return list(zip(gains, shifts, strict=True))

    def penalty(self, l1: float, l2: float) -> Tensor:
        """l2 times the sum over layers of the mean square of residuals; there are no weights."""
        return _square(self, l2)

    def mixtures(self) -> Tensor | None:
        """Weights of source classes: none."""
        return None


class MixedRows(Rows):
    """Mixtures of the source classes' rows, with residuals or without.

    Args:
        source: rows of the source classes, (K, width) each.
        nearest: the source class that each new class begins with; None for the mean of all.
        classes: how many new classes.
        mixing: how weights come of what is learned; `softmax` and `sparsemax` sum to one.
        residual: whether residuals are learned too.
        layers: which layers' rows learn, by default all; those of others stay at their start.
        per_layer: whether each layer has weights of its own.
    """

    gains: nn.ParameterList
    shifts: nn.ParameterList

    def __init__(
        self,
        source: Tables,
        nearest: Sequence[int] | None,
        classes: int,
        *,
        mixing: Mixing = "linear",
        residual: bool = True,
        layers: Sequence[int] | None = None,
        per_layer: bool = True,
    ) -> None:
        super().__init__()
        self.mixing, self.per_layer = mixing, per_layer
        self.layers = tuple(range(len(source)) if layers is None else layers)
        self.source_gains = _buffers([gain for gain, _ in source])
        self.source_shifts = _buffers([shift for _, shift in source])
        sources = len(source[0][0])
        own = len(source) if per_layer else 1
        scores = _start(mixing, nearest, classes, sources).to(source[0][0])
        self.scores = nn.Parameter(scores.repeat(2, own, 1, 1))
        """What weights come of: gains' and shifts', by layer (2, layers, n, K)."""
        self.register_buffer("begun", self._weights(self.scores.detach()[0, 0]).clone())
        for name, tables in (("gains", self.source_gains), ("shifts", self.source_shifts)):
            rows = [
                nn.Parameter(table.new_zeros(classes, table.shape[1]), requires_grad=False)
                for table in tables
            ]
            for layer, row in enumerate(rows):
                row.requires_grad_(residual and layer in self.layers)
            setattr(self, name, nn.ParameterList(rows))

    def tables(self) -> Tables:
        """Rows (n, width) of every layer."""
        weights = self._weights(self.scores)
        return [
            (
                self._mixed(weights[0], layer) @ self.source_gains[layer] + self.gains[layer],
                self._mixed(weights[1], layer) @ self.source_shifts[layer] + self.shifts[layer],
            )
            for layer in range(len(self.source_gains))
        ]

    def penalty(self, l1: float, l2: float) -> Tensor:
        """l1 times the sum of mean |W|, and l2 times that of mean squares of residuals, by layer.

        Weights that sum to one are not penalised: their sum of absolute values is constant.
        """
        loss = _square(self, l2)
        if self.mixing == "linear" and l1:
            loss = loss + l1 * self.scores.abs().mean((2, 3)).sum()
        return loss

    def mixtures(self) -> Tensor:
        """Weights of source classes in gains and in shifts, by layer (2, layers, n, K)."""
        weights = self._weights(self.scores)
        both = [
            torch.stack([self._mixed(own, layer) for layer in range(len(self.source_gains))])
            for own in weights
        ]
        return torch.stack(both)

    def _mixed(self, weights: Tensor, layer: int) -> Tensor:
        if layer not in self.layers:
            begun: Tensor = self.begun  # type: ignore[assignment]
            return begun
        return weights[layer if self.per_layer else 0]

    def _weights(self, scores: Tensor) -> Tensor:
        if self.mixing == "linear":
            return scores
        return (softmax if self.mixing == "softmax" else sparsemax)(scores)


def _start(mixing: Mixing, nearest: Sequence[int] | None, classes: int, sources: int) -> Tensor:
    """Scores whose weights are those of the nearest class, or the mean."""
    if nearest is None:
        even = torch.zeros(classes, sources)
        return even + 1 / sources if mixing == "linear" else even
    chosen = torch.nn.functional.one_hot(torch.tensor(list(nearest)), sources).float()
    if mixing == "softmax":
        odds = _NEARLY_ALL * max(sources - 1, 1) / (1 - _NEARLY_ALL)
        return chosen * torch.tensor(odds).log()
    # A sparsemax of one class alone has no gradient, so it begins with a little of each.
    return chosen * (0.8 if mixing == "sparsemax" else 1.0)


def _square(rows: FreeRows | MixedRows, l2: float) -> Tensor:
    own = [*rows.gains, *rows.shifts]
    if not l2:
        return own[0].new_zeros(())
    learning = [row.square().mean() for row in own if row.requires_grad]
    return l2 * torch.stack(learning).sum() if learning else own[0].new_zeros(())


def _buffers(tables: Sequence[Tensor]) -> nn.ParameterList:
    return nn.ParameterList(
        [nn.Parameter(table.detach().clone(), requires_grad=False) for table in tables]
    )
