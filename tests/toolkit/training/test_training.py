from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import Dataset, TensorDataset

from small_networks import equal_states, small_learner
from toolkit.contracts import Learner, StopTrial, Train
from toolkit.errors import PluginError
from toolkit.training.batches import labels_of
from toolkit.training.loop import Schedule, evaluate, smoke, train_model

MakeTrial = Callable[..., Any]


class Columns(Dataset[Any]):
    """A map-style data set that is no TensorDataset."""

    def __init__(self, tensors: TensorDataset) -> None:
        self.inner = tensors

    def __len__(self) -> int:
        return len(self.inner)

    def __getitem__(self, index: int) -> Any:
        inputs, label = self.inner[index]
        return inputs, int(label)


def test_training_learns_and_reports_every_epoch(trial: MakeTrial) -> None:
    run, model = trial(epochs=20), small_learner()
    values = train_model(run, model)
    assert values["accuracy"] >= 0.8
    assert [step for step, _, _ in run.reports] == list(range(1, 21))
    assert values == run.reports[-1][1]
    assert set(values) == {"train_loss", *run.task.directions}


@pytest.mark.parametrize("stop_after", [1, 3])
def test_a_resumed_training_equals_an_uninterrupted_one_bit_for_bit(
    trial: MakeTrial, stop_after: int
) -> None:
    whole = small_learner()
    expected = train_model(trial("whole"), whole)
    with pytest.raises(StopTrial):
        train_model(trial("halves", stop_after=stop_after), small_learner())
    resumed = small_learner(seed=1)
    second = trial("halves")
    assert train_model(second, resumed) == expected
    assert [step for step, _, _ in second.reports] == list(range(stop_after + 1, 5))
    assert equal_states(whole, resumed)


def test_a_data_loader_gives_the_same_training_as_indexing(trial: MakeTrial) -> None:
    columns = Columns(trial("loaded").splits.train)
    indexed = small_learner()
    train_model(trial("indexed"), indexed)
    loaded = small_learner()
    train_model(trial("loaded", data=columns), loaded)
    assert equal_states(indexed, loaded)


