"""The names by which recipes list the candidate operations, and the class behind each."""

from collections.abc import Callable

from .log_convolution import LogConvolutionOperation, LogMixingOperation
from .operations import (
    AttentionPoolingOperation,
    AvgPoolingOperation,
    BiMap0Operation,
    BiMap1Operation,
    BiMap2Operation,
    BiMapDispersionOperation,
    BlockSkipOperation,
    MaxPoolingOperation,
    NoneOperation,
    Operation,
    Setting,
    SkipOperation,
    WeightedPoolingOperation,
)

KEEPING: dict[str, Callable[[Setting], Operation]] = {
    "none": NoneOperation,
    "weighted_pooling": WeightedPoolingOperation,
    "bimap_0": BiMap0Operation,
    "bimap_1": BiMap1Operation,
    "bimap_2": BiMap2Operation,
    "skip": SkipOperation,
    "bimap_dispersion": BiMapDispersionOperation,
    "attention_pooling": AttentionPoolingOperation,
    "log_convolution": LogConvolutionOperation,
    "log_mixing": LogMixingOperation,
}
"""Of normal edges, n x n to n x n."""
REDUCING: dict[str, Callable[[Setting], Operation]] = {
    "none": NoneOperation,
    "avg_pooling": AvgPoolingOperation,
    "max_pooling": MaxPoolingOperation,
    "bimap_0": BiMap0Operation,
    "bimap_1": BiMap1Operation,
    "bimap_2": BiMap2Operation,
    "skip": BlockSkipOperation,
    "bimap_dispersion": BiMapDispersionOperation,
    "log_convolution": LogConvolutionOperation,
    "log_mixing": LogMixingOperation,
}
"""Of reducing edges, n x n to m x m with m <= n."""


def make_operation(name: str, setting: Setting, reducing: bool) -> Operation:
    """Build an operation by name, from the list of a reduction or of a normal edge."""
    return (REDUCING if reducing else KEEPING)[name](setting)
