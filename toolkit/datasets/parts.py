"""Parts of one pool of samples, as data sets that know where they are from.

For plugin authors: every public name is stable.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import TensorDataset


class Part(TensorDataset):
    """Some samples of a pool.

    Whatever is computed of each input alone can be kept for the whole pool, however it is divided.

    Attributes:
        whole, labels: inputs of the pool (N, ...), and their class indices (N,).
        index: positions of this part's samples among them (n,).
    """

    def __init__(self, whole: Tensor, labels: Tensor, index: NDArray[Any]) -> None:
        self.whole, self.index = whole, torch.from_numpy(np.asarray(index, np.int64))
        super().__init__(whole[self.index], labels[self.index])


def group_numbers(groups: NDArray[Any]) -> NDArray[Any]:
    """Number groups (N,) from 1 in their order."""
    return 1.0 + np.unique(groups, return_inverse=True)[1].reshape(-1)


def with_group_channel(inputs: NDArray[Any], numbers: NDArray[Any]) -> NDArray[Any]:
    """Append a channel that says who or what each input is from.

    Args:
        inputs: matrices (N, channels, n, n), or series (N, channels, time).
        numbers: of the groups (N,), from 1.

    Returns:
        Inputs with one channel more: the number times the identity, or the number throughout.
    """
    if inputs.ndim == 4:
        last = numbers[:, None, None, None] * np.eye(inputs.shape[-1])
    else:
        last = np.broadcast_to(numbers[:, None, None], (len(inputs), 1, inputs.shape[-1]))
    return np.concatenate([inputs, last.astype(inputs.dtype)], axis=1)


def padded(series: list[NDArray[Any]], longest: int | None = None) -> NDArray[np.float64]:
    """Stack series (time, channels) of any length as (N, channels, time), filled up by NaN.

    Args:
        series: one at least.
        longest: samples of the result, the most of any series at least; by default these.
    """
    size = max(longest or 0, *(len(one) for one in series))
    found = np.full((len(series), series[0].shape[1], size), np.nan)
    for row, one in zip(found, series, strict=True):
        row[:, : len(one)] = one.T
    return found
