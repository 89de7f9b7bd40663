"""Jobs that ended otherwise than well: for lack of room, or as an error for the user."""

from __future__ import annotations

from toolkit.base.errors import ExitCode, PluginError, ToolkitError
from toolkit.contracts import Outcome, TrialState


def ended_for_room(outcome: Outcome) -> bool:
    """Says whether a job ended because a disk was full, to be gone on with once it has room."""
    return outcome.state is TrialState.QUEUED and bool(outcome.error)


def job_failure(what: str, outcome: Outcome, hint: str) -> ToolkitError:
    """Returns the error for a job that is no trial and failed: the failure, then what to do."""
    fault = outcome.fault
    if ended_for_room(outcome):
        return ToolkitError(f"{what}: {outcome.error}", hint=f"Make room. {hint}".strip())
    if fault is None:
        return PluginError(f"{what} ({outcome.state}):\n{outcome.error}", hint=hint)
    if fault.exit_code == ExitCode.USAGE:
        hint = ""  # The user's data or values: there is no trial to look into.
    error = ToolkitError(f"{what}: {fault.message}", hint=f"{fault.hint} {hint}".strip())
    error.exit_code = fault.exit_code
    return error
