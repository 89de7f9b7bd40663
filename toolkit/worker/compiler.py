"""torch's compiler, imported by whoever compiles something, and not by every optimiser.

An optimiser imports `torch._dynamo` for two calls that do nothing outside of compiled code. In a
worker that costs nearly as much time as torch itself, and 80 MB.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

NAME = "torch._dynamo"


def import_when_used() -> None:
    """Has this process import torch's compiler at its first use; nothing where it is there."""
    if NAME not in sys.modules:
        sys.modules[NAME] = _Compiler(NAME)


class _Compiler(ModuleType):
    """Stands for the module until something else of it is asked for than optimisers ask."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._left_alone: list[Any] = []

    def graph_break(self, msg: str = "") -> None:
        """Ends a graph, and none is being made."""

    def disable(self, fn: Callable[..., Any], *args: Any, **options: Any) -> Callable[..., Any]:
        """Returns the function, which nothing would compile."""
        self._left_alone.append(fn)
        return fn

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__path__":
            raise AttributeError(name)  # Asked of every module by those who look around.
        if sys.modules.get(NAME) is self:
            del sys.modules[NAME]
            for fn in self._left_alone:  # From now on it may be compiled, and is asked for again.
                vars(fn).pop("__dynamo_disable", None)
        return getattr(importlib.import_module(NAME), name)
