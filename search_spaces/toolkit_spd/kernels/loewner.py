"""Divided differences of log and exp on the CPU, for the backward of spectral functions.

In torch they take ten passes over (batch, n, n) tensors, one of them a logarithm of each entry:
longer than the decomposition. The compiled library needs one pass, and n logarithms for a matrix.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from . import library

Divided = Callable[[Tensor], Tensor]


def _compute(name: str, values: Tensor, image: Tensor, fallback: Divided) -> Tensor:
    compiled = library.load()
    if compiled is None or not library.takes(values) or values.dim() < 1:
        return fallback(values)
    values, image = values.detach().contiguous(), image.detach().contiguous()
    n = values.shape[-1]
    result = values.new_empty((*values.shape, n))
    if result.numel():
        compiled.functions[name, values.dtype](
            compiled.instructions,
            values.data_ptr(),
            image.data_ptr(),
            result.data_ptr(),
            values.numel() // n,
            n,
        )
    return result


def log_divided(values: Tensor, fallback: Divided) -> Tensor:
    r"""Return :math:`(\log s_i - \log s_j) / (s_i - s_j)`, or :math:`1 / s_i` if they are equal.

    Parameters
    ----------
    values : Tensor
        Positive eigenvalues (..., n); others give NaN or infinity. No gradient.
    fallback : callable
        What to call where the kernel does not apply.

    Returns
    -------
    Tensor
        Shape (..., n, n). The relative error is a few :math:`\epsilon`, and
        :math:`\epsilon \max_k |\log s_k| / 0.4` at worst.
    """
    return _compute("divided_log", values, torch.log(values), fallback)


def exp_divided(values: Tensor, fallback: Divided) -> Tensor:
    r"""Return :math:`(e^{s_i} - e^{s_j}) / (s_i - s_j)`, or :math:`e^{s_i}` if they are equal.

    Parameters
    ----------
    values : Tensor
        Eigenvalues (..., n). No gradient.
    fallback : callable
        What to call where the kernel does not apply.

    Returns
    -------
    Tensor
        Shape (..., n, n). The relative error is a few :math:`\epsilon`.
    """
    return _compute("divided_exp", values, torch.exp(values / 2), fallback)
