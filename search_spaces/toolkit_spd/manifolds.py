"""Parameters that say on which manifold they live, and how to move along it.

A parameter class, not an attribute: the class survives deepcopy and `Module.to`, and a state
dictionary holds plain tensors.
"""

from torch import nn


class StiefelParameter(nn.Parameter):
    """Orthonormal columns: (..., n, m) with W^T W = I."""


class SpdParameter(nn.Parameter):
    """A symmetric positive definite matrix: (..., n, n)."""
