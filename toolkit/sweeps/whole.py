"""Sweeps of whole runs: every configuration and seed is a run of its own, in `runs/`.

The sweep's own ledger has one trial per run; the run's folder has all the rest. A run that was cut
short goes on where it was.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from toolkit.contracts import Exhausted, Proposal, SearchContext, Strategy, TrialState, Wait
from toolkit.engine import run_retraining, run_search
from toolkit.errors import (
    ExitCode,
    LedgerError,
    PluginError,
    ResumeError,
    RunLockedError,
    ToolkitError,
)
from toolkit.problem import Problem
from toolkit.run.events import EventLog, OnEvent
from toolkit.run.facts import BUDGET_TRIALS, OUTCOME, PLUGIN_PATHS
from toolkit.run.folder import RunFolder
from toolkit.run.ledger import Ledger
from toolkit.run.records import TrialRecord
from toolkit.space.graphs import digest
from toolkit.sweeps.plan import Plan
from toolkit.sweeps.proposals import refuse_promotion
from toolkit.sweeps.table import TEST


def run_whole(
    plan: Plan,
    problem: Problem,
    folder: Path,
    *,
    workers: int | None = None,
    on_event: OnEvent | None = None,
) -> int:
    """Run every configuration of a plan that has not been run, one after the other.

    Args:
        plan: what to run.
        problem: of one of its configurations, for the objectives.
        folder: the sweep's folder; made if missing.

    Returns:
        The exit code: `ExitCode.OK`, or 130 or 143 after SIGINT or SIGTERM.

    Raises:
        ToolkitError: the sweep cannot go on. One run's failure does not end it.
    """
    strategy = plan.strategy(plan.tree)
    seed = plan.recipe.train.seed
    strategy.setup(SearchContext(plan.tree, problem.objectives, seed, _total(plan)))
    run = RunFolder(folder)
    with run.lock(), closing(Ledger.open(run.ledger)) as ledger:
        resumed = run.claim(
            ledger,
            plan.recipe.resolved(),
            plan.recipe.source or None,
            objectives=problem.objectives,
            directions=problem.directions,
            purpose=plan.purpose(),
        )
        ledger.put_fact(PLUGIN_PATHS, tuple(map(str, plan.registry.plugin_paths)))
        ledger.put_fact(BUDGET_TRIALS, _total(plan))
        with closing(EventLog(run.events, on_event)) as events:
            events.emit(
                "sweep_started",
                name=plan.recipe.name,
                folder=str(run.path),
                resumed=resumed,
                runs=_total(plan),
                objectives=problem.objectives,
            )
            sweep = _Sweep(plan, problem, strategy, run, ledger, events)
            code = sweep.run(workers, on_event)
            events.emit("sweep_ended", exit_code=int(code), folder=str(run.path))
            return code


def _total(plan: Plan) -> int | None:
    return None if plan.configurations is None else plan.configurations * plan.seeds


class _Sweep:
    """The loop over runs, and its bookkeeping."""

    def __init__(
        self,
        plan: Plan,
        problem: Problem,
        strategy: Strategy,
        folder: RunFolder,
        ledger: Ledger,
        events: EventLog,
    ) -> None:
        self._plan, self._problem, self._strategy = plan, problem, strategy
        self._folder, self._ledger, self._events = folder, ledger, events
        self._told = 0
        self._known: dict[str, TrialRecord] = {}

    def run(self, workers: int | None, on_event: OnEvent | None) -> int:
        total = _total(self._plan)
        waiting = self._restore()
        number = max((record.number for record in self._ledger.trials()), default=0)
        while True:
            if waiting:
                record = waiting.pop(0)
            elif total is not None and number >= total:
                return ExitCode.OK
            else:
                proposal = self._strategy.ask()
                if isinstance(proposal, Exhausted):
                    return ExitCode.OK
                if isinstance(proposal, Wait):
                    raise PluginError("The strategy waits, but no run is under way.")
                number += 1
                record = self._enter(proposal, number)
            if record.source is None:
                code, record = self._run_one(record, workers, on_event)
                if code >= 128:
                    return code
            self._tell(record)

    def _restore(self) -> list[TrialRecord]:
        """Tell the strategy what the ledger holds; the runs to go on with.

        A run that failed is gone on with too: what was wrong may be mended, and what it has is
        kept. But what a strategy heard of it and built upon stays.
        """
        records = self._ledger.trials()
        again = {
            record.number
            for record in records
            if not record.state.ended
            or (record.state is TrialState.FAILED and self._plan.sampling != "strategy")
        }
        ended = [record for record in records if record.number not in again]
        for record in sorted(ended, key=lambda record: record.told or 0):
            self._told += 1
            self._remember(record)
            self._strategy.tell(record.trial(), record.state, record.values)
        rest = [replace(r, error="") for r in records if r.number in again]
        for record in rest:
            self._strategy.resume(record.trial())
        return rest

    def _enter(self, proposal: Proposal, number: int) -> TrialRecord:
        refuse_promotion(proposal)
        token = proposal.token
        known = self._known.get(_identity(proposal.point, token))
        if known is not None:
            record = replace(
                known,
                number=number,
                token=token,
                source=known.number,
                folder="",
                told=None,
                duration_s=0.0,
                ended=time.time(),
            )
            self._ledger.put(record)
            return record
        record = TrialRecord(
            number,
            "search",
            "train",
            TrialState.QUEUED,
            proposal.point,
            digest([proposal.point]),
            self._plan.recipe.train.seed + token["repeat"],
            token=token,
            folder=f"runs/{token['configuration']:04d}-seed{token['repeat']}",
        )
        self._ledger.put(record)
        self._ledger.commit(durable=True)
        return record

    def _run_one(
        self, record: TrialRecord, workers: int | None, on_event: OnEvent | None
    ) -> tuple[int, TrialRecord]:
        """Run one configuration with one seed, or go on with it: exit code and its record."""
        record = replace(
            record, state=TrialState.RUNNING, attempts=record.attempts + 1, started=time.time()
        )
        self._ledger.put(record)
        self._ledger.commit()
        values = {axis.key: axis.value(record.point) for axis in self._plan.axes}
        self._events.emit(
            "sweep_run_started",
            number=record.number,
            values=values,
            seed=record.seed,
            folder=record.folder,
        )
        began = time.monotonic()
        error = ""
        try:
            code = self._start(record, workers, on_event)
        except (RunLockedError, ResumeError, LedgerError):
            raise  # To be mended by the user; the run itself has not failed.
        except ToolkitError as failure:
            code, error = int(failure.exit_code), str(failure)
        record = replace(record, duration_s=record.duration_s + time.monotonic() - began)
        if code >= 128:
            record = replace(record, state=TrialState.QUEUED)
        elif code == ExitCode.OK:
            record = self._judge(record)
        else:
            error = error or f"The run ended with exit code {code}; see {record.folder}."
            record = replace(record, state=TrialState.FAILED, error=error, ended=time.time())
        self._ledger.put(record)
        self._ledger.commit(durable=True)
        return code, record

    def _start(self, record: TrialRecord, workers: int | None, on_event: OnEvent | None) -> int:
        plan = self._plan
        chosen = [axis.override(axis.drawn(record.point)) for axis in plan.axes]
        recipe = plan.load(*chosen, f"train.seed={record.seed}")
        folder = self._folder.path / record.folder
        if plan.architecture is not None:
            return run_retraining(
                Problem(recipe, plan.registry, plan.architecture),
                folder,
                workers=workers,
                on_event=on_event,
            )
        problem = Problem(recipe, plan.registry)
        return run_search(problem, folder, workers=workers, on_event=on_event)

    def _judge(self, record: TrialRecord) -> TrialRecord:
        """The record with the run's results: means over its final trainings."""
        ledger = Ledger.open(RunFolder(self._folder.path / record.folder).ledger, read_only=True)
        with closing(ledger):
            outcome = ledger.get(OUTCOME)
        assert outcome is not None, "the run has ended well"
        values = {
            name: statistics.fmean(training.values[name] for training in outcome.found)
            for name in outcome.found[0].values
        }
        test = {TEST + name: result.mean for name, result in outcome.test.items()}
        missing = [name for name in self._problem.objectives if name not in values]
        if missing:
            error = f"The run's trainings have no {', '.join(missing)}."
            return replace(record, state=TrialState.INVALID, error=error, ended=time.time())
        return replace(
            record,
            state=TrialState.DONE,
            values={**values, **test},
            parameters=outcome.parameters,
            ended=time.time(),
        )

    def _remember(self, record: TrialRecord) -> None:
        if record.state is TrialState.DONE:
            self._known.setdefault(_identity(record.point, record.token), record)

    def _tell(self, record: TrialRecord) -> None:
        self._told += 1
        self._remember(record)
        self._ledger.put(replace(record, told=self._told))
        self._ledger.commit(durable=True)
        self._events.emit(
            "sweep_run_ended",
            number=record.number,
            state=record.state,
            values=record.values,
            parameters=record.parameters,
            duration_s=record.duration_s,
            error=record.error,
        )
        values = {} if record.state is not TrialState.DONE else record.values
        self._strategy.tell(record.trial(), record.state, values)


def _identity(point: Any, token: Mapping[str, Any]) -> str:
    """Equal for runs of which one answers the other."""
    return json.dumps([point, token["repeat"]], sort_keys=True)
