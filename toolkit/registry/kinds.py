"""The kinds of plugins, the contract of each, and what keeps a class from being one."""

from __future__ import annotations

import inspect
from typing import Any

from pydantic import BaseModel

from toolkit import contracts

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


def contract_fault(kind: str, cls: Any) -> str:
    """What keeps a class from being a plugin of a kind; empty if nothing does."""
    contract = CONTRACTS[kind]
    if not (inspect.isclass(cls) and issubclass(cls, contract)):
        return f"is no subclass of toolkit.contracts.{contract.__name__}"
    missing = set(getattr(cls, "__abstractmethods__", ()))
    if issubclass(cls, contracts.Task) and not _judges(cls):
        missing.add("metrics")
    if missing:
        return f"lacks {', '.join(sorted(missing))} of toolkit.contracts.{contract.__name__}"
    if hasattr(contract, "Options"):
        options = getattr(cls, "Options", None)
        if not (inspect.isclass(options) and issubclass(options, BaseModel)):
            return "has an Options that is no subclass of toolkit.contracts.Options"
    for attribute in getattr(contract, "__annotations__", {}):
        if attribute.islower() and not hasattr(cls, attribute):
            return f"does not set the class attribute {attribute}"
    return ""


def _judges(cls: type[contracts.Task]) -> bool:
    return cls.judge is not None or cls.metrics is not contracts.Task.metrics
