"""One trial of a run once more, in this process: `python -m toolkit.engine.reproduce RUN NUMBER`.

It runs from its beginning and without touching the run; `smoke` in place of the number runs the
run's first batch.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from toolkit.base.errors import DamagedLedgerError, LedgerError, ToolkitError
from toolkit.base.files import remove_tree
from toolkit.base.plain import finite
from toolkit.contracts import Outcome, SmokeJob, TrialSpec, TrialState
from toolkit.contracts.coding import SPEC, MessageError, decode
from toolkit.contracts.jobs import Report
from toolkit.run.checking import is_trainable
from toolkit.run.facts import PLUGIN_PATHS, RECIPE, SMOKE_JOB
from toolkit.run.folder import RunFolder
from toolkit.run.ledger import Ledger
from toolkit.run.records import TrialRecord
from toolkit.worker.jobs import JobRunner, spec_of


def reproduce(folder: Path, which: str) -> int:
    """Runs one trial of a run again in this process; 0 if it ends well.

    Raises:
        ToolkitError: there is no such run or trial.
    """
    outcome, _ = rerun(folder, which, _show_report)
    shown = {name: value for name, value in asdict(outcome).items() if value and name != "error"}
    sys.stdout.write(json.dumps(finite(shown)) + "\n")
    return 0 if outcome.state is TrialState.DONE else 1


def rerun(folder: Path, which: str, report: Report) -> tuple[Outcome, TrialRecord | None]:
    """Runs one trial of a run again in this process; how it ends, and what the ledger has of it.

    Args:
        folder: the run folder, which is left as it is.
        which: a trial's number, or `smoke` for the run's first batch.
        report: is told of every epoch.

    Raises:
        ToolkitError: there is no such run or trial.
    """
    with closing(Ledger.open(RunFolder(folder).ledger, read_only=True)) as ledger:
        recipe, paths = ledger.get(RECIPE), ledger.get(PLUGIN_PATHS)
        if recipe is None:
            raise ToolkitError(f"{folder} holds no run.", hint="Name a run folder.")
        scratch = Path(tempfile.mkdtemp(prefix="toolkit-trial-"))
        try:
            spec = _find(ledger, folder, which, scratch)
            known = ledger.trial(int(which)) if which != "smoke" else None
            runner = JobRunner(recipe, list(paths), "cpu")
            return runner.run(spec, report, lambda: None), known
        finally:
            remove_tree(scratch, scratch.parent)


def _find(ledger: Ledger, folder: Path, which: str, scratch: Path) -> TrialSpec:
    if which == "smoke":
        stored = ledger.get(SMOKE_JOB)
        if stored is not None:
            return replace(_smoke(stored), folder=str(scratch))
    else:
        record = ledger.trial(int(which)) if which.isdecimal() else None
        if record is not None:
            if record.point is not None and not is_trainable(record.point):
                raise DamagedLedgerError(
                    f"The ledger of {folder} is damaged: the point of trial {which} is none that"
                    " can be trained.",
                    hint="Restore it from a copy.",
                )
            return spec_of(record, scratch)
    raise ToolkitError(f"{folder} has no trial {which}.", hint="`toolkit trials` lists them.")


def _smoke(stored: Mapping[str, Any]) -> TrialSpec:
    """Returns the job of a run's first batch, as this or an earlier version wrote it down."""
    if "payload" in stored:
        return TrialSpec("smoke", SmokeJob(stored["payload"]["point"]), stored["seed"], "")
    try:
        return decode(SPEC, json.dumps(stored).encode())
    except MessageError as error:
        raise LedgerError(
            f"What the ledger holds of the first batch is no job: {error}.",
            hint="Was the run made by another version of the toolkit?",
        ) from error


def _show_report(step: int, values: Mapping[str, float], records: Mapping[str, Any]) -> None:
    numbers = " ".join(f"{name} {value:.4g}" for name, value in values.items())
    sys.stdout.write(f"{step} {numbers}\n")


if __name__ == "__main__":
    try:
        sys.exit(reproduce(Path(sys.argv[1]), sys.argv[2]))
    except ToolkitError as failure:
        sys.exit(str(failure))
    except (IndexError, ValueError):
        sys.exit("usage: python -m toolkit.engine.reproduce RUN_FOLDER NUMBER|smoke")
