"""Retraining: an architecture found elsewhere, trained, tested and exported without a search."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from toolkit.base.errors import ExitCode
from toolkit.contracts import (
    Exhausted,
    Proposal,
    SearchContext,
    Strategy,
    Trial,
    TrialState,
    Wait,
)
from toolkit.engine.engine import MakeExecutor, run_stages
from toolkit.engine.final import finish
from toolkit.engine.search import Search
from toolkit.engine.smoke import smoke
from toolkit.problem import Problem
from toolkit.run.events import OnEvent
from toolkit.run.records import TrialRecord


def run_retraining(
    problem: Problem,
    folder: Path,
    *,
    workers: int | None = None,
    on_event: OnEvent | None = None,
    executor: MakeExecutor | None = None,
    hand_over: bool = True,
) -> int:
    """Trains an architecture as a search trains what it found, beside the recipe's baselines.

    Args:
        problem: of a recipe that searches no values, and of the one architecture to train: a point
            of the space's tree, or one of its hand-made networks. The strategy is not asked.
        folder: the run folder; made if missing. The same call goes on with what is there.
        workers, on_event, executor, hand_over: see `run_search`.

    Returns:
        The exit code: one of `ExitCode`, or 130 or 143 after SIGINT or SIGTERM.

    Raises:
        ToolkitError: the run cannot go on; its `exit_code` says which kind of fault it is.
    """
    point = {"architecture": problem.architecture}
    # Number 0 is no trial of the run.
    given = TrialRecord(
        0,
        "search",
        "train",
        TrialState.DONE,
        point,
        problem.fingerprint(point),
        problem.recipe.train.seed,
    )

    def stages(search: Search) -> int:
        search.restore()
        smoke(search.session)
        done = finish(search.session, given, hand_over=hand_over)
        return ExitCode.OK if done else ExitCode.ALL_TRIALS_FAILED

    return run_stages(
        problem,
        _Nothing(_Nothing.Options()),
        folder,
        stages,
        purpose={"command": "retrain", "architecture": problem.architecture},
        workers=workers,
        on_event=on_event,
        executor=executor,
    )


class _Nothing(Strategy):
    """Proposes nothing."""

    hears_reports = False

    def default_trials(self) -> None:
        return None

    def setup(self, context: SearchContext) -> None:
        pass

    def ask(self) -> Proposal | Wait | Exhausted:
        return Exhausted()

    def tell(self, trial: Trial, state: TrialState, values: Mapping[str, float]) -> None:
        pass
