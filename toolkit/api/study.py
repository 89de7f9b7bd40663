"""Ask and tell: any strategy over any space, for programs with a loop of their own."""

from __future__ import annotations

import operator
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from toolkit.api.best_trial import BestTrial
from toolkit.api.ledger import FILE
from toolkit.api.run import Run
from toolkit.api.trees import tree_of
from toolkit.base.errors import PluginError, RecipeError, ResumeError
from toolkit.base.plain import digest, encodable, floats, is_number, shortened, shown
from toolkit.base.secrets import masked
from toolkit.contracts import (
    Direction,
    Exhausted,
    OneShotStrategy,
    Proposal,
    SearchContext,
    Strategy,
    Trial,
    TrialState,
    Wait,
)
from toolkit.engine import seeds
from toolkit.engine.proposals import check_point, check_proposal
from toolkit.engine.replay import reports_for
from toolkit.recipe.options import build
from toolkit.recipe.schema import PluginChoice, split_plugin
from toolkit.registry import Registry, plugin_code
from toolkit.run.facts import BUDGET_TRIALS, CREATED, OBJECTIVES, PURPOSE, RECIPE
from toolkit.run.ledger import Ledger
from toolkit.run.lock import lock
from toolkit.run.records import TrialRecord
from toolkit.run.selection import best
from toolkit.run.state import STUDY
from toolkit.space import Space

if TYPE_CHECKING:
    from collections.abc import Sequence

ENDINGS = (TrialState.DONE, TrialState.PRUNED, TrialState.FAILED, TrialState.INVALID)
"""How a trial may be said to have ended."""


