"""The status of a run, read from its ledger, whether an engine is at work on it or not.

Nothing here loads a plugin: a run folder may come from anywhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from toolkit.base.errors import LedgerError
from toolkit.contracts import Direction
from toolkit.run.facts import (
    BUDGET_TRIALS,
    EXPORTED,
    FRONT,
    OBJECTIVES,
    OUTCOME,
    PILOT,
    RECIPE,
    SEARCH_S,
)
from toolkit.run.ledger import Ledger
from toolkit.run.outcome import RunOutcome
from toolkit.run.over_folds import is_evaluation, over_folds
from toolkit.run.records import TrialRecord
from toolkit.run.selection import FIRST, best_found
from toolkit.run.words import chance_in_words, handed_over_in_words, pilot_in_words


def objectives(ledger: Ledger) -> Mapping[str, Direction]:
    """Returns what a run searches for, the primary objective first.

    Raises:
        LedgerError: an earlier version of the toolkit did not write it down.
    """
    known = ledger.get(OBJECTIVES)
    if not known:
        raise LedgerError(
            f"{ledger.path} does not say which metric its run is judged by: it was written by an"
            " earlier version of the toolkit.",
            hint="Give the run's command once more: it goes on where it was, and writes it down.",
        )
    return known


def best_so_far(ledger: Ledger, records: Sequence[TrialRecord] | None = None) -> TrialRecord | None:
    """Returns the trial that a search would end with now, see `toolkit.run.selection.best_found`.

    Args:
        records: the ledger's search trials, where they were read already.

    Raises:
        LedgerError: see `objectives`.
    """
    if records is None:
        records = ledger.trials("search")
    return best_found(records, objectives(ledger), _choice(ledger)) if records else None


def _choice(ledger: Ledger) -> str:
    """Which point of a front the recipe asks for; runs of earlier versions have the first."""
    train = (ledger.get(RECIPE) or {}).get("train")
    final = train.get("final") if isinstance(train, Mapping) else None
    choice = final.get("choose") if isinstance(final, Mapping) else None
    return choice if isinstance(choice, str) else FIRST


def front(ledger: Ledger) -> dict[str, Any] | None:
    """Returns the Pareto front of a run with several objectives, best in the first one first.

    Returns:
        `objectives`, `reference`, `trials`, `hypervolume` and `results` as in
        `toolkit.run.facts.Front`, and a row for each trial in `points`. None where there is one
        objective, or no result yet.
    """
    known = ledger.get(FRONT)
    if known is None or not known.trials:
        return None
    records = [ledger.trial(number) for number in known.trials]
    points = [
        {
            "trial": record.number,
            "fingerprint": record.fingerprint,
            "values": dict(record.values),
            "parameters": record.parameters,
            "architecture": (record.point or {}).get("architecture"),
        }
        for record in records
        if record is not None
    ]
    return {**FRONT.plain(known), "points": points}


def summary(ledger: Ledger) -> dict[str, Any]:
    """Returns counts of trials by state, the best so far, the time spent, what is done of the end.

    The best is left open where the ledger does not say what it is judged by.
    """
    recipe = ledger.get(RECIPE) or {}
    every, final = ledger.trials("search"), ledger.trials("final")
    search = [record for record in every if not record.origin]
    evaluation = is_evaluation(ledger)
    searched = ledger.get(OBJECTIVES) and not evaluation
    best, outcome = best_so_far(ledger) if searched else None, ledger.get(OUTCOME)
    over = over_folds(ledger.path.parent) if evaluation else None
    several = front(ledger)
    rejected = sum(r.state == "invalid" and bool(r.violations) for r in search)
    fronts = {"front": several["trials"], "hypervolume": several["hypervolume"]} if several else {}
    return {
        "recipe": recipe.get("name"),
        "strategy": (recipe.get("strategy") or {}).get("name"),
        "trials": dict(Counter(str(record.state) for record in search)),
        "budget": ledger.get(BUDGET_TRIALS),
        **({} if (pilot := ledger.get(PILOT)) is None else {"pilot": pilot_in_words(pilot)}),
        "reused": sum(record.source is not None for record in search),
        **({"rejected": rejected} if rejected else {}),
        "warm_started": len(every) - len(search),
        "epochs_paid": sum(record.epochs_paid for record in search),
        "search_s": ledger.get(SEARCH_S),
        "best": None if best is None else {"number": best.number, **best.values},
        **({} if over is None else {"evaluation": over.sentence}),
        **fronts,
        "final_trainings": dict(Counter(str(record.state) for record in final)),
        "tested": outcome is not None,
        "exported": ledger.get(EXPORTED),
        **handed_over(ledger),
        **_better_since(outcome, best),
    }


def handed_over(ledger: Ledger) -> dict[str, str]:
    """Returns what `best/` holds (`best_holds`) and what is wrong with it (`warning`), if known."""
    outcome, known = ledger.get(OUTCOME), ledger.get(OBJECTIVES)
    if outcome is None:
        return {}
    found: dict[str, str] = {}
    if known:
        found["best_holds"] = handed_over_in_words(outcome, next(iter(known)), ledger.get(RECIPE))
    if warning := chance_in_words(outcome, ledger.get(RECIPE)):
        found["warning"] = warning
    return found


def _better_since(outcome: RunOutcome | None, best: TrialRecord | None) -> dict[str, str]:
    if outcome is None or outcome.trial is None or best is None:
        return {}
    if best.fingerprint == outcome.fingerprint:
        return {}
    said = f"trial {best.number}, which came after the test; `toolkit test` tests it too"
    return {"better_since": said}
