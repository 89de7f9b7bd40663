"""The engine: runs a recipe in a run folder, from its first trial to its report.

A killed or stopped run goes on when the same command is given again: what is known is in the
ledger, what was running is queued again and continues from its checkpoint, and the strategy is
told once more what it had been told.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from toolkit.base.clock import SYSTEM, Clock
from toolkit.base.errors import ExitCode, ToolkitError, ToolkitWarning
from toolkit.base.files import open_to_append
from toolkit.base.secrets import masked
from toolkit.contracts import Executor, ExecutorContext, OneShotStrategy, Strategy
from toolkit.engine.anchors import Anchored, anchors_of
from toolkit.engine.budget import SearchBudget
from toolkit.engine.compatibility import (
    compatible_changes,
    refuse_misfits,
    with_new_defaults,
)
from toolkit.engine.deadline import Deadline
from toolkit.engine.extension import extended
from toolkit.engine.fitting import with_fitting
from toolkit.engine.pilot import Pilot
from toolkit.engine.preparation import prepare
from toolkit.engine.proposals import check_default_trials
from toolkit.engine.reporting import Reporter
from toolkit.engine.room import Room
from toolkit.engine.scheduler import Interrupted, Scheduler
from toolkit.engine.search import Search
from toolkit.engine.session import Session
from toolkit.engine.stages import search_and_finish
from toolkit.engine.successors import with_successors
from toolkit.engine.warm_start import Source, warm_start
from toolkit.problem import Problem
from toolkit.problem.final import count_trainings
from toolkit.recipe import Recipe
from toolkit.recipe.options import build
from toolkit.recipe.schema import Budget
from toolkit.registry import plugin_code
from toolkit.run.content import contents_of, digests_of
from toolkit.run.events import EventLog, OnEvent
from toolkit.run.facts import BUDGET_TRIALS, EXTENSIONS, PLUGIN_PATHS, SEARCH_S, TIMES
from toolkit.run.folder import SEARCH, RunFolder
from toolkit.run.holdings import holdings_of
from toolkit.run.ledger import Ledger

logger = logging.getLogger("toolkit")

Stages = Callable[[Search], int]
"""Work in an open run folder; returns the exit code."""
MakeExecutor = Callable[[ExecutorContext], Executor]


def run_search(
    problem: Problem,
    folder: Path,
    *,
    workers: int | None = None,
    on_event: OnEvent | None = None,
    earlier: Path | None = None,
    extend: Mapping[str, float] = {},
    executor: MakeExecutor | None = None,
    clock: Clock = SYSTEM,
    hand_over: bool = True,
    began: float | None = None,
) -> int:
    """Runs a recipe in a folder, or goes on with the run that is there.

    Args:
        problem: of the recipe to run.
        folder: the run folder; made if missing.
        workers: trials at once, in place of the recipe's `resources.workers`.
        on_event: called with the name and the facts of each event, see `toolkit.run.events`.
        earlier: folder of a run whose finished trials are told to the strategy first.
        extend: what to add to the run's totals, such as `{"trials": 50}`.
        executor: makes the executor, in place of the recipe's `resources.executor`.
        clock: of budgets, deadlines and timestamps.
        hand_over: export and report; a run that is only to be judged ends with its test.
        began: when the run began, by the clock, for `budget.total`; now if None.

    Returns:
        The exit code: one of `ExitCode`, or 130 or 143 after SIGINT or SIGTERM.

    Raises:
        ToolkitError: the run cannot go on; its `exit_code` says which kind of fault it is.
    """
    return run_stages(
        problem,
        search_strategy(problem),
        folder,
        partial(search_and_finish, hand_over=hand_over),
        workers=workers,
        on_event=on_event,
        earlier=earlier,
        extend=extend,
        executor=executor,
        clock=clock,
        trainings=count_trainings(problem),
        began=began,
    )


def search_strategy(problem: Problem) -> Strategy:
    """Returns the recipe's strategy with the space's anchors, what follows it, and a pilot.

    It is not yet set up.
    """
    strategy, asked = problem.strategy(), problem.recipe.budget.pilot
    with plugin_code("space.anchors"):
        anchors = [] if isinstance(strategy, OneShotStrategy) else anchors_of(problem)
    strategy = with_fitting(problem, strategy)
    if anchors:
        strategy = Anchored(strategy, anchors)
    if asked == "off":
        return with_successors(problem, strategy)
    counts = None if problem.survey is None else problem.survey.counts.get("test")
    samples = sum(counts.values()) if counts else None
    fit = problem.fitting
    pilot = Pilot(strategy, only=asked == "only", test_samples=samples, fit=fit)
    return with_successors(problem, pilot)


def run_stages(
    problem: Problem,
    strategy: Strategy,
    folder: Path,
    stages: Stages,
    *,
    purpose: Mapping[str, Any] = SEARCH,
    given: Recipe | None = None,
    workers: int | None = None,
    on_event: OnEvent | None = None,
    earlier: Path | None = None,
    extend: Mapping[str, float] = {},
    executor: MakeExecutor | None = None,
    clock: Clock = SYSTEM,
    trainings: int | None = None,
    began: float | None = None,
) -> int:
    """Opens a run folder, with all an engine needs, and does some stages of work in it.

    Args:
        problem: of the recipe to run.
        strategy: proposes the trials, whatever the recipe says; not yet set up.
        stages: the work; what it returns is the exit code.
        purpose: the command, and what it was given beside the recipe (`RunFolder.claim`).
        given: the recipe whose run the folder is, where the problem's was made from it; it must
            stay as it is when the run is resumed.
        trainings: final trainings to be expected, for those who watch; None where there are none.

    Returns, raises, and takes what else it takes, as `run_search` does.
    """
    recipe, run = problem.recipe, RunFolder(folder)
    # An impossible space, or one this strategy cannot serve, is refused before anything is written.
    run.refuse_foreign()
    source = None if earlier is None else Source(earlier)
    own = check_default_trials(strategy, recipe.strategy.name)
    totals, extensions = extended(recipe.budget, own, run.ledger, extend)
    context = problem.search_context(totals.trials)
    with plugin_code("strategy.setup"):
        strategy.setup(context)
    room = Room(run.path, recipe.resources.disk_reserve, clock)
    room.wait()
    with _held(run), _logging_to(run.log), _ledger(run, room) as ledger:
        resumed = room.writing(lambda: _claim(run, ledger, problem, purpose, given))
        ledger.put_fact(EXTENSIONS, extensions)
        ledger.put_fact(PLUGIN_PATHS, tuple(map(str, problem.registry.plugin_paths)))
        ledger.put_fact(BUDGET_TRIALS, context.trials)
        with (
            _executor(problem, run, workers, executor) as opened,
            _session(problem, run, ledger, opened, clock, on_event, room, began) as session,
        ):
            if source is not None:
                warm_start(session, source)
            search = _search(session, strategy, totals, context.trials)
            _tell_of_start(session, search.budget, totals, resumed, trainings)
            with session.scheduler.signals():
                try:
                    prepare(session)
                    code = stages(search)
                except Interrupted:
                    code = 128 + session.scheduler.interrupts[0]
            session.events.emit("run_ended", exit_code=int(code), folder=str(run.path))
            return code


@contextmanager
def _held(run: RunFolder) -> Iterator[None]:
    """The run folder, locked; where the user's data or values are refused, no new one is left."""
    new, empty = not Ledger.begun(run.ledger), run.path.is_dir() and not any(run.path.iterdir())
    with run.lock():
        try:
            yield
        except ToolkitError as error:
            if new and error.exit_code == ExitCode.USAGE:
                run.take_back()
                if not empty:
                    with suppress(OSError):  # It holds more than a run's start.
                        run.path.rmdir()
            raise


