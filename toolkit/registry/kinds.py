"""The kinds of plugins, the contract of each, and what keeps a class from being one."""

from __future__ import annotations

import inspect
import traceback
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from toolkit import contracts
from toolkit.errors import ToolkitError

CONTRACTS: dict[str, type] = {
    "search_spaces": contracts.SearchSpace,
    "strategies": contracts.Strategy,
    "tasks": contracts.Task,
    "executors": contracts.Executor,
    "trackers": contracts.Tracker,
}
"""The contract of each kind of plugin; the entry-point group of a kind is `toolkit.<kind>`."""
SINGULAR = {
    "search_spaces": "search space",
    "strategies": "strategy",
    "tasks": "task",
    "executors": "executor",
    "trackers": "tracker",
}


_HERE = str(Path(__file__).parent)


def contract_fault(kind: str, cls: Any) -> str:
    """What keeps a class from being a plugin of a kind; empty if nothing does."""
    contract = CONTRACTS[kind]
    if not (inspect.isclass(cls) and issubclass(cls, contract)):
        return f"is no subclass of toolkit.contracts.{contract.__name__}"
    if inspect.isabstract(cls):
        missing = ", ".join(sorted(getattr(cls, "__abstractmethods__", ())))
        return f"lacks {missing} of toolkit.contracts.{contract.__name__}"
    if hasattr(contract, "Options"):
        options = getattr(cls, "Options", None)
        if not (inspect.isclass(options) and issubclass(options, BaseModel)):
            return "has an Options that is no subclass of toolkit.contracts.Options"
    for attribute in getattr(contract, "__annotations__", {}):
        if attribute.islower() and not hasattr(cls, attribute):
            return f"does not set the class attribute {attribute}"
    return ""


def describe_failure(error: BaseException) -> str:
    """An exception out of a plugin's code in one line, with the place it came from."""
    if isinstance(error, ToolkitError):
        return str(error)
    if isinstance(error, SyntaxError):
        return f"SyntaxError: {error.msg} ({error.filename}:{error.lineno})"
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "importlib" not in frame.filename and not frame.filename.startswith(_HERE)
    ]
    place = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())}{place}"
