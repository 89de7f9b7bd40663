"""A local executor whose jobs tell of the device they run on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from toolkit.contracts import Ended, Event, ExecutorContext, Outcome, TrainJob, TrialSpec
from toolkit.executors.local import LocalExecutor
from toolkit.recipe import load_recipe
from toolkit.registry import Registry

PLUGIN = Path(__file__).parents[1] / "gpu" / "gpu_plugin.py"
DEEDS = ["tell", "hoard", "meet", "train"]
RECIPE = f"""
version: 1
name: gpu
task: gpu_task
space: {{name: gpu_space, deed: {{choice: {DEEDS}}}}}
train: {{epochs: 30, batch_size: 16}}
"""
PATIENCE_S = 90.0


class Machine:
    """A local executor; each of its jobs does a deed of `gpu_plugin`."""

    def __init__(self, home: Path, device: str, gpus: float, workers: int) -> None:
        self.home, self.started = home, 0
        home.mkdir()
        recipe = home / "recipe.yaml"
        recipe.write_text(RECIPE)
        resolved = load_recipe(recipe, [], Registry([PLUGIN])).resolved()
        self.executor = LocalExecutor(
            ExecutorContext(
                resolved, (str(PLUGIN),), home, workers, gpus if device == "cuda" else 0, 1
            )
        )

    def spec(self, deed: str, folder: str, known_steps: int = 0) -> TrialSpec:
        """Returns a job in a folder; equal folders go on where they were."""
        self.started += 1
        point = {"architecture": {"width": 16}, "space": {"deed": deed}}
        key, job = f"trial-{self.started}", TrainJob(point)
        return TrialSpec(key, job, 3, str(self.home / folder), known_steps=known_steps)

    def run(self, *specs: TrialSpec, on_event: Callable[[Event], None] = id) -> list[Outcome]:  # type: ignore[assignment]
        """Runs jobs at once, each in a slot of its own, and returns how they ended."""
        for spec, slot in zip(specs, self.executor.slots(), strict=False):
            self.executor.start(spec, slot)
        ended: dict[str, Outcome] = {}
        until = time.monotonic() + PATIENCE_S
        while len(ended) < len(specs):
            assert time.monotonic() < until, f"only {list(ended)} ended"
            for event in self.executor.events(0.5):
                on_event(event)
                if isinstance(event, Ended):
                    ended[event.key] = event.outcome
        return [ended[spec.key] for spec in specs]

    def facts(self, folder: str) -> dict[str, Any]:
        """What a job told of the device it ran on."""
        told: dict[str, Any] = json.loads((self.home / folder / "facts.json").read_text())
        return told
