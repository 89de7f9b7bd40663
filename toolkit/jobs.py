"""What a worker does: the kinds of job behind `TrialSpec.kind`.

`python -m toolkit.jobs RUN_FOLDER NUMBER` runs one trial of a run again, in this process and from
its beginning, without touching the run; `smoke` in place of the number runs its first batch.
"""

from __future__ import annotations

import json
import logging
import math
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from toolkit import costs
from toolkit.contracts import (
    Learner,
    OneShotStrategy,
    SearchContext,
    Splits,
    StopTrial,
    TrialState,
)
from toolkit.errors import PluginError, ToolkitError
from toolkit.ledger import Ledger, TrialRecord, finite
from toolkit.problem import Problem
from toolkit.recipe import Recipe
from toolkit.recipe.constraints import describe, violations
from toolkit.registry import Registry
from toolkit.run_folder import RunFolder, data_dir, write_atomically
from toolkit.trial import JobTrial, Send, Stop, plain, write_text

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

WEIGHTS = "weights.safetensors"
EXAMPLES = 8
"""Validation inputs on which an exported model is checked."""

_STOPPED = {"pruned": TrialState.PRUNED, "drain": TrialState.QUEUED}


def search_context(problem: Problem, trials: int | None) -> SearchContext:
    """What strategies are told once, in the engine and in workers alike."""
    return SearchContext(
        problem.tree, problem.objectives, problem.recipe.train.seed, trials,
        epochs=problem.search_epochs(), constraints=tuple(map(str, problem.bounds)),
    )  # fmt: skip


