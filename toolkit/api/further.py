"""Further tests: trials of a run that were found, or become of interest, after its test."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.api.ledger import reading
from toolkit.base.errors import RecipeError, ToolkitError
from toolkit.run.facts import OUTCOME

if TYPE_CHECKING:
    from toolkit.run.records import TrialRecord

TESTS = "tests"
"""Within a run folder: the runs of its further tests, one a trial."""
ALONE = {
    "train.final.baselines": False,
    "train.final.random": 0,
    "train.final.ensemble": 1,
    "train.final.hand_over": "found",
}
"""What a further test changes of the recipe: the trial is trained without anything beside it."""


def trial_to_test(run: Path, number: int | None) -> TrialRecord:
    """Returns the trial of a run that is to be tested further: the best so far, or one by number.

    Raises:
        RecipeError: there is no such trial, it did not end well, or it was tested already.
        ToolkitError: the run itself has not been tested yet.
    """
    from toolkit.contracts import TrialState
    from toolkit.run.status import best_so_far

    with reading(run) as ledger:
        outcome = ledger.get(OUTCOME)
        record = best_so_far(ledger) if number is None else ledger.trial(number)
    if outcome is None:
        raise ToolkitError(
            f"{run} has not been tested yet.",
            hint="The command that began it goes on with it, and tests what it finds.",
        )
    if record is None or record.phase != "search" or record.state is not TrialState.DONE:
        if record is not None and record.phase == "search":
            what = f"Trial {number} of {run} has not ended well, it is {record.state}."
        elif number is None:
            what = f"{run} has no trial of a search that ended well."
        else:
            what = f"Trial {number} is none of the search of {run}."
        raise RecipeError(
            what,
            hint=f"`toolkit trials {run}` lists them; those that are done can be tested.",
        )
    if record.point is None or record.fingerprint == outcome.fingerprint:
        raise RecipeError(
            f"Trial {record.number} is what the run has tested.",
            hint=f"`toolkit best {run}` prints how it did.",
        )
    return record


def further_tests(run: Path) -> list[dict[str, Any]]:
    """Returns the further tests of a run that have ended: trial, folder and results."""
    found = []
    for folder in sorted((run / TESTS).glob("trial-*")):
        number = folder.name.removeprefix("trial-")
        if not number.isdecimal() or not (folder / "ledger.sqlite").is_file():
            continue
        with reading(folder) as ledger:
            outcome = ledger.get(OUTCOME)
        if outcome is not None:
            test = {name: result.mean for name, result in outcome.test.items()}
            found.append({"trial": int(number), "folder": str(folder), "test": test})
    return sorted(found, key=lambda each: each["trial"])


def reads_in_words(run: Path) -> str:
    """Says how often the test split of a run was read, where that is more than once."""
    count = 1 + len(further_tests(run))
    if count < 2:
        return ""
    times = "twice" if count == 2 else f"{count} times"
    return (
        f"The test split of {run} has now been read {times}: the best of several tests is no"
        " estimate for new data."
    )
