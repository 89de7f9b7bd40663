"""The facts of a run that the API reads from its ledger, each in one function."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.base.errors import RecipeError

if TYPE_CHECKING:
    from toolkit.run.ledger import Ledger
    from toolkit.run.outcome import RunOutcome

FILE = "ledger.sqlite"


def require_run(folder: Path) -> None:
    """Makes sure that a folder is a run's.

    Raises:
        RecipeError: it is none; the hint names the runs there are.
    """
    if (folder / FILE).is_file():
        return
    if folder.is_dir():
        what = f"is no run folder: it holds no {FILE}"
    else:
        what = "is a file, expected a run folder" if folder.exists() else "does not exist"
    known = sorted(str(path.parent) for path in Path("runs").glob(f"*/{FILE}"))
    raise RecipeError(
        f"{folder} {what}.", hint=f"Runs here: {', '.join(known) or 'none in runs/'}."
    )


@contextmanager
def reading(folder: Path) -> Iterator[Ledger]:
    """Opens the ledger of a run folder to read.

    Raises:
        LedgerError: there is none, or it is damaged.
    """
    from toolkit.run.ledger import Ledger

    with closing(Ledger.open(folder / FILE, read_only=True)) as ledger:
        yield ledger


def recipe_of(ledger: Ledger) -> dict[str, Any]:
    """Returns the resolved recipe of a run."""
    from toolkit.run.facts import RECIPE

    recipe = ledger.get(RECIPE)
    return {} if recipe is None else dict(recipe)


def outcome_of(ledger: Ledger) -> RunOutcome | None:
    """Returns what a run found and how it did in the test; None before the test."""
    from toolkit.run.facts import OUTCOME

    return ledger.get(OUTCOME)
