"""Real jobs in this process, one step at a time: for tests of whole runs, and for debuggers."""

from __future__ import annotations

from toolkit.base.clock import SYSTEM, Clock
from toolkit.contracts import ExecutorContext
from toolkit.executors.inline import InlineExecutor, Script, stepwise
from toolkit.worker.jobs import JobRunner


def inline_executor(context: ExecutorContext, clock: Clock = SYSTEM) -> InlineExecutor:
    """Returns an executor that runs jobs as a worker does, on the CPU and without a process."""
    return InlineExecutor(context, real_jobs(context, clock), clock=clock)


def real_jobs(context: ExecutorContext, clock: Clock = SYSTEM) -> Script:
    """Returns the script of what a worker does in each job."""
    runner = JobRunner(context.recipe, context.plugin_paths, "cpu", clock)
    return stepwise(runner.run)
