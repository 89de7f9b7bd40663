"""The compiled library, if there is one, and the calls it takes."""

import ctypes
import functools
import os
from collections.abc import Callable
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

SWITCH = "TOOLKIT_SPD_KERNEL"
INSTRUCTIONS = ("baseline", "avx2", "avx512")
_TYPES = {torch.float64: "f64", torch.float32: "f32"}
_FUNCTIONS = ("eigh", "divided_log", "divided_exp")
_ARGUMENTS: list[Any] = [ctypes.c_int, *[ctypes.c_void_p] * 3, ctypes.c_int64, ctypes.c_int]


class Library(NamedTuple):
    """Functions by name and element type, and the index of the instruction set to use.

    Each takes the instruction set, three addresses, the number of matrices, and n.
    """

    instructions: int
    functions: dict[tuple[str, torch.dtype], Callable[..., Any]]


@functools.cache
def load() -> Library | None:
    """Return the library, or None if it is not installed or switched off."""
    choice = _choice()
    if choice == "off":
        return None
    candidates = [Path(__file__).with_name(f"_eigh{suffix}") for suffix in EXTENSION_SUFFIXES]
    for path in filter(Path.exists, candidates):
        try:
            library = ctypes.CDLL(str(path))
            functions: dict[tuple[str, torch.dtype], Callable[..., Any]] = {}
            for name in _FUNCTIONS:
                for dtype, suffix in _TYPES.items():
                    function = library[f"{name}_{suffix}"]
                    function.restype = ctypes.c_int if name == "eigh" else None
                    function.argtypes = _ARGUMENTS
                    functions[name, dtype] = function
            best = library.eigh_instructions()
        except (OSError, AttributeError):  # built for another machine, or by an older version
            continue
        wanted = INSTRUCTIONS.index(choice) if choice in INSTRUCTIONS else best
        return Library(min(wanted, best), functions)
    return None


def _choice() -> str:
    return os.environ.get(SWITCH, "auto").lower()


def switched_off() -> bool:
    """Return whether no kernel is to be used."""
    return _choice() == "off"


def available() -> bool:
    """Return whether the compiled library is there and not switched off."""
    return load() is not None


def takes(x: Tensor) -> bool:
    """Return whether `x` is a plain CPU tensor of float32 or float64, outside any tracing."""
    return x.device.type == "cpu" and is_plain(x)


def is_plain(x: Tensor) -> bool:
    """Return whether `x` is a plain tensor of float32 or float64, outside any tracing."""
    return (
        type(x) in (Tensor, torch.nn.Parameter)
        and x.dtype in _TYPES
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()
    )