class JobRunner:
    """Runs jobs one after the other; task and data stay loaded between them.

    Args:
        recipe: the resolved recipe.
        plugin_paths: local plugins to load.
        device: `"cpu"` or `"cuda"`.
    """

    def __init__(self, recipe: Mapping[str, Any], plugin_paths: list[str], device: str) -> None:
        self._recipe, self._plugin_paths, self._device = recipe, plugin_paths, device
        self._shares: dict[float, Splits] = {}

    @cached_property
    def problem(self) -> Problem:
        registry = Registry(self._plugin_paths)
        return Problem(Recipe.from_resolved(self._recipe, registry), registry)

    @cached_property
    def splits(self) -> Splits:
        return self.problem.task.load(data_dir(), self.problem.recipe.train.seed)

    def share(self, share: float) -> Splits:
        """The splits with a share of the training part; equal shares are equal in every trial."""
        if share >= 1.0:
            return self.splits
        if share not in self._shares:
            from toolkit.batches import stratified_share

            seed = self.problem.recipe.train.seed
            part = stratified_share(self.splits.train, share, seed)
            self._shares[share] = replace(self.splits, train=part)
        return self._shares[share]

    @cached_property
    def device(self) -> torch.device:
        import torch

        return torch.device(self._device)

    def run(self, job: Mapping[str, Any], send: Send, stop: Stop) -> dict[str, Any]:
        """Run a job (a `TrialSpec` as plain JSON); its outcome as the body of an `ended` event."""
        began = time.perf_counter()
        try:
            body = getattr(self, f"_{job['kind']}")(job, send, stop)
        except StopTrial as request:
            body = {"state": _STOPPED.get(str(request), TrialState.PRUNED)}
        except ToolkitError as error:
            body = {"state": TrialState.FAILED, "error": str(error), "message": error.message,
                    "hint": error.hint, "exit_code": error.exit_code}  # fmt: skip
        # A plugin's sys.exit ends its trial; the worker stays.
        except (Exception, SystemExit) as error:
            state = TrialState.OOM if _is_out_of_memory(error) else TrialState.FAILED
            body = {"state": state, "error": traceback.format_exc().rstrip()}
        if body["state"] == TrialState.OOM:
            _free_memory()
        if "error" in body:
            sys.stderr.write(body["error"] + "\n")
        return {**body, "duration_s": time.perf_counter() - began}

    def _train(self, job: Mapping[str, Any], send: Send, stop: Stop) -> dict[str, Any]:
        trial = self._context(job, send, stop)
        point = job["payload"]["point"]
        write_text(trial.folder / "architecture.json", json.dumps(point["architecture"]) + "\n")
        learner = trial.space.build(point["architecture"], self.problem.info)
        searched = job["payload"].get("phase") == "search" and not trial.goes_on
        for names in costs.stages(self.problem.costs):
            trial.costs |= costs.of_learner(learner, self._example, self.device, names)
            if searched and (refused := self._refusal(trial.costs)):
                return refused
        values = plain(learner.fit(trial))
        values |= self._measures(learner, trial, values)
        if job["payload"].get("keep_weights"):
            save_weights(learner, trial.folder / WEIGHTS)
        size = costs.parameters(learner.deployed())
        if "parameters" in trial.costs:
            trial.costs["parameters"] = float(size)
        return {
            "state": TrialState.DONE,
            "values": {**trial.costs, **values},
            "parameters": size,
        }

    def _refusal(self, found: Mapping[str, float]) -> dict[str, Any]:
        """How a trial ends that need not be trained, as its model costs too much; else nothing."""
        bounds = self.problem.bounds
        broken = violations(bounds, found)
        if not broken:
            return {}
        error = f"Not trained, because {describe(bounds, found)}."
        body: dict[str, Any] = {"state": TrialState.INVALID, "error": error, "violations": broken,
                "values": dict(found)}  # fmt: skip
        if "parameters" in found:
            body["parameters"] = int(found["parameters"])
        return body

    def _measures(
        self, learner: Learner, trial: JobTrial, values: Mapping[str, float]
    ) -> dict[str, float]:
        """What the space measures of a training on the validation part; nothing if it diverged."""
        import torch

        if type(learner).measures is Learner.measures or not all(map(is_number, values.values())):
            return {}
        learner.model.eval()
        with torch.no_grad():
            return plain(learner.measures(trial, trial.splits.val))

    def _supernet(self, job: Mapping[str, Any], send: Send, stop: Stop) -> dict[str, Any]:
        strategy = self.problem.strategy()
        if not isinstance(strategy, OneShotStrategy):
            raise PluginError(
                f"The strategy {self.problem.recipe.strategy.name} proposed a supernet, but is no"
                " OneShotStrategy."
            )
        strategy.setup(search_context(self.problem, self.problem.recipe.budget.trials))
        result = strategy.search(self._context(job, send, stop))
        return {
            "state": TrialState.DONE,
            "values": plain(result.values),
            "architectures": list(result.architectures),
            "warnings": list(result.warnings),
        }

    def _smoke(self, job: Mapping[str, Any], send: Send, stop: Stop) -> dict[str, Any]:
        from toolkit.training import smoke

        trial = self._context(job, send, stop)
        learner = trial.space.build(job["payload"]["point"]["architecture"], self.problem.info)
        if type(learner).fit is Learner.fit:
            smoke(trial, learner)
        return {"state": TrialState.DONE}

    def _test(self, job: Mapping[str, Any], send: Send, stop: Stop) -> dict[str, Any]:
        """Judge finished trainings: the only place where the test split is read, once a run."""
        import torch

        from toolkit.training import evaluate

        test = self.splits.load_test()
        results = {}
        for training in job["payload"]["trainings"]:
            learner = self._rebuild(training)
            found = plain(evaluate(learner, test, self.problem.task, self.device))
            trial = JobTrial(self, {**training, "payload": training}, send, stop)
            facts: dict[str, Any] = {"costs": self._costs_or_none(learner)}
            with torch.no_grad():
                if type(learner).measures is not Learner.measures:
                    found |= plain(learner.measures(trial, test))
                if training.get("draw") and (drawing := learner.drawing(trial, test)) is not None:
                    names = list(self.problem.info.class_names)
                    facts["drawing"] = {**drawing.to_json(), "class_names": names}
            results[training["key"]] = {"test": found, **facts}
        return {"state": TrialState.DONE, "result": results}

    @property
    def _example(self) -> torch.Tensor:
        """A batch of one input."""
        example: torch.Tensor = cast(Any, self.splits.val)[0][0].unsqueeze(0)
        return example

    def _costs_or_none(self, learner: Learner) -> dict[str, float]:
        """Every cost for the table of networks; a model that cannot be counted goes without."""
        try:
            return costs.of_learner(learner, self._example, self.device, costs.COSTS)
        except Exception:
            logger.exception("The costs of %s cannot be measured.", type(learner).__name__)
            return {}

    def _export(self, job: Mapping[str, Any], send: Send, stop: Stop) -> dict[str, Any]:
        import torch

        from toolkit.export import export_model

        payload = job["payload"]
        learner = self._rebuild(payload["training"])
        point = payload["training"]["point"]
        data = cast(Any, self.splits.val)
        example = torch.stack([data[index][0] for index in range(min(EXAMPLES, len(data)))])
        graph = self.problem.space(point).graph(point["architecture"], self.problem.info)
        deployed = learner.deployed().eval().cpu()
        card = {
            **payload["card"],
            "classes": self.problem.info.class_names,
            "inputs": self.splits.preparation,
        }
        export_model(deployed, example, point["architecture"], graph, card, Path(payload["to"]))
        return {"state": TrialState.DONE}

    def _context(self, job: Mapping[str, Any], send: Send, stop: Stop) -> JobTrial:
        seed_everything(job["seed"])
        trial = JobTrial(self, job, send, stop)
        trial.begin()
        return trial

    def _rebuild(self, training: Mapping[str, Any]) -> Learner:
        from safetensors.torch import load_file

        seed_everything(training["seed"])
        point = training["point"]
        learner = self.problem.space(point).build(point["architecture"], self.problem.info)
        learner.model.load_state_dict(load_file(Path(training["folder"]) / WEIGHTS))
        learner.model.to(self.device).eval()
        return learner


