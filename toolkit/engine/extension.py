"""Totals of a run that `--extend` has raised: remembered in the ledger, so none is added twice."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from toolkit.base.errors import LedgerError, RecipeError
from toolkit.engine.budget import SearchBudget, total_trials
from toolkit.recipe.schema import Budget
from toolkit.run.facts import EXTENSIONS, SEARCH_S, Extension
from toolkit.run.ledger import Ledger

Extensions: TypeAlias = Mapping[str, Extension]
"""By the name of the total."""

EXTENDABLE = ("trials", "time", "epochs")


def extended(
    block: Budget, default_trials: int | None, ledger: Path, more: Mapping[str, float]
) -> tuple[Budget, Extensions]:
    """Returns the totals of a run with all its extensions, and these.

    The same extension asked for again before it is used up is the one of an engine that was
    stopped, and adds nothing.

    Args:
        block: the recipe's totals.
        default_trials: the strategy's own.
        ledger: of the run, if there is one.
        more: what to add to which total.

    Raises:
        RecipeError: there is no run yet, or no such total.
    """
    known, spent = _read(ledger, spent=bool(more))
    if more and spent is None:
        raise RecipeError(
            f"There is no run in {ledger.parent} to extend.",
            hint="Leave --extend out, or name the run's folder with -o.",
        )
    totals: dict[str, Any] = {
        "trials": total_trials(block, default_trials),
        "time": block.time,
        "epochs": block.epochs,
    }
    for name, extension in known.items():
        if totals[name] is not None:
            totals[name] = max(totals[name], extension.total)
    for name, by in more.items():
        if totals[name] is None:
            given = ", ".join(key for key in EXTENDABLE if totals[key] is not None) or "nothing"
            raise RecipeError(
                f"--extend {name}: the run has no total of {name}; it is limited by {given}."
            )
        earlier = known.get(name)
        assert spent is not None
        going_on = (
            earlier is not None
            and earlier.by == by
            and earlier.total == totals[name]
            and spent[name] < totals[name]
        )
        if not going_on:
            totals[name] += by
            known = {**known, name: Extension(totals[name], by)}
    return block.model_copy(update=totals), known


def _read(path: Path, *, spent: bool) -> tuple[Extensions, dict[str, float] | None]:
    """A run's extensions and, if asked for, what is spent of its totals; None without a run."""
    if not path.is_file():
        return {}, None
    try:
        ledger = Ledger.open(path, read_only=True)
    except LedgerError:
        if spent:
            raise
        return {}, None  # One of an earlier version, which had none, or damage that is told later.
    try:
        known = ledger.get(EXTENSIONS)
        if not spent:
            return known, None
        budget = SearchBudget(Budget(), None, ledger.trials("search"), 0.0)
        counted = {"trials": budget.asked, "epochs": budget.epochs}
        return known, {**counted, "time": ledger.get(SEARCH_S)}
    finally:
        ledger.close()
