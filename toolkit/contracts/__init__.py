"""The contracts between the engine and its plugins: who is called when, and what must come back.

Data flow one way: a recipe becomes proposals, a proposal becomes a trial, a trial becomes a result,
and the ledger keeps it. A plugin class is named by an entry point (groups in `toolkit.registry`),
is built once from its validated `Options`, and must be importable without torch, Optuna or NNI:
heavy imports belong inside its methods.
"""

from toolkit.contracts.common import Architecture, DataPath, Direction, Options
from toolkit.contracts.constraints import Bound
from toolkit.contracts.drawings import Marker, Scatter, Series
from toolkit.contracts.executors import (
    Event,
    Executor,
    ExecutorContext,
    Slot,
    StopReason,
    TrialSpec,
)
from toolkit.contracts.spaces import EdgeWeights, Learner, SearchSpace, Supernet
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
from toolkit.contracts.tasks import Splits, Task, TaskInfo
from toolkit.contracts.trackers import Tracker
from toolkit.contracts.training import Train
from toolkit.contracts.trials import StopTrial, TrialContext

__all__ = [
    "Architecture",
    "Bound",
    "DataPath",
    "Direction",
    "EdgeWeights",
    "Event",
    "Executor",
    "ExecutorContext",
    "Exhausted",
    "Learner",
    "Marker",
    "OneShotStrategy",
    "Options",
    "Proposal",
    "Scatter",
    "SearchContext",
    "SearchSpace",
    "Series",
    "Slot",
    "Splits",
    "StopReason",
    "StopTrial",
    "Strategy",
    "Supernet",
    "SupernetResult",
    "Task",
    "TaskInfo",
    "Tracker",
    "Train",
    "Trial",
    "TrialContext",
    "TrialKind",
    "TrialSpec",
    "TrialState",
    "Wait",
]
