"""What crosses between the engine and its workers: jobs one way, events the other.

Each message is a frozen dataclass of plain values, so that it is the same in this process, over a
pipe, a socket or a network. `toolkit.contracts.coding` writes them as lines of JSON and checks
what comes back: unknown keys and values of another type are refused, NaN and infinities survive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import ConfigDict, Field

from toolkit.base.errors import ExitCode
from toolkit.base.plain import MOST_METRICS
from toolkit.contracts.common import Architecture
from toolkit.contracts.strategies import TrialState

ENSEMBLE = "ensemble"
"""Name of the network that averages others, and the one key of its architecture."""
FEW_SHOT = "few_shot_accuracy"
"""Among the values of a trial that is (almost) always right: see `Learner.few_shot_accuracy`."""
STEP_S = "step_s"
"""Among the values of a `SmokeJob`: seconds of one training step and one prediction."""
Metrics: TypeAlias = Annotated[Mapping[str, float], Field(max_length=MOST_METRICS)]
"""Results by name."""
Point: TypeAlias = dict[str, Any]
"""A point of the run's tree: `{"architecture": ..., "train": {...}, "space": {...}}`."""


class Message:
    """Base of what is sent: read strictly from JSON. Those of a union are told apart by `kind`."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)
    __test__: ClassVar[bool] = False  # Names such as `TestJob` are no tests to pytest.


@dataclass(frozen=True)
class Training(Message):
    """A finished training, whose weights lie in its folder.

    Attributes:
        number: of the trial.
        folder: of the trial.
        point: what was trained.
        seed: that it was trained with.
    """

    number: int
    folder: str
    point: Point
    seed: int


@dataclass(frozen=True)
class TrainJob(Message):
    """Train one point and judge it on the validation part.

    Attributes:
        point: what to train.
        fidelity: what it overrides of the recipe's training block, see `Proposal.fidelity`.
        searched: it is a trial of the search, which may be refused before its training because its
            model costs too much.
        keep_weights: leave the weights in the job's folder.
    """

    point: Point
    fidelity: Mapping[str, Any] = field(default_factory=dict)
    searched: bool = False
    keep_weights: bool = False
    kind: Literal["train"] = field(default="train", kw_only=True, repr=False)


@dataclass(frozen=True)
class SupernetJob(Message):
    """Search the space's supernet with the recipe's one-shot strategy.

    Attributes:
        fidelity: what it overrides of the recipe's training block.
    """

    fidelity: Mapping[str, Any] = field(default_factory=dict)
    kind: Literal["supernet"] = field(default="supernet", kw_only=True, repr=False)


@dataclass(frozen=True)
class SmokeJob(Message):
    """Learn from one batch of one point, so that a fault shows before a search.

    Attributes:
        point: what to build.
    """

    point: Point
    kind: Literal["smoke"] = field(default="smoke", kw_only=True, repr=False)


@dataclass(frozen=True)
class PrepareJob(Message):
    """Make what all trainings share (`SearchSpace.prepare`), unless it is there.

    Attributes:
        point: the values of task and space that it is made with; its architecture does not count.
    """

    point: Point
    kind: Literal["prepare"] = field(default="prepare", kw_only=True, repr=False)


@dataclass(frozen=True)
class TestJob(Message):
    """Judge finished trainings on the test split: the only job that reads it.

    Attributes:
        trainings: what to judge.
        drawn: number of the training whose learner draws itself for the report, if one does.
    """

    trainings: tuple[Training, ...]
    drawn: int | None = None
    kind: Literal["test"] = field(default="test", kw_only=True, repr=False)


@dataclass(frozen=True)
class ExportJob(Message):
    """Hand a finished training over, as a module with its weights and a model card.

    Attributes:
        training: what to hand over.
        card: facts for the model card.
        to: the folder to write.
        formats: further ones to write it in, of `toolkit.export.formats.FORMATS`.
        found: the point that the search found, to be drawn beside what is handed over.
    """

    training: Training
    card: Mapping[str, Any]
    to: str
    formats: tuple[str, ...] = ()
    found: Point | None = None
    kind: Literal["export"] = field(default="export", kw_only=True, repr=False)


Job: TypeAlias = Annotated[
    TrainJob | SupernetJob | SmokeJob | PrepareJob | TestJob | ExportJob,
    Field(discriminator="kind"),
]
"""What a worker can be asked to do."""


@dataclass(frozen=True)
class TrialSpec(Message):
    """One job, with all that its worker needs beside the recipe.

    Attributes:
        key: name of the job within the run, e.g. `"trial-7"`.
        job: what to do.
        seed: seeds data order and weights.
        folder: the job's own folder.
        timeout_s: seconds after which the engine stops it, or None.
        known_steps: the last step that an earlier attempt has reported; what that one's folder
            tells of beyond is reported first.
        outer: what a recipe has under `validation.outer`, in place of the recipe's own, where a
            worker does jobs of several folds.
    """

    key: str
    job: Job
    seed: int
    folder: str
    timeout_s: float | None = None
    known_steps: int = 0
    outer: Mapping[str, Any] | None = None

    @property
    def trains(self) -> bool:
        """Whether it is one of the many: a training or a supernet's; others run once a run."""
        return isinstance(self.job, TrainJob | SupernetJob)


