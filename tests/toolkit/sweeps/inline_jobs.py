"""A plugin: the executor `inline_jobs`, which runs real jobs in the engine's own process."""

from __future__ import annotations

from toolkit.contracts import ExecutorContext
from toolkit.executors.inline import InlineExecutor, stepwise
from toolkit.worker.jobs import JobRunner


class InlineJobs(InlineExecutor):
    """As many slots as workers; of several jobs one takes a step at a time."""

    def __init__(self, context: ExecutorContext) -> None:
        runner = JobRunner(context.recipe, context.plugin_paths, "cpu")
        super().__init__(context, stepwise(runner.run))
