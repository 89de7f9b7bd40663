"""Perceptrons on tangent vectors, averaged over a few starts, as a torch module."""

from typing import Any

import torch
from torch import Tensor, nn

from .representation import Representation, RepresentationSpec


class TangentMlp(nn.Module):
    r"""Logarithms of mean class probabilities of perceptrons with one hidden layer.

    .. math::

        \log \frac{1}{M} \sum_j \operatorname{softmax}(W_j \max(V_j \sqrt{d} v + a_j, 0) + b_j)

    of vectors v of d entries; all M perceptrons are computed by the same batched products.

    Parameters
    ----------
    spec : dict
        How inputs become vectors, see `RepresentationSpec`.
    classes : int
        Number of classes.
    width : int
        Hidden units of each perceptron.
    members : int
        How many perceptrons M.
    """

    def __init__(
        self, spec: RepresentationSpec, classes: int, width: int = 128, members: int = 4
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "spec": dict(spec),
            "classes": classes,
            "width": width,
            "members": members,
        }
        self.representation = Representation(spec)

        def zeros(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.zeros(members, *shape), requires_grad=False)

        self.hidden, self.hidden_bias = zeros(self.representation.size, width), zeros(1, width)
        self.output, self.output_bias = zeros(width, classes), zeros(1, classes)

    @property
    def any_length(self) -> bool:
        """Whether inputs are series, which may have any length."""
        return self.representation.spec["rows"] is not None

    @property
    def weights(self) -> list[Tensor]:
        """What is learned, as `scores_of_each` takes it."""
        return [self.hidden, self.hidden_bias, self.output, self.output_bias]

    def entries(self, vectors: Tensor) -> Tensor:
        """Return vectors (N, d) of entries of mean square one, in the weights' precision."""
        return (vectors * vectors.shape[1] ** 0.5).to(self.hidden.dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Return scores (N, classes) of inputs, see `Representation.take`."""
        entries = self.entries(self.representation(x))
        each = scores_of_each(entries, self.weights).double().log_softmax(-1)
        return torch.logsumexp(each, 0) - torch.tensor(len(each)).log()


def scores_of_each(x: Tensor, weights: list[Tensor], dropout: float = 0.0) -> Tensor:
    """Return the scores (M, N, classes) of M perceptrons, of the same x (N, d) or each its own."""
    hidden, hidden_bias, output, output_bias = weights
    if dropout:
        x = nn.functional.dropout(x, dropout)
    middle = (x @ hidden + hidden_bias).relu()
    if dropout:
        middle = nn.functional.dropout(middle, dropout)
    return middle @ output + output_bias
