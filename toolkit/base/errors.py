"""The one tree of errors a user can meet, each with a hint and the exit code it leads to."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of the `toolkit` command; signals add 128 (130 SIGINT, 143 SIGTERM)."""

    OK = 0
    ENGINE = 1
    USAGE = 2
    ALL_TRIALS_FAILED = 3
    FAILURE_BUDGET_SPENT = 4
    PLUGIN = 5
    LOCKED = 6
    RESUME_REFUSED = 7


class ToolkitWarning(UserWarning):
    """What a person should know though the work goes on; the command line says it in one line."""


class ToolkitError(Exception):
    """What was given and what was expected; `hint` says what to do about it."""

    exit_code = ExitCode.ENGINE

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        # A plugin's may be anything.
        self.message = str(message)
        self.hint = str(hint or "")

    def __str__(self) -> str:
        between = "\n" if "\n" in self.message else " "
        return f"{self.message}{between}{self.hint}".rstrip()


class RecipeError(ToolkitError):
    """The recipe, an override, or a command's argument is wrong."""

    exit_code = ExitCode.USAGE


class DataError(ToolkitError):
    """The data named by a task are missing or not what the task reads."""

    exit_code = ExitCode.USAGE


class SpaceError(ToolkitError):
    """A value lies outside its parameter tree, or the tree itself is impossible."""

    exit_code = ExitCode.USAGE


class PluginError(ToolkitError):
    """A plugin is unknown, does not load, or breaks its contract."""

    exit_code = ExitCode.PLUGIN


class UnknownPluginError(PluginError):
    """No plugin of that name is registered."""

    exit_code = ExitCode.USAGE


class RunLockedError(ToolkitError):
    """Another engine is at work on the run folder."""

    exit_code = ExitCode.LOCKED


class ResumeError(ToolkitError):
    """The run folder belongs to another recipe or to another version of the ledger."""

    exit_code = ExitCode.RESUME_REFUSED


class LedgerError(ToolkitError):
    """The ledger is damaged, or was asked for something it must not do."""


class DamagedLedgerError(LedgerError):
    """A ledger says what the toolkit never writes: nothing in it is gone by."""

    exit_code = ExitCode.RESUME_REFUSED
