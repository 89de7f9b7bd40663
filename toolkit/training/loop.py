"""Training of one learner: the loop, read from top to bottom, and what it is made of.

For plugin authors, whose `fit` or supernet search may be made of the same parts: every public name
is stable.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import torch
from torch.utils.data import Dataset

from toolkit.base.errors import PluginError
from toolkit.contracts import Learner, Task, Train, TrialContext
from toolkit.contracts.tasks import Judged
from toolkit.training import batches

logger = logging.getLogger(__name__)

EVALUATION_BATCH = 256
"""Samples a model sees at once when it is judged: memory and speed, no result."""


class DivergedError(ArithmeticError):
    """The loss, the gradient or the weights of a training stopped being finite."""


def train_model(trial: TrialContext, learner: Learner) -> dict[str, float]:
    """Train for all of `trial.train.epochs`, from the trial's checkpoint where there is one.

    After each epoch the model is judged on the validation data, a checkpoint is written and the
    metrics are reported. The checkpoint's `model` is the model's `state_dict`; the last one holds
    the finalized model, unless the training is the beginning of a longer one that may go on from
    it. On the CPU a resumed training equals an uninterrupted one bit for bit, and so does one
    continued in steps (`trial.of_epochs`). A checkpoint from a smaller share of the data stands
    for as many epochs as it saw samples.

    Returns:
        `train_loss` and the validation metrics after the last epoch. If the training diverged, all
        NaN; the reason is logged and stands in the last report as the record `reason`.

    Raises:
        StopTrial: the engine ends the trial; all but the begun epoch is in the checkpoint.
    """
    device = trial.device
    epochs, batch_size = filled(trial.train)
    whole = max(trial.of_epochs or epochs, epochs)
    # What is laid out over the training, in learners too, is laid out over the whole of it.
    train = trial.train.model_copy(update={"epochs": whole})
    learner.model.to(device)
    data = batches.place(trial.splits.train, device)
    validation = batches.place(trial.splits.val, device)
    optimizer = learner.optimizer(train)
    schedule = Schedule(optimizer, train.schedule, whole, learner.schedule)
    order = torch.Generator().manual_seed(trial.seed)
    state = trial.restore() or {"epoch": 0, "values": {}, "finalized": False}
    if state["epoch"]:
        learner.model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        order.set_state(state["order"])
        set_random_state(state["random"], device)
    values = dict(state["values"])
    epoch = int(state["epoch"] * state.get("data", 1.0) / trial.data + 1e-9)

    def save(finalized: bool) -> None:
        state = {"epoch": epoch, "values": values, "finalized": finalized, "data": trial.data}
        state |= {"model": learner.model.state_dict(), "optimizer": optimizer.state_dict()}
        trial.save(state | {"order": order.get_state(), "random": random_state(device)})

    try:
        while epoch < epochs:
            learner.model.train()
            indices = _epoch_order(learner, data, train, batch_size, order)
            loss_sum = torch.zeros((), dtype=torch.float64, device=device)
            for step, batch in enumerate(batches.fetch(data, indices, device)):
                schedule.set(epoch + step / len(indices))
                optimizer.zero_grad(set_to_none=True)
                loss = learner.loss(batch)
                loss.backward()
                norm = clip_gradient(learner.model.parameters(), train.clip)
                stop_if_diverged(loss, norm)
                optimizer.step()
                loss_sum += loss.detach() * len(batch[1])
            epoch += 1
            values = {"train_loss": mean_loss(loss_sum, indices)}
            values |= evaluate(learner, validation, trial.task, device)
            save(finalized=False)
            trial.report(epoch, values)
        if not state["finalized"] and _finalize(learner, data):
            values |= evaluate(learner, validation, trial.task, device)
            if epochs == whole and trial.data >= 1.0:
                save(finalized=True)
    except (DivergedError, torch.linalg.LinAlgError) as error:
        values = dict.fromkeys(("train_loss", *trial.task.directions), math.nan)
        report_divergence(trial, learner.model, error, epoch + 1, values)
    return values


def evaluate(
    predictor: Judged,
    dataset: Dataset[Any],
    task: Task,
    device: torch.device,
    batch_size: int = EVALUATION_BATCH,
) -> dict[str, float]:
    """Judge a learner or a supernet on a data set as the task does, in evaluation mode."""
    if task.judge is not None:
        predictor.model.eval()
        with torch.no_grad():
            return task.judge(predictor, dataset, device)
    with torch.inference_mode():
        return task.metrics(*predict(predictor, dataset, device, batch_size))


def predict(
    predictor: Judged,
    dataset: Dataset[Any],
    device: torch.device,
    batch_size: int = EVALUATION_BATCH,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Predict a data set in its order, in evaluation mode: scores (N, classes), labels (N,).

    Where targets are values, these are values (N, 1) and targets (N,).

    A learner that is transductive gets all of it at once.
    """
    predictor.model.eval()
    scores, labels = [], []
    count = batches.length(dataset)
    if getattr(predictor, "transductive", False):
        batch_size = max(count, 1)
    order = batches.in_order(count, batch_size)
    with torch.inference_mode():
        for inputs, truth in batches.fetch(dataset, order, device):
            scores.append(predictor.predict(inputs))
            labels.append(truth)
        return torch.cat(scores).cpu(), torch.cat(labels).cpu()


