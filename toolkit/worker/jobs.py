"""What a worker does: the jobs of `toolkit.contracts`, each from its beginning to its outcome."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never, cast

from toolkit.base.clock import SYSTEM, Clock
from toolkit.base.errors import ExitCode, PluginError, ToolkitError
from toolkit.base.files import write_atomically
from toolkit.base.plain import digest, encodable, finite, floats, is_number, shortened, text_of
from toolkit.base.room import LEAST, free_bytes, tells_of_full_disk
from toolkit.contracts import (
    Drawing,
    ExportJob,
    Fault,
    Learner,
    OneShotStrategy,
    Outcome,
    PrepareJob,
    SmokeJob,
    Splits,
    StopTrial,
    SupernetJob,
    Tested,
    TestJob,
    Training,
    TrainJob,
    TrialContext,
    TrialSpec,
    TrialState,
)
from toolkit.contracts.constraints import describe, violations
from toolkit.contracts.costs import COSTS
from toolkit.contracts.jobs import ENSEMBLE, FEW_SHOT, STEP_S, AskStop, Report
from toolkit.contracts.outer import OuterFold
from toolkit.problem import DataSource, Problem, is_ensemble
from toolkit.run.predictions import held_out_scores
from toolkit.run.records import TrialRecord
from toolkit.run.weights import FOUND_DRAWING, HELD_OUT, PREDICTIONS, PREPARATION, SAMPLES, WEIGHTS
from toolkit.training import costs
from toolkit.worker import preparation
from toolkit.worker.artefacts import keep_predictions, keep_samples, save_weights
from toolkit.worker.data import DataCache
from toolkit.worker.folds import FoldTrial, fit_folds, summary
from toolkit.worker.output import complain
from toolkit.worker.state import restored, seed_everything
from toolkit.worker.trial import JobTrial

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

EXAMPLES = 8
"""Validation inputs on which an exported model is checked."""

_STOPPED = {"pruned": TrialState.PRUNED, "drain": TrialState.QUEUED}


class JobRunner:
    """Runs jobs one after the other; task and data stay loaded between them.

    Args:
        recipe: the resolved recipe.
        plugin_paths: local plugins to load.
        device: `"cpu"` or `"cuda"`.
        clock: to time jobs by.
    """

    def __init__(
        self,
        recipe: Mapping[str, Any],
        plugin_paths: Sequence[str],
        device: str,
        clock: Clock = SYSTEM,
    ) -> None:
        self._recipe, self._plugin_paths, self._device = recipe, plugin_paths, device
        self._clock = clock
        self._data = DataCache()
        self._prepared_in: tuple[tuple[int, str], Path, object] | None = None
        self._outer: Mapping[str, Any] | None = None
        self._in_folds: dict[str, Problem] = {}

    @property
    def problem(self) -> Problem:
        """What the job at hand works on."""
        if self._outer is None:
            return self._whole
        key = json.dumps(self._outer, sort_keys=True)
        if key not in self._in_folds:
            outer = OuterFold.model_validate(self._outer)
            self._in_folds[key] = self._whole.in_fold(outer)
        return self._in_folds[key]

    @cached_property
    def _whole(self) -> Problem:
        return Problem.of_checked(self._recipe, self._plugin_paths)

    @cached_property
    def device(self) -> torch.device:
        import torch

        return torch.device(self._device)

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
            _ = self._whole  # What plugins set as they are imported holds for all jobs.
            self._outer = spec.outer
            with restored():
                outcome = self._outcome(spec, report, ask)
        except StopTrial as request:
            outcome = _stopped(asked[-1] if asked else text_of(request), bool(asked))
        except KeyboardInterrupt:
            raise
        # A plugin's sys.exit ends its trial; the worker stays.
        except BaseException as error:
            outcome = _outcome_of(error, Path(spec.folder))
        if outcome.state is TrialState.OOM:
            _free_memory()
        if outcome.error:
            complain(outcome.error)
        return replace(outcome, duration_s=self._clock.monotonic() - began)

    def _outcome(self, spec: TrialSpec, report: Report, ask_stop: AskStop) -> Outcome:
        match spec.job:
            case TrainJob(point, fidelity) as train:
                trial = self._begin(spec, point, fidelity, report, ask_stop, train.searched)
                return self._train(train, trial)
            case SupernetJob(fidelity):
                return self._supernet(self._begin(spec, None, fidelity, report, ask_stop))
            case SmokeJob(point):
                return self._smoke(point, self._begin(spec, point, {}, report, ask_stop))
            case PrepareJob(point):
                return self._prepare(spec, point, report, ask_stop)
            case TestJob() as test:
                return self._test(test, report, ask_stop)
            case ExportJob() as export:
                return self._export(export)
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
            splits = self._data.folds(source, share)[0]
        else:
            splits = self._splits(source, share)
        trial = JobTrial(
            self.problem,
            splits,
            self.device,
            point=point,
            fidelity=fidelity,
            seed=spec.seed,
            folder=Path(spec.folder),
            report=report,
            ask_stop=ask_stop,
            known_steps=spec.known_steps,
            prepared=self._prepared(point, splits),
        )
        trial.begin()
        return trial

    def _prepared(self, point: Mapping[str, Any] | None, splits: Splits) -> Path | None:
        """What the space has prepared; None where it prepares nothing."""
        folder = self._to_prepare(point, splits)
        return None if folder is None else preparation.require(folder)

    def _to_prepare(self, point: Mapping[str, Any] | None, splits: Splits) -> Path | None:
        asked = self.problem.preparation(point)
        if asked is None:
            return None
        # To read all source data anew for each trial would take longer than some trials.
        key = id(splits.source), digest(dict(asked))
        if self._prepared_in is None or self._prepared_in[0] != key:
            folder = preparation.folder_of(self.problem.recipe.space.name, asked, splits)
            self._prepared_in = key, folder, splits.source
        return self._prepared_in[1]

    def _prepare(
        self, spec: TrialSpec, point: Mapping[str, Any], report: Report, ask_stop: AskStop
    ) -> Outcome:
        seed_everything(spec.seed)
        splits = self._data.splits(self.problem.source_of(point))
        folder = self._to_prepare(point, splits)
        if folder is None or folder.is_dir():
            return Outcome(TrialState.DONE)
        trial = JobTrial(
            self.problem,
            splits,
            self.device,
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

    def _splits(self, source: DataSource, share: float = 1.0) -> Splits:
        """The parts that a final training is made on, and tested beside."""
        if self.problem.refits:
            return self._data.whole(source)
        return self._data.splits(source, share)

    def _train(self, job: TrainJob, trial: JobTrial) -> Outcome:
        write_atomically(
            trial.folder / "architecture.json",
            json.dumps(job.point["architecture"]) + "\n",
            durable=False,
        )
        learner = self.problem.learner(job.point)
        may_be_refused = job.searched and not trial.goes_on
        for names in costs.stages(self.problem.costs):
            example = learner.example(_inputs(trial.splits, 1))
            trial.costs |= costs.of_learner(learner, example, self.device, names)
            if may_be_refused and (refused := self._refusal(trial.costs)) is not None:
                return refused
        if job.searched and self.problem.recipe.validation.on_folds:
            values = self._fit_folds(job.point, trial)
        elif self.problem.refits:
            known = self._known_on_folds(job.point, trial)
            if known is None:
                values = self._fit_folds(job.point, trial, learner)
            else:
                self._fit(learner, trial)
                values = known
        else:
            values = self._fit(learner, trial)
            if job.searched:
                self._keep_held_out(learner, trial, 1)
        trial.end()
        if job.keep_weights:
            save_weights(learner, trial.folder / WEIGHTS)
        size = costs.parameters(learner.deployed())
        if "parameters" in trial.costs:
            trial.costs["parameters"] = float(size)
        results = {**trial.costs, **values}
        return Outcome(TrialState.DONE, results, parameters=size, warnings=trial.warnings)

    def _fit(self, learner: Learner, trial: TrialContext) -> dict[str, float]:
        from toolkit.training.class_weights import weigh_classes
        from toolkit.training.loop import train_model
        from toolkit.training.targets import fit_targets

        weigh_classes(learner, trial)
        fit_targets(learner, trial)
        fitted = train_model(trial, learner) if learner.fit is None else learner.fit(trial)
        values = floats(fitted)
        return values | self._measures(learner, trial, values)

    def _fit_folds(
        self, point: Mapping[str, Any], trial: JobTrial, kept: Learner | None = None
    ) -> dict[str, float]:
        """Results on folds; then trains the learner that is to be kept on the trial's own parts."""

        folds = self._data.folds(self.problem.source_of(point), trial.data)
        own = self.problem.learner(point)
        if own.cross_fit is not None:
            found = self._cross_fit(own, trial, folds, kept is None)
            if kept is not None:
                self._fit(kept, trial)
            return found

        def fit(fold: FoldTrial) -> dict[str, float]:
            seed_everything(fold.seed)
            learner = self.problem.learner(point)
            values = self._fit(learner, fold)
            if kept is None:
                self._keep_held_out(learner, fold, fold.number)
            return values

        def refit(whole: FoldTrial) -> dict[str, float]:
            assert kept is not None
            seed_everything(whole.seed)
            return self._fit(kept, whole)

        return fit_folds(trial, folds, fit, None if kept is None else refit)

    def _cross_fit(
        self, learner: Learner, trial: JobTrial, folds: Sequence[Splits], keeps: bool
    ) -> dict[str, float]:
        """Results on folds of a learner that judges itself on all of them; their predictions kept.

        Its trial counts as one epoch of each fold.
        """
        from toolkit.training.batches import labels_of

        assert learner.cross_fit is not None
        seed_everything(trial.seed)
        results = []
        every = learner.cross_fit(trial, folds)
        for number, (scores, splits) in enumerate(zip(every, folds, strict=True), 1):
            predicted = scores, labels_of(splits.val)
            if keeps:
                self._keep_predicted(predicted, trial, number)
            results.append(floats(trial.task.metrics(*predicted)))
            trial.report(number, results[-1], fold=number)
        if learner.few_shot_accuracy is None:
            return summary(results)
        return summary(results) | {FEW_SHOT: learner.few_shot_accuracy}

    def _known_on_folds(
        self, point: Mapping[str, Any], trial: TrialContext
    ) -> dict[str, float] | None:
        """How an ensemble does on folds, where every member was judged on them; else None.

        What its members predicted of the samples held out of each fold says it without a training.
        """
        if not is_ensemble(point["architecture"]):
            return None
        members = point["architecture"][ENSEMBLE]
        source = self.problem.source_of(point)
        count = len(self._data.folds(source, trial.data))
        run = trial.folder.parents[1]
        predicted = [held_out_scores(run, member.get("trial"), count) for member in members]
        if any(own is None for own in predicted):
            return None
        import torch

        from toolkit.export.averaging import average

        results = []
        for fold in zip(*filter(None, predicted), strict=True):
            labels = fold[0].labels
            if any(own.labels.tolist() != labels.tolist() for own in fold):
                return None
            scores = average(
                [torch.from_numpy(own.scores) for own in fold],
                [member["sharpness"] for member in members],
            )
            results.append(floats(source.task.metrics(scores, torch.from_numpy(labels))))
        return summary(results)

    def _keep_held_out(self, learner: Learner, trial: TrialContext, number: int) -> None:
        """Writes what a fit predicts of samples held out of it, for ensembles and pilots."""
        if self._keeps_held_out:
            from toolkit.training.loop import predict

            predicted = predict(learner, trial.splits.val, self.device)
            self._keep_predicted(predicted, trial, number)

    @property
    def _keeps_held_out(self) -> bool:
        recipe = self.problem.recipe
        return recipe.train.final.ensemble > 1 or recipe.budget.pilot != "off"

    def _keep_predicted(
        self, predicted: tuple[torch.Tensor, torch.Tensor], trial: TrialContext, number: int
    ) -> None:
        if self._keeps_held_out:
            path = trial.folder / f"{HELD_OUT}{number}.npz"
            keep_predictions({"held_out": predicted}, path)

    def _refusal(self, found: Mapping[str, float]) -> Outcome | None:
        """How a trial ends that need not be trained, as its model costs too much."""
        bounds = self.problem.bounds
        broken = violations(bounds, found)
        if not broken:
            return None
        return Outcome(
            TrialState.INVALID,
            dict(found),
            f"Not trained, because {describe(bounds, found)}.",
            parameters=int(found["parameters"]) if "parameters" in found else None,
            violations=broken,
        )

    def _measures(
        self, learner: Learner, trial: TrialContext, values: Mapping[str, float]
    ) -> dict[str, float]:
        """What the space measures of a training on the validation part; nothing if it diverged."""
        import torch

        if not all(map(is_number, values.values())):
            return {}
        learner.model.eval()
        with torch.no_grad():
            return floats(learner.measures(trial, trial.splits.val))

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
            learner.model.to(self.device)
            learner.smoke(trial)
            return Outcome(TrialState.DONE)
        smoke(trial, learner)
        began = self._clock.monotonic()
        smoke(trial, learner)  # The first time, libraries are still loaded.
        return Outcome(TrialState.DONE, {STEP_S: self._clock.monotonic() - began})

    def _test(self, job: TestJob, report: Report, ask_stop: AskStop) -> Outcome:
        tests: dict[str, Any] = {}
        tested = {}
        references: dict[str, dict[str, float]] = {}
        for training in job.trainings:
            source = self.problem.source_of(training.point)
            splits = self._splits(source)
            if source.key not in tests:
                tests[source.key] = splits.load_test()
            trial = JobTrial(
                self.problem,
                splits,
                self.device,
                point=training.point,
                fidelity={},
                seed=training.seed,
                folder=Path(training.folder),
                report=report,
                ask_stop=ask_stop,
                prepared=self._prepared(training.point, splits),
            )
            learner, drawn = self._rebuild(training), training.number == job.drawn
            tested[training.number] = self._judge(learner, trial, source, tests[source.key], drawn)
            if drawn or not references:
                references = self._references(source, splits, tests[source.key])
        return Outcome(TrialState.DONE, tested=tested, references=references)

    def _references(
        self, source: DataSource, splits: Splits, test: Any
    ) -> dict[str, dict[str, float]]:
        found = source.task.references(splits, test, self.device)
        return {name: floats(values) for name, values in found.items()}

    def _judge(
        self, learner: Learner, trial: JobTrial, source: DataSource, test: Any, drawn: bool
    ) -> Tested:
        """How a finished training does on the test split, and its drawing if it is to draw one."""
        import torch

        from toolkit.training.data import count
        from toolkit.training.loop import predict

        judged, predicted = self._judged(learner, trial, source, test)
        found = floats(judged)
        counts = tuple(count(test, trial.info).values())
        drawing = None
        prices = self._costs_or_none(learner, trial.splits)
        with torch.no_grad():
            found |= floats(learner.measures(trial, test))
            if drawn and (drawings := _several(learner.drawing(trial, test))):
                names = list(trial.info.class_names)
                drawing = {"drawings": [d.to_json() for d in drawings], "class_names": names}
        known = counts if len(counts) == trial.info.classes else ()
        if trial.info.outputs != "values":
            return Tested(found, prices, drawing, known)
        values, targets = predicted or predict(learner, test, self.device)
        p_value = _p_of_training_mean(trial, values, targets)
        return Tested(found, prices, drawing, known, len(targets), p_value)

    def _judged(
        self, learner: Learner, trial: JobTrial, source: DataSource, test: Any
    ) -> tuple[Mapping[str, float], tuple[torch.Tensor, torch.Tensor] | None]:
        """The task's metrics on the test split, and what was predicted there for them, if it was.

        Scores, or values, are kept beside the weights.
        """
        from toolkit.training.loop import evaluate, predict

        if trial.info.outputs == "images":
            path = trial.folder / SAMPLES
            keep_samples(learner, trial.splits, test, trial.info, self.device, path)
        if trial.task.judge is not None or trial.info.outputs == "images":
            return evaluate(learner, test, trial.task, self.device), None
        parts = {"val": trial.splits.val, "test": test}
        if self.problem.refits:  # It was trained on its validation part as well.
            del parts["val"]
        predicted = {name: predict(learner, part, self.device) for name, part in parts.items()}
        groups = {
            name: source.groups_of(name, labels.numpy()) for name, (_, labels) in predicted.items()
        }
        keep_predictions(predicted, trial.folder / PREDICTIONS, groups)
        return trial.task.metrics(*predicted["test"]), predicted["test"]

    def _costs_or_none(self, learner: Learner, splits: Splits) -> dict[str, float]:
        """Every cost for the table of networks; a model that cannot be counted goes without."""
        try:
            example = learner.example(_inputs(splits, 1))
            return costs.of_learner(learner, example, self.device, COSTS)
        except Exception:
            logger.exception("The costs of %s cannot be measured.", type(learner).__name__)
            return {}

    def _export(self, job: ExportJob) -> Outcome:
        from toolkit.export import Card, export_model
        from toolkit.export.card import TRANSDUCTIVE
        from toolkit.export.drawing import draw
        from toolkit.training.data import count_splits

        learner = self._rebuild(job.training)
        point = job.training.point
        source = self.problem.source_of(point)
        splits, info = self._splits(source), source.info
        example = learner.example(_inputs(splits, EXAMPLES))
        graph = self.problem.graph(point)
        deployed = learner.deployed().eval().cpu()
        card = replace(Card(**job.card), inputs=splits.preparation)
        data = cast(Mapping[str, Any], card.data or {})
        if "training" not in data:  # The task says nothing of its parts.
            card = replace(card, data={**data, **count_splits(splits, info).facts()})
        if (prepared := self._prepared(point, splits)) is not None:
            card = replace(card, start=preparation.facts_of(prepared))
        if learner.transductive:
            card = replace(card, limits=(TRANSDUCTIVE, *card.limits))
        to = Path(job.to)
        skipped = [TRANSDUCTIVE] if learner.transductive else []
        export_model(
            deployed,
            example,
            point["architecture"],
            graph,
            card,
            to,
            preparer=None if splits.make_preparer is None else splits.make_preparer(),
            formats=job.formats,
            on_skip=skipped.append,
        )
        handed_on = {
            "fitted": dict(splits.fitted),
            "classes": list(info.class_names),
            "shape": [*info.shape[:-1], None] if info.any_length else list(info.shape),
            "transductive": learner.transductive,
            "outputs": info.outputs,
            "sizes": _sizes(splits, info.kind),
        }
        write_atomically(to / PREPARATION, json.dumps(finite(handed_on)) + "\n")
        if job.found is not None:
            drawn = draw(self.problem.graph(job.found), "what the search found")
            write_atomically(to / FOUND_DRAWING, drawn)
        return Outcome(TrialState.DONE, warnings=tuple(skipped))

    def _rebuild(self, training: Training) -> Learner:
        from safetensors.torch import load_file

        seed_everything(training.seed)
        learner = self.problem.learner(training.point)
        learner.model.load_state_dict(load_file(Path(training.folder) / WEIGHTS))
        learner.model.to(self.device).eval()
        return learner


