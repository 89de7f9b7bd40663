"""An executor of real jobs in this process, as a plugin: for tests of commands."""

from __future__ import annotations

from toolkit.contracts import ExecutorContext
from toolkit.executors.inline import InlineExecutor
from toolkit.worker.inline import real_jobs


class InProcess(InlineExecutor):
    """What `toolkit.worker.inline` makes, under a name that recipes can hold."""

    def __init__(self, context: ExecutorContext) -> None:
        super().__init__(context, real_jobs(context))
