"""What a worker does: the kinds of job behind `TrialSpec.kind`."""

from __future__ import annotations

import json
import logging
import random
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from toolkit.contracts import (
    Learner,
    OneShotStrategy,
    Splits,
    StopTrial,
    TrialState,
)
from toolkit.contracts.constraints import describe, violations
from toolkit.errors import PluginError, ToolkitError
from toolkit.files import write_atomically
from toolkit.plain import floats, is_number
from toolkit.problem import Problem
from toolkit.recipe import from_checked
from toolkit.registry import Registry
from toolkit.run.folder import data_dir
from toolkit.run.records import TrialRecord
from toolkit.training import costs
from toolkit.worker.trial import JobTrial, Send, Stop

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

WEIGHTS = "weights.safetensors"
EXAMPLES = 8
"""Validation inputs on which an exported model is checked."""

_STOPPED = {"pruned": TrialState.PRUNED, "drain": TrialState.QUEUED}


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
        return Problem(from_checked(self._recipe), Registry(self._plugin_paths))

    @cached_property
    def splits(self) -> Splits:
        return self.problem.task.load(data_dir(), self.problem.recipe.train.seed)

    def share(self, share: float) -> Splits:
        """The splits with a share of the training part; equal shares are equal in every trial."""
        if share >= 1.0:
            return self.splits
        if share not in self._shares:
            from toolkit.training.batches import stratified_share

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
            body = {
                "state": TrialState.FAILED,
                "error": str(error),
                "message": error.message,
                "hint": error.hint,
                "exit_code": error.exit_code,
            }
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
        from toolkit.training.loop import train_model

        trial = self._context(job, send, stop)
        point = job["payload"]["point"]
        write_atomically(
            trial.folder / "architecture.json",
            json.dumps(point["architecture"]) + "\n",
            durable=False,
        )
        learner = self.problem.space(point).build(point["architecture"], self.problem.info)
        searched = job["payload"].get("phase") == "search" and not trial.goes_on
        for names in costs.stages(self.problem.costs):
            trial.costs |= costs.of_learner(learner, self._example, self.device, names)
            if searched and (refused := self._refusal(trial.costs)):
                return refused
        fitted = learner.fit(trial)
        values = floats(train_model(trial, learner) if fitted is None else fitted)
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
        body: dict[str, Any] = {
            "state": TrialState.INVALID,
            "error": error,
            "violations": broken,
            "values": dict(found),
        }
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
            return floats(learner.measures(trial, trial.splits.val))

    def _supernet(self, job: Mapping[str, Any], send: Send, stop: Stop) -> dict[str, Any]:
        strategy = self.problem.strategy()
        if not isinstance(strategy, OneShotStrategy):
            raise PluginError(
                f"The strategy {self.problem.recipe.strategy.name} proposed a supernet, but is no"
                " OneShotStrategy."
            )
        strategy.setup(self.problem.search_context(self.problem.recipe.budget.trials))
        result = strategy.search(self._context(job, send, stop), self.problem.space())
        return {
            "state": TrialState.DONE,
            "values": floats(result.values),
            "architectures": list(result.architectures),
            "warnings": list(result.warnings),
        }

    def _smoke(self, job: Mapping[str, Any], send: Send, stop: Stop) -> dict[str, Any]:
        from toolkit.training.loop import smoke

        trial = self._context(job, send, stop)
        point = job["payload"]["point"]
        learner = self.problem.space(point).build(point["architecture"], self.problem.info)
        if type(learner).fit is Learner.fit:
            smoke(trial, learner)
        return {"state": TrialState.DONE}

    def _test(self, job: Mapping[str, Any], send: Send, stop: Stop) -> dict[str, Any]:
        """Judge finished trainings: the only place where the test split is read, once a run."""
        import torch

        from toolkit.training.loop import evaluate

        test = self.splits.load_test()
        results = {}
        for training in job["payload"]["trainings"]:
            learner = self._rebuild(training)
            found = floats(evaluate(learner, test, self.problem.task, self.device))
            trial = self._trial({**training, "payload": training}, send, stop)
            facts: dict[str, Any] = {"costs": self._costs_or_none(learner)}
            with torch.no_grad():
                if type(learner).measures is not Learner.measures:
                    found |= floats(learner.measures(trial, test))
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

        from toolkit.export import Card, export_model

        payload = job["payload"]
        learner = self._rebuild(payload["training"])
        point = payload["training"]["point"]
        data = cast(Any, self.splits.val)
        example = torch.stack([data[index][0] for index in range(min(EXAMPLES, len(data)))])
        graph = self.problem.space(point).graph(point["architecture"], self.problem.info)
        deployed = learner.deployed().eval().cpu()
        card = replace(Card(**payload["card"]), inputs=self.splits.preparation)
        export_model(deployed, example, point["architecture"], graph, card, Path(payload["to"]))
        return {"state": TrialState.DONE}

    def _context(self, job: Mapping[str, Any], send: Send, stop: Stop) -> JobTrial:
        seed_everything(job["seed"])
        trial = self._trial(job, send, stop)
        trial.begin()
        return trial

    def _trial(self, job: Mapping[str, Any], send: Send, stop: Stop) -> JobTrial:
        fidelity = job["payload"].get("fidelity") or {}
        splits = self.share(float(fidelity.get("data", 1.0)))
        return JobTrial(self.problem, splits, self.device, job, send, stop)

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
    write_atomically(
        path, save({name: t.detach().cpu().clone().contiguous() for name, t in state.items()})
    )


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


def job_of(record: TrialRecord) -> dict[str, Any]:
    """The job that runs a trial of the ledger: `TrialSpec` as plain JSON, without a folder."""
    payload: dict[str, Any] = {
        "point": record.point,
        "fidelity": dict(record.fidelity),
        "phase": record.phase,
    }
    if record.phase == "final":
        payload["keep_weights"] = True
    key = f"trial-{record.number}"
    return {"key": key, "kind": record.kind, "payload": payload, "seed": record.seed}
