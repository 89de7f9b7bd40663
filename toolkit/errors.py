"""Errors for plugin authors, each with a hint and the exit code it leads to.

Raise `DataError`, `SpaceError`, `RecipeError` or `PluginError`, and warn with `ToolkitWarning`. The
classes, their arguments and exit codes are stable.
"""

from toolkit.base.errors import (
    DamagedLedgerError,
    DataError,
    ExitCode,
    LedgerError,
    PluginError,
    RecipeError,
    ResumeError,
    RunLockedError,
    SpaceError,
    ToolkitError,
    ToolkitWarning,
    UnknownPluginError,
)

__all__ = [
    "DamagedLedgerError",
    "DataError",
    "ExitCode",
    "LedgerError",
    "PluginError",
    "RecipeError",
    "ResumeError",
    "RunLockedError",
    "SpaceError",
    "ToolkitError",
    "ToolkitWarning",
    "UnknownPluginError",
]
