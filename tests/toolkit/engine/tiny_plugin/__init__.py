"""A tiny task, space and strategies: real plugins, loaded by path, for tests of the engine."""

from __future__ import annotations

import math
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from toolkit import contracts
from toolkit.contracts import (
    Architecture,
    Direction,
    Exhausted,
    Learner,
    Proposal,
    SearchContext,
    SearchSpace,
    Splits,
    SupernetResult,
    TaskInfo,
    TrialContext,
    TrialState,
    Wait,
)
from toolkit.errors import DataError
from toolkit.space import Group, Int, Space, sample


class TinyTask(contracts.Task):
    """Two shifted Gaussian clouds."""

    directions: ClassVar[Mapping[str, Direction]] = {"accuracy": "maximize", "loss": "minimize"}

    def info(self) -> TaskInfo:
        return TaskInfo("vector", (4,), 2, 32)

    def load(self, data_dir: Path, seed: int) -> Splits:
        import torch
        from torch.utils.data import TensorDataset

        def make(count: int, stream: int) -> TensorDataset:
            generator = torch.Generator().manual_seed(1000 * seed + stream)
            labels = torch.arange(count) % 2
            inputs = torch.randn(count, 4, generator=generator) + 2 * labels[:, None]
            return TensorDataset(inputs, labels)

        def load_test() -> TensorDataset:
            if os.environ.get("TEST_READS"):
                with Path(os.environ["TEST_READS"]).open("a") as stream:
                    stream.write("read\n")
            return make(32, 3)

        return Splits(make(32, 1), make(16, 2), load_test)

    def metrics(self, scores: Any, labels: Any) -> dict[str, float]:
        from torch.nn.functional import cross_entropy

        hits = (scores.argmax(1) == labels).double().mean()
        return {"accuracy": float(hits), "loss": float(cross_entropy(scores, labels))}


class SlowLearner(Learner):
    """Reports a known curve, epoch by epoch; no training at all."""

    def __init__(self, model: Any, quality: float, options: Any) -> None:
        super().__init__(model)
        self.quality, self.options = quality, options

    def fit(self, trial: TrialContext) -> dict[str, float]:
        options = self.options
        if options.fault == "raise":
            raise RuntimeError("broken on purpose")
        if options.fault == "exit":
            sys.exit(0)
        if options.fault == "nan":
            return {"accuracy": math.nan, "loss": 0.0}
        if options.fault == "missing":
            return {"loss": 0.0}
        if options.fault == "memory":
            raise MemoryError
        if options.fault == "cuda":
            import torch

            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
        if options.fault == "hoard":
            hoard(trial.folder)
        if options.fault.startswith("strays"):
            start_strays(trial.folder)
            if options.fault == "strays_segv":
                os.kill(os.getpid(), signal.SIGSEGV)
            time.sleep(3600)
        marker = trial.folder / "attempted"
        if options.fault == "die" or (options.fault == "die_once" and not marker.exists()):
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if options.fault == "hang":
            time.sleep(3600)
        if options.fault == "closed":
            sys.stdout.close()
            sys.stderr.close()
        if options.fault == "surrogate":
            raise RuntimeError("cannot read caf\udce9.npy")
        if options.fault == "fork":
            os.fork()
        if options.fault == "junk":
            for descriptor in pipes():
                with suppress(OSError):
                    os.write(descriptor, b"not json at all\n")
        if options.epochs == 0:
            return {"accuracy": self.quality, "loss": 1 - self.quality}
        state = trial.restore() or {"epoch": 0}
        last = (trial.train.epochs or 0) if options.rungs else options.epochs
        for epoch in range(state["epoch"] + 1, last + 1):
            time.sleep(options.pause_s)
            with (trial.folder / "epochs.txt").open("a") as stream:
                stream.write(f"{epoch}\n")
            trial.save({"epoch": epoch})
            trial.report(epoch, {"accuracy": self.quality * epoch / last})
        return {"accuracy": self.quality, "loss": 1 - self.quality}


def hoard(folder: Path) -> None:
    """Takes up to 3 GB, half of it in a process of its own."""
    share = "b = []\nfor _ in range(150): b.append(bytearray(b'x' * 10**7))\n"
    other = subprocess.Popen([sys.executable, "-c", f"{share}import time; time.sleep(3600)"])
    (folder / "strays.txt").write_text(f"{other.pid}\n")
    held = [bytearray(b"x" * 10**7) for _ in range(150)]
    other.wait()
    held.clear()


def start_strays(folder: Path) -> None:
    """Starts a child, and one that leaves session, environment and parent behind."""
    child = subprocess.Popen(["sleep", "3600"])
    code = (
        "import subprocess as s; p = s.Popen(['sleep', '3600'], env={}, stdout=s.DEVNULL);"
        "print(p.pid, flush=True)"
    )
    command = [sys.executable, "-c", code]
    text = subprocess.run(command, stdout=subprocess.PIPE, start_new_session=True, check=True)
    (folder / "strays.txt").write_text(f"{child.pid}\n{int(text.stdout)}\n")


