"""What a worker does: the jobs of `toolkit.contracts`, each from its beginning to its outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, assert_never

from toolkit.base.clock import SYSTEM, Clock
from toolkit.base.errors import PluginError
from toolkit.base.plain import floats, text_of
from toolkit.contracts import (
    ExportJob,
    OneShotStrategy,
    Outcome,
    PrepareJob,
    SmokeJob,
    StopTrial,
    SupernetJob,
    TestJob,
    TrainJob,
    TrialSpec,
    TrialState,
)
from toolkit.contracts.jobs import STEP_S, AskStop, Report
from toolkit.problem import Problem
from toolkit.run.records import TrialRecord
from toolkit.worker import preparation
from toolkit.worker.endings import free_memory, raised, stopped, trim_memory
from toolkit.worker.exporting import export
from toolkit.worker.fitting import Fitting
from toolkit.worker.judging import Judging
from toolkit.worker.output import complain
from toolkit.worker.state import restored, seed_everything
from toolkit.worker.trial import JobTrial
from toolkit.worker.workplace import Workplace

LONG_S = 1.0
"""Time of a job after which it is worth some milliseconds to give its memory back."""


class JobRunner:
    """Runs jobs one after the other; task and data stay loaded between them.

    Args:
        recipe: the resolved recipe.
        plugin_paths: local plugins to load.
        device: `"cpu"` or `"cuda"`.
        clock: to time jobs by.
        complains: whether why a job ended goes to standard error too; who runs the job says it
            otherwise.
    """

    def __init__(
        self,
        recipe: Mapping[str, Any],
        plugin_paths: Sequence[str],
        device: str,
        clock: Clock = SYSTEM,
        complains: bool = True,
    ) -> None:
        self._place, self._clock = Workplace(recipe, plugin_paths, device), clock
        self._complains = complains

    @property
    def problem(self) -> Problem:
        """What the job at hand works on."""
        return self._place.problem

    def run(self, spec: TrialSpec, report: Report, ask_stop: AskStop) -> Outcome:
        """Runs a job to its end, however that comes about, and restores the process after it.

        Args:
            spec: the job.
            report: is handed what the job reports.
            ask_stop: says after a report why the job shall end, or None.
        """
        began = self._clock.monotonic()
        asked: list[str] = []

        def ask() -> str | None:
            reason = ask_stop()
            asked.extend([] if reason is None else [reason])
            return reason

        try:
            _ = self._place.whole  # What plugins set as they are imported holds for all jobs.
            self._place.outer = spec.outer
            with restored():
                outcome = self._outcome(spec, report, ask)
        except StopTrial as request:
            outcome = stopped(asked[-1] if asked else text_of(request), bool(asked))
        except KeyboardInterrupt:
            raise
        # A plugin's sys.exit ends its trial; the worker stays.
        except BaseException as error:
            outcome = raised(error, Path(spec.folder))
        duration_s = self._clock.monotonic() - began
        if outcome.state is TrialState.OOM:
            free_memory()
        elif duration_s >= LONG_S:
            trim_memory()
        if outcome.error and self._complains:
            complain(outcome.error)
        return replace(outcome, duration_s=duration_s)

    def _outcome(self, spec: TrialSpec, report: Report, ask_stop: AskStop) -> Outcome:
        match spec.job:
            case TrainJob(point, fidelity) as train:
                trial = self._begin(spec, point, fidelity, report, ask_stop, train.searched)
                return Fitting(self._place).train(train, trial)
            case SupernetJob(fidelity):
                return self._supernet(self._begin(spec, None, fidelity, report, ask_stop))
            case SmokeJob(point):
                return self._smoke(point, self._begin(spec, point, {}, report, ask_stop))
            case PrepareJob(point):
                return self._prepare(spec, point, report, ask_stop)
            case TestJob() as test:
                return Judging(self._place).test(test, report, ask_stop)
            case ExportJob() as handed_over:
                return export(self._place, handed_over)
            case job:
                assert_never(job)

    def _begin(
        self,
        spec: TrialSpec,
        point: Mapping[str, Any] | None,
        fidelity: Mapping[str, Any],
        report: Report,
        ask_stop: AskStop,
        searched: bool = False,
    ) -> JobTrial:
        seed_everything(spec.seed)
        source, share = self.problem.source_of(point), float(fidelity.get("data", 1.0))
        if searched and self.problem.recipe.validation.on_folds:
            splits = self._place.data.folds(source, share)[0]
        else:
            splits = self._place.splits(source, share)
        trial = JobTrial(
            self.problem,
            splits,
            self._place.device,
            point=point,
            fidelity=fidelity,
            seed=spec.seed,
            folder=Path(spec.folder),
            report=report,
            ask_stop=ask_stop,
            known_steps=spec.known_steps,
            prepared=self._place.prepared(point, splits),
        )
        trial.begin()
        return trial

    def _prepare(
        self, spec: TrialSpec, point: Mapping[str, Any], report: Report, ask_stop: AskStop
    ) -> Outcome:
        seed_everything(spec.seed)
        splits = self._place.data.splits(self.problem.source_of(point))
        folder = self._place.to_prepare(point, splits)
        if folder is None or folder.is_dir():
            return Outcome(TrialState.DONE)
        trial = JobTrial(
            self.problem,
            splits,
            self._place.device,
            point=point,
            fidelity={},
            seed=spec.seed,
            folder=Path(spec.folder),
            report=report,
            ask_stop=ask_stop,
        )
        trial.begin()
        preparation.make(self.problem.space(point), trial, folder)
        return Outcome(TrialState.DONE, warnings=trial.warnings)

    def _supernet(self, trial: JobTrial) -> Outcome:
        strategy = self.problem.strategy()
        if not isinstance(strategy, OneShotStrategy):
            raise PluginError(
                f"The strategy {self.problem.recipe.strategy.name} proposed a supernet, but is no"
                " OneShotStrategy."
            )
        strategy.setup(self.problem.search_context(self.problem.recipe.budget.trials))
        result = strategy.search(trial, self.problem.space())
        return Outcome(
            TrialState.DONE,
            floats(result.values),
            architectures=tuple(result.architectures),
            warnings=(*trial.warnings, *result.warnings),
        )

    def _smoke(self, point: Mapping[str, Any], trial: JobTrial) -> Outcome:
        from toolkit.training.class_weights import weigh_classes
        from toolkit.training.loop import smoke
        from toolkit.training.targets import fit_targets

        learner = self.problem.learner(point)
        weigh_classes(learner, trial, must=True)
        fit_targets(learner, trial)
        if learner.fit is not None:
            learner.model.to(self._place.device)
            learner.smoke(trial)
            return Outcome(TrialState.DONE)
        smoke(trial, learner)
        began = self._clock.monotonic()
        smoke(trial, learner)  # The first time, libraries are still loaded.
        return Outcome(TrialState.DONE, {STEP_S: self._clock.monotonic() - began})


def spec_of(
    record: TrialRecord, folder: Path, timeout_s: float | None = None, known_steps: int = 0
) -> TrialSpec:
    """Returns the job that runs a trial of the ledger, in a folder."""
    if record.kind == "supernet":
        job: TrainJob | SupernetJob = SupernetJob(record.fidelity)
    else:
        assert record.point is not None
        job = TrainJob(
            record.point,
            record.fidelity,
            searched=record.phase == "search",
            keep_weights=record.phase == "final",
        )
    return TrialSpec(
        f"trial-{record.number}", job, record.seed, str(folder), timeout_s, known_steps
    )