@dataclass(frozen=True)
class Tested(Message):
    """How a training did on the test split.

    Attributes:
        test: the task's metrics and the space's measures.
        costs: of the deployed model; empty where they cannot be measured.
        drawing: the learner's pictures of itself as plain JSON (`drawings`, each by its `to_json`,
            and `class_names`), where they were asked for and there are any.
        counts: samples of each class in the test split, by class index.
        samples, p_of_mean: of values, samples of the test split, and the p-value of their being no
            nearer to the targets than the mean of the training targets; None where it is unknown.
    """

    test: Mapping[str, float]
    costs: Mapping[str, float] = field(default_factory=dict)
    drawing: Mapping[str, Any] | None = None
    counts: tuple[int, ...] = ()
    samples: int | None = None
    p_of_mean: float | None = None


@dataclass(frozen=True)
class Fault(Message):
    """A `ToolkitError` that ended a job: a sentence for the user instead of a traceback."""

    message: str
    hint: str
    exit_code: ExitCode


@dataclass(frozen=True)
class Outcome(Message):
    """How a job ended.

    Attributes:
        state: any but `running`. `queued`: drained, and to be gone on with from its checkpoint;
            with an `error`, for want of room on a disk. `lost`: its worker died, or was stopped.
        values: validation metrics and costs.
        error: why it did not end well, a whole traceback where that says most.
        duration_s: time in its worker; None for what the engine sees from outside.
        parameters: trainable numbers of the deployed model.
        violations: of a trial that was refused for its costs, see `TrialRecord.violations`.
        architectures: that a supernet derived, best first.
        warnings: for the user, though it ended well.
        tested: of a `TestJob`, by the number of the training.
        fault: the error in its parts, where it is one of the toolkit's own.
        references: of a `TestJob`, metrics of what is no network (`Task.references`).

    Raises:
        ValueError: `running` is no end.
    """

    state: TrialState
    values: Metrics = field(default_factory=dict)
    error: str = ""
    duration_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    parameters: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    violations: Mapping[str, float] = field(default_factory=dict)
    architectures: tuple[Architecture, ...] = ()
    warnings: tuple[str, ...] = ()
    tested: Mapping[int, Tested] = field(default_factory=dict)
    fault: Fault | None = None
    references: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.state is TrialState.RUNNING:
            raise ValueError("a job does not end 'running'")


@dataclass(frozen=True)
class Started(Message):
    """A job's own code begins, after the imports of its worker: deadlines count from here."""

    key: str
    kind: Literal["started"] = field(default="started", kw_only=True, repr=False)


@dataclass(frozen=True)
class Reported(Message):
    """A job tells intermediate results.

    Attributes:
        key: of the job.
        step: the epoch, from 1.
        values: metrics.
        records: further facts as plain JSON, for the report.
    """

    key: str
    step: Annotated[int, Field(ge=-(2**63), lt=2**63)]
    values: Metrics
    records: Mapping[str, Any] = field(default_factory=dict)
    kind: Literal["reported"] = field(default="reported", kw_only=True, repr=False)


@dataclass(frozen=True)
class Ended(Message):
    """A job has ended, well or not; nothing more is heard of it."""

    key: str
    outcome: Outcome
    kind: Literal["ended"] = field(default="ended", kw_only=True, repr=False)


@dataclass(frozen=True)
class Noted(Message):
    """An executor has something to tell the user that is of no job."""

    message: str
    kind: Literal["noted"] = field(default="noted", kw_only=True, repr=False)


Event: TypeAlias = Annotated[
    Started | Reported | Ended | Noted,
    Field(discriminator="kind"),
]
"""What an executor tells the engine."""

Report: TypeAlias = Callable[[int, Mapping[str, float], Mapping[str, Any]], None]
"""Takes what a job reports where it runs: step, values, records."""
AskStop: TypeAlias = Callable[[], str | None]
"""Says, after a report, why the job shall end (a `StopReason`), or None."""