def test_a_last_batch_of_one_sample_is_left_out(trial: MakeTrial) -> None:
    sizes: list[int] = []

    class Counting(Learner):
        def loss(self, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
            sizes.append(len(batch[1]))
            return super().loss(batch)

    train_model(trial(epochs=1), small_learner(cls=Counting))
    assert sizes == [8, 8, 8, 8]


def test_the_learners_own_sampler_decides_the_batches(trial: MakeTrial) -> None:
    seen: list[list[int]] = []
    states: list[Any] = []

    class Balanced(Learner):
        def sampler(
            self, data: Dataset[Any], train: Train, order: torch.Generator
        ) -> Iterable[Any]:
            labels = labels_of(data)
            states.append(order.get_state().tolist())
            ones, zeros = labels.nonzero()[:, 0], (labels == 0).nonzero()[:, 0]
            for _ in range(3):
                picks = [
                    part[torch.randperm(len(part), generator=order)[:2]].tolist()
                    for part in (ones, zeros)
                ]
                yield picks[0] + picks[1]

        def loss(self, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
            seen.append(batch[1].tolist())
            return super().loss(batch)

    train_model(trial(epochs=2), small_learner(cls=Balanced))
    assert seen == [[1, 1, 0, 0]] * 6
    assert states[0] != states[1]


def test_a_loss_that_is_not_finite_ends_the_training_at_once(trial: MakeTrial) -> None:
    steps: list[int] = []

    class Exploding(Learner):
        def loss(self, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
            steps.append(1)
            return super().loss(batch) * (math.nan if len(steps) == 6 else 1.0)

    run = trial()
    values = train_model(run, small_learner(cls=Exploding))
    assert len(steps) == 6
    assert all(math.isnan(value) for value in values.values())
    assert set(values) == {"train_loss", *run.task.directions}
    assert "epoch 2" in run.reports[-1][2]["reason"]
    assert run.restore()["epoch"] == 1


def test_a_failing_decomposition_of_finite_weights_is_no_divergence(trial: MakeTrial) -> None:
    class Singular(Learner):
        def loss(self, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
            return torch.linalg.inv(torch.zeros(2, 2)).sum()

    with pytest.raises(torch.linalg.LinAlgError):
        train_model(trial(), small_learner(cls=Singular))


def test_finalize_runs_once_in_evaluation_mode_and_is_in_the_checkpoint(trial: MakeTrial) -> None:
    calls: list[bool] = []

    class Closed(Learner):
        def finalize(self, train_data: Dataset[Any]) -> None:
            calls.append(self.model.training)
            self.model.get_parameter("4.bias").zero_()

    model = small_learner(cls=Closed)
    run = trial()
    values = train_model(run, model)
    assert calls == [False]
    assert values["loss"] != run.reports[-1][1]["loss"]
    assert torch.equal(run.restore()["model"]["4.bias"], torch.zeros(2))
    again = small_learner(seed=1, cls=Closed)
    assert train_model(trial(), again) == values
    assert calls == [False]
    assert equal_states(model, again)


def test_cosine_goes_from_the_initial_rate_to_zero_in_every_group() -> None:
    first, second = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([{"params": [first], "lr": 0.1}, {"params": [second], "lr": 1.0}])
    schedule = Schedule(optimizer, "cosine", epochs=10)
    for done, factor in [(0, 1.0), (5, 0.5), (10, 0.0), (2.5, 0.5 + 0.5 * math.sqrt(0.5))]:
        schedule.set(done)
        rates = [group["lr"] for group in optimizer.param_groups]
        assert rates == pytest.approx([0.1 * factor, factor], abs=1e-15)


def test_a_learners_own_schedule_comes_before_the_recipes_also_in_a_resumed_training(
    trial: MakeTrial,
) -> None:
    class Halving(Learner):
        def __init__(self, model: nn.Module, *, lr: float) -> None:
            super().__init__(model, lr=lr)
            self.asked: list[float] = []

        def schedule(self, progress: float) -> float:
            self.asked.append(progress)
            return 0.5 ** (4 * progress)

    whole = small_learner(cls=Halving)
    expected = train_model(trial("whole"), whole)
    assert isinstance(whole, Halving)
    assert whole.asked[0] == 0 and 0.75 < whole.asked[-1] < 1
    assert whole.asked == sorted(whole.asked)
    assert not equal_states(whole, small_learner()) and expected != train_model(
        trial("cosine"), small_learner()
    )
    with pytest.raises(StopTrial):
        train_model(trial("halves", stop_after=2), small_learner(cls=Halving))
    resumed = small_learner(seed=1, cls=Halving)
    assert train_model(trial("halves"), resumed) == expected
    assert equal_states(whole, resumed)


def test_evaluation_does_not_depend_on_the_batch_size(trial: MakeTrial) -> None:
    run, model = trial(), small_learner()
    before = {name: value.clone() for name, value in model.model.state_dict().items()}
    one, all_at_once = (
        evaluate(model, run.splits.val, run.task, run.device, size) for size in (3, 20)
    )
    assert one["accuracy"] == all_at_once["accuracy"]
    assert one["loss"] == pytest.approx(all_at_once["loss"], rel=1e-6)
    assert all(torch.equal(before[name], value) for name, value in model.model.state_dict().items())


def test_smoke_passes_a_sound_model_and_names_what_is_wrong(trial: MakeTrial) -> None:
    smoke(trial(), small_learner())
    with pytest.raises(PluginError, match=r"\(8, 3\), expected \(8, 2\)"):
        smoke(trial(), Learner(nn.Linear(2, 3)))
    broken = Learner(nn.Linear(2, 2))
    nn.init.constant_(broken.model.get_parameter("weight"), math.nan)
    with pytest.raises(PluginError, match="nan"):
        smoke(trial(), broken)
