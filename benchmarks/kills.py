"""What a run loses when its engine, its workers, or both are killed at random moments: nothing.

`python benchmarks/kills.py [--engine 50] [--worker 20] [--both 10] [--trials 60] [--seed 0]`. A
search with promotions (`halving.asha`, trials told in order) runs once undisturbed. Then the same
search runs in another folder, and SIGKILL comes at random moments: to the engine, to a worker, to
both at once; the same command resumes. A quarter of the kills fall into the start of a session, the
others into the first seconds after its first report; the last tenth is kept for the final
trainings. In the end trials, epochs paid, results and the final weights have to equal the
undisturbed run's, and no process, temporary file or shared memory may be left. It ends with exit
code 1 where one does not, and where the run ended before all kills had come.
"""

from __future__ import annotations

import argparse
import getpass
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

RECIPE = """
version: 1
name: kills
task: clouds
space: slow_perceptron
strategy: {{name: halving.asha, min: 1, reduction: 3}}
budget: {{trials: {trials}}}
resources: {{workers: 2, threads: 1, deterministic: true}}
train: {{epochs: 9, final: {{seeds: 3, random: 2, baselines: false}}}}
"""
CACHES = (f"torchinductor_{getpass.getuser()}",)
"""What torch keeps among the temporary files, of runs that nothing disturbs too."""
_PLUGIN = """
import time

import torch
from torch import nn
from torch.utils.data import TensorDataset

from toolkit import contracts
from toolkit.space import Group, Int


class Clouds(contracts.Task):
    directions = {"accuracy": "maximize", "loss": "minimize"}

    def info(self):
        return contracts.TaskInfo("vector", (4,), 2, 32)

    def load(self, data_dir, seed):
        def part(count, stream):
            drawn = torch.Generator().manual_seed(100 * seed + stream)
            y = torch.arange(count) % 2
            return TensorDataset(torch.randn(count, 4, generator=drawn) + 0.5 * y[:, None], y)

        return contracts.Splits(part(32, 1), part(64, 2), lambda: part(64, 3))

    def metrics(self, scores, labels):
        hits = (scores.argmax(1) == labels).double().mean()
        return {"accuracy": float(hits), "loss": float(nn.functional.cross_entropy(scores, labels))}


class Perceptron(nn.Sequential):
    def __init__(self, width, copy=1):
        super().__init__(nn.Linear(4, width), nn.ReLU(), nn.Linear(width, 2))
        self.config = {"width": width}


class Slow(contracts.Learner):
    def loss(self, batch):
        time.sleep(STEP_S)
        return super().loss(batch)


class SlowPerceptron(contracts.SearchSpace):
    accepts = frozenset({"vector"})

    def parameters(self, task):
        return Group(width=Int(1, 500), copy=Int(1, 1000))

    def build(self, architecture, task):
        return Slow(Perceptron(**architecture))
"""


def plugin(step_s: float) -> str:
    """A plugin's text, whose networks take so long a step."""
    return _PLUGIN.replace("STEP_S", str(step_s))


class Runs:
    """Engines at work on folders below one home; what they start bears a mark."""

    def __init__(self, home: Path, trials: int, step_s: float = 0.3) -> None:
        self.home, self.mark = home, uuid.uuid4().hex
        self.temporary = home / "tmp"
        self.temporary.mkdir(exist_ok=True)
        self._shared = shared_memory()
        (home / "recipe.yaml").write_text(RECIPE.format(trials=trials))
        (home / "kills_plugin.py").write_text(plugin(step_s))

    def start(self, folder: Path) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "toolkit", "search", str(self.home / "recipe.yaml")]
        command += ["-o", str(folder), "--plugin", str(self.home / "kills_plugin.py")]
        with (self.home / "output.txt").open("ab") as output:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={
                    **os.environ,
                    "OMP_NUM_THREADS": "1",
                    "KILLS_MARK": self.mark,
                    "TMPDIR": str(self.temporary),
                },
            )

    def finish(self, folder: Path) -> None:
        code = self.start(folder).wait()
        if code:
            sys.exit(f"exit code {code}, see {self.home / 'output.txt'}")

    def marked(self, word: bytes = b"") -> list[int]:
        """Living processes that engines here have started, with a word in their command."""
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                ours = self.mark.encode() in (path / "environ").read_bytes()
                if ours and word in (path / "cmdline").read_bytes():
                    found.append(int(path.name))
        return found

    def left(self, folder: Path) -> dict[str, list[str]]:
        """What an ended engine should not have left, by kind; empty where all is well."""
        until = time.monotonic() + 10
        while self.marked() and time.monotonic() < until:
            time.sleep(0.1)
        found = {
            "processes": list(map(str, self.marked())),
            "temporary": [
                path.name for path in self.temporary.iterdir() if path.name not in CACHES
            ],
            "shared memory": sorted(shared_memory() - self._shared),
            "unfinished": [str(path.relative_to(folder)) for path in folder.rglob("*.part")],
        }
        return {kind: names for kind, names in found.items() if names}


