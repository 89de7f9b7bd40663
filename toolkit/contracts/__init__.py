"""The contracts between the engine and its plugins: who is called when, and what must come back.

Data flow one way: a recipe becomes proposals, a proposal becomes a trial, a trial becomes a result,
and the ledger keeps it. A plugin class is named by an entry point (groups in `toolkit.registry`),
is built once from its validated `Options`, and must be importable without torch, Optuna or NNI:
heavy imports belong inside its methods.

For plugin authors: what `__all__` names is stable.
"""

from toolkit.contracts.classification import ClassificationOptions, ClassificationTask
from toolkit.contracts.common import Architecture, DataPath, Direction, Name, Options
from toolkit.contracts.constraints import Bound
from toolkit.contracts.drawings import Drawing, Heat, ImageRow, Images, Marker, Scatter, Series
from toolkit.contracts.executors import BusyGpus, Executor, ExecutorContext, Slot, StopReason
from toolkit.contracts.jobs import (
    Ended,
    Event,
    ExportJob,
    Fault,
    Job,
    Message,
    Noted,
    Outcome,
    PrepareJob,
    Reported,
    SmokeJob,
    Started,
    SupernetJob,
    Tested,
    TestJob,
    Training,
    TrainJob,
    TrialSpec,
)
from toolkit.contracts.learners import Learner
from toolkit.contracts.regression import TargetOptions, TargetTask
from toolkit.contracts.spaces import OneShotSpace, SearchSpace
from toolkit.contracts.strategies import (
    Exhausted,
    OneShotStrategy,
    Proposal,
    SearchContext,
    Strategy,
    SupernetResult,
    Trial,
    TrialKind,
    TrialState,
    Wait,
)
from toolkit.contracts.supernets import EdgeWeights, Supernet
from toolkit.contracts.tasks import Judged, NewInputs, Pool, Splits, Survey, Task, TaskInfo
from toolkit.contracts.trackers import Tracker
from toolkit.contracts.training import Train
from toolkit.contracts.trials import StopTrial, TrialContext
from toolkit.contracts.wrappers import StrategyWrapper

__all__ = [
    "Architecture",
    "Bound",
    "BusyGpus",
    "ClassificationOptions",
    "ClassificationTask",
    "DataPath",
    "Direction",
    "Drawing",
    "EdgeWeights",
    "Ended",
    "Event",
    "Executor",
    "ExecutorContext",
    "Exhausted",
    "ExportJob",
    "Fault",
    "Heat",
    "ImageRow",
    "Images",
    "Job",
    "Judged",
    "Learner",
    "Marker",
    "Message",
    "Name",
    "NewInputs",
    "Noted",
    "OneShotSpace",
    "OneShotStrategy",
    "Options",
    "Outcome",
    "Pool",
    "PrepareJob",
    "Proposal",
    "Reported",
    "Scatter",
    "SearchContext",
    "SearchSpace",
    "Series",
    "Slot",
    "SmokeJob",
    "Splits",
    "Started",
    "StopReason",
    "StopTrial",
    "Strategy",
    "StrategyWrapper",
    "Supernet",
    "SupernetJob",
    "SupernetResult",
    "Survey",
    "TargetOptions",
    "TargetTask",
    "Task",
    "TaskInfo",
    "TestJob",
    "Tested",
    "Tracker",
    "Train",
    "TrainJob",
    "Training",
    "Trial",
    "TrialContext",
    "TrialKind",
    "TrialSpec",
    "TrialState",
    "Wait",
]
