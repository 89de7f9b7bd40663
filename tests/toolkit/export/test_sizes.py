"""Inputs in other units are known by their sizes, unless these are all one to the model."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from toolkit.export.sizes import Sizes, warn_of_sizes

GENERATOR = torch.Generator().manual_seed(0)
SERIES = torch.randn(40, 3, 20, generator=GENERATOR) * torch.linspace(1, 4, 40)[:, None, None]


class Sums(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x[:, :3].abs().nansum(-1)


class Shares(Sums):
    def forward(self, x: Tensor) -> Tensor:
        sums = super().forward(x)
        return sums / sums.sum(-1, keepdim=True)


@pytest.mark.parametrize("factor", [1e-3, 0.02, 0.5, 2.0, 50.0, 1e3, 1e12])
def test_what_is_far_from_the_training_is_told_of(factor: float) -> None:
    known = Sizes.of(SERIES, "series")
    far = not 0.1 < factor < 10  # Sizes of the training differ by about 4 times.
    assert bool(warn_of_sizes(known, SERIES * factor, Sums())) == far
    assert not warn_of_sizes(known, SERIES * factor, Shares()), "shares are the same"
    assert not warn_of_sizes(None, SERIES * factor, Sums())
    (told,) = warn_of_sizes(known, SERIES * 0, Sums())
    assert "nothing but zeros" in told


def test_what_fills_series_up_and_numbers_of_groups_do_not_count() -> None:
    filled = SERIES.clone()
    filled[:, :, 12:] = torch.nan
    known = Sizes.of(SERIES, "series")
    assert not warn_of_sizes(known, filled, Sums())
    groups = torch.full((40, 1, 20), 1e9)
    grouped = torch.cat([SERIES, groups], 1)
    assert not warn_of_sizes(Sizes.of(grouped, "grouped_series"), grouped / 2, Sums())
    one_channel_more = torch.cat([SERIES * 1e3, groups], 1)
    assert warn_of_sizes(Sizes.of(grouped, "grouped_series"), one_channel_more, Sums())


def test_what_is_kept_is_read_again_and_nonsense_is_nothing() -> None:
    known = Sizes.of(SERIES, "spd")
    assert known is not None
    assert Sizes.read(known.to_json()) == known
    assert Sizes.of([], "spd") is None
    for kept in (None, {}, [], {"kind": "spd"}, {**known.to_json(), "low": "x"}):
        assert Sizes.read(kept) is None
