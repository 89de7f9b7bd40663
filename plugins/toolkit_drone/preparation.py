"""From radar signals to what a network takes, as a torch module; it imports torch alone.

An exported `model.py` takes it in. It gives what the task gives, up to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from toolkit.datasets.tensors import as_real, mean_of_eigenvalues, with_ridge


class SignalPreparation(nn.Module):
    """Complex signals to matrices as the task `drone_radar` gives them.

    Args:
        windows: lengths of the windows; of several, the matrices stand block by block on the
            diagonal.
        hop: samples from one window to the next.
        embedding: see `toolkit.datasets.tensors.as_real`.
        ridge: added to the diagonal, as a fraction of the mean eigenvalue.
        scale: "trace" gives each matrix a mean eigenvalue of one, "power" each signal a mean
            squared modulus of one.
    """

    takes = "complex signals (N, samples)"

    def __init__(
        self, windows: Sequence[int], hop: int, embedding: str, ridge: float, scale: str
    ) -> None:
        super().__init__()
        self.windows, self.hop = list(windows), hop
        self.embedding, self.ridge, self.scale = embedding, ridge, scale
        self.config = {
            "windows": self.windows,
            "hop": hop,
            "embedding": embedding,
            "ridge": ridge,
            "scale": scale,
        }

    def forward(self, signals: Tensor) -> Tensor:
        """Returns matrices (N, 1, n, n) in double precision.

        Raises:
            ValueError: the signals are not complex, or too short.
        """
        needed = max(self.windows) + self.hop
        if signals.dim() != 2 or not signals.is_complex() or signals.shape[1] < needed:
            raise ValueError(
                f"The signals have shape {tuple(signals.shape)} and type {signals.dtype}; expected"
                f" are complex signals (N, samples) of at least {needed} samples."
            )
        signals = signals.to(torch.complex128)
        if self.scale == "power":
            power = (signals.abs() ** 2).mean(-1, keepdim=True)
            signals = signals / power.sqrt()
        blocks = [self._matrices(signals, window) for window in self.windows]
        size = sum(block.shape[-1] for block in blocks)
        joined = signals.real.new_zeros(len(signals), size, size)
        start = 0
        for block in blocks:
            stop = start + block.shape[-1]
            joined[:, start:stop, start:stop] = block
            start = stop
        return joined[:, None]

    def _matrices(self, signals: Tensor, window: int) -> Tensor:
        """Covariances of the windows of every signal, (N, n, n)."""
        windows = signals.unfold(-1, window, self.hop)
        centred = windows - windows.mean(1, keepdim=True)
        hermitian = centred.mT @ centred.conj() / (centred.shape[1] - 1)
        real = as_real(hermitian, self.embedding)
        if self.scale == "trace":
            real = real / mean_of_eigenvalues(real)
        return with_ridge(real, self.ridge)
