"""The contracts between the engine and its plugins: who is called when, and what must come back.

Data flow one way: a recipe becomes proposals, a proposal becomes a trial, a trial becomes a result,
and the ledger keeps it. A plugin class is named by an entry point (groups in `toolkit.registry`),
is built once from its validated `Options`, and must be importable without torch, Optuna or NNI:
heavy imports belong inside its methods.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict

from toolkit.space import Space

if TYPE_CHECKING:
    import networkx
    import torch
    from torch.utils.data import Dataset

    from toolkit.recipe import Train

Architecture: TypeAlias = dict[str, Any]
"""The genotype: a plain JSON tree."""
Direction: TypeAlias = Literal["maximize", "minimize"]
DataPath: TypeAlias = Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())]
"""A path in a plugin's options: relative ones are taken from the working directory."""


class Options(BaseModel):
    """Base of every plugin's options: the fields a recipe may set, with defaults and units."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


@dataclass(frozen=True)
class TaskInfo:
    """What a space must know of the data to build models for them.

    Attributes:
        kind: what one input is: `"spd"`, `"image"`, ... A space says which kinds it accepts.
        shape: shape of one input, without the batch: (channels, n, n) for `"spd"`.
        classes: number of classes.
        train_size: number of training samples.
        class_names: names of the classes, in the order of their labels; may be empty.
    """

    kind: str
    shape: tuple[int, ...]
    classes: int
    train_size: int
    class_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Splits:
    """The data of one task under one seed, as map-style data sets of (input, label).

    `torch.utils.data.TensorDataset(inputs, labels)` is batched by indexing, the fast way; any
    other map-style data set goes through a `DataLoader`. `load_test` is called once per run, by
    the engine, after the last training.

    `preparation` says in sentences how an input comes about from the raw data, numbers taken from
    the training data included; whoever deploys the model repeats it. It goes into the model's card
    and file.
    """

    train: Dataset[Any]
    val: Dataset[Any]
    load_test: Callable[[], Dataset[Any]]
    preparation: str = ""


class Task(ABC):
    """Data and how predictions on them are judged.

    One seeded split serves the search and the final test: `load` with equal arguments gives equal
    splits, in every process.
    """

    Options: ClassVar[type[Options]] = Options
    directions: ClassVar[Mapping[str, Direction]]
    """Every metric of `metrics` with its direction; the first is the default objective."""

    def __init__(self, options: Any) -> None:
        self.options = options

    @abstractmethod
    def info(self) -> TaskInfo:
        """Describe the data without loading them all.

        Raises:
            DataError: they are missing or malformed.
        """

    @abstractmethod
    def load(self, data_dir: Path, seed: int) -> Splits:
        """Read or make the data; `data_dir` is a folder for caches and downloads.

        Raises:
            DataError: they are missing or malformed.
        """

    @abstractmethod
    def metrics(self, scores: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
        """Judge `scores` (N, classes) of a model on inputs with `labels` (N,)."""


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

    def fit(self, trial: TrialContext) -> dict[str, float]:
        """Train on `trial.splits` and judge on the validation part; a trial calls this once.

        The default is the toolkit's training loop, which is made of the other methods; override
        it where a model learns in another way.

        Returns:
            The task's metrics on the validation part.
        """
        from toolkit.training import train_model

        return train_model(trial, self)

    def sampler(self, labels: torch.Tensor, train: Train, seed: int) -> Iterable[Any] | None:
        """Batches of indices for one epoch, or None for a plain seeded shuffle."""
        return None

    def finalize(self, train_data: Dataset[Any]) -> None:
        """Fit closed-form heads; called once after the last epoch, in evaluation mode."""

    def deployed(self) -> torch.nn.Module:
        """The module to hand over: inputs to scores, equal to `predict`.

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

    def __init__(self, options: Any) -> None:
        self.options = options

    @abstractmethod
    def parameters(self, task: TaskInfo) -> Space:
        """The tree of architectures for these data.

        Raises:
            SpaceError: the options are impossible for them (the message says which and why).
        """

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


class TrialState(StrEnum):
    """Where a trial stands; see design notes in `toolkit.ledger` for the transitions."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    PRUNED = "pruned"
    FAILED = "failed"
    OOM = "oom"
    TIMEOUT = "timeout"
    LOST = "lost"
    INVALID = "invalid"

    @property
    def ended(self) -> bool:
        """Whether the strategy has heard, or will hear, of it."""
        return self not in (TrialState.QUEUED, TrialState.RUNNING, TrialState.LOST)


TrialKind: TypeAlias = Literal["train", "supernet"]
StopReason: TypeAlias = Literal["pruned", "timeout", "drain", "now"]
"""Why a job shall end: the strategy's word, its deadline, the first or the second Ctrl-C."""