@contextmanager
def _ledger(run: RunFolder, room: Room) -> Iterator[Ledger]:
    """The ledger, which waits for room where the disk is full."""
    with closing(room.writing(lambda: Ledger.open(run.ledger))) as ledger:
        ledger.on_full = room.wait_after
        yield ledger


def _claim(
    run: RunFolder,
    ledger: Ledger,
    problem: Problem,
    purpose: Mapping[str, Any],
    given: Recipe | None,
) -> bool:
    recipe, registry = given or problem.recipe, problem.registry

    def compatible(known: Mapping[str, Any], changed: Collection[str]) -> Collection[str]:
        if given is not None:
            return ()
        return compatible_changes(known, problem, registry, changed, ledger.trials())

    contents = contents_of(problem.task.options)
    return run.claim(
        ledger,
        recipe.resolved(masked=True),
        recipe.source or None,
        objectives=problem.objectives,
        directions=problem.directions,
        data=digests_of(contents),
        holdings=holdings_of(contents, problem.info, problem.survey),
        purpose=purpose,
        complete=lambda known: with_new_defaults(known, registry),
        compatible=compatible,
    )


@contextmanager
def _executor(
    problem: Problem, run: RunFolder, workers: int | None, make: MakeExecutor | None
) -> Iterator[Executor]:
    resources = problem.recipe.resources
    context = ExecutorContext(
        recipe=problem.recipe.resolved(),
        plugin_paths=tuple(str(path) for path in problem.registry.plugin_paths),
        folder=run.path,
        workers=workers or resources.workers,
        gpus=resources.gpus,
        threads=resources.threads,
        objectives=problem.objectives,
        memory=resources.memory,
        storage=resources.storage,
        busy_gpus=resources.busy_gpus,
    )
    make = make or problem.registry.get("executors", resources.executor)
    with plugin_code("executor"):
        executor = make(context)
    try:
        yield executor
    finally:
        with plugin_code("executor.close"):
            executor.close()


