"""A pipeline as a torch module: the representation, and the classifier that was chosen."""

from typing import Any

import torch
from torch import Tensor, nn

from .representation import Representation, RepresentationSpec

LINEAR, KERNEL, NEIGHBORS = "linear", "rbf", "neighbors"
HEADS = (LINEAR, KERNEL, NEIGHBORS)
MOST_NEIGHBORS = 5
"""Of `neighbors`; those beyond the number in the weights do not count."""


class PipelineClassifier(nn.Module):
    r"""Logarithms of class probabilities, but for a constant, of SPD matrices.

    The classifier is one of three maps of a vector v; s is a sharpness chosen on held-out samples,
    which makes probabilities of scores:

    - `linear`: :math:`s (W v + b)`
    - `rbf`: :math:`s (\sum_i a_i \exp(-\gamma \|v - v_i\|^2) + b)` over the training samples
    - `neighbors`: :math:`s \log \bigl(\sum_i [y_i = c] + 1/K\bigr)` over the k nearest of these

    Parameters
    ----------
    spec : dict
        See `RepresentationSpec`.
    classes : int
        Number of classes K.
    head : str
        Which map.
    support : int
        Training samples that `rbf` and `neighbors` hold.
    """

    kind: Tensor

    def __init__(
        self, spec: RepresentationSpec, classes: int, head: str = LINEAR, support: int = 0
    ) -> None:
        super().__init__()
        self.spec, self.classes = spec, classes
        self.representation = Representation(spec)
        self.set_head(head, support)

    @property
    def config(self) -> dict[str, Any]:
        """What rebuilds the module, as it now is."""
        return {
            "spec": dict(self.spec),
            "classes": self.classes,
            "head": self.head,
            "support": len(self.support),
        }

    @property
    def any_length(self) -> bool:
        """Whether inputs are series, which may have any length."""
        return self.spec["rows"] is not None

    def set_head(self, head: str, support: int) -> None:
        """Make an empty classifier in place of the one there is."""
        self.head = head
        size, classes = self.representation.size, self.classes
        linear, device = head == LINEAR, self.representation.center.device

        def number(*shape: int) -> nn.Parameter:
            zeros = torch.zeros(shape, dtype=torch.float64, device=device)
            return nn.Parameter(zeros, requires_grad=False)

        self.register_buffer("kind", torch.tensor(HEADS.index(head), device=device))
        self.sharpness = number()
        self.setting = number()  # gamma, or the number of neighbours
        self.bias = number(classes)
        self.weight = number(classes, size if linear else support)
        self.support = number(0 if linear else support, size)

    def scores(self, vectors: Tensor) -> Tensor:
        """Return the scores (N, classes) of vectors (N, d)."""
        if self.head == LINEAR:
            return vectors @ self.weight.mT + self.bias
        # Not `cdist`, which goes another way for small batches: a graph has one.
        norms = vectors.square().sum(1)[:, None] + self.support.square().sum(1)
        squares = (norms - 2 * vectors @ self.support.mT).clamp_min(0)
        if self.head == KERNEL:
            return torch.exp(-self.setting * squares) @ self.weight.mT + self.bias
        # How many count is a number in the weights, so that the graph is the same for all of them.
        nearest = squares.topk(min(MOST_NEIGHBORS, len(self.support)), largest=False).indices
        counts = torch.arange(nearest.shape[1], device=nearest.device) < self.setting
        votes = (self.weight.mT[nearest] * counts[:, None]).sum(1)
        return (votes + 1 / self.classes).log() + self.bias

    def forward(self, x: Tensor) -> Tensor:
        """Return scores (N, classes) of inputs, see `Representation.take`."""
        return self.sharpness * self.scores(self.representation(x))

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        """Take the classifier that the weights are of: which one it is was chosen by a fit."""
        kind, support = (state_dict.get(prefix + name) for name in ("kind", "support"))
        if kind is not None and support is not None:
            self.set_head(HEADS[int(kind)], len(support))
        super()._load_from_state_dict(state_dict, prefix, *rest)