def seed_everything(seed: int) -> None:
    """Seed the global generators of Python, NumPy and torch."""
    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def save_weights(learner: Learner, path: Path) -> None:
    """Write a model's whole state, atomically."""
    from safetensors.torch import save

    state = learner.model.state_dict()
    write_atomically(path, save({name: t.detach().cpu().clone().contiguous()
                                 for name, t in state.items()}))  # fmt: skip


def _is_out_of_memory(error: BaseException) -> bool:
    torch = sys.modules.get("torch")
    if isinstance(error, MemoryError):
        return True
    if torch is not None and isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def _free_memory() -> None:
    import gc

    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def reproduce(folder: Path, which: str) -> int:
    """Run one trial of a run again in this process; 0 if it ends well.

    Raises:
        ToolkitError: there is no such run or trial.
    """
    ledger = Ledger.open(RunFolder(folder).ledger, read_only=True)
    smoke = ledger.meta("smoke_job")
    record = None if which == "smoke" else ledger.trial(int(which))
    if record is None and (which != "smoke" or smoke is None):
        raise ToolkitError(f"{folder} has no trial {which}.", hint="`toolkit trials` lists them.")
    scratch = Path(tempfile.mkdtemp(prefix="toolkit-trial-"))
    try:
        job = {**(smoke if record is None else job_of(record)), "folder": str(scratch)}
        runner = JobRunner(ledger.meta("recipe"), ledger.meta("plugin_paths", []), "cpu")
        body = runner.run(job, _show_report, lambda: None)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    sys.stdout.write(json.dumps(finite({k: v for k, v in body.items() if k != "error"})) + "\n")
    return 0 if body["state"] == TrialState.DONE else 1


def job_of(record: TrialRecord) -> dict[str, Any]:
    """The job that runs a trial of the ledger: `TrialSpec` as plain JSON, without a folder."""
    payload: dict[str, Any] = {
        "point": record.point, "fidelity": dict(record.fidelity), "phase": record.phase
    }  # fmt: skip
    if record.phase == "final":
        payload["keep_weights"] = True
    key = f"trial-{record.number}"
    return {"key": key, "kind": record.kind, "payload": payload, "seed": record.seed}


def is_number(value: Any) -> bool:
    """Whether a metric is there and finite."""
    return isinstance(value, int | float) and math.isfinite(value)


def _show_report(step: int, values: Mapping[str, float], records: Mapping[str, Any]) -> None:
    numbers = " ".join(f"{name} {value:.4g}" for name, value in values.items())
    sys.stdout.write(f"{step} {numbers}\n")


if __name__ == "__main__":
    try:
        sys.exit(reproduce(Path(sys.argv[1]), sys.argv[2]))
    except ToolkitError as failure:
        sys.exit(str(failure))
    except (IndexError, ValueError):
        sys.exit("usage: python -m toolkit.jobs RUN_FOLDER NUMBER|smoke")
