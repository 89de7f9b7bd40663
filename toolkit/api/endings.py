"""How a run ends badly: the exceptions that say so, each with the run as far as it got."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

from toolkit.base.errors import ExitCode, ToolkitError

if TYPE_CHECKING:
    from toolkit.api.run import Run

    R = TypeVar("R", bound=Run)

SIGNALLED = 128
"""Exit codes from here on are those of signals."""

_ENDINGS: Mapping[int, tuple[str, str]] = {
    ExitCode.ALL_TRIALS_FAILED: (
        "Nothing was found: no trial has ended well, or no final training of the best has.",
        "`toolkit trials {run} --all` lists them, `toolkit show {run} NUMBER` says why one failed.",
    ),
    ExitCode.FAILURE_BUDGET_SPENT: (
        "The search was ended: as many trials failed as budget.failures allows.",
        "`toolkit trials {run}` lists them. To go on, give the same command with a higher"
        " budget.failures.",
    ),
}
"""What is said, and what to do, where a run ends badly without an error of its own."""


class RunFailedError(ToolkitError):
    """A run came to its end and has nothing to show, or gave up after too many failures.

    Attributes:
        run: what there is of it: its trials say why they failed.
        exit_code: `ExitCode.ALL_TRIALS_FAILED` or `ExitCode.FAILURE_BUDGET_SPENT`.
    """

    def __init__(self, run: Run, code: int) -> None:
        message, hint = _ENDINGS[code]
        super().__init__(message, hint=hint.format(run=run.folder))
        self.run, self.exit_code = run, ExitCode(code)


class RunInterrupted(KeyboardInterrupt):
    """A run was stopped by Ctrl-C or SIGTERM, after its current epochs; the same call goes on.

    Attributes:
        run: what there is of it.
        exit_code: 130 after Ctrl-C, 143 after SIGTERM.
    """

    def __init__(self, run: Run, code: int) -> None:
        super().__init__(f"{run.folder} was stopped; the same call goes on with it.")
        self.run, self.exit_code = run, code


def settled(run: R, code: int) -> R:
    """Returns a run that ended well.

    Args:
        run: the run.
        code: the exit code of its engine.

    Raises:
        RunFailedError: it ended otherwise.
        RunInterrupted: it was stopped.
    """
    if code >= SIGNALLED:
        raise RunInterrupted(run, code)
    if code != ExitCode.OK:
        raise RunFailedError(run, code)
    return run
