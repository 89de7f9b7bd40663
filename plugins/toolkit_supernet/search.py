"""The supernet trial: the bilevel search loop, read from top to bottom."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch.utils.data import Dataset

from toolkit.contracts import (
    Architecture,
    EdgeWeights,
    OneShotSpace,
    SearchSpace,
    StopTrial,
    Supernet,
    SupernetResult,
    TrialContext,
)
from toolkit.errors import PluginError
from toolkit.training import batches
from toolkit.training.batches import Batch
from toolkit.training.class_weights import weigh_classes
from toolkit.training.loop import (
    DivergedError,
    Schedule,
    clip_gradient,
    evaluate,
    filled,
    mean_loss,
    random_state,
    report_divergence,
    set_random_state,
    stop_if_diverged,
)
from toolkit.training.targets import fit_targets
from toolkit_supernet import bilevel
from toolkit_supernet.options import SupernetOptions

STEPS = 370
"""Steps that the default epochs amount to: 8 epochs of the calibrated radar task."""


class Plan(NamedTuple):
    """A search's length in epochs, the first of them with frozen architecture, and its batches."""

    epochs: int
    warmup: int
    batch_size: int


def search(trial: TrialContext, space: SearchSpace, options: SupernetOptions) -> SupernetResult:
    """Search with a supernet, from the trial's checkpoint where there is one.

    Per training batch: (a) a fresh random validation batch moves the architecture parameters, and
    nothing else; (b) the training batch moves the weights, and nothing else. After each epoch the
    mixture is judged on the validation data, a checkpoint is written, and the weights of the
    candidates, their entropy (nats, mean over the edges of a cell) and the architecture they now
    point at are reported.

    Returns:
        Values of the mixture after the last epoch, and the architectures derived from it. If the
        search diverged, NaN and no architecture.

    Raises:
        StopTrial: the engine interrupts the trial; all but the begun epoch is in the checkpoint.
            One that is pruned, as the run's time is up, ends with what it has found so far.
        PluginError: the space offers no supernet.
    """
    plan = make_plan(trial, options)
    run = Search(trial, space, options, plan)
    state = trial.restore()
    if state is not None:
        run.load(state)
    data = batches.place(trial.splits.train, trial.device)
    validation = batches.place(trial.splits.val, trial.device)
    try:
        while run.epoch < plan.epochs:
            train_loss = search_epoch(run, options, plan, data, validation)
            run.epoch += 1
            run.derived.append(run.supernet.derive())
            run.values = {"train_loss": train_loss}
            run.values |= evaluate(run.supernet, validation, trial.task, trial.device)
            trial.save(run.state())
            records = describe(run.supernet.edge_weights())
            try:
                trial.report(
                    run.epoch, run.values, derived=run.derived[-1], epochs=plan.epochs, **records
                )
            except StopTrial as stop:
                if str(stop) != "pruned":
                    raise
                break  # The run's time is needed for what it points at by now.
    except (DivergedError, torch.linalg.LinAlgError) as error:
        values = dict.fromkeys(("train_loss", *trial.task.directions), math.nan)
        report_divergence(trial, run.supernet.model, error, run.epoch + 1, values)
        return SupernetResult(values, ())
    kept = run.derived[plan.warmup :] or run.derived
    architectures = newest_first(kept)[: options.derive]
    return SupernetResult(run.values, tuple(architectures), tuple(run.supernet.warnings()))


def search_epoch(
    run: Search,
    options: SupernetOptions,
    plan: Plan,
    data: Dataset[Any],
    validation: Dataset[Any],
) -> float:
    """Go through the training data once, in turns with fresh validation batches.

    Returns:
        The mean training loss.

    Raises:
        DivergedError: the loss or a gradient of the weights is not finite.
    """
    supernet, device = run.supernet, run.device
    supernet.model.train()
    run.anneal()
    searching = run.epoch >= plan.warmup
    indices = batches.shuffled(batches.length(data), plan.batch_size, run.order)
    drawn = batches.drawn(
        batches.length(validation), plan.batch_size, len(indices) if searching else 0, run.order
    )
    fresh = batches.fetch(validation, drawn, device)
    loss_sum = torch.zeros((), dtype=torch.float64, device=device)
    for step, batch in enumerate(batches.fetch(data, indices, device)):
        run.schedule.set(run.epoch + step / len(indices))
        if searching:
            rate = options.unrolled_lr or run.optimizer.param_groups[0]["lr"]
            gradient = architecture_gradient(supernet, options, batch, next(fresh), rate)
            step_architecture(supernet, run.architecture_optimizer, gradient)
        loss = step_weights(supernet, run.optimizer, batch, options.clip)
        loss_sum += loss * len(batch[1])
    return mean_loss(loss_sum, indices)


