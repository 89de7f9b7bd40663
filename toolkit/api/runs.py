"""The runs below a folder: listed, and deleted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from toolkit.api.ledger import FILE, reading, require_run
from toolkit.api.run import Run
from toolkit.base.errors import RunLockedError, ToolkitError

_KEPT = (".git", "pyproject.toml")
"""What no run folder holds: who finds one of these there is about to delete more than a run."""


def list_runs(folder: str | Path = "runs") -> list[Run]:
    """Returns the runs and sweeps below a folder, by path; what lies within a run is left out.

    Raises:
        ToolkitError: there is no such folder.
    """
    root = Path(folder)
    if not root.is_dir():
        raise ToolkitError(
            f"There is no folder {root}.", hint="Runs are kept in runs/, unless -o says otherwise."
        )
    return [Run(path) for path in sorted(_run_folders(root))]


def _run_folders(root: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(root):
        if FILE in files:
            folders.clear()
            yield Path(place)
        folders[:] = [name for name in folders if not name.startswith(".")]


def compare_runs(folder: str | Path = "runs") -> list[dict[str, Any]]:
    """Returns a row for each run below a folder, to see them beside each other.

    Each has `run`, `state`, `task`, `space`, `strategy`, `trials`, and the `objective` with its
    `best` value in the search and the mean in the `test` of the network in `test_of`, which the
    run handed over. An evaluation has the mean over its folds in `test`. A run that cannot be read
    is `damaged`, and `error` says why.

    Raises:
        ToolkitError: there is no such folder.
    """
    return [_overview(run) for run in list_runs(folder)]


def _overview(run: Run) -> dict[str, Any]:
    from toolkit.run.facts import OBJECTIVES

    found: dict[str, Any] = {"run": str(run.folder)}
    try:
        status, tested = run.status, run.outcome
        best = dict(status["best"] or {})
        with reading(run.folder) as ledger:
            objectives = ledger.get(OBJECTIVES)
        objective = next(iter(objectives), None)
        mean = (
            tested.test_of(tested.handed_over).get(objective)
            if tested is not None and objective
            else None
        )
        over = run.evaluation
        folds = "" if over is None else f"{over.folds} folds"
        found |= {
            "state": run.state,
            "task": (run.recipe.get("task") or {}).get("name"),
            "space": (run.recipe.get("space") or {}).get("name"),
            "strategy": status["strategy"],
            "trials": sum(status["trials"].values()),
            "objective": objective,
            "best": best.get(objective) if objective else None,
            "test": over.mean if over is not None else None if mean is None else mean.mean,
            "test_of": folds or (None if mean is None or tested is None else tested.handed_over),
        }
    except ToolkitError as error:
        found |= {"state": "damaged", "error": error.message}
    return found


def delete_run(run: str | Path | Run) -> None:
    """Deletes a run folder with all that it holds.

    Raises:
        RecipeError: it is no run folder.
        RunLockedError: an engine is at work on it.
        ToolkitError: it is a link, holds this working directory or a project, or cannot be deleted.
    """
    from toolkit.base.files import remove_tree
    from toolkit.run.lock import holder

    folder = run.folder if isinstance(run, Run) else Path(run)
    require_run(folder)
    whole, here = folder.resolve(), Path.cwd().resolve()
    if who := holder(folder):
        raise RunLockedError(
            f"An engine ({who}) is at work on {folder}.", hint="Stop it, and delete it then."
        )
    kept = [name for name in _KEPT if (folder / name).exists()]
    if folder.is_symlink() or whole == here or whole in here.parents or kept:
        what = "is a link" if folder.is_symlink() else "holds the working directory"
        what = f"holds {kept[0]}, which is no part of a run" if kept else what
        raise ToolkitError(f"{folder} {what}; it is not deleted.", hint="Delete it by hand.")
    remove_tree(whole, whole.parent)
    if whole.exists():
        raise ToolkitError(
            f"Not all of {folder} could be deleted.", hint="Check the permissions of what is left."
        )