@dataclass(frozen=True)
class Proposal:
    """What a strategy wants tried.

    Attributes:
        point: a point of the run's tree: `{"architecture": ..., "train": {...}, "space": {...}}`,
            the last two only where the recipe searches values under them. None for a supernet.
        fidelity: e.g. `{"epochs": 3}`; what it leaves out is the recipe's full training.
        token: anything JSON the strategy wants to see again in `tell`, replays included.
    """

    point: dict[str, Any] | None
    kind: TrialKind = "train"
    fidelity: Mapping[str, Any] = field(default_factory=dict)
    token: Any = None


@dataclass(frozen=True)
class Trial:
    """A proposal as the engine runs it: one architecture, one seed, one fidelity.

    Attributes:
        derived: architectures that a supernet trial ended with, best first.
    """

    number: int
    kind: TrialKind
    point: dict[str, Any] | None
    fidelity: Mapping[str, Any]
    seed: int
    fingerprint: str
    token: Any = None
    derived: tuple[Architecture, ...] = ()


class Wait:
    """Nothing to propose until another trial ends."""


class Exhausted:
    """Nothing to propose any more, whatever happens."""


@dataclass(frozen=True)
class SearchContext:
    """What a strategy is told once, before anything else.

    Attributes:
        space: the run's tree (see `Proposal.point`).
        objectives: metric -> direction, the first being the primary one.
        seed: the run's seed.
        trials: the run's total of trials, or None.
    """

    space: Space
    objectives: Mapping[str, Direction]
    seed: int
    trials: int | None


class Strategy(ABC):
    """Which trial to run next.

    The engine calls `setup` once; on a resumed run `report` for everything a trial reported and
    then `tell`, for every ended trial of the ledger in the order of the first telling, and `resume`
    and `report` for every trial that goes on; then `ask`, `report` and `tell` as things happen, all
    in one thread. A strategy keeps no state on disk: what it learns, it learns through `report` and
    `tell`. So that a resumed run goes on instead of starting over, random draws must depend on the
    seed and on what was told.
    """

    Options: ClassVar[type[Options]] = Options

    def __init__(self, options: Any) -> None:
        self.options = options

    def default_trials(self) -> int | None:
        """Total of trials where the recipe limits neither trials nor time; None for no limit."""
        return 20

    @abstractmethod
    def setup(self, context: SearchContext) -> None:
        """Take the tree and the objectives in.

        Raises:
            RecipeError: this strategy cannot serve them.
        """

    def resume(self, trial: Trial) -> None:  # noqa: B027 - most strategies need not know
        """Hear of a trial that an earlier engine started and that goes on; `tell` will follow.

        A strategy that must not propose the same once more learns here that it has been.
        """

    @abstractmethod
    def ask(self) -> Proposal | Wait | Exhausted:
        """Propose the next trial. Called whenever a slot is free and the budget allows."""

    def report(self, trial: Trial, step: int, values: Mapping[str, float]) -> bool:
        """Hear an intermediate result; False ends the trial as pruned.

        A value that was not finite is None or NaN. A trial that was cut short may report steps
        again. On a resumed run the results of earlier engines are heard again, and the answer is
        not asked for.
        """
        return True

    @abstractmethod
    def tell(self, trial: Trial, state: TrialState, values: Mapping[str, float]) -> None:
        """Hear how a trial ended. `values` is empty unless it is done or pruned.

        A trial may be told that this object never proposed: an earlier engine's, or one answered
        from the ledger because its fingerprint, fidelity and seed were known.
        """


class OneShotStrategy(Strategy):
    """A strategy whose first trial is a supernet, and whose further ones it derives."""

    @abstractmethod
    def search(self, trial: TrialContext) -> SupernetResult:
        """Run the supernet trial, in a worker. Reports, checkpoints and stops like any trial."""


@dataclass(frozen=True)
class SupernetResult:
    """What a supernet trial ends with; `architectures` best first."""

    values: dict[str, float]
    architectures: tuple[Architecture, ...]
    warnings: tuple[str, ...] = ()


class TrialContext(ABC):
    """What code that runs inside a trial may use. The engine makes it, in a worker."""

    task: Task
    info: TaskInfo
    space: SearchSpace
    splits: Splits
    train: Train
    """The recipe's training block with this trial's searched values and fidelity filled in."""
    seed: int
    device: torch.device
    folder: Path
    """The trial's own folder; write here only."""

    @abstractmethod
    def report(self, step: int, values: Mapping[str, float], **records: Any) -> None:
        """Stream metrics out after epoch `step` (from 1). `records` are JSON facts for the report.

        Raises:
            StopTrial: the trial shall end now (pruned, out of time, or the engine is draining).
                Save a checkpoint before reporting.
        """

    @abstractmethod
    def save(self, state: Mapping[str, Any]) -> None:
        """Write a checkpoint of tensors and plain values, atomically, in place of the last one."""

    @abstractmethod
    def restore(self) -> dict[str, Any] | None:
        """The last checkpoint of this trial, or None."""


