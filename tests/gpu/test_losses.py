"""Losses on a GPU equal those on the CPU, and nothing but cuSOLVER has the host wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import torch
from torch.utils.data import TensorDataset

from toolkit.contracts import Splits, TaskInfo
from toolkit.training import batches
from toolkit.training.class_weights import weigh_classes
from toolkit.training.loop import train_model
from toolkit_gan.duel import Duel, Play
from toolkit_gan.networks import Networks
from toolkit_nullspace.loss import nullspace_loss
from toolkit_spd.space import SpdCellOptions, SpdCellSpace
from toolkit_supernet.options import SupernetOptions
from toolkit_supernet.search import search

pytestmark = pytest.mark.gpu

TASK = TaskInfo("spd", (1, 8, 8), 3, 24)


def matrices(count: int, seed: int) -> TensorDataset:
    """Covariances (count, 1, 8, 8) of three classes that differ in their variances."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 3
    x = torch.randn(count, 1, 8, 24, dtype=torch.float64, generator=draw)
    x = x * (1 + labels[:, None, None, None] * torch.linspace(0, 1, 8)[:, None])
    return TensorDataset(x @ x.mT / 24, labels)


class Trials:
    """Trains the same on the device and on the CPU."""

    def __init__(self, trial: Callable[..., Any], device: str) -> None:
        self._trial, self.device = trial, device

    def on_both(self, work: Callable[[Any], Any], name: str, **train: Any) -> list[list[float]]:
        """Returns `train_loss` and validation loss by epoch, on the device and on the CPU."""
        found = []
        for number, device in enumerate((self.device, "cpu")):
            trial = self._trial(f"{name}{number}", epochs=2, **train)
            trial.device, trial.info = torch.device(device), TASK
            trial.splits = Splits(matrices(24, 1), matrices(12, 2), lambda: matrices(12, 3))
            torch.manual_seed(5)
            work(trial)
            told = [values for _, values, _ in trial.reports]
            found.append([values[key] for values in told for key in ("train_loss", "loss")])
        return found


@pytest.fixture
def trials(trial: Callable[..., Any], device: str) -> Trials:
    return Trials(trial, device)


def close(pair: list[list[float]]) -> None:
    here, there = pair
    assert len(there) == 4
    assert here == pytest.approx(there, rel=1e-4)


@pytest.mark.parametrize("network", ["spdnet", "spdnet_bn"])
def test_reference_networks_train_alike(trials: Trials, network: str) -> None:
    space = SpdCellSpace(SpdCellOptions())
    architecture = space.baselines(TASK)[network]
    close(trials.on_both(lambda t: train_model(t, space.build(architecture, TASK)), network))


@pytest.mark.parametrize("mixing", ["log_euclidean", "affine_invariant"])
def test_supernets_and_what_they_find_train_alike(trials: Trials, mixing: str) -> None:
    space = SpdCellSpace(SpdCellOptions.model_validate({"mixing": mixing}))
    found: list[Any] = []

    def find(trial: Any) -> None:
        result = search(trial, space, SupernetOptions(epochs=2, warmup=1))
        found.append(result.architectures[0])

    close(trials.on_both(find, mixing))
    assert found[0] == found[1], "another architecture was found"
    close(trials.on_both(lambda t: train_model(t, space.build(found[1], TASK)), f"cell_{mixing}"))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("objective", ["log", "min", "ratio", "raw", "reference"])
def test_the_null_space_loss_and_its_gradient_are_alike(
    device: str, objective: Any, dtype: torch.dtype
) -> None:
    draw = torch.Generator().manual_seed(0)
    labels = torch.arange(64) % 5
    means = torch.randn(5, 128, generator=draw, dtype=torch.float64)
    base = (means[labels] + torch.randn(64, 128, generator=draw, dtype=torch.float64)).to(dtype)
    found = []
    for where in (device, "cpu"):
        features = base.to(where).requires_grad_()
        loss = nullspace_loss(features, labels.to(where), 5, objective=objective)
        loss.backward()
        assert features.grad is not None
        found.append((loss.detach().cpu(), features.grad.cpu()))
    (here, slope), (there, expected) = found
    torch.testing.assert_close(here, there, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(slope, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))


