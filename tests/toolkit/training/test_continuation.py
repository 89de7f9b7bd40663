"""A training in steps: equal to one in one go, also on more and more of the data."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.utils.data import Dataset, Subset, TensorDataset

from small_networks import equal_states, small_learner
from toolkit.contracts import Learner, Train
from toolkit.training import batches
from toolkit.training.loop import train_model

MakeTrial = Callable[..., Any]


class Fitted(Learner):
    """Its last bias is fitted in closed form at the end; its rates may follow `Train.epochs`."""

    def optimizer(self, train: Train) -> torch.optim.Optimizer:
        self.seen_epochs = train.epochs
        return torch.optim.SGD(self.model.parameters(), lr=0.02, momentum=0.9)

    def finalize(self, train_data: Dataset[Any]) -> None:
        self.model[-1].bias.fill_(0.25)


@pytest.mark.parametrize("cls", [Learner, Fitted])
@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_one_then_three_then_nine_epochs_equal_nine_bit_for_bit(
    trial: MakeTrial, cls: type[Learner], schedule: str
) -> None:
    straight = small_learner(cls)
    expected = train_model(trial("straight", epochs=9, schedule=schedule), straight)
    reported = []
    for epochs in (1, 3, 9):
        promoted = small_learner(cls, seed=epochs)
        if epochs == 1:
            promoted = small_learner(cls)
        rung = trial("rungs", epochs=epochs, schedule=schedule)
        rung.of_epochs = 9
        values = train_model(rung, promoted)
        reported += [step for step, _, _ in rung.reports]
        if isinstance(promoted, Fitted):
            assert promoted.seen_epochs == 9
            assert promoted.model[-1].bias.tolist() == [0.25, 0.25], "each rung is judged whole"
    assert values == expected
    assert equal_states(straight, promoted)
    assert reported == list(range(1, 10)), "no epoch twice"


def test_more_data_go_on_where_as_many_samples_were_seen(trial: MakeTrial) -> None:
    seen = []
    for share in (1 / 9, 1 / 3, 1.0):
        rung = trial("rungs", epochs=9)
        rung.data = share
        part = batches.stratified_share(rung.splits.train, share, 0)
        rung.splits = type(rung.splits)(part, rung.splits.val, rung.splits.load_test)
        train_model(rung, small_learner())
        seen.append([step for step, _, _ in rung.reports])
    assert seen == [list(range(1, 10)), list(range(4, 10)), list(range(4, 10))]


@pytest.mark.parametrize("wrap", [lambda data: data, lambda data: Subset(data, range(len(data)))])
def test_shares_of_the_data_are_nested_seeded_and_the_same_of_each_class(wrap: Any) -> None:
    labels = torch.tensor([0] * 60 + [1] * 30 + [2] * 1)
    data = wrap(TensorDataset(torch.arange(91)[:, None], labels))

    def members(share: float, seed: int = 0) -> dict[int, set[int]]:
        part = batches.stratified_share(data, share, seed)
        rows = [part[index] for index in range(batches.length(part))]
        return {c: {int(x) for x, y in rows if int(y) == c} for c in range(3)}

    before: dict[int, set[int]] = {c: set() for c in range(3)}
    for share in (0.01, 1 / 9, 1 / 3, 1.0):
        now = members(share)
        assert [len(now[c]) for c in range(3)] == [
            max(1, math.ceil(share * count - 1e-9)) for count in (60, 30, 1)
        ]
        assert all(before[c] <= now[c] for c in range(3))
        assert now == members(share)
        before = now
    assert members(1 / 3) != members(1 / 3, seed=1)