def pipes() -> list[int]:
    """The descriptors of this process that are pipes."""
    found = []
    for path in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            if str(path.readlink()).startswith("pipe:"):
                found.append(int(path.name))
    return found


class TinyOptions(contracts.Options):
    trained: bool = False
    fault: str = ""
    epochs: int = 3
    rungs: bool = False
    pause_s: float = 0.0
    widths: int = 8
    depths: int = 64
    rivals: bool = False
    gain: float = 1.0
    anchors: tuple[tuple[int, int], ...] = ()


class TinySpace(contracts.SearchSpace):
    """A linear model; `width` is its quality, `depth` only tells architectures apart."""

    Options = TinyOptions
    accepts = frozenset({"vector"})

    def parameters(self, task: TaskInfo) -> Space:
        options = self.options
        return Group(width=Int(1, options.widths), depth=Int(1, options.depths))

    def build(self, architecture: Architecture, task: TaskInfo) -> Learner:
        from tiny_plugin.model import TinyModel

        if self.options.fault == "build":
            raise ValueError("no such layer")
        if self.options.fault == "data":
            raise DataError("The channels are constant.", hint="Leave them out.")
        model = TinyModel()
        if self.options.trained:
            return Learner(model, lr=0.05)
        return SlowLearner(model, self.options.gain * architecture["width"] / 100, self.options)

    def graph(self, architecture: Architecture, task: TaskInfo) -> Any:
        import networkx

        graph = networkx.DiGraph()
        graph.add_node("in", label=f"width {architecture['width']}")
        graph.add_node("out", label=f"depth {architecture['depth']}")
        graph.add_edge("in", "out")
        return graph

    def baselines(self, task: TaskInfo) -> dict[str, Architecture]:
        return {"plain": {"width": 1, "depth": 1}}

    def anchors(self, task: TaskInfo) -> list[Architecture]:
        return [{"width": width, "depth": depth} for width, depth in self.options.anchors]

    def rivals(self, architecture: Architecture, task: TaskInfo) -> dict[str, Architecture]:
        if not self.options.rivals:
            return {}
        kind = "odd" if architecture["depth"] % 2 else "even"
        other = {**architecture, "depth": architecture["depth"] + 1}
        return {kind: architecture, "even" if kind == "odd" else "odd": other}


class DrawOptions(contracts.Options):
    prune: bool = False
    fault: bool = False


class Draw(contracts.Strategy):
    """Random points; trial n's depends on the seed and n alone. Writes down what it is told."""

    Options = DrawOptions

    def setup(self, context: SearchContext) -> None:
        self.context, self.asked = context, 0

    def ask(self) -> Proposal | Wait | Exhausted:
        if self.options.fault:
            raise ZeroDivisionError
        number, self.asked = self.asked, self.asked + 1
        rng = random.Random(f"{self.context.seed}/{number}")
        return Proposal(sample(self.context.space, rng), token=number)

    def resume(self, trial: Any) -> None:
        if trial.token is not None:  # None in trials of an earlier run
            self.asked = max(self.asked, trial.token + 1)

    def report(self, trial: Any, step: int, values: Mapping[str, float]) -> bool:
        return not self.options.prune

    def tell(self, trial: Any, state: TrialState, values: Mapping[str, float]) -> None:
        self.resume(trial)
        if os.environ.get("TOLD"):
            with Path(os.environ["TOLD"]).open("a") as stream:
                stream.write(f"{trial.number} {state} {values.get('accuracy')}\n")


class OneShot(contracts.OneShotStrategy):
    """A supernet of some epochs that derives two architectures."""

    Options = TinyOptions
    needs_supernet = False

    def setup(self, context: SearchContext) -> None:
        self.proposals: list[Proposal] = [Proposal(None, "supernet")]
        self.asked = 0

    def ask(self) -> Proposal | Wait | Exhausted:
        if self.proposals:
            self.asked += 1
            return self.proposals.pop(0)
        return Wait() if self.asked > 0 else Exhausted()

    def resume(self, trial: Any) -> None:
        self.asked += 1
        self.proposals = [p for p in self.proposals if p.point != trial.point]

    def tell(self, trial: Any, state: TrialState, values: Mapping[str, float]) -> None:
        self.asked = max(0, self.asked - 1)
        self.proposals = [p for p in self.proposals if p.point != trial.point]
        if trial.kind == "supernet":
            self.proposals = [Proposal({"architecture": a}) for a in trial.derived]

    def search(self, trial: TrialContext, space: SearchSpace) -> SupernetResult:
        state = trial.restore() or {"epoch": 0}
        for epoch in range(state["epoch"] + 1, self.options.epochs + 1):
            time.sleep(self.options.pause_s)
            with (trial.folder / "epochs.txt").open("a") as stream:
                stream.write(f"{epoch}\n")
            trial.save({"epoch": epoch})
            trial.report(epoch, {"accuracy": 0.1}, edges={"cell": [epoch]})
        return SupernetResult({}, ({"width": 5, "depth": 1}, {"width": 6, "depth": 2}), ("odd",))
