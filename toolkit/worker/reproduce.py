"""One trial of a run once more, in this process: `python -m toolkit.worker.reproduce RUN NUMBER`.

It runs from its beginning and without touching the run; `smoke` in place of the number runs the
run's first batch.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolkit.contracts import TrialState
from toolkit.errors import ToolkitError
from toolkit.plain import finite
from toolkit.run.facts import PLUGIN_PATHS, RECIPE, SMOKE_JOB
from toolkit.run.folder import RunFolder
from toolkit.run.ledger import Ledger
from toolkit.worker.jobs import JobRunner, job_of


def reproduce(folder: Path, which: str) -> int:
    """Run one trial of a run again in this process; 0 if it ends well.

    Raises:
        ToolkitError: there is no such run or trial.
    """
    ledger = Ledger.open(RunFolder(folder).ledger, read_only=True)
    recipe, paths, smoke = ledger.get(RECIPE), ledger.get(PLUGIN_PATHS), ledger.get(SMOKE_JOB)
    record = None if which == "smoke" else ledger.trial(int(which))
    job = smoke if record is None else job_of(record)
    if job is None or recipe is None or (record is None and which != "smoke"):
        raise ToolkitError(f"{folder} has no trial {which}.", hint="`toolkit trials` lists them.")
    scratch = Path(tempfile.mkdtemp(prefix="toolkit-trial-"))
    try:
        runner = JobRunner(recipe, list(paths), "cpu")
        body = runner.run({**job, "folder": str(scratch)}, _show_report, lambda: None)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    sys.stdout.write(json.dumps(finite({k: v for k, v in body.items() if k != "error"})) + "\n")
    return 0 if body["state"] == TrialState.DONE else 1


def _show_report(step: int, values: Mapping[str, float], records: Mapping[str, Any]) -> None:
    numbers = " ".join(f"{name} {value:.4g}" for name, value in values.items())
    sys.stdout.write(f"{step} {numbers}\n")


if __name__ == "__main__":
    try:
        sys.exit(reproduce(Path(sys.argv[1]), sys.argv[2]))
    except ToolkitError as failure:
        sys.exit(str(failure))
    except (IndexError, ValueError):
        sys.exit("usage: python -m toolkit.worker.reproduce RUN_FOLDER NUMBER|smoke")
