"""The names by which recipes list the candidate operations, and the class behind each."""

from collections.abc import Callable
from functools import partial

from torch import nn

from .gyro_translation import GyroTranslationOperation
from .heads.bures_wasserstein import BuresWassersteinHead
from .heads.correlation_cholesky import CorrelationCholeskyHead
from .heads.correlation_log_cholesky import CorrelationLogCholeskyHead
from .heads.log_cholesky import LogCholeskyHead
from .heads.power_cholesky import PowerCholeskyHead
from .heads.power_euclidean import PowerEuclideanHead
from .layers import LogHead
from .lie_norm import BiMapLieOperation
from .log_convolution import (
    LogConvolutionOperation,
    LogMixingOperation,
    WideLogConvolutionOperation,
)
from .log_linear import LogLinearOperation
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
    "log_convolution_5": WideLogConvolutionOperation,
    "log_mixing": LogMixingOperation,
    "log_linear": LogLinearOperation,
    "bimap_lie": BiMapLieOperation,
    "gyro_translation": GyroTranslationOperation,
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
    "log_convolution_5": WideLogConvolutionOperation,
    "log_mixing": LogMixingOperation,
    "log_linear": LogLinearOperation,
    "bimap_lie": BiMapLieOperation,
}
"""Of reducing edges, n x n to m x m with m <= n."""

HEADS: dict[str, Callable[[int, int, int], nn.Module]] = {
    "full": LogHead,
    "triangle": partial(LogHead, triangle=True),
    "power_euclidean": PowerEuclideanHead,
    "log_cholesky": LogCholeskyHead,
    "power_cholesky": PowerCholeskyHead,
    "bures_wasserstein": BuresWassersteinHead,
    "correlation_cholesky": CorrelationCholeskyHead,
    "correlation_log_cholesky": CorrelationLogCholeskyHead,
}
"""Classifiers at the end, of channels, size and classes."""


def make_operation(name: str, setting: Setting, reducing: bool) -> Operation:
    """Build an operation by name, from the list of a reduction or of a normal edge."""
    return (REDUCING if reducing else KEEPING)[name](setting)
