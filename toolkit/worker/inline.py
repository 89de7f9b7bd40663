"""Real jobs in this process, one step at a time: for tests of whole runs, and for debuggers."""

from __future__ import annotations

from toolkit.base.clock import SYSTEM, Clock
from toolkit.contracts import ExecutorContext
from toolkit.executors.inline import InlineExecutor, stepwise
from toolkit.worker.jobs import JobRunner


def inline_executor(context: ExecutorContext, clock: Clock = SYSTEM) -> InlineExecutor:
    """Returns an executor that runs jobs as a worker does, on the CPU and without a process."""
    runner = JobRunner(context.recipe, context.plugin_paths, "cpu", clock)
    return InlineExecutor(context, stepwise(runner.run), clock=clock)
