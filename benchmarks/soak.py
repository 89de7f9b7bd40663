"""A long run under steady fire: memory and descriptors stay flat, and the books are exact.

`python benchmarks/soak.py [--trials 2000] [--workers 4] [--faults-per-s 1] [--for-s 600]`. Trials
of a few short epochs run while, for ten minutes from the first of them and once a second, something
is done to the run: a worker or what it started is killed, stopped and continued, its log is taken
away, or the ledger is held by another program.
Printed: resident memory and open descriptors of the engine after a quarter of the run and at its
end, and how many trials ended how often.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path

import psutil
from kills import Runs, await_event

RECIPE = """
version: 1
name: soak
task: clouds
space: slow_perceptron
strategy: random
budget: {{trials: {trials}, failures: {trials}}}
resources: {{workers: {workers}, threads: 1}}
train: {{epochs: 3, final: {{seeds: 1, random: 0, baselines: false}}}}
"""


def strike(runs: Runs, folder: Path, rng: random.Random) -> str:
    """Does one thing to a run; what it was."""
    kind = rng.choice(("kill", "kill", "stop", "logs", "hold"))
    workers = runs.marked(b"toolkit.executors.keeper")
    with suppress(OSError, sqlite3.Error):
        if kind in ("kill", "stop") and workers:
            pid = rng.choice(workers)
            os.kill(pid, signal.SIGKILL if kind == "kill" else signal.SIGSTOP)
            if kind == "stop":
                time.sleep(0.5)
                os.kill(pid, signal.SIGCONT)
        elif kind == "logs":
            for path in sorted(folder.glob("trials/*/stdout.log"))[-2:]:
                path.unlink()
        elif kind == "hold":
            with closing(sqlite3.connect(folder / "ledger.sqlite", timeout=5)) as ledger:
                ledger.execute("BEGIN IMMEDIATE")
                time.sleep(0.5)
                ledger.rollback()
    return kind


def measured(pid: int) -> dict[str, float]:
    """Memory in MB and open descriptors of a process, with its threads."""
    process = psutil.Process(pid)
    return {
        "rss_mb": round(process.memory_info().rss / 1e6, 1),
        "descriptors": process.num_fds(),
        "threads": process.num_threads(),
    }


def main() -> None:
    """Run, strike, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("trials", 2000), ("workers", 4), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--faults-per-s", type=float, default=1.0)
    parser.add_argument("--for-s", type=float, default=600.0, help="time in which faults come")
    given = parser.parse_args()
    rng, struck = random.Random(given.seed), Counter[str]()
    with tempfile.TemporaryDirectory(prefix="soak-") as temporary:
        home, folder = Path(temporary), Path(temporary) / "run"
        runs = Runs(home, given.trials, step_s=0.1)
        recipe = RECIPE.format(trials=given.trials, workers=given.workers)
        (home / "recipe.yaml").write_text(recipe)
        engine = runs.start(folder)
        # The first batch is one job that may be lost twice, and is no part of this.
        await_event(b"trial_started", folder, engine)
        began, seen = time.monotonic(), []
        while engine.poll() is None:
            time.sleep(rng.uniform(0, 2 / given.faults_per_s))
            if time.monotonic() - began < given.for_s:
                struck[strike(runs, folder, rng)] += 1
            with suppress(psutil.Error):
                seen.append(measured(engine.pid))
        from toolkit.run.ledger import Ledger

        with closing(Ledger.open(folder / "ledger.sqlite", read_only=True)) as ledger:
            records = ledger.trials("search")
            states = Counter(str(record.state) for record in records)
        facts = {
            "exit_code": engine.returncode,
            "seconds": round(time.monotonic() - began, 1),
            "struck": dict(struck),
            "states": dict(states),
            "attempts": sum(record.attempts for record in records),
            "epochs_paid": sum(record.epochs_paid for record in records),
            "quarter": seen[len(seen) // 4],
            "end": seen[-2],
            "left": runs.left(folder),
        }
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.exit(bool(engine.returncode or facts["left"] or sum(states.values()) != given.trials))


if __name__ == "__main__":
    main()
