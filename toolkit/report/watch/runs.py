"""The runs below the folders that are watched, each by an identifier that names no path."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from toolkit.base.errors import ToolkitError
from toolkit.run.facts import BUDGET_TRIALS, OBJECTIVES, RECIPE
from toolkit.run.ledger import Ledger
from toolkit.run.state import state_of

LEDGER = "ledger.sqlite"
DEPTH = 3
"""Folders below a watched one in which runs are looked for; a sweep's runs lie two below it."""


class Runs:
    """Finds runs, and knows which run an identifier stands for.

    Args:
        roots: run folders, or folders of runs.
    """

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = [root.absolute() for root in roots]
        self._known: dict[str, Path] = {}

    def folder(self, identifier: str) -> Path | None:
        """Returns the folder of a run that was listed; None where there is none."""
        if identifier not in self._known:
            self.find()
        return self._known.get(identifier)

    def find(self) -> dict[str, Path]:
        """Returns every run there is now, by its identifier, in the order of folders."""
        found = dict.fromkeys(path for root in self._roots for path in _below(root))
        self._known = {_identifier(path): path for path in found}
        return self._known

    def listed(self) -> list[dict[str, Any]]:
        """Returns what the list of runs says of each."""
        return [
            {"id": identifier, **_told(folder, self._title(folder))}
            for identifier, folder in self.find().items()
        ]

    def _title(self, folder: Path) -> str:
        for root in self._roots:
            if folder.is_relative_to(root):
                relative = folder.relative_to(root)
                return str(relative) if str(relative) != "." else folder.name
        return folder.name


def _below(root: Path) -> Iterator[Path]:
    patterns = ["/".join(["*"] * depth + [LEDGER]) for depth in range(DEPTH + 1)]
    for pattern in patterns:
        yield from (path.parent for path in sorted(root.glob(pattern)) if path.is_file())


def _identifier(folder: Path) -> str:
    return hashlib.sha256(str(folder).encode(errors="surrogateescape")).hexdigest()[:12]


def _told(folder: Path, title: str) -> dict[str, Any]:
    try:
        with closing(Ledger.open(folder / LEDGER, read_only=True)) as ledger:
            recipe, objectives = ledger.get(RECIPE) or {}, ledger.get(OBJECTIVES)
            budget, count = ledger.get(BUDGET_TRIALS), ledger.count("search")
    except ToolkitError as error:
        return {"title": title, "name": title, "state": "failed", "error": error.message}
    return {
        "title": title,
        "name": recipe.get("name") or folder.name,
        "folder": str(folder),
        "state": state_of(folder),
        "objectives": objectives,
        "trials": count,
        "budget": budget,
        "strategy": (recipe.get("strategy") or {}).get("name"),
    }
