"""SPD layers, forward and backward: ours against spd-learn.

    python benchmarks/spd_layers.py [--json] [--only PART_OF_A_NAME]

Each eigen-layer at three shapes and two precisions, then a Karcher step, and batch normalisation.
Both sides get the same matrices and the same incoming gradient. Needs the extra `bench`.
"""

import argparse
import warnings
from collections.abc import Callable, Iterator

import torch
from spd_learn import functional as peer
from spd_learn.functional.batchnorm import (
    karcher_mean_iteration,
    spd_centering,
    spd_rebiasing,
)
from spd_learn.modules import SPDBatchNormMean
from timing import Row, compare, covariances, report
from torch import Tensor

from toolkit_spd.functional.means import frechet_mean
from toolkit_spd.functional.spectral import rectify, sym_exp, sym_inverse_sqrt, sym_log, sym_sqrt
from toolkit_spd.kernels import install
from toolkit_spd.maps import SpdMap
from toolkit_spd.normalization import BatchNormAffine

SHAPES = ((30, 20), (64, 22), (30, 93))
PEER = "spd-learn 0.2.1"
THRESHOLD = 1e-2
Function = Callable[[Tensor], Tensor]

EIGEN_LAYERS: dict[str, tuple[Function, Function]] = {
    "LogEig": (sym_log, peer.matrix_log.apply),
    "ExpEig": (sym_exp, peer.matrix_exp.apply),
    "SqrtEig": (sym_sqrt, peer.matrix_sqrt.apply),
    "InverseSqrtEig": (sym_inverse_sqrt, peer.matrix_inv_sqrt.apply),
    "ReEig": (
        lambda x: rectify(x, THRESHOLD),
        lambda x: peer.clamp_eigvals.apply(x, torch.tensor(THRESHOLD, dtype=x.dtype)),
    ),
}


def round_trip(function: Function, x: Tensor) -> Callable[[], None]:
    """Return forward and backward of a function, with a fixed random gradient of the output."""
    x = x.clone().requires_grad_()
    torch.manual_seed(1)
    with torch.no_grad():
        gradient = torch.randn_like(function(x))
    gradient = gradient + gradient.mT

    def work() -> None:
        x.grad = None
        function(x).backward(gradient)

    return work


def karcher_steps() -> tuple[Function, Function]:
    """One step from the arithmetic mean, differentiated through the matrices and the mean."""

    def theirs(each: Tensor) -> Tensor:
        start = each.mean(0, keepdim=True)
        found: Tensor = karcher_mean_iteration(each, start, detach=False)
        return found[0]

    return frechet_mean, theirs


def batch_norms(n: int, dtype: torch.dtype) -> tuple[Function, Function]:
    """Mean-only normalisation in training, the mean a constant in backward, as in the peer."""
    ours = BatchNormAffine(n, constant_mean=True).to(dtype)
    theirs = SPDBatchNormMean(n, dtype=dtype)
    return lambda x: ours(SpdMap.from_matrix(x[:, None])).matrix.squeeze(1), lambda x: theirs(x)


def default_batch_norms(n: int, dtype: torch.dtype) -> tuple[Function, Function]:
    """Each side as it comes: ours with the gradient through the mean, theirs without."""
    ours, theirs = BatchNormAffine(n).to(dtype), SPDBatchNormMean(n, dtype=dtype)
    return lambda x: ours(SpdMap.from_matrix(x[:, None])).matrix.squeeze(1), lambda x: theirs(x)


def exact_batch_norms(n: int, dtype: torch.dtype) -> tuple[Function, Function]:
    """With the gradient through the mean: our default, and the same of the peer's functions."""
    ours, parts = BatchNormAffine(n).to(dtype), SPDBatchNormMean(n, dtype=dtype)

    def theirs(x: Tensor) -> Tensor:
        mean = karcher_mean_iteration(x, x.mean(0, keepdim=True), detach=False)
        with torch.no_grad():
            parts.running_mean = peer.airm_geodesic(parts.running_mean, mean, parts.momentum)
        centred = spd_centering(x, peer.matrix_inv_sqrt.apply(mean))
        biased: Tensor = spd_rebiasing(centred, peer.matrix_sqrt.apply(parts.bias))
        return biased

    return lambda x: ours(SpdMap.from_matrix(x[:, None])).matrix.squeeze(1), theirs


def measure(arguments: argparse.Namespace) -> Iterator[Row]:
    """Yield one row for each layer, shape and precision."""
    install()
    warnings.filterwarnings("ignore", message="Eigenvalue clamping")
    layers: dict[str, Callable[[int, torch.dtype], tuple[Function, Function]]] = {
        name: lambda n, dtype, pair=pair: pair  # type: ignore[misc]
        for name, pair in EIGEN_LAYERS.items()
    }
    layers["Karcher step"] = lambda n, dtype: karcher_steps()
    layers["batch norm, ours through its mean, theirs not"] = default_batch_norms
    layers["batch norm, constant mean"] = batch_norms
    layers["batch norm, through the mean"] = exact_batch_norms
    for name, make in layers.items():
        for batch, n in SHAPES:
            for dtype in (torch.float64, torch.float32):
                work = f"{name} {batch}x{n}x{n} {str(dtype).removeprefix('torch.')}"
                if arguments.only not in work:
                    continue
                ours, theirs = make(n, dtype)
                x = covariances(batch, n, n, dtype=dtype)
                yield compare(
                    work, round_trip(ours, x), round_trip(theirs, x), PEER, arguments.repeats
                )


if __name__ == "__main__":
    report(__doc__, measure)
