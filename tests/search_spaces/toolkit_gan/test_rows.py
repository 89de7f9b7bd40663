"""Rows of new classes: exact mixtures, exact gradients, nothing else touched."""

from __future__ import annotations

import pytest
import torch

from toolkit_gan.carried import Carried
from toolkit_gan.generator import Generator
from toolkit_gan.rows import FreeRows, MixedRows

SHAPE, WIDTHS, NOISE = (1, 8, 8), (6, 5, 4), 3


@pytest.fixture
def source() -> Generator:
    torch.manual_seed(0)
    made = Generator(4, NOISE, SHAPE, WIDTHS)
    for table in (*made.gains, *made.shifts):
        torch.nn.init.normal_(table, std=0.5)
    made.train()
    with torch.no_grad():
        made(torch.cat([torch.randn(64, NOISE), torch.eye(4).repeat(16, 1)], 1))
    return made.eval()


def test_a_mixture_of_one_class_without_residual_gives_that_class_back(source: Generator) -> None:
    rows = MixedRows(source.tables(), [2, 0], 2, residual=False)
    folded = Generator(2, NOISE, SHAPE, WIDTHS).eval()
    Carried(source.trunk, rows).eval().fold_into(folded)
    noise = torch.randn(9, NOISE)
    for new, old in ((0, 2), (1, 0)):
        ours = folded(torch.cat([noise, torch.eye(2)[new].expand(9, 2)], 1))
        theirs = source(torch.cat([noise, torch.eye(4)[old].expand(9, 4)], 1))
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


@pytest.mark.parametrize("mixing", ["linear", "softmax", "sparsemax"])
def test_folded_rows_equal_the_mixture_with_its_residuals(source: Generator, mixing: str) -> None:
    rows = MixedRows(source.tables(), [2, 0], 2, mixing=mixing)  # type: ignore[arg-type]
    for parameter in (*rows.gains, *rows.shifts):
        torch.nn.init.normal_(parameter)
    carried = Carried(source.trunk, rows).eval()
    folded = Generator(2, NOISE, SHAPE, WIDTHS).eval()
    carried.fold_into(folded)
    noise, labels = torch.randn(7, NOISE), torch.tensor([0, 1, 1, 0, 1, 0, 0])
    given = torch.cat([noise, torch.eye(2)[labels]], 1)
    torch.testing.assert_close(folded(given), carried(noise, labels), rtol=0, atol=1e-6)


@pytest.mark.parametrize("mixing", ["softmax", "sparsemax"])
def test_weights_on_the_simplex_sum_to_one_and_begin_at_the_nearest(
    source: Generator, mixing: str
) -> None:
    weights = MixedRows(source.tables(), [2, 0], 2, mixing=mixing).mixtures()  # type: ignore[arg-type]
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 4, 2))
    assert (weights.argmax(-1) == torch.tensor([2, 0])).all()
    assert (weights.amax(-1) > 0.5).all()


@pytest.mark.parametrize("mixing", ["linear", "softmax", "sparsemax"])
def test_every_learned_number_has_a_gradient_from_the_start(source: Generator, mixing: str) -> None:
    rows = MixedRows(source.tables(), [2, 0], 2, mixing=mixing)  # type: ignore[arg-type]
    loss = sum((g.square().sum() + s.square().sum()) for g, s in rows.tables())
    assert isinstance(loss, torch.Tensor)
    loss.backward()
    for name, parameter in rows.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None and bool(parameter.grad.any()), name


def test_penalties_have_exact_gradients(source: Generator) -> None:
    rows = MixedRows(source.tables(), [2, 0], 2).double()
    for parameter in (rows.scores, *rows.gains, *rows.shifts):
        torch.nn.init.normal_(parameter)
    learned = [p for p in rows.parameters() if p.requires_grad]

    def penalty(*values: torch.Tensor) -> torch.Tensor:
        named = [name for name, p in rows.named_parameters() if p.requires_grad]
        own = dict(zip(named, values, strict=True))
        return torch.func.functional_call(_Penalty(rows), {f"rows.{n}": v for n, v in own.items()})

    assert torch.autograd.gradcheck(penalty, learned)


class _Penalty(torch.nn.Module):
    def __init__(self, rows: MixedRows) -> None:
        super().__init__()
        self.rows = rows

    def forward(self) -> torch.Tensor:
        return self.rows.penalty(0.3, 0.7)


def test_layers_that_do_not_learn_stay_at_their_start(source: Generator) -> None:
    rows = MixedRows(source.tables(), [2, 0], 2, layers=(2, 3))
    with torch.no_grad():
        for parameter in rows.parameters():
            if parameter.requires_grad:
                parameter.add_(1.0)
    for layer, (gain, _) in enumerate(rows.tables()):
        begun = source.gains[layer][[2, 0]]
        assert torch.equal(gain, begun) == (layer < 2)


def test_free_rows_begin_at_their_start(source: Generator) -> None:
    start = [(g[[1, 1]], s[[3, 3]]) for g, s in source.tables()]
    for (gain, shift), (own_gain, own_shift) in zip(
        start, FreeRows(start, range(4)).tables(), strict=True
    ):
        assert torch.equal(gain, own_gain) and torch.equal(shift, own_shift)
