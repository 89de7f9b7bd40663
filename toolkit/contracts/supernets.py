"""The contract of supernets: all architectures of a space in one model with shared weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from toolkit.base.errors import PluginError
from toolkit.contracts.common import Architecture
from toolkit.contracts.learners import Trainable

if TYPE_CHECKING:
    import torch


class Supernet(Trainable, ABC):
    """All architectures of a space in one model with shared weights and architecture parameters.

    `loss` is differentiable in both, `predict` gives the scores of the mixture as it stands, and
    `optimizer` moves the shared weights alone.
    """

    @abstractmethod
    def architecture_parameters(self) -> list[torch.nn.Parameter]:
        """Returns what the search moves on validation batches."""

    @abstractmethod
    def edge_weights(self) -> dict[str, EdgeWeights]:
        """Returns the weight of each candidate on each edge, per cell type, for the report."""

    @abstractmethod
    def derive(self) -> Architecture:
        """Returns the discrete architecture that the weights point at."""

    def weight_parameters(self) -> list[torch.nn.Parameter]:
        """Returns the shared weights: all of the model's but the architecture parameters."""
        architecture = {id(parameter) for parameter in self.architecture_parameters()}
        return [each for each in self.model.parameters() if id(each) not in architecture]

    def move(self, directions: Sequence[torch.Tensor], step: float) -> None:
        """Moves the weights in place by `-step * direction`, staying on their manifolds.

        The unrolled (second-order) search step is made of this. The default is for weights in
        Euclidean space.

        Args:
            directions: Euclidean gradients, one per `weight_parameters()`.
            step: the step length.
        """
        import torch

        with torch.no_grad():
            for parameter, direction in zip(self.weight_parameters(), directions, strict=True):
                parameter.sub_(direction, alpha=step)

    def anneal(self, temperature: float) -> None:
        """Divides the scores behind the candidates' weights by `temperature` from now on.

        The search calls this before each epoch if its options set a temperature.

        Raises:
            PluginError: this supernet has no temperature (the default).
        """
        raise PluginError(
            f"The supernet {type(self).__name__} has no temperature.",
            hint="Leave the strategy's temperature and final_temperature out.",
        )

    def warnings(self) -> list[str]:
        """Returns what a person should know of the derived architecture: say, that it collapsed."""
        return []


@dataclass(frozen=True)
class EdgeWeights:
    """Weights of candidates (columns) on edges (rows), as plain numbers."""

    edges: tuple[str, ...]
    operations: tuple[str, ...]
    weights: tuple[tuple[float, ...], ...]
