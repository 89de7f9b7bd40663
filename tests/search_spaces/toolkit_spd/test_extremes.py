"""Networks of every operation and head on data at the edge of what numbers can hold."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle, islice
from typing import Any

import pytest
import torch

from spd_matrices import random_spd
from toolkit.contracts import TaskInfo, Train
from toolkit_spd.catalogue import HEADS, KEEPING, REDUCING
from toolkit_spd.functional.spectral import decompose, exponential, spectral
from toolkit_spd.maps import SpdMap
from toolkit_spd.space import SpdCellOptions, SpdCellSpace

TASK = TaskInfo("spd", (1, 6, 6), 2, 40)
GEOMETRIES = ("affine_invariant", "log_euclidean")
SCALES = (1e-12, 1.0, 1e12)


def _series() -> dict[str, torch.Tensor]:
    """Batches (8, 6, samples), each of which leaves its covariances without full rank."""
    plain = torch.randn(8, 6, 40, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    constant = plain.clone()
    constant[:, 2] = 1.0
    referenced = plain - plain.mean(1, keepdim=True)
    return {
        "average reference": referenced,
        "fewer samples than channels": plain[..., :4],
        "a constant channel": constant,
    }


def _covariances(series: torch.Tensor) -> torch.Tensor:
    centred = series - series.mean(-1, keepdim=True)
    return (centred @ centred.mT / series.shape[-1]).unsqueeze(1)


def _architecture(keeping: Sequence[str], reducing: Sequence[str]) -> dict[str, Any]:
    """Cells with these operations on their edges, five that keep the size and three that reduce."""

    def cell(first: str, second: str, third: str, inner: str) -> dict[str, Any]:
        return {
            "node_2": {"0,1": {"from_0": first, "from_1": second}},
            "node_3": {"0,2": {"from_0": third, "from_2": inner}},
        }

    return {"reduction": cell(*reducing, keeping[4]), "normal": cell(*keeping[:4])}


KEEP = [name for name in KEEPING if name != "none"]
REDUCE = [name for name in REDUCING if name != "none"]


def _every_operation(count: int) -> list[dict[str, Any]]:
    """Architectures that have every operation between them."""
    keep, reduce = cycle(KEEP), cycle(REDUCE)
    return [_architecture([*islice(keep, 5)], [*islice(reduce, 3)]) for _ in range(count)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("number", range(4))
def test_every_operation_trains_without_full_rank_at_any_scale(
    number: int, geometry: str, dtype: str
) -> None:
    torch.manual_seed(0)
    options = {
        "mixing": geometry,
        "dtype": dtype,
        "normal_ops": tuple(KEEPING),
        "reduction_ops": tuple(REDUCING),
    }
    space = SpdCellSpace(SpdCellOptions.model_validate(options))
    labels, architectures = torch.arange(8) % 2, _every_operation(4)
    assert all(name in str(architectures) for name in (*KEEP, *REDUCE))
    for (kind, series), scale in zip(_series().items(), SCALES, strict=True):
        learner = space.build(architectures[number], TASK)
        optimizer = learner.optimizer(Train())
        for _ in range(2):
            optimizer.zero_grad()
            learner.loss((scale * _covariances(series), labels)).backward()
            optimizer.step()
        for name, each in learner.model.named_parameters():
            assert each.grad is None or each.grad.isfinite().all(), (kind, scale, name)
        learner.model.eval()
        assert learner.predict(scale * _covariances(series)).isfinite().all(), (kind, scale)


@pytest.mark.parametrize("stem", [("bimap", "bimap_2"), ("entries", "log_mixing")])
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("head", HEADS)
def test_every_head_of_a_network_in_single_precision(
    head: str, scale: float, stem: tuple[str, str]
) -> None:
    torch.manual_seed(0)
    given = {"stem": stem[0], "preprocess": stem[1], "head": head, "dtype": "float32"}
    learner = SpdCellSpace(SpdCellOptions.model_validate(given)).build(
        _architecture(["skip"] * 5, ["max_pooling"] * 3), TASK
    )
    for series in _series().values():
        batch = scale * _covariances(series).float(), torch.arange(8) % 2
        loss = learner.loss(batch)
        loss.backward()
        assert loss.isfinite()
    gradients = [each.grad for each in learner.model.parameters() if each.grad is not None]
    assert all(each.isfinite().all() for each in gradients)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_logarithm_too_large_has_a_finite_matrix_and_gradient(dtype: torch.dtype) -> None:
    """As a dense layer of logarithms makes them within a few steps of a high rate."""
    logarithm = (1e4 * (random_spd(3, 2, 4, 4).to(dtype) - 1)).requires_grad_()
    made = SpdMap.from_logarithm(logarithm)
    for found in (made.matrix, made.power(0.5), made.power(2.0), made.matrix @ made.matrix):
        assert found.isfinite().all()
        (gradient,) = torch.autograd.grad(found.mean(), logarithm, retain_graph=True)
        assert gradient.isfinite().all()


@pytest.mark.parametrize("rate", [1.0, 0.5, -1.0])
def test_the_bounded_exponential_is_the_exponential_below_its_bound(rate: float) -> None:
    x = random_spd(4, 5, 5)
    values = decompose(x).values
    (found,) = spectral(x, exponential(rate))
    torch.testing.assert_close(found, torch.matrix_exp(rate * x))
    derivative = exponential(rate).divided(values).diagonal(dim1=-2, dim2=-1)
    torch.testing.assert_close(derivative, rate * (rate * values).exp())
    inputs = random_spd(2, 3, 3).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: spectral((x + x.mT) / 2, exponential(rate))[0], inputs
    )
