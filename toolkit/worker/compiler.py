"""torch's compiler, imported by those alone who compile.

torch's optimisers import it only to be left out of what it compiles, which costs each worker about
as much time as torch itself. Until more than that is asked of it, a module that knows the two words
optimisers use stands in its place.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from importlib.util import find_spec
from types import FunctionType, MethodType, ModuleType
from typing import Any

NAME = "torch._dynamo"


def import_compiler_when_asked() -> None:
    """Has torch's compiler imported with its first use, rather than with the first optimiser."""
    import torch

    if NAME not in sys.modules:
        spec, later = find_spec(NAME), _Later(NAME)
        # As those read it who only ask whether there is a compiler, and where.
        later.__dict__.update(__spec__=spec, __file__=spec and spec.origin)
        sys.modules[NAME] = torch._dynamo = later


class _Later(ModuleType):
    """Stands for the compiler as long as nothing has been compiled."""

    def graph_break(self, *told: str) -> None:
        """Parts what is compiled in two; nothing is."""

    def disable(self, fn: Any = None, *given: Any, **more: Any) -> Any:
        """Returns a function that is not compiled, by the compiler itself once that is here.

        Without a function, it returns what makes one of a function.
        """
        if fn is None:
            return lambda function: self.disable(function, *given, **more)
        if not isinstance(fn, FunctionType | MethodType):
            return _imported(self).disable(fn, *given, **more)  # A module, say, or a class.
        function: Callable[..., Any] = fn
        known: list[Callable[..., Any]] = []

        @wraps(function)
        def left_out(*arguments: Any, **named: Any) -> Any:
            if not known and sys.modules.get(NAME) is not self:
                known.append(_imported(self).disable(function, *given, **more))
            return (known[0] if known else function)(*arguments, **named)

        return left_out

    def __getattr__(self, name: str) -> Any:
        # Who looks through all modules asks each for its loader and the like.
        if name.startswith("__") and name != "__path__":
            raise AttributeError(name)
        return getattr(_imported(self), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(_imported(self), name, value)


def _imported(stand_in: _Later) -> Any:
    """Returns the compiler, which takes its place for good."""
    import torch

    if sys.modules.get(NAME) is stand_in:
        del sys.modules[NAME], torch._dynamo
    return import_module(NAME)
