"""Distances between sets of real and generated features, and how well one covers the other.

All are computed in double precision. Features are (N, d), of a judge or raw pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor

NEIGHBOURS = 5
"""Of coverage and precision."""
_MOST = 2000
"""Samples of each side that distances between all pairs take."""


def frechet(real: Tensor, made: Tensor) -> float:
    """|m - m'|^2 + tr(C + C' - 2 (C^1/2 C' C^1/2)^1/2) (Dowson and Landau, 1982).

    With centred samples A and B over the roots of their numbers less one, so that C = A'A, the last
    trace is the sum of the singular values of AB'. Of many samples it is that of two
    eigendecompositions of d x d matrices, which is less work then.
    """
    a, b = real.double(), made.double()
    mean = (a.mean(0) - b.mean(0)).square().sum()
    a, b = _centred(a), _centred(b)
    if max(len(a), len(b)) < a.shape[1]:
        cross = torch.linalg.svdvals(a @ b.mT).sum()
    else:
        root = _root(a.mT @ a)
        cross = torch.linalg.eigvalsh(root @ (b.mT @ b) @ root).clamp_min(0).sqrt().sum()
    distance = mean + a.square().sum() + b.square().sum() - 2 * cross
    return max(float(distance), 0.0)


def kernel_distance(real: Tensor, made: Tensor) -> float:
    """The unbiased squared MMD under (u.v / d + 1)^3 (Bińkowski et al., ICLR 2018).

    Features are divided by the root of the mean variance of the real ones; the result may be
    negative.
    """
    a, b = _few(real).double(), _few(made).double()
    scale = a.var(0).mean().clamp_min(1e-12).sqrt()
    a, b = a / scale, b / scale
    own, theirs = (_mean_of_pairs(_cubic(x, x)) for x in (a, b))
    return float(own + theirs - 2 * _cubic(a, b).mean())


def gaussian_distance(real: Tensor, made: Tensor) -> float:
    """The biased MMD under exp(-|u - v|^2 / (2 s)), s the mean squared distance of real pairs.

    Raises:
        ValueError: there are fewer than two real samples, or none that was made.
    """
    if len(real) < 2 or not len(made):
        raise ValueError(f"{len(real)} real and {len(made)} samples are too few for a KMMD")
    a, b = _few(real).double(), _few(made).double()
    own = torch.cdist(a, a).square_()
    width = 2 * (own.sum() / (len(a) * (len(a) - 1))).clamp_min(1e-12)
    squared = _gaussian_mean(own, width)
    del own
    squared += _gaussian_mean(torch.cdist(b, b).square_(), width)
    squared -= 2 * _gaussian_mean(torch.cdist(a, b).square_(), width)
    return float(squared.clamp_min(0).sqrt())


def _gaussian_mean(squares: Tensor, width: Tensor) -> Tensor:
    """The mean of exp(-squares / width), in the memory of the squares."""
    return squares.div_(-width).exp_().mean()


def coverage(real: Tensor, made: Tensor) -> float:
    """Share of real samples whose ball to the 5th real neighbour holds one that was made.

    Naeem et al., "Reliable fidelity and diversity metrics for generative models" (ICML 2020).
    """
    a, b = _few(real).double(), _few(made).double()
    return float((torch.cdist(a, b).amin(1) <= _radii(a)).double().mean())


def precision(real: Tensor, made: Tensor) -> float:
    """Share of made samples that lie in some real sample's ball to its 5th real neighbour.

    Kynkäänniemi et al. (NeurIPS 2019).
    """
    a, b = _few(real).double(), _few(made).double()
    return float((torch.cdist(b, a) <= _radii(a)).any(1).double().mean())


def _radii(real: Tensor) -> Tensor:
    """Distance of each sample to its 5th neighbour, itself not counted."""
    nearest = min(NEIGHBOURS, len(real) - 1) + 1
    return torch.cdist(real, real).kthvalue(nearest, dim=1).values


def _centred(samples: Tensor) -> Tensor:
    """Samples A, centred and scaled so that A'A is their covariance."""
    return (samples - samples.mean(0)) / max(len(samples) - 1, 1) ** 0.5


def _root(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    return vectors * values.clamp_min(0).sqrt() @ vectors.mT


def _cubic(a: Tensor, b: Tensor) -> Tensor:
    """The kernel of all pairs, in the memory of their products."""
    return (a @ b.mT).div_(a.shape[1]).add_(1).pow_(3)


def _mean_of_pairs(kernel: Tensor) -> Tensor:
    count = len(kernel)
    return (kernel.sum() - kernel.diagonal().sum()) / max(count * (count - 1), 1)


def _few(samples: Tensor) -> Tensor:
    if len(samples) <= _MOST:
        return samples
    return samples[torch.linspace(0, len(samples) - 1, _MOST).long()]
