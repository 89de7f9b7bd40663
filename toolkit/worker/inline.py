"""Real jobs in this process, one step at a time: for tests of whole runs, and for debuggers."""

from __future__ import annotations

from pathlib import Path

from toolkit.base.clock import SYSTEM, Clock
from toolkit.contracts import ExecutorContext, Outcome, TrialSpec
from toolkit.contracts.jobs import AskStop, Report
from toolkit.executors.inline import InlineExecutor, Script, stepwise
from toolkit.worker.jobs import JobRunner


def inline_executor(context: ExecutorContext, clock: Clock = SYSTEM) -> InlineExecutor:
    """Returns an executor that runs jobs as a worker does, on the CPU and without a process."""
    return InlineExecutor(context, real_jobs(context, clock), clock=clock)


def real_jobs(context: ExecutorContext, clock: Clock = SYSTEM) -> Script:
    """Returns the script of what a worker does in each job, its folder made first."""
    runner = JobRunner(context.recipe, context.plugin_paths, "cpu", clock)

    def run(spec: TrialSpec, report: Report, ask_stop: AskStop) -> Outcome:
        Path(spec.folder).mkdir(parents=True, exist_ok=True)
        return runner.run(spec, report, ask_stop)

    return stepwise(run)
