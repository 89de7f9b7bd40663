from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from toolkit.contracts import (
    Architecture,
    EdgeWeights,
    Learner,
    OneShotSpace,
    StopTrial,
    Supernet,
    TaskInfo,
    Train,
)
from toolkit.errors import PluginError
from toolkit.space import Choice, Group, Space
from toolkit_supernet.search import entropy, newest_first, search
from toolkit_supernet.strategy import SupernetStrategy

MakeTrial = Callable[..., Any]
OPERATIONS = ("zero", "linear", "normed")


class Mixture(nn.Module):
    """Two hidden layers, each a softmax mixture of three candidates, with noise and statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.head = nn.Linear(2, 6), nn.Linear(6, 2)
        self.linear = nn.ModuleList(nn.Linear(6, 6) for _ in range(2))
        self.normed = nn.ModuleList(
            nn.Sequential(nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.2)) for _ in range(2)
        )
        self.alpha = nn.Parameter(1e-3 * torch.randn(2, 3))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        layers = zip(self.alpha.softmax(-1), self.linear, self.normed, strict=True)
        for weights, linear, normed in layers:
            x = weights[0] * torch.zeros_like(x) + weights[1] * linear(x) + weights[2] * normed(x)
        return self.head(x)


class MixtureSupernet(Supernet):
    lr = 0.02

    def __init__(self) -> None:
        self.model: Any = Mixture()
        self.updates: list[str] = []

    def architecture_parameters(self) -> list[nn.Parameter]:
        return [self.model.alpha]

    def optimizer(self, train: Train) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.weight_parameters(), lr=train.lr or self.lr)

    def edge_weights(self) -> dict[str, EdgeWeights]:
        rows = tuple(tuple(row) for row in self.model.alpha.detach().softmax(-1).tolist())
        return {"cell": EdgeWeights(("0→1", "1→2"), OPERATIONS, rows)}

    def derive(self) -> Architecture:
        best = self.model.alpha[:, 1:].argmax(-1) + 1
        return {"layers": [OPERATIONS[int(index)] for index in best]}

    def warnings(self) -> list[str]:
        return ["only a toy"]


class MixtureSpace(OneShotSpace):
    accepts = frozenset({"vector"})
    made: MixtureSupernet

    def parameters(self, task: TaskInfo) -> Space:
        return Group(first=Choice(OPERATIONS[1:]), second=Choice(OPERATIONS[1:]))

    def build(self, architecture: Architecture, task: TaskInfo) -> Learner:
        raise NotImplementedError

    def supernet(self, task: TaskInfo) -> MixtureSupernet:
        self.made = MixtureSupernet()
        return self.made


@pytest.fixture
def searched(trial: MakeTrial) -> MakeTrial:
    """Make a trial in which that supernet can be searched; weights are drawn afresh by seed."""

    def make(*arguments: Any, seed: int = 0, **named: Any) -> Any:
        made = trial(*arguments, **named)
        made.space = MixtureSpace(MixtureSpace.Options())
        torch.manual_seed(seed)
        return made

    return make


def options(**given: Any) -> SupernetStrategy.Options:
    return SupernetStrategy.Options(**{"epochs": 4, "warmup": 1, "architecture_lr": 0.1, **given})


def state(run: Any) -> dict[str, Tensor]:
    return dict(run.space.made.model.state_dict())


@pytest.mark.parametrize("order", ["first", "second"])
def test_a_search_reports_every_epoch_and_ends_with_an_architecture(
    searched: MakeTrial, order: str
) -> None:
    run = searched()
    result = search(run, run.space, options(order=order, epochs=12))
    assert result.values["accuracy"] >= 0.8
    assert result.warnings == ("only a toy",)
    assert [step for step, _, _ in run.reports] == list(range(1, 13))
    records = run.reports[-1][2]
    assert result.architectures == (records["derived"],)
    assert records["edge_weights"]["cell"]["operations"] == list(OPERATIONS)
    assert 0 < records["entropy"]["cell"] < math.log(3)


def test_the_architecture_is_frozen_during_warmup_and_moves_after(searched: MakeTrial) -> None:
    run = searched()
    search(run, run.space, options())
    first, second, *_ = [r["edge_weights"]["cell"]["weights"] for _, _, r in run.reports]
    torch.manual_seed(0)
    assert first == [list(row) for row in MixtureSupernet().edge_weights()["cell"].weights]
    assert second != first


def test_each_split_moves_its_own_level_only(searched: MakeTrial) -> None:
    """Weights go only with training batches, architecture only with validation batches."""
    run = searched()
    net = MixtureSupernet()
    run.space.supernet = lambda task: net
    before: dict[str, Tensor] = {}
    moved: list[set[str]] = []
    validation = {tuple(row) for row in run.splits.val.tensors[0].tolist()}
    plain = net.loss

    def watched(batch: tuple[Tensor, Tensor]) -> Tensor:
        now = {name: value.clone() for name, value in net.model.named_parameters()}
        if before:
            changed = {n for n, value in now.items() if not torch.equal(value, before[n])}
            moved.append(changed)
        before.update(now)
        of_validation = {tuple(row) in validation for row in batch[0].tolist()}
        assert len(of_validation) == 1
        kinds.append(of_validation.pop())
        return plain(batch)

    kinds: list[bool] = []
    net.loss = watched  # type: ignore[method-assign]
    search(run, run.space, options(warmup=0, epochs=2))
    assert kinds == [True, False] * (len(kinds) // 2)
    for was_validation, changed in zip(kinds, moved, strict=False):
        assert ("alpha" in changed) == was_validation
        assert bool(changed - {"alpha"}) == (not was_validation)


@pytest.mark.parametrize("order", ["first", "second"])
def test_running_means_hear_of_training_batches_only(searched: MakeTrial, order: str) -> None:
    run = searched()
    search(run, run.space, options(order=order))
    batches = 4 * 4  # epochs, batches of 8 in 33 samples less the one that stands alone
    assert state(run)["normed.0.0.num_batches_tracked"] == batches


@pytest.mark.parametrize("order", ["first", "second"])
@pytest.mark.parametrize("stop_after", [1, 3])
def test_a_resumed_search_equals_an_uninterrupted_one_bit_for_bit(
    searched: MakeTrial, order: str, stop_after: int
) -> None:
    given = options(order=order, derive=3)
    whole = searched("whole")
    expected = search(whole, whole.space, given)
    with pytest.raises(StopTrial):
        halves = searched("halves", stop_after=stop_after)
        search(halves, halves.space, given)
    resumed = searched("halves", seed=1)
    assert search(resumed, resumed.space, given) == expected
    assert resumed.reports == whole.reports[stop_after:]
    pairs = zip(state(whole).values(), state(resumed).values(), strict=True)
    assert all(torch.equal(first, second) for first, second in pairs)


def test_a_search_that_diverges_ends_in_nan_without_architecture(searched: MakeTrial) -> None:
    run = searched()
    result = search(run, run.space, options(lr=1e30, clip=None, schedule="constant"))
    assert result.architectures == ()
    assert all(math.isnan(value) for value in result.values.values())
    assert "reason" in run.reports[-1][2]


def test_default_epochs_suit_the_number_of_samples(searched: MakeTrial) -> None:
    from toolkit_supernet.search import make_plan

    run = searched(batch_size=4)
    assert make_plan(run, SupernetStrategy.Options()) == (42, 10, 4)
    assert make_plan(run, options(epochs=8, warmup=None)) == (8, 2, 4)


def test_distinct_architectures_come_newest_first() -> None:
    assert newest_first([{"a": 1}, {"a": 2}, {"a": 1}]) == [{"a": 1}, {"a": 2}]


def test_entropy_of_a_uniform_row_is_the_logarithm_of_its_length() -> None:
    assert entropy([1, 1, 1, 1]) == pytest.approx(math.log(4))
    assert entropy([0, 1, 0]) == 0


class AnnealedSupernet(MixtureSupernet):
    def __init__(self) -> None:
        super().__init__()
        self.temperatures: list[float] = []

    def anneal(self, temperature: float) -> None:
        self.temperatures.append(temperature)


class AnnealedSpace(MixtureSpace):
    def supernet(self, task: TaskInfo) -> MixtureSupernet:
        self.made = AnnealedSupernet()
        return self.made


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"temperature": 8.0, "final_temperature": 1.0}, [8, 4, 2, 1]),
        ({"final_temperature": 0.125}, [1, 0.5, 0.25, 0.125]),
        ({"temperature": 2.0}, [2, 2, 2, 2]),
        ({}, []),
    ],
)
def test_the_temperature_falls_by_equal_ratios_and_is_left_alone_without_the_option(
    searched: MakeTrial, given: dict[str, float], expected: list[float]
) -> None:
    run = searched()
    run.space = AnnealedSpace(AnnealedSpace.Options())
    search(run, run.space, options(**given))
    assert run.space.made.temperatures == pytest.approx(expected)


def test_a_temperature_that_the_supernet_does_not_have_is_refused(searched: MakeTrial) -> None:
    with pytest.raises(PluginError, match="has no temperature"):
        made = searched()
        search(made, made.space, options(temperature=2.0))


def test_a_search_whose_time_is_up_ends_with_what_it_has_found(searched: MakeTrial) -> None:
    run = searched()
    report = run.report

    def stopped(step: int, values: Any, **records: Any) -> None:
        report(step, values, **records)
        if step == 1:
            raise StopTrial("pruned")

    run.report = stopped
    result = search(run, run.space, options())
    assert len(run.reports) == 1
    assert list(result.architectures) == [run.reports[0][2]["derived"]]