class StopTrial(Exception):  # noqa: N818 - a request, not an error
    """Raised out of `TrialContext.report`; trial code lets it pass."""


@dataclass(frozen=True)
class Slot:
    """One share of a device that one trial can occupy.

    Attributes:
        index: position among the executor's slots.
        device: `"cpu"` or `"cuda"`.
        gpu_uuid: the GPU, where there is one.
        threads: CPU threads a trial may use in it.
    """

    index: int
    device: str = "cpu"
    gpu_uuid: str | None = None
    threads: int = 1


@dataclass(frozen=True)
class TrialSpec:
    """Everything a worker needs to run one job; plain JSON, so it can cross a pipe or a network.

    Attributes:
        key: name of the job within the run, e.g. `"trial-7"`.
        kind: `train`, `supernet`, `smoke` (one batch), `test` (judge finished trainings on the
            test split) or `export` (hand one of them over).
        payload: what the kind needs: the architecture, the training block, folders.
        seed: seeds data order and weights.
        folder: the job's own folder.
        timeout_s: seconds after which the engine stops it, or None.
    """

    key: str
    kind: Literal["train", "supernet", "smoke", "test", "export"]
    payload: Mapping[str, Any]
    seed: int
    folder: str
    timeout_s: float | None = None


@dataclass(frozen=True)
class Event:
    """Something that happened to a job.

    Attributes:
        key: the job's.
        kind: `reported` (`body`: step, values), or `ended` (`body`: state, values, and as they
            apply duration_s, error, exit_code, parameters, architectures, warnings, result).
    """

    key: str
    kind: Literal["reported", "ended"]
    body: Mapping[str, Any]


@dataclass(frozen=True)
class ExecutorContext:
    """What an executor is built from.

    Attributes:
        recipe: the resolved recipe; its jobs rebuild task and space from it.
        plugin_paths: local plugin files to load in every worker.
        folder: the run folder.
        workers: jobs at once, or None for as many as fit.
        gpus: GPUs per job (fractions share one), or None for 1 where there are any.
        threads: CPU threads per job, or None for an equal share.
    """

    recipe: Mapping[str, Any]
    plugin_paths: tuple[str, ...]
    folder: Path
    workers: int | None = None
    gpus: float | None = None
    threads: int | None = None


class Executor(ABC):
    """Where jobs run. Called from one thread, `wake` apart."""

    def __init__(self, context: ExecutorContext) -> None:
        self.context = context

    @abstractmethod
    def slots(self) -> Sequence[Slot]:
        """The slots there are; fixed once started."""

    @abstractmethod
    def start(self, spec: TrialSpec, slot: Slot) -> None:
        """Start a job in a free slot; returns at once."""

    @abstractmethod
    def events(self, timeout_s: float) -> Iterator[Event]:
        """Yield what happened, waiting at most `timeout_s` for the first event.

        Every started job yields exactly one `ended`, also when its worker died (state `lost`,
        or `oom` where the kernel's killer is known to have struck).
        """

    def wake(self) -> None:  # noqa: B027 - an executor may wait in short steps instead
        """Make a waiting `events` return; called from a signal handler. May do nothing."""

    @abstractmethod
    def stop(self, key: str, reason: StopReason) -> None:
        """Ask a job to end: after its next report, or at once for `timeout` and `now`.

        It then ends `pruned`, `timeout`, `queued` (drained, with its checkpoint) or `lost`.
        """

    @abstractmethod
    def close(self) -> None:
        """Stop everything and free what was taken. Safe to call twice."""


class Exporter(ABC):
    """Hands a trained model over in one more form, beside what `best/` always holds."""

    @abstractmethod
    def export(self, module: torch.nn.Module, example: torch.Tensor, folder: Path) -> list[Path]:
        """Write files for a deployed module into `folder`; `example` is a batch of inputs."""


class Tracker(ABC):
    """Hears what happens in a run, for an outside experiment tracker."""

    @abstractmethod
    def event(self, name: str, body: Mapping[str, Any]) -> None:
        """Hear one event of the run's `events.jsonl`."""

    def close(self) -> None:  # noqa: B027 - nothing to close is the usual case
        """Called when the engine ends, on every way out."""