class Search:
    """What a search is made of and how far it is: all that a checkpoint holds."""

    def __init__(
        self, trial: TrialContext, space: SearchSpace, options: SupernetOptions, plan: Plan
    ) -> None:
        self.device = trial.device
        if not isinstance(space, OneShotSpace):
            raise PluginError(
                f"The space {type(space).__name__} offers no supernet.",
                hint="Use a multi-trial strategy such as optuna.tpe.",
            )
        self.supernet = space.supernet(trial.info)
        weigh_classes(self.supernet, trial, must=True)
        fit_targets(self.supernet, trial)
        self.supernet.model.to(trial.device)
        self.optimizer = self.supernet.optimizer(
            trial.train.model_copy(
                update={"epochs": plan.epochs, "batch_size": plan.batch_size, "lr": options.lr}
            )
        )
        self.architecture_optimizer = torch.optim.Adam(
            self.supernet.architecture_parameters(),
            lr=options.architecture_lr,
            betas=options.architecture_betas,
            weight_decay=options.architecture_weight_decay,
        )
        self.schedule = Schedule(self.optimizer, options.schedule, plan.epochs)
        self.order = torch.Generator().manual_seed(trial.seed)
        first = options.temperature or (options.final_temperature and 1.0)
        self.temperatures = first, options.final_temperature or first
        self.epochs = plan.epochs
        self.epoch = 0
        self.values: dict[str, float] = {}
        self.derived: list[Architecture] = []
        """The architecture the weights pointed at after each epoch."""

    def anneal(self) -> None:
        """Set the temperature of this epoch, if the options give one."""
        first, last = self.temperatures
        if first is not None and last is not None:
            share = min(self.epoch / max(self.epochs - 1, 1), 1.0)
            self.supernet.anneal(first * (last / first) ** share)

    def state(self) -> dict[str, Any]:
        """Everything to go on from, as tensors and plain values."""
        return {
            "epoch": self.epoch,
            "values": self.values,
            "derived": self.derived,
            "model": self.supernet.model.state_dict(),
            "architecture": [each.detach() for each in self.supernet.architecture_parameters()],
            "optimizer": self.optimizer.state_dict(),
            "architecture_optimizer": self.architecture_optimizer.state_dict(),
            "order": self.order.get_state(),
            "random": random_state(self.device),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Go back to where `state` was taken."""
        self.epoch = state["epoch"]
        self.values, self.derived = dict(state["values"]), list(state["derived"])
        self.supernet.model.load_state_dict(state["model"])
        parameters = self.supernet.architecture_parameters()
        with torch.no_grad():
            for parameter, value in zip(parameters, state["architecture"], strict=True):
                parameter.copy_(value)
        self.optimizer.load_state_dict(state["optimizer"])
        self.architecture_optimizer.load_state_dict(state["architecture_optimizer"])
        self.order.set_state(state["order"])
        set_random_state(state["random"], self.device)
        self.anneal()


def make_plan(trial: TrialContext, options: SupernetOptions) -> Plan:
    """Fill in what the options leave to the data at hand."""
    batch_size = options.batch_size or filled(trial.train)[1]
    epochs = options.epochs
    if epochs is None:
        steps = math.ceil(batches.length(trial.splits.train) / batch_size)
        epochs = min(max(math.ceil(STEPS / steps), 3), 60)
    warmup = epochs // 4 if options.warmup is None else min(options.warmup, epochs - 1)
    return Plan(epochs, warmup, batch_size)


def architecture_gradient(
    supernet: Supernet,
    options: SupernetOptions,
    training: Batch,
    validation: Batch,
    rate: float,
) -> list[torch.Tensor]:
    """Gradient of the validation loss in the architecture parameters, by the order asked for."""
    if options.order == "first":
        return bilevel.first_order_gradient(supernet, validation)
    return bilevel.second_order_gradient(supernet, training, validation, rate, options.clip)


def step_architecture(
    supernet: Supernet, optimizer: torch.optim.Optimizer, gradient: Sequence[torch.Tensor]
) -> None:
    """Move the architecture parameters along their gradient."""
    for parameter, part in zip(supernet.architecture_parameters(), gradient, strict=True):
        parameter.grad = part
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def step_weights(
    supernet: Supernet, optimizer: torch.optim.Optimizer, batch: Batch, clip: float | None
) -> torch.Tensor:
    """Move the weights on a training batch; returns its loss. The architecture is a constant.

    Raises:
        DivergedError: loss or gradient are not finite.
    """
    optimizer.zero_grad(set_to_none=True)
    with bilevel.constant(supernet.architecture_parameters()):
        loss = supernet.loss(batch)
        loss.backward()
    norm = clip_gradient(supernet.weight_parameters(), clip)
    stop_if_diverged(loss, norm)
    optimizer.step()
    return loss.detach()


def newest_first(architectures: Sequence[Architecture]) -> list[Architecture]:
    """Distinct architectures, the last one first."""
    distinct: list[Architecture] = []
    for architecture in reversed(architectures):
        if architecture not in distinct:
            distinct.append(architecture)
    return distinct


def describe(cells: Mapping[str, EdgeWeights]) -> dict[str, Any]:
    """Weights of the candidates and their entropy (nats, mean over edges), as plain JSON."""
    weights = {
        cell: {
            "edges": list(found.edges),
            "operations": list(found.operations),
            "weights": [list(row) for row in found.weights],
        }
        for cell, found in cells.items()
    }
    mean = {
        cell: sum(map(entropy, found.weights)) / max(len(found.weights), 1)
        for cell, found in cells.items()
    }
    return {"edge_weights": weights, "entropy": mean}


def entropy(weights: Sequence[float]) -> float:
    """Entropy (nats) of non-negative weights, taken as shares of their sum."""
    total = sum(weights)
    shares = [weight / total for weight in weights if weight > 0]
    return sum(share * math.log(1 / share) for share in shares)
