"""What can be said of a run from its folder alone, whether its engine is at work or not."""

from __future__ import annotations

import fcntl
import os
from collections import Counter
from pathlib import Path
from typing import Any

from toolkit.run.ledger import Ledger
from toolkit.run.records import TrialRecord, candidates


def holder(folder: Path) -> str:
    """Who is at work on a run folder (`pid 123 on host`); empty if nobody is."""
    try:
        descriptor = os.open(folder / ".lock", os.O_RDONLY)
    except OSError:
        return ""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(descriptor, 1000, 0).decode(errors="replace").strip() or "starting"
    finally:
        os.close(descriptor)
    return ""


def objective(ledger: Ledger) -> tuple[str, str]:
    """Name and direction of a run's primary objective.

    Where the recipe leaves it to its task, it is the first metric of those that the engine has
    noted. In ledgers of earlier versions the task has to be loaded; a metric that all trials have
    in common stands in for it where that fails.
    """
    recipe = ledger.meta("recipe") or {}
    noted = ledger.meta("directions") or {}
    named = next(iter((recipe.get("objectives") or noted).items()), None)
    if named:
        return named
    from toolkit.errors import ToolkitError
    from toolkit.registry import Registry

    try:
        registry = Registry(ledger.meta("plugin_paths", []), tolerant=True)
        task = registry.get("tasks", recipe["task"]["name"])
        metric, direction = next(iter(task.directions.items()))
        return metric, direction
    except (ToolkitError, KeyError, StopIteration):
        done = [record for record in ledger.trials("search") if record.values]
        metric = next(iter(done[0].values), "") if done else ""
        return metric, "minimize" if "loss" in metric else "maximize"


def best_so_far(ledger: Ledger) -> TrialRecord | None:
    """The trial that a search would end with now: see `toolkit.run.ledger.candidates`."""
    metric, direction = objective(ledger)
    sign = 1 if direction == "maximize" else -1
    done = [r for r in candidates(ledger.trials("search")) if metric in r.values]
    return max(done, key=lambda record: sign * record.values[metric], default=None)


def front(ledger: Ledger) -> dict[str, Any] | None:
    """The Pareto front of a run with several objectives, best in the first one first.

    Returns:
        `objectives`, `reference` and `hypervolume` (`toolkit.analysis.pareto.Archive`), `results`
        (how many trials were compared), the numbers of the front's `trials`, and a row for each
        of them in `points`. None where there is one objective, or no result yet.
    """
    known: dict[str, Any] | None = ledger.meta("front")
    if not known or not known["trials"]:
        return None
    records = [ledger.trial(number) for number in known["trials"]]
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
    return {**known, "points": points}


def summary(ledger: Ledger) -> dict[str, Any]:
    """Counts of trials by state, the best so far, the time spent, and what is done of the end."""
    recipe = ledger.meta("recipe") or {}
    every, final = ledger.trials("search"), ledger.trials("final")
    search = [record for record in every if not record.origin]
    best, several = best_so_far(ledger), front(ledger)
    rejected = sum(r.state == "invalid" and bool(r.violations) for r in search)
    fronts = {"front": several["trials"], "hypervolume": several["hypervolume"]} if several else {}
    return {
        "recipe": recipe.get("name"),
        "strategy": (recipe.get("strategy") or {}).get("name"),
        "trials": dict(Counter(str(record.state) for record in search)),
        "budget": ledger.meta("budget_trials"),
        "reused": sum(record.source is not None for record in search),
        **({"rejected": rejected} if rejected else {}),
        "warm_started": len(every) - len(search),
        "epochs_paid": sum(record.epochs_paid for record in search),
        "search_s": ledger.meta("search_s", 0.0),
        "best": None if best is None else {"number": best.number, **best.values},
        **fronts,
        "final_trainings": dict(Counter(str(record.state) for record in final)),
        "tested": ledger.meta("outcome") is not None,
        "exported": bool(ledger.meta("exported")),
    }
