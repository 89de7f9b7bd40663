"""Stands for torch in worker processes whose jobs compute nothing: its import takes two seconds.

`PYTHONPATH` leads workers here (`no_tensors` of `tests/support/light_workers.py`). There is what a
worker asks of torch beside tensors; any other name is a module or class without anything in it, and
arrays are NumPy's.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import json
import sys
from collections.abc import Sequence
from contextlib import ContextDecorator
from types import ModuleType
from typing import Any

import numpy as np

__path__: list[str] = []
arange = np.arange


class OutOfMemoryError(RuntimeError):
    """What torch raises where a GPU's memory runs out."""


class Module:
    """A network without weights, and whatever else torch has a class for."""

    def __init__(self, *given: Any, **more: Any) -> None: ...

    def eval(self) -> Module:
        return self

    def to(self, device: str) -> Module:
        return self

    def parameters(self) -> list[Any]:
        return []

    def state_dict(self) -> dict[str, Any]:
        return {}


class Generator:
    """Random numbers by NumPy."""

    def manual_seed(self, seed: int) -> Generator:
        self.numbers = np.random.default_rng(seed)
        return self


def zeros(*shape: int) -> Any:
    return np.zeros(shape)


def randn(*shape: int, generator: Generator) -> Any:
    return generator.numbers.standard_normal(shape)


class TensorDataset:
    """Arrays of equal length."""

    def __init__(self, *tensors: Any) -> None:
        self.tensors = tensors

    def __len__(self) -> int:
        return len(self.tensors[0])

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        return tuple(tensor[index] for tensor in self.tensors)


def save(state: dict[str, Any], stream: Any) -> None:
    stream.write(json.dumps(state).encode())


def load(stream: Any, **how: Any) -> Any:
    return json.loads(stream.read())


def device(name: str) -> str:
    return name


class no_grad(ContextDecorator):  # noqa: N801
    def __enter__(self) -> None: ...

    def __exit__(self, *error: object) -> None: ...


_SETTINGS: dict[str, Any] = {}


def _setting(name: str) -> Any:
    """A getter or a setter of torch's state of the process, which nothing here depends on."""
    if name.startswith("set_"):
        return lambda value: _SETTINGS.update({name[4:]: value})
    return lambda: _SETTINGS.get(name.removeprefix("get_").removeprefix("is_"), False)


def manual_seed(seed: int) -> None: ...


class _Anything(ModuleType):
    """A module of torch's; what is asked of it and is not here is a module or a class."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name.startswith(("get_", "set_", "is_")):
            return _setting(name)
        known = globals().get(name)
        if known is None and name.islower():
            return importlib.import_module(f"{self.__name__}.{name}")
        return type(name, (Module,), {}) if known is None else known


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if not name.startswith("torch."):
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return _Anything(spec.name)

    def exec_module(self, module: ModuleType) -> None: ...


sys.meta_path.insert(0, _Finder())
sys.modules[__name__].__class__ = _Anything