def shared_memory() -> set[str]:
    """Names of the machine's segments of shared memory."""
    return {path.name for path in Path("/dev/shm").iterdir()}


def books(folder: Path) -> dict[str, Any]:
    """What has to be equal: of every trial its result and what it cost, and the final weights."""
    from toolkit.run.ledger import Ledger

    with closing(Ledger.open(folder / "ledger.sqlite", read_only=True)) as ledger:
        records = ledger.trials()
    weights = (folder / "best" / "weights.safetensors").read_bytes()
    return {
        "trials": [
            [r.number, r.phase, r.label, str(r.state), r.fingerprint, r.seed, r.continues]
            for r in records
        ],
        "results": [{k: v for k, v in r.values.items() if k != "duration_s"} for r in records],
        "epochs_paid": [r.epochs_paid for r in records],
        "weights": hashlib.sha256(weights).hexdigest(),
    }


def started_after(folder: Path) -> float:
    """Seconds from a run's first event to its first report."""
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    first = next(event for event in events if event["event"] == "trial_reported")
    return float(first["time"] - events[0]["time"])


def await_moment(
    folder: Path, engine: subprocess.Popen[bytes], start_s: float, rng: random.Random
) -> None:
    """Waits for a random moment of an engine's start, or one soon after its first report."""
    events = folder / "events.jsonl"
    seen = events.stat().st_size if events.exists() else 0
    if rng.random() < 0.25:
        time.sleep(rng.uniform(0, start_s))
        return
    while engine.poll() is None:
        with suppress(OSError), events.open("rb") as stream:
            stream.seek(seen)
            if b'"trial_reported"' in stream.read():
                break
        time.sleep(0.02)
    time.sleep(rng.uniform(0, 2))


def await_event(name: bytes, folder: Path, engine: subprocess.Popen[bytes]) -> None:
    """Waits until a run has told of something, or its engine has ended."""
    events = folder / "events.jsonl"
    while engine.poll() is None:
        if events.exists() and b'"%b"' % name in events.read_bytes():
            break
        time.sleep(0.1)


def disturb(
    runs: Runs, folder: Path, kills: list[str], start_s: float, most_s: float, rng: random.Random
) -> dict[str, int]:
    """Kills what is listed at random moments while a run goes on; how often it came to that."""
    until = time.monotonic() + most_s
    done: dict[str, int] = {}
    engine = runs.start(folder)
    fresh, kept = True, len(kills) // 10
    while kills and time.monotonic() < until:
        if fresh:
            await_moment(folder, engine, start_s, rng)
        else:
            time.sleep(rng.uniform(0, 2))
        if len(kills) <= kept:
            await_event(b"final_started", folder, engine)
        if engine.poll() is not None:
            if engine.returncode != 0:
                sys.exit(f"exit code {engine.returncode}, see {runs.home / 'output.txt'}")
            break
        kind = kills[-1]
        workers = runs.marked(b"toolkit.executors.keeper")
        fresh = False
        if kind != "engine" and not workers:
            continue
        kills.pop()
        if kind != "engine":
            with suppress(ProcessLookupError):
                os.kill(rng.choice(workers), signal.SIGKILL)
        if kind != "worker":
            engine.kill()
            engine.wait()
            engine, fresh = runs.start(folder), True
        done[kind] = done.get(kind, 0) + 1
    engine.wait()
    runs.finish(folder)
    return done


def main() -> None:
    """Run, kill, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("engine", 50), ("worker", 20), ("both", 10), ("trials", 60)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--most-s", type=float, default=7200.0, help="time after which it is let be"
    )
    parser.add_argument("--home", type=Path, help="a folder to keep; by default a temporary one")
    given = parser.parse_args()
    rng = random.Random(given.seed)
    kills = [kind for kind in ("engine", "worker", "both") for _ in range(getattr(given, kind))]
    rng.shuffle(kills)
    with tempfile.TemporaryDirectory(prefix="kills-") as temporary:
        home = given.home or Path(temporary)
        home.mkdir(parents=True, exist_ok=True)
        runs = Runs(home, given.trials)
        began = time.monotonic()
        runs.finish(home / "undisturbed")
        whole = time.monotonic() - began
        start_s = started_after(home / "undisturbed")
        done = disturb(runs, home / "disturbed", kills, start_s, given.most_s, rng)
        first, second = books(home / "undisturbed"), books(home / "disturbed")
        differing = [name for name in first if first[name] != second[name]]
        facts = {
            "undisturbed_s": round(whole, 1),
            "start_s": round(start_s, 1),
            "disturbed_s": round(time.monotonic() - began - whole, 1),
            "kills": done,
            "not_done": len(kills),
            "epochs_paid": sum(second["epochs_paid"]),
            "differing": differing,
            "left": runs.left(home / "disturbed"),
        }
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.exit(bool(differing or kills or facts["left"]))


if __name__ == "__main__":
    main()
