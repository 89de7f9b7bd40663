"""The contract of learners: a model and how it learns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from toolkit.contracts.drawings import Drawing

if TYPE_CHECKING:
    import torch
    from torch.utils.data import Dataset

    from toolkit.contracts.tasks import Splits
    from toolkit.contracts.training import Train
    from toolkit.contracts.trials import TrialContext
    from toolkit.datasets.targets import Units


class Trainable:
    """A model, its loss and its optimiser: what learners and supernets have in common.

    The default is cross-entropy on logits, or the recipe's loss on values, trained with AdamW.

    Args:
        model: maps a batch of inputs to logits (batch, classes), or to values (batch, 1) in the
            units of the targets.
        lr: learning rate to use where the recipe gives none.
    """

    model: torch.nn.Module
    lr: float = 1e-3
    class_weights: torch.Tensor | None = None
    """Weight of each class in the loss, (classes,), set where a recipe asks for it."""
    transductive: bool = False
    """Whether the scores of an input depend on the others of its group: it is then judged on all
    inputs of a part at once, and new ones have to come in whole groups. Card, report and
    predictions say so."""
    weighs_classes: bool = True
    """Whether `loss` heeds `class_weights`; a recipe that asks for weights is refused otherwise."""

    units: Units | None = None
    """The last step of a model that gives values, a part of `model`: before the training it is
    fitted to the training targets. None where there is none to fit."""
    value_loss: Literal["huber", "squared"] = "huber"
    """How far values may be off: the recipe's `train.loss`, set before the training."""

    def __init__(self, model: torch.nn.Module, *, lr: float = 1e-3) -> None:
        self.model = model
        self.lr = lr

    def loss(self, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        """Returns the mean loss of a batch (inputs, labels), a scalar with gradient.

        Of values it is `loss_of_values`.
        """
        from torch.nn.functional import cross_entropy

        inputs, labels = batch
        scores = self.model(inputs)
        if labels.is_floating_point():
            return self.loss_of_values(scores, labels)
        weights = self.class_weights
        return cross_entropy(scores, labels, None if weights is None else weights.to(scores.dtype))

    def loss_of_values(self, values: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Returns the mean loss of values (batch, 1) where targets (batch,) are expected.

        Residuals are in standard deviations of the training targets: `huber` is half their square
        up to 1 and linear beyond (Huber, 1964), `squared` half their square throughout.
        """
        from torch.nn.functional import huber_loss

        found, expected = values[:, 0].double(), targets.double()
        if self.units is not None:
            found, expected = self.units.standardized(found), self.units.standardized(expected)
        if self.value_loss == "squared":
            return (found - expected).square().mean() / 2
        return huber_loss(found, expected)

    def predict(self, inputs: torch.Tensor) -> torch.Tensor:
        """Returns scores (batch, classes) or values (batch, 1), in evaluation mode, no gradient."""
        scores: torch.Tensor = self.model(inputs)
        return scores

    def generate(self, labels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Returns a new sample of each class in `labels` (N,), as (N, *shape).

        For outputs that are images. Called in evaluation mode without gradient. Whatever is random
        comes from `generator`, which is on the CPU: equal seeds give equal samples everywhere.
        """
        raise NotImplementedError(f"{type(self).__name__} predicts scores and generates nothing.")

    def optimizer(self, train: Train) -> torch.optim.Optimizer:
        """Makes the optimiser of the weights; here live Riemannian updates."""
        import torch

        lr = self.lr if train.lr is None else train.lr
        return torch.optim.AdamW(self.weight_parameters(), lr=lr, weight_decay=train.weight_decay)

    def weight_parameters(self) -> list[torch.nn.Parameter]:
        """Returns the weights, in the order of the model. There is no need to override it."""
        return list(self.model.parameters())


class Learner(Trainable):
    """A model and how it learns; every method has a default.

    The toolkit's loop, `toolkit.training.loop.train_model`, calls `optimizer`, `sampler`, `loss`,
    `schedule`, `predict` and `finalize`.
    """

    fit: Callable[[TrialContext], dict[str, float]] | None = None
    """A method that trains on `trial.splits` and returns the task's metrics on the validation part,
    in place of the toolkit's loop; None (the default) for that loop. A trial calls it once."""

    cross_fit: Callable[[TrialContext, Sequence[Splits]], list[torch.Tensor]] | None = None
    """A method that is called in place of `fit`, once a fold, where a trial of the search is judged
    on folds: it returns the scores (n, classes) of the samples held out of each, `splits.val`, by
    fits to `splits.train` alone. For learners that choose something by all folds together."""

    decided: Any = None
    """What `cross_fit` or `decide` has chosen by all folds together. `fit` keeps to it, so that
    what is handed over is what was judged."""

    decide: Callable[[TrialContext, Sequence[Splits]], None] | None = None
    """Chooses what `cross_fit` chooses, where what it judges is known; for members of ensembles."""

    few_shot_accuracy: float | None = None
    """Accuracy on the same samples that `cross_fit` finds after fits to a few of each class, where
    fits to all are (almost) always right: an ensemble's members are then chosen by it."""

    def smoke(self, trial: TrialContext) -> None:
        """Takes a first step of `fit`, so that what cannot work fails before a search.

        Called only where `fit` is given; by default nothing is tried.
        """

    def example(self, inputs: torch.Tensor) -> torch.Tensor:
        """Returns a batch of what `deployed` takes, to time and compare it on.

        Args:
            inputs: of the validation part (N, *shape), which are the batch by default.
        """
        return inputs

    def schedule(self, progress: float) -> float | None:
        """Returns the factor on the optimiser's initial rates; asked before every training step.

        Args:
            progress: share of the training done, from 0 to 1. A learner whose loss changes as it
                learns may take note of it.

        Returns:
            None (the default) for the recipe's `train.schedule`.
        """
        return None

    def sampler(
        self, data: Dataset[Any], train: Train, order: torch.Generator
    ) -> Iterable[Any] | None:
        """Chooses the batches of one epoch.

        Args:
            data: the training data; `toolkit.training.batches.labels_of` reads their labels.
            train: the training block.
            order: the generator of the order of samples, which checkpoints hold. Whatever is
                random about the batches must come from it.

        Returns:
            Batches of indices; None (the default, which draws nothing) for a shuffle by `order`.
        """
        return None

    def finalize(self, train_data: Dataset[Any]) -> bool | None:
        """Fits closed-form heads; called after the last epoch, in evaluation mode.

        Returns:
            False (the default) if nothing was fitted. After anything else the model is judged once
            more, and not finalized again when the training is resumed.
        """
        return False

    def measures(self, trial: TrialContext, held_out: Dataset[Any]) -> dict[str, float]:
        """Returns the facts that `SearchSpace.measures` declares, on data not trained on.

        Called in evaluation mode without gradient: once after the training with `trial.splits.val`,
        whose values join the trial's result, and, for the final trainings, once more with the test
        split. Then the learner was built anew and its model's weights loaded, so that what is not
        in its `state_dict` must come from `trial.splits.train`.
        """
        return {}

    def drawing(
        self, trial: TrialContext, held_out: Dataset[Any]
    ) -> Drawing | Sequence[Drawing] | None:
        """Returns a picture for the report of what was learned, or several, or None.

        Called like `measures`, with the test split, for the training that is handed over.
        """
        return None

    def deployed(self) -> torch.nn.Module:
        """Returns the module to hand over: inputs to outputs, equal to `predict`.

        It may have a method `novelty` that says of its scores (batch, classes) how unlike all
        classes each input is, (batch,), larger for more so, or None where it cannot.

        Where outputs are images, its one input is noise and the weights of classes, as
        `toolkit.base.conditions` makes it.

        Asked before the training too, where its costs are objectives or constrained: it then has
        the shapes it will have, whatever its weights.

        Its class must rebuild from `type(module)(**module.config)`, where `config` is plain JSON,
        and the module that defines it must import only torch, the standard library and modules of
        its own package: the exporter writes these into one file.
        """
        return self.model
