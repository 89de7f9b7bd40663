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
from toolkit.contracts.learners import Learner
from toolkit.contracts.outputs import Exporter, Tracker
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
from toolkit.contracts.tasks import Splits, Task, TaskInfo
from toolkit.contracts.training import Train
from toolkit.contracts.trials import StopTrial, TrialContext
from toolkit.contracts.wrappers import StrategyWrapper

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
    "Exporter",
    "Learner",
    "Marker",
    "OneShotSpace",
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
    "StrategyWrapper",
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