class Study:
    """A search whose trials your own program runs.

    ::

        space = {"lr": {"log": [1e-4, 1e-1]}, "layers": {"int": [1, 4]}}
        with toolkit.Study(space, "optuna.tpe", {"loss": "minimize"}, folder="runs/mine") as study:
            while (trial := study.ask()) is not None:
                study.tell(trial, loss=train(**trial.point))

    Everything asked and told is in the folder's ledger before the call returns, so that the same
    program goes on after it was killed: trials that were asked for and never told come first.
    `toolkit.Run(folder)`, `toolkit status`, `trials` and `report` read the folder.

    Args:
        space: a tree of `toolkit.space`, or values by name as a recipe writes them; a mapping in
            it is a group, and what is no searched value stays as it is.
        strategy: a strategy's name, or a mapping of `name` and options.
        objectives: metric -> `maximize` or `minimize`, the first one being the primary.
        folder: where the ledger is; made if missing.
        trials: how many to ask for; None, the default, for the strategy's own number.
        seed: of the strategy's draws.
        epochs: of a full training, which strategies of many fidelities need to know.
        plugins: paths of local plugins.

    Raises:
        RecipeError: an argument is wrong, or the strategy cannot serve the space.
        ResumeError: the folder is the study of another space, strategy, objective or seed.
        RunLockedError: another `Study` is open on the folder.
    """

    def __init__(
        self,
        space: Space | Mapping[str, Any],
        strategy: str | Mapping[str, Any],
        objectives: Mapping[str, Direction],
        *,
        folder: str | Path = "runs/study",
        trials: int | None = None,
        seed: int = 0,
        epochs: int | None = None,
        plugins: Sequence[str | Path] = (),
    ) -> None:
        self.folder, self.space = Path(folder), tree_of(space)
        self.objectives = _checked_objectives(objectives)
        self._seed = seed
        choice = PluginChoice.model_validate(split_plugin(strategy))
        self._strategy: Strategy = build(Registry(plugins), "strategies", choice)
        if isinstance(self._strategy, OneShotStrategy):
            raise RecipeError(
                f"{choice.name} trains a supernet, which a loop of one's own does not.",
                hint="Take a strategy of single trials, such as optuna.tpe or random.",
            )
        self._name = choice.name
        self._limit = self._strategy.default_trials() if trials is None else trials
        context = SearchContext(self.space, self.objectives, seed, self._limit, epochs)
        with plugin_code("strategy.setup"):
            self._strategy.setup(context)
        written = {
            "name": self.folder.absolute().name,
            "task": {"name": "own_loop"},
            "strategy": {"name": choice.name, **choice.options},
            "space": {"name": "own_space", "tree": self.space.to_json()},
            "objectives": dict(self.objectives),
            "train": {"seed": seed, "epochs": epochs},
        }
        self._closed = False
        self._open = ExitStack()
        self._open.enter_context(lock(self.folder))
        try:
            self._ledger = Ledger.open(self.folder / FILE)
            self._open.callback(self._ledger.close)
            self._claim(written)
            self._records = {record.number: record for record in self._ledger.trials("search")}
            self._orphans = [r.number for r in self._records.values() if not r.state.ended]
            self._replay()
        except BaseException:
            self._open.close()
            raise

    def __enter__(self) -> Study:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return repr(self.run).replace(Run.__name__, type(self).__name__, 1)

    def _repr_html_(self) -> str:
        return self.run._repr_html_()

    def close(self) -> None:
        """Closes the ledger and lets others open the folder. Safe to call twice."""
        self._closed = True
        self._open.close()

    @property
    def run(self) -> Run:
        """The folder, to read."""
        return Run(self.folder)

    @property
    def best(self) -> BestTrial | None:
        """The best of the done trials, with its `values`; None where there is none yet."""
        done = [record for record in self._records.values() if record.eligible]
        found = best(done, self.objectives)
        return None if found is None else BestTrial.of(found)

    def trials(self) -> Any:
        """Returns the trials as a pandas DataFrame, or a list of dicts where there is no pandas."""
        return self.run.trials()

    def ask(self) -> Trial | None:
        """Returns the next trial to run, with its `point`, `fidelity` and `seed`.

        Returns:
            The trial; None where all trials have been asked for, or the strategy has nothing to
            propose before a running trial has been told.
        """
        self._refuse_closed()
        if self._orphans:
            return self._records[self._orphans.pop(0)].trial()
        number = max(self._records, default=0) + 1
        if self._limit is not None and number > self._limit:
            return None
        with plugin_code("strategy.ask"):
            answer = self._strategy.ask()
        if isinstance(answer, Wait | Exhausted):
            return None
        answer = self._checked(answer)
        record = TrialRecord(
            number,
            "search",
            answer.kind,
            TrialState.RUNNING,
            answer.point,
            digest(answer.point),
            seeds.derive(self._seed, number) if answer.seed is None else answer.seed,
            fidelity=answer.fidelity,
            token=answer.token,
            attempts=1,
            started=time.time(),
            continues=answer.continues,
        )
        self._keep(record)
        return record.trial()

    def _checked(self, answer: Any) -> Proposal:
        """A proposal of a point of the space.

        Raises:
            PluginError: the strategy proposed anything else.
        """
        answer = check_proposal(answer, self._name)
        if answer.kind != "train":
            raise PluginError(
                f"strategy.ask of {self._name} proposed kind={answer.kind!r}, expected 'train': a"
                " loop of one's own trains no supernet."
            )
        check_point(answer.point, self.space, self._name)
        parent = None if answer.continues is None else self._records.get(answer.continues)
        if answer.continues is not None and (parent is None or not parent.state.ended):
            raise PluginError(
                f"The strategy {self._name} proposed to continue trial {answer.continues}, which"
                " has not ended."
            )
        return answer

    def report(self, trial: Trial, step: int, **values: float) -> bool:
        """Reports intermediate results; False where the strategy asks to end the trial as pruned.

        Args:
            trial: what `ask` returned.
            step: from 1, such as an epoch.
            values: metrics, by name.

        Raises:
            TypeError, ValueError: the step is no whole number, or a metric is no number.
            RecipeError: the trial is none that runs.
        """
        record = self._running(trial)
        step, known = operator.index(step), _known(values)
        if not -(2**63) <= step < 2**63:
            raise ValueError(f"the step is {step}, expected one of 64 bits")
        self._ledger.add_metrics(trial.number, step, known, {})
        self._ledger.commit()
        with plugin_code("strategy.report"):
            return bool(self._strategy.report(record.trial(), step, known))

    def tell(
        self, trial: Trial, state: TrialState | str = "done", *, error: str = "", **values: float
    ) -> None:
        """Tells how a trial ended.

        Args:
            trial: what `ask` returned.
            state: `done`, `pruned`, `failed` or `invalid`.
            error: why it did not end well.
            values: metrics, by name; a done trial has every objective.

        Raises:
            TypeError, ValueError: a metric is no number.
            RecipeError: an objective is missing or not finite, or the trial is none that runs.
        """
        record = self._running(trial)
        try:
            ended = TrialState(state)
        except (ValueError, TypeError):
            ended = TrialState.RUNNING
        if ended not in ENDINGS:
            names = ", ".join(map(str, ENDINGS))
            raise RecipeError(f"The state is {shown(state)}, expected one of {names}.")
        known = _known(values)
        if ended is TrialState.DONE:
            self._require_objectives(trial.number, known)
        now = time.time()
        told = sum(record.told is not None for record in self._records.values())
        self._keep(
            replace(
                record,
                state=ended,
                values=known,
                error=masked(shortened(encodable(str(error)))),
                ended=now,
                # The clock may have been set back.
                duration_s=max(now - (record.started or now), 0.0),
                told=told,
            )
        )
        self._hear(self._records[trial.number])

    def _require_objectives(self, number: int, known: Mapping[str, float]) -> None:
        """Refuses a done trial without a usable result."""
        missing = [name for name in self.objectives if name not in known]
        if missing:
            raise RecipeError(
                f"Trial {number} is done, but {', '.join(missing)} of its objectives is not told.",
                hint=f"tell(trial, {missing[0]}=...), or tell(trial, 'failed').",
            )
        odd = [name for name in self.objectives if not is_number(known[name])]
        if odd:
            raise RecipeError(
                f"Trial {number} is done, but {odd[0]} is {known[odd[0]]}.",
                hint="tell(trial, 'invalid') says that it has no usable result.",
            )

    def _claim(self, written: Mapping[str, Any]) -> None:
        known = self._ledger.get(RECIPE)
        if known is None:
            self._ledger.put_fact(RECIPE, written)
            self._ledger.put_fact(PURPOSE, {"command": STUDY})
            self._ledger.put_fact(OBJECTIVES, self.objectives)
            self._ledger.put_fact(CREATED, time.time())
        elif different := [word for word in written if known.get(word) != written[word]]:
            raise ResumeError(
                f"{self.folder} is a study with another {' and '.join(different)}.",
                hint="Name another folder, or give what it was begun with.",
            )
        self._ledger.put_fact(BUDGET_TRIALS, self._limit)
        self._ledger.commit(durable=True)

    def _replay(self) -> None:
        """Tells the strategy what an earlier program has told it."""
        ended = [record for record in self._records.values() if record.told is not None]
        self._strategy.replaying = True
        reports = reports_for(self._strategy, self._ledger, self._records.values())
        for record in sorted(ended, key=lambda record: record.told or 0):
            self._hear_reports(record, reports.get(record.number, []))
            self._hear(record)
        with plugin_code("strategy.resume"):
            for number in self._orphans:
                self._strategy.resume(self._records[number].trial())
                self._hear_reports(self._records[number], reports.get(number, []))
        self._strategy.replaying = False

    def _hear_reports(self, record: TrialRecord, reports: Sequence[tuple[int, Any]]) -> None:
        with plugin_code("strategy.report"):
            for step, values in reports:
                self._strategy.report(record.trial(), step, values)

    def _hear(self, record: TrialRecord) -> None:
        heard = record.state in (TrialState.DONE, TrialState.PRUNED)
        with plugin_code("strategy.tell"):
            self._strategy.tell(record.trial(), record.state, dict(record.values) if heard else {})

    def _keep(self, record: TrialRecord) -> None:
        self._records[record.number] = record
        self._ledger.put(record)
        self._ledger.commit(durable=True)

    def _refuse_closed(self) -> None:
        if self._closed:
            raise RecipeError(
                f"The study in {self.folder} is closed.",
                hint="Open it again: Study(..., folder=...) goes on with it.",
            )

    def _running(self, trial: Trial) -> TrialRecord:
        self._refuse_closed()
        if not isinstance(trial, Trial):
            raise RecipeError(f"The trial is {shown(trial)}, expected one that `ask` returned.")
        record = self._records.get(trial.number)
        if record is None or record.state is not TrialState.RUNNING:
            what = "is unknown" if record is None else f"has ended ({record.state})"
            raise RecipeError(f"Trial {trial.number} {what}, expected one that runs.")
        return record


def _known(values: Mapping[str, Any]) -> dict[str, float]:
    """Metrics as they can be kept.

    Raises:
        TypeError, ValueError: one is no number, or its name no text.
    """
    try:
        known = floats(values)
    except OverflowError as error:
        raise ValueError(str(error)) from None
    if odd := [name for name in known if encodable(name) != name]:
        raise ValueError(f"the metric {odd[0]!r} is named by what is no text")
    return known


def _checked_objectives(objectives: Mapping[str, Direction]) -> Mapping[str, Direction]:
    right = isinstance(objectives, Mapping) and objectives
    if not right or not set(objectives.values()) <= {"maximize", "minimize"}:
        raise RecipeError(
            f"The objectives are {objectives!r}, expected metrics, each with maximize or minimize.",
            hint='For example {"loss": "minimize"}.',
        )
    return dict(objectives)
