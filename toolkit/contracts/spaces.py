"""The contract of search spaces: which architectures exist, how one is built and learns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from toolkit.contracts.common import Architecture, Direction, Options
from toolkit.contracts.drawings import Scatter
from toolkit.contracts.tasks import TaskInfo
from toolkit.space import Space

if TYPE_CHECKING:
    import networkx
    import torch
    from torch.utils.data import Dataset

    from toolkit.contracts.training import Train
    from toolkit.contracts.trials import TrialContext


class Learner:
    """A model and how it learns; the default is cross-entropy on logits, trained with Adam.

    Args:
        model: maps a batch of inputs to logits (batch, classes).
        lr: learning rate to use where the recipe gives none.
    """

    def __init__(self, model: torch.nn.Module, *, lr: float = 1e-3) -> None:
        self.model = model
        self.lr = lr

    def loss(self, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        """Mean loss of a training batch (inputs, labels), a scalar with gradient."""
        from torch.nn.functional import cross_entropy

        inputs, labels = batch
        return cross_entropy(self.model(inputs), labels)

    def predict(self, inputs: torch.Tensor) -> torch.Tensor:
        """Scores (batch, classes); called in evaluation mode without gradient."""
        scores: torch.Tensor = self.model(inputs)
        return scores

    def optimizer(self, train: Train) -> torch.optim.Optimizer:
        """Make the optimiser; here live Riemannian updates."""
        import torch

        lr = self.lr if train.lr is None else train.lr
        return torch.optim.AdamW(self.model.parameters(), lr=lr, weight_decay=train.weight_decay)

    def schedule(self, progress: float) -> float | None:
        """Factor on the optimiser's initial learning rates; asked before every training step.

        Args:
            progress: share of the training done, from 0 to 1. A learner whose loss changes as it
                learns may take note of it.

        Returns:
            None (the default) for the recipe's `train.schedule`.
        """
        return None

    def fit(self, trial: TrialContext) -> dict[str, float] | None:
        """Train on `trial.splits` and judge on the validation part; a trial calls this once.

        Returns:
            The task's metrics on the validation part; None (the default) to be trained by the
            toolkit's loop, `toolkit.training.loop.train_model`, which calls the other methods.
        """
        return None

    def sampler(self, labels: torch.Tensor, train: Train, seed: int) -> Iterable[Any] | None:
        """Batches of indices for one epoch, or None for a plain seeded shuffle."""
        return None

    def finalize(self, train_data: Dataset[Any]) -> None:
        """Fit closed-form heads; called once after the last epoch, in evaluation mode."""

    def measures(self, trial: TrialContext, held_out: Dataset[Any]) -> dict[str, float]:
        """The facts that the space declares in `SearchSpace.measures`, on data not trained on.

        Called in evaluation mode without gradient: once after `fit` with `trial.splits.val`, whose
        values join the trial's result, and, for the final trainings, once more with the test split.
        Then the learner was built anew and its model's weights loaded, so that what is not in its
        `state_dict` must come from `trial.splits.train`.
        """
        return {}

    def drawing(self, trial: TrialContext, held_out: Dataset[Any]) -> Scatter | None:
        """A picture for the report of what was learned, or None.

        Called like `measures`, with the test split, for the training that is handed over.
        """
        return None

    def deployed(self) -> torch.nn.Module:
        """The module to hand over: inputs to scores, equal to `predict`.

        Asked before the training too, where its costs are objectives or constrained: it then has
        the shapes it will have, whatever its weights.

        Its class must rebuild from `type(module)(**module.config)`, where `config` is plain JSON,
        and the module that defines it must import only torch, the standard library and modules of
        its own package: the exporter writes these into one file.
        """
        return self.model


class Supernet(ABC):
    """All architectures of a space in one model with shared weights and architecture parameters."""

    model: torch.nn.Module
    lr: float = 1e-3
    """Learning rate of the weights to use where the recipe gives none."""

    @abstractmethod
    def loss(self, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        """Mean loss of a batch, differentiable in weights and architecture parameters."""

    @abstractmethod
    def predict(self, inputs: torch.Tensor) -> torch.Tensor:
        """Scores (batch, classes) of the mixture as it stands."""

    @abstractmethod
    def weight_parameters(self) -> list[torch.nn.Parameter]:
        """The shared weights; never an architecture parameter."""

    @abstractmethod
    def architecture_parameters(self) -> list[torch.nn.Parameter]:
        """What the search moves on validation batches."""

    @abstractmethod
    def optimizer(self, train: Train) -> torch.optim.Optimizer:
        """Make the optimiser of the shared weights."""

    @abstractmethod
    def move(self, directions: Sequence[torch.Tensor], step: float) -> None:
        """Move the weights in place by `-step * direction`, staying on their manifolds.

        `directions` are Euclidean gradients, one per `weight_parameters()`; the unrolled
        (second-order) search step is made of this.
        """

    @abstractmethod
    def edge_weights(self) -> dict[str, EdgeWeights]:
        """Current weight of each candidate on each edge, per cell type, for the report."""

    @abstractmethod
    def derive(self) -> Architecture:
        """The discrete architecture the weights point at."""

    def anneal(self, temperature: float) -> None:
        """Divide the scores behind the candidates' weights by `temperature` from now on.

        The search calls this before each epoch if its options set a temperature.

        Raises:
            PluginError: this supernet has no temperature (the default).
        """
        from toolkit.errors import PluginError

        raise PluginError(
            f"The supernet {type(self).__name__} has no temperature.",
            hint="Leave the strategy's temperature and final_temperature out.",
        )

    def warnings(self) -> list[str]:
        """What a person should know of the derived architecture, e.g. that it collapsed."""
        return []


@dataclass(frozen=True)
class EdgeWeights:
    """Weights of candidates (columns) on edges (rows), as plain numbers."""

    edges: tuple[str, ...]
    operations: tuple[str, ...]
    weights: tuple[tuple[float, ...], ...]


class SearchSpace(ABC):
    """Which architectures exist, and how one is built."""

    Options: ClassVar[type[Options]] = Options
    accepts: ClassVar[frozenset[str]]
    """Kinds of task it can build models for."""
    measures: ClassVar[Mapping[str, Direction]] = {}
    """What `Learner.measures` measures beside the task's metrics; objectives and constraints may
    name them. None may have the name of a task's metric or of a cost
    (`toolkit.training.costs.COSTS`)."""
    exchanged: ClassVar[str] = "part"
    """What `rivals` exchanges, in a word for the report."""

    def __init__(self, options: Any) -> None:
        self.options = options

    @abstractmethod
    def parameters(self, task: TaskInfo) -> Space:
        """The tree of architectures for these data.

        Raises:
            SpaceError: the options are impossible for them (the message says which and why).
        """

    @classmethod
    def unmeasurable(cls, task: TaskInfo) -> Mapping[str, str]:
        """Which of `measures` these data do not give, each with what the user can do."""
        return {}

    @abstractmethod
    def build(self, architecture: Architecture, task: TaskInfo) -> Learner:
        """Build a point of `parameters`, or one of `baselines`, with fresh weights.

        Weights are drawn from torch's global generator, which the engine seeds.
        """

    @abstractmethod
    def graph(self, architecture: Architecture, task: TaskInfo) -> networkx.DiGraph:
        """The architecture as a graph: drawn, fingerprinted, compared.

        Each node has `label` (what it does) and each edge may have one; both count as identity.
        Node names do not. A node may have `group` (the cell it is drawn in), which does not count.
        """

    def supernet(self, task: TaskInfo) -> Supernet:
        """Build the supernet with fresh weights.

        Raises:
            PluginError: this space offers none (the default).
        """
        from toolkit.errors import PluginError

        raise PluginError(
            f"The space {type(self).__name__} offers no supernet.",
            hint="Use a multi-trial strategy such as optuna.tpe.",
        )

    def baselines(self, task: TaskInfo) -> dict[str, Architecture]:
        """Hand-made networks to train beside what is found, by name."""
        return {}

    def rivals(self, architecture: Architecture, task: TaskInfo) -> dict[str, Architecture]:
        """What was found with one part exchanged, by the name of that part; none by default.

        For a space that compares one part of a network: all else, and as far as can be the cost
        once deployed, is the same. Where there are any, they are trained in place of `baselines`,
        with the values that `architecture` was given under `space` and `train`. `architecture`
        itself stands among them under its own part's name, and is not trained twice.
        """
        return {}