def smoke(trial: TrialContext, learner: Learner) -> None:
    """Learn from one batch and predict it, so that what cannot work fails before a search.

    Raises:
        PluginError: the loss is not a finite number, or the scores have another shape than
            (batch, classes).
    """
    train, device = trial.train, trial.device
    _, batch_size = filled(train)
    learner.model.to(device).train()
    optimizer = learner.optimizer(train)
    order = torch.Generator().manual_seed(trial.seed)
    indices = _epoch_order(learner, trial.splits.train, train, batch_size, order)[:1]
    batch = next(batches.fetch(trial.splits.train, indices, device))
    loss = learner.loss(batch)
    if loss.dim() or not bool(loss.isfinite()):
        raise PluginError(
            f"The loss of the first batch is {loss.tolist()}, not one finite number.",
            hint="Look for NaN or extreme values in the data, or for a fault in the model.",
        )
    loss.backward()
    clip_gradient(learner.model.parameters(), train.clip)
    optimizer.step()
    learner.model.eval()
    with torch.inference_mode():
        scores = learner.predict(batch[0])
    outputs = trial.info.outputs
    expected = (len(batch[1]), trial.info.width)
    if outputs in ("scores", "values") and tuple(scores.shape) != expected:
        column = "one column a class" if outputs == "scores" else "one column"
        raise PluginError(
            f"The model's {outputs} have shape {tuple(scores.shape)}, expected {expected}:"
            f" one row a sample, {column}."
        )


class Schedule:
    """Sets an optimiser's learning rates as a function of the epochs done, fractions included.

    A pure function of progress: nothing to save, and each group keeps its own initial rate. Cosine
    is 1/2 (1 + cos(pi * progress)) (Loshchilov and Hutter, ICLR 2017, eq. 5, without restarts).
    `own` is `Learner.schedule`: where it gives a factor, that comes before `kind`.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        kind: Literal["cosine", "constant"],
        epochs: int,
        own: Callable[[float], float | None] = lambda progress: None,
    ) -> None:
        self.optimizer, self.kind, self.epochs, self.own = optimizer, kind, epochs, own
        self.initial = [float(group["lr"]) for group in optimizer.param_groups]

    def set(self, epochs_done: float) -> None:
        """Set the rates for the step about to be taken."""
        progress = min(epochs_done / self.epochs, 1.0)
        factor = self.own(progress)
        if factor is None:
            cosine = self.kind == "cosine"
            factor = 0.5 * (1 + math.cos(math.pi * progress)) if cosine else 1.0
        for group, initial in zip(self.optimizer.param_groups, self.initial, strict=True):
            group["lr"] = initial * factor


def clip_gradient(
    parameters: Iterable[torch.nn.Parameter], largest: float | None
) -> torch.Tensor | None:
    """Scale the whole gradient down to norm `largest`; returns the norm it had, if clipping."""
    if largest is None:
        return None
    return torch.nn.utils.clip_grad_norm_(parameters, largest)


def stop_if_diverged(loss: torch.Tensor, norm: torch.Tensor | None) -> None:
    """Check a step's loss and gradient where looking is free: on the CPU.

    A GPU would wait at every step; there the mean over the epoch is checked.

    Raises:
        DivergedError: one of them is not finite.
    """
    if loss.device.type != "cpu":
        return
    if not bool(loss.isfinite()):
        raise DivergedError(f"the training loss became {loss.item()}")
    if norm is not None and not bool(norm.isfinite()):
        raise DivergedError(f"the gradient's norm became {norm.item()}")


def report_divergence(
    trial: TrialContext,
    model: torch.nn.Module,
    error: Exception,
    epoch: int,
    values: Mapping[str, float],
) -> None:
    """Log and report why a training ended in NaN.

    Raises:
        torch.linalg.LinAlgError: `error` itself, where the weights are finite: a decomposition
            then failed for a reason of its own.
    """
    if not isinstance(error, DivergedError):
        if all(bool(parameter.isfinite().all()) for parameter in model.parameters()):
            raise error
        error = DivergedError("the weights stopped being finite")
    reason = f"Stopped in epoch {epoch}: {error}. A smaller learning rate may help."
    logger.warning(reason)
    trial.report(epoch, values, reason=reason)


def random_state(device: torch.device) -> dict[str, torch.Tensor]:
    """State of torch's global generators, for a checkpoint."""
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def set_random_state(state: Mapping[str, torch.Tensor], device: torch.device) -> None:
    """Put torch's global generators back, as far as the state and the device go."""
    torch.set_rng_state(state["cpu"].cpu())
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"].cpu(), device)


def filled(train: Train) -> tuple[int, int]:
    """Epochs and batch size of a training block whose defaults are filled in."""
    if train.epochs is None or train.batch_size is None:
        raise ValueError("train.epochs and train.batch_size must be filled in before training.")
    return train.epochs, train.batch_size


def mean_loss(loss_sum: torch.Tensor, indices: list[torch.Tensor]) -> float:
    """Mean training loss of an epoch from its sum over samples.

    Raises:
        DivergedError: it is not finite.
    """
    mean = loss_sum.item() / sum(len(batch) for batch in indices)
    if not math.isfinite(mean):
        raise DivergedError(f"the training loss became {mean}")
    return mean


def _epoch_order(
    learner: Learner,
    data: Dataset[Any],
    train: Train,
    batch_size: int,
    order: torch.Generator,
) -> list[torch.Tensor]:
    """Batches of indices for one epoch: the learner's own, or a shuffle."""
    own = learner.sampler(data, train, order)
    if own is not None:
        return batches.as_indices(own)
    return batches.shuffled(batches.length(data), batch_size, order)


def _finalize(learner: Learner, data: Dataset[Any]) -> bool:
    """Have the learner fit what is fitted at the end; whether anything was."""
    learner.model.eval()
    with torch.no_grad():
        return learner.finalize(data) is not False
