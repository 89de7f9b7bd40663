"""The contract of search spaces: which architectures exist, and how one is built."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from toolkit.contracts.common import Architecture, Direction, Options
from toolkit.contracts.learners import Learner
from toolkit.contracts.supernets import Supernet
from toolkit.contracts.tasks import TaskInfo
from toolkit.space import Space
from toolkit.space.outline import outline

if TYPE_CHECKING:
    from pathlib import Path

    import networkx

    from toolkit.contracts.trials import TrialContext


class SearchSpace(ABC):
    """Which architectures exist, and how one is built."""

    Options: ClassVar[type[Options]] = Options
    accepts: ClassVar[frozenset[str]]
    """Kinds of task it can build models for."""
    gives: ClassVar[frozenset[str]] = frozenset({"scores"})
    """Kinds of outputs (`TaskInfo.outputs`) that its models can be built to give."""
    measures: ClassVar[Mapping[str, Direction]] = {}
    """What `Learner.measures` measures beside the task's metrics; objectives and constraints may
    name them. None may have the name of a task's metric or of a cost
    (`toolkit.contracts.costs.COSTS`)."""
    exchanged: ClassVar[str] = "part"
    """What `rivals` exchanges, in a word for the report."""
    goes_on_from: ClassVar[str | None] = None
    """The option that takes the weights of an earlier run's final training (those of
    `Learner.model`), to go on from; None for a space whose trainings cannot."""

    usual: ClassVar[Mapping[str, Any]] = {}
    """Words of a recipe, with options, that are taken where it names no strategy and leaves them
    out: how this space is usually searched, `{"strategy": ..., "validation": ...}`."""
    searches_preparations: ClassVar[bool] = False
    """Whether what tasks offer of their own preparation (`Task.preparations`) is usually searched
    beside this space."""

    def __init__(self, options: Any) -> None:
        self.options = options

    @abstractmethod
    def parameters(self, task: TaskInfo) -> Space:
        """Returns the tree of architectures for these data.

        Raises:
            SpaceError: the options are impossible for them (the message says which and why).
        """

    @abstractmethod
    def build(self, architecture: Architecture, task: TaskInfo) -> Learner:
        """Builds a point of `parameters`, or one of `baselines`, with fresh weights.

        Weights are drawn from torch's global generator, which the engine seeds.
        """

    def preparation(self, task: TaskInfo) -> Mapping[str, Any] | None:
        """Returns what `prepare` depends on beside `Splits.source`, as plain JSON.

        That is a number of its version too, which changes when `prepare` makes something else.

        None, the default, where trainings share nothing that has to be made first.
        """
        return None

    def prepare(self, trial: TrialContext, folder: Path) -> None:
        """Makes what all trainings share, a pre-trained network say, and writes it into `folder`.

        One job of a run, before its first batch, if `preparation` says so and no run before has
        made the same of the same `Splits.source`. It may report, and save a checkpoint that it
        goes on from once it was interrupted. Trainings find the folder as `trial.prepared`.

        Args:
            trial: the job's context; use `source` and `source_val` of its splits alone.
            folder: an empty folder; it is put in place when this returns. What it says of itself
                in `facts.json` there, an object, goes into the model's card.
        """
        raise NotImplementedError(f"{type(self).__name__} prepares nothing.")

    def graph(self, architecture: Architecture, task: TaskInfo) -> networkx.DiGraph:
        """Draws the architecture as a graph, which also says which architectures are the same.

        By default it is the decisions behind the architecture, as a tree: two points are the same
        if every decision is. A space of its own graph can show what is computed, and have points
        that compute the same be one.

        Returns:
            A directed acyclic graph. Each node has `label` (what it does) and each edge may have
            one; both count as identity. Node names do not. A node may have `group` (the cell it is
            drawn in), which does not count.
        """
        return outline(self.parameters(task), architecture)

    @classmethod
    def unmeasurable(cls, task: TaskInfo) -> Mapping[str, str]:
        """Returns which of `measures` these data do not give, each with what the user can do."""
        return {}

    @classmethod
    def first_recipe(cls, task: TaskInfo) -> Mapping[str, Any]:
        """Returns words of the recipe that `toolkit init` writes for such data, as in `usual`.

        The options under `space` among them, for a search of some minutes on two cores. By default
        these are the words of `usual`.
        """
        return cls.usual

    def advice(self, task: TaskInfo) -> str:
        """Says what to try where a network of the space is no better than chance, in sentences.

        Empty, the default, for more epochs or another learning rate.
        """
        return ""

    def baselines(self, task: TaskInfo) -> dict[str, Architecture]:
        """Returns hand-made networks to train beside what is found, by name."""
        return {}

    def anchors(self, task: TaskInfo) -> list[Architecture]:
        """Returns points of `parameters` that are known to be good, to be tried first.

        A multi-trial search tries them before its strategy proposes any, and half of its trials at
        most; what is no point of the tree that a recipe's options leave is passed over. By default
        there are none.
        """
        return []

    def searched(self, task: TaskInfo) -> Space | None:
        """Returns the part of `parameters` that strategies search; None, the default, for all.

        What is left of it is tried as `successors` of the best results.
        """
        return None

    def successors(self, architecture: Architecture, task: TaskInfo) -> list[Architecture]:
        """Returns points of `parameters` that are made of a good one, to be tried at the end.

        A multi-trial search of a space with `searched` tries those of the best results that have
        any, on a third of its trials at most. By default there are none.
        """
        return []

    def rivals(self, architecture: Architecture, task: TaskInfo) -> dict[str, Architecture]:
        """Returns what was found with one part exchanged, by the name of that part.

        For a space that compares one part of a network: all else, and as far as can be the cost
        once deployed, is the same. Where there are any (by default there are none), they are
        trained in place of `baselines`, with the values that `architecture` was given under `space`
        and `train`. `architecture` itself stands among them under its own part's name, and is not
        trained twice.
        """
        return {}


class OneShotSpace(SearchSpace):
    """A space that offers a supernet, for strategies that search one."""

    @abstractmethod
    def supernet(self, task: TaskInfo) -> Supernet:
        """Builds the supernet with fresh weights."""