@contextmanager
def _session(
    problem: Problem,
    run: RunFolder,
    ledger: Ledger,
    executor: Executor,
    clock: Clock,
    on_event: OnEvent | None,
    room: Room,
    began: float | None,
) -> Iterator[Session]:
    """A session in a folder that is held and claimed; its log and trackers are closed after it."""
    recipe = problem.recipe
    with closing(EventLog(run.events, on_event)) as events:
        events.add(Reporter(run.path))
        for choice in recipe.track:
            with plugin_code(f"tracker {choice.name}"):
                tracker = build(problem.registry, "trackers", choice)
            events.add(tracker)
        scheduler = Scheduler(
            run.path,
            ledger,
            executor,
            events,
            problem.objectives,
            recipe.resources.trial_timeout,
            bounds=problem.bounds,
            clock=clock,
            epochs_of=lambda record: (
                problem.epochs_of(record.point, record.fidelity, final=record.phase == "final")
                if record.kind == "train"
                else None
            ),
            room=room,
        )
        room.tell = lambda text: events.emit("warning", message=text)
        room.stop = scheduler.heed
        earlier_s = sum(ledger.get(fact) for fact in TIMES.values())
        deadline = Deadline(problem, scheduler.slot_count, earlier_s, clock, began)
        yield Session(problem, run, ledger, executor, scheduler, events, clock, deadline)


def _search(session: Session, strategy: Strategy, totals: Budget, trials: int | None) -> Search:
    """The search, with what the ledger holds: it alone, so that it can let go of it."""
    ledger = session.ledger
    records = ledger.trials()
    refuse_misfits(session.problem, records)
    searched = (record for record in records if record.phase == "search")
    budget = SearchBudget(totals, trials, searched, ledger.get(SEARCH_S), session.clock)
    return Search(session, strategy, budget, records)


def _tell_of_start(
    session: Session, budget: SearchBudget, totals: Budget, resumed: bool, trainings: int | None
) -> None:
    problem = session.problem
    session.events.emit(
        "run_started",
        name=problem.recipe.name,
        folder=str(session.folder.path),
        resumed=resumed,
        strategy=problem.recipe.strategy.name,
        trials=budget.trials,
        time_s=totals.time,
        epochs=totals.epochs,
        epochs_paid=budget.epochs,
        spent_s=sum(session.ledger.get(fact) for fact in TIMES.values()),
        search_s=session.ledger.get(SEARCH_S),
        trainings=trainings,
        slots=session.scheduler.slot_count,
        device=session.executor.slots()[0].device,
        objectives=problem.objectives,
    )


class _Masking(logging.Formatter):
    """Hides the environment's values, in tracebacks too."""

    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))


class _LogFile(logging.StreamHandler[TextIO]):
    """A log that a run goes on without where it cannot be written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            descriptor = open_to_append(path)
        except OSError as error:
            self._warn(f" ({error.strerror})")
            descriptor = os.open(os.devnull, os.O_WRONLY)
        super().__init__(open(descriptor, "a", encoding="utf-8", errors="backslashreplace"))  # noqa: PTH123, SIM115

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        self._warn()

    def close(self) -> None:
        """Leaves it open: a library that sets its own logging up closes every handler there is."""

    def end(self) -> None:
        """Closes the file."""
        super().close()
        with suppress(OSError):  # What could not be written still cannot.
            self.stream.close()

    def _warn(self, why: str = "") -> None:
        text = f"{self._path} cannot be written{why}. The run goes on without it."
        warnings.warn(ToolkitWarning(text), stacklevel=2)


@contextmanager
def _logging_to(path: Path) -> Iterator[None]:
    handler = _LogFile(path)
    handler.setFormatter(_Masking("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger.addHandler(handler)
    level = logger.level
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        handler.end()
