"""What is wrong with a recipe: every fault at once, each with its place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from toolkit.base.errors import RecipeError
from toolkit.base.secrets import masked

NOT_SET = "is not set"
"""Said of a variable of the environment."""
_SET_IT = "Set the variable, or give its word another value behind the recipe, as KEY=VALUE."
SHOWN = 200
"""Faults that a message lists; a recipe by mistake, such as a data file, may have thousands."""
Path: TypeAlias = tuple[str | int, ...]
"""Keys and list positions that lead to a value."""


@dataclass(frozen=True)
class Mark:
    """Where something was written: a file with line and column (from 1), or an override."""

    source: str
    line: int | None = None
    column: int | None = None
    turn: int = 0
    """Position of an override among the overrides."""

    @property
    def position(self) -> str:
        """`line:column`, empty outside of files."""
        return "" if self.line is None else f"{self.line}:{self.column}"

    def __str__(self) -> str:
        return f"{self.source}:{self.position}" if self.position else self.source

    def order(self) -> tuple[bool, int, int]:
        """Sorts by place, files before overrides."""
        return self.line is None, self.line or self.turn, self.column or 0


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a recipe."""

    mark: Mark
    where: str
    text: str

    def __str__(self) -> str:
        return ": ".join(filter(None, (str(self.mark), self.where, self.text)))


class FaultyRecipeError(RecipeError):
    """All the faults of a recipe, in the order of their places."""

    def __init__(self, faults: Iterable[Fault], name: str) -> None:
        self.faults = tuple(sorted(dict.fromkeys(faults), key=lambda fault: fault.mark.order()))
        if len(self.faults) == 1:
            message = str(self.faults[0])
        else:
            lines = "".join(f"\n  {fault}" for fault in self.faults[:SHOWN])
            if len(self.faults) > SHOWN:
                lines += f"\n  ... and {len(self.faults) - SHOWN} more"
            message = f"{name} has {len(self.faults)} faults:{lines}"
        unset = any(NOT_SET in fault.text for fault in self.faults)
        super().__init__(message, hint=_SET_IT if unset else "")


@dataclass
class Faults:
    """Collects faults until all are known."""

    found: list[Fault] = field(default_factory=list)

    def add(self, mark: Mark, path: Path, text: str) -> None:
        """Note a fault; the same one noted again is told once."""
        self.found.append(Fault(mark, dotted(path), masked(text)))

    def raise_any(self, name: str) -> None:
        """End here if there are faults.

        Raises:
            FaultyRecipeError: with all of them.
        """
        if self.found:
            raise FaultyRecipeError(self.found, name)


def dotted(path: Path) -> str:
    """A path as it is written in overrides: `space.channels.0`."""
    return ".".join(map(str, path))