def test_weighed_classes_train_alike(trials: Trials) -> None:
    space = SpdCellSpace(SpdCellOptions())
    architecture = space.baselines(TASK)["spdnet"]

    def weighed(trial: Any) -> None:
        learner = space.build(architecture, TASK)
        weigh_classes(learner, trial)
        assert learner.class_weights is not None
        train_model(trial, learner)

    weight = {"0": 1.0, "1": 2.0, "2": 3.0}
    close(trials.on_both(weighed, "weighed", class_weight=weight))


def test_batches_of_a_data_set_on_the_gpu_are_taken_there(device: str) -> None:
    place = torch.device(device)
    data = batches.place(matrices(24, 1), place)
    fetched = batches.fetch(data, [torch.arange(8), torch.arange(8, 16)], place)
    next(fetched)  # All indices go over with the first batch.
    with waiting_refused(device):
        inputs, labels = next(fetched)
    assert inputs.device.type == labels.device.type == place.type
    assert labels.tolist() == [2, 0, 1, 2, 0, 1, 2, 0]


@pytest.mark.parametrize("network", ["spdnet", "spdnet_bn"])
def test_a_step_on_small_matrices_waits_for_nothing(device: str, network: str) -> None:
    space = SpdCellSpace(SpdCellOptions())
    learner = space.build(space.baselines(TASK)[network], TASK)
    learner.model.to(device)
    batch: Any = tuple(t.to(device) for t in matrices(12, 1).tensors)
    learner.loss(batch).backward()  # What is made once, such as handles of libraries, is made.
    with waiting_refused(device):
        loss = learner.loss(batch)
        loss.backward()
    assert bool(loss.isfinite())


def test_generators_and_discriminators_train_alike(device: str) -> None:
    info = TaskInfo("image", (1, 28, 28), 3, 24, outputs="images", source_classes=tuple("abcd"))
    networks = Networks(8, (12, 8, 4), (4, 8, 16))
    images = torch.rand(24, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(24) % 3
    found = []
    for where in (device, "cpu"):
        torch.manual_seed(3)
        model, opponent = networks.fresh(3, info), networks.discriminator(3, info)
        play = Play(1e-3, 1e-3, 16, 8)
        duel = Duel(
            model.to(where), opponent.to(where), images.to(where), labels.to(where), play, 0
        )
        found.append([float(loss) for _ in range(3) for loss in duel.advance()])
    # Convolutions on a GPU round to ten bits.
    assert found[0] == pytest.approx(found[1], rel=1e-2, abs=2e-3)


@pytest.mark.parametrize("objective", ["log", "ratio", "raw"])
def test_the_null_space_loss_waits_for_nothing_but_eigenvalues(
    device: str, objective: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = (torch.arange(64) % 5).to(device)
    features = torch.randn(64, 128).to(device).requires_grad_()
    nullspace_loss(features, labels, 5, objective=objective).backward()
    let_wait(monkeypatch, device, "eigvalsh")
    with waiting_refused(device):
        loss = nullspace_loss(features, labels, 5, objective=objective)
        loss.backward()
    assert bool(loss.isfinite())


@contextmanager
def waiting(device: str, mode: int) -> Iterator[None]:
    """Sets what torch does where the host would wait for the GPU; nothing on the CPU."""
    if device != "cuda":
        yield
        return
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode(mode)
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(before)


def let_wait(monkeypatch: pytest.MonkeyPatch, device: str, name: str) -> None:
    """Lets a function of `torch.linalg` wait: it looks whether it has converged."""
    decompose = getattr(torch.linalg, name)

    def patient(*arguments: Any, **options: Any) -> Any:
        with waiting_allowed(device):
            return decompose(*arguments, **options)

    monkeypatch.setattr(torch.linalg, name, patient)


waiting_allowed, waiting_refused = partial(waiting, mode=0), partial(waiting, mode=2)