def _p_of_training_mean(
    trial: JobTrial, values: torch.Tensor, targets: torch.Tensor
) -> float | None:
    """The p-value of values (N, 1) being no nearer to targets (N,) than the training mean."""
    from toolkit.analysis.significance import p_of_mean
    from toolkit.training.batches import labels_of

    mean = float(labels_of(trial.splits.train).double().mean())
    return p_of_mean(values[:, 0].tolist(), targets.tolist(), mean)


def _inputs(splits: Splits, most: int) -> torch.Tensor:
    """The first inputs of the validation part, as a batch."""
    import torch

    data = cast(Any, splits.val)
    return torch.stack([data[index][0] for index in range(min(most, len(data)))])


def _sizes(splits: Splits, kind: str) -> dict[str, Any] | None:
    """How large training inputs are, see `toolkit.export.sizes`."""
    from toolkit.export.sizes import LOOKED_AT, Sizes

    data = cast(Any, splits.train)
    step = -(-len(data) // LOOKED_AT) or 1
    found = Sizes.of((data[index][0] for index in range(0, len(data), step)), kind)
    return None if found is None else found.to_json()


def _several(drawn: Drawing | Sequence[Drawing] | None) -> Sequence[Drawing]:
    if drawn is None:
        return ()
    return drawn if isinstance(drawn, Sequence) else (drawn,)


def _stopped(reason: str, asked: bool) -> Outcome:
    """How a job ends that its code has stopped; on its own account it may be pruned alone."""
    if not asked and reason != "pruned":
        error = f"Its code raised StopTrial({reason!r}), though it was not asked to stop."
        return Outcome(TrialState.FAILED, error=shortened(error))
    return Outcome(_STOPPED.get(reason, TrialState.PRUNED))


def _outcome_of(error: BaseException, folder: Path) -> Outcome:
    """How a job ends that has raised; one that found a disk full is to be gone on with."""
    if tells_of_full_disk(error) or free_bytes(folder) < LEAST:
        return Outcome(
            TrialState.QUEUED, error=f"A disk is full ({shortened(text_of(error), 500)})."
        )
    if isinstance(error, ToolkitError):
        message, hint = encodable(error.message), encodable(error.hint)
        known = error.exit_code in tuple(ExitCode)
        fault = Fault(message, hint, error.exit_code if known else ExitCode.PLUGIN)
        return Outcome(TrialState.FAILED, error=text_of(error), fault=fault)
    short = _what_ran_out(error)
    state = TrialState.OOM if short else TrialState.FAILED
    text = f"{short}\n{traceback.format_exc()}" if short else traceback.format_exc()
    return Outcome(state, error=encodable(text.rstrip()))


def _what_ran_out(error: BaseException) -> str:
    """Says which memory an error tells of that it ran out, the GPU's or the host's, if any."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(error, torch.OutOfMemoryError):
        return "The GPU's memory (CUDA) ran out: a smaller batch or model needs less of it."
    if isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in text_of(error)
    ):
        return "The host's memory ran out: a smaller batch or model needs less of it."
    return ""


def _free_memory() -> None:
    import gc

    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


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
