"""Base of the strategies that let one of NNI's tuners decide, without NNI's server.

NNI proposes and hears results; trials, storage, resuming and parallel work are the engine's. A
trial of an earlier engine is handed to the tuner as if it had been asked for, then told.
"""

from __future__ import annotations

import math
import random
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, NonNegativeInt

from toolkit import contracts
from toolkit.contracts import (
    Exhausted,
    Proposal,
    SearchContext,
    Strategy,
    Trial,
    TrialState,
    Wait,
)
from toolkit.errors import RecipeError
from toolkit.space import Point, SeenPoints, is_point, point_key
from toolkit_nni.encoding import Encoding

if TYPE_CHECKING:
    from nni.assessor import Assessor
    from nni.tuner import Tuner

DRAWS = 1000
"""Draws that may fall on known points before what is left is listed."""


class Medianstop(BaseModel):
    """NNI's median stop: ends a trial whose best is below the median of running averages."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Literal["medianstop"]
    start_step: NonNegativeInt = Field(
        0, description="reports a trial has made before it is judged"
    )


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class NniOptions(contracts.Options):
    """What the tuners offer that bear an assessor beside them."""

    assessor: Annotated[
        Medianstop | None,
        BeforeValidator(_named, json_schema_input_type=Medianstop | Literal["medianstop"] | None),
    ] = Field(None, description="ends trials that look bad: medianstop, or {name: medianstop, ...}")


class NniStrategy(Strategy):
    """Base: translates, seeds, keeps who runs, guards against NaN."""

    Options: ClassVar[type[contracts.Options]] = NniOptions
    name: ClassVar[str]
    categorical_integers: ClassVar[bool] = False

    @abstractmethod
    def build(self, mode: str) -> Tuner:
        """Make the tuner; `mode` is `"maximize"` or `"minimize"`."""

    @abstractmethod
    def adopt(self, number: int, point: Point) -> None:
        """Make the tuner take a point as its own proposal `number`."""

    def check(self, context: SearchContext) -> None:
        """Refuse trees that the tuner cannot serve.

        Raises:
            RecipeError: it cannot.
        """

    def setup(self, context: SearchContext) -> None:
        refuse_several(self.name, context)
        self.check(context)
        quiet()
        ((self._metric, self._mode),) = context.objectives.items()
        self.space, self.seed = context.space, context.seed
        self.encoding = Encoding(context.space, categorical_integers=self.categorical_integers)
        self._next = self._told = 0
        self._running: list[tuple[str, int]] = []
        self._seen = SeenPoints(context.space, DRAWS)
        self._reports: dict[int, dict[int, float]] = {}
        self._assessor = self._make_assessor()
        if self.encoding.search_space:
            with seeded(self._draw_seed()):
                self.tuner = self.build(self._mode)
                self.tuner.update_search_space(self.encoding.search_space)
            self.prepare()

    def prepare(self) -> None:
        """Mend the tuner once it knows the space."""

    def ask(self) -> Proposal | Wait | Exhausted:
        from nni import NoMoreTrialError

        if not self.encoding.search_space:
            return self._only_point()
        try:
            with seeded(self._draw_seed()):
                found = self.generate(self._next)
        except NoMoreTrialError:
            return self.without_proposal()
        if found is None:
            return Wait()
        point = self.encoding.decode(found)
        self._enter(point)
        self.settle(self._running[-1][1], point)
        return Proposal(point)

    def generate(self, number: int) -> Mapping[str, Any] | None:
        """Have the tuner propose; None while it waits for results."""
        parameters: Mapping[str, Any] = self.tuner.generate_parameters(number)
        return parameters

    def settle(self, number: int, point: Point) -> None:
        """Make the tuner remember exactly the point that its proposal was taken for."""

    def without_proposal(self) -> Proposal | Wait | Exhausted:
        """The tuner knows no new point; one may be left that its own grid has missed."""
        point = self._seen.draw(random.Random(self._draw_seed()))
        if point is None or point in self._seen:
            return Exhausted()
        self.adopt(self._next, point)
        self._enter(point)
        return Proposal(point)

    def resume(self, trial: Trial) -> None:
        if is_point(self.space, trial.point):
            self._adopt(trial.point)

    def report(self, trial: Trial, step: int, values: Mapping[str, float]) -> bool:
        value = values.get(self._metric)
        if self._assessor is None or value is None or not math.isfinite(value):
            return True
        from nni.assessor import AssessResult

        steps = self._reports.setdefault(trial.number, {})
        steps[step] = value
        history = [steps[key] for key in sorted(steps) if key <= step]
        verdict = self._assessor.assess_trial(trial.number, history)
        return bool(verdict is AssessResult.Good)

    def tell(self, trial: Trial, state: TrialState, values: Mapping[str, float]) -> None:
        self._end_assessment(trial, state)
        if not is_point(self.space, trial.point):
            return
        number = self._take(trial.point)
        if number is None:
            self._adopt(trial.point)
            number = self._take(trial.point)
        self._told += 1
        if not self.encoding.search_space:
            return
        value = values.get(self._metric, math.nan)
        # An early end is told with its last value, as NNI's own dispatcher does.
        heard = state in (TrialState.DONE, TrialState.PRUNED) and math.isfinite(value)
        with seeded(self._draw_seed()):
            if heard:
                self.tuner.receive_trial_result(number, self.encoding.encode(trial.point), value)
            self.tuner.trial_end(number, heard)

    def _make_assessor(self) -> Assessor | None:
        options = getattr(self.options, "assessor", None)
        if options is None:
            return None
        from nni.algorithms.hpo.medianstop_assessor import MedianstopAssessor

        return MedianstopAssessor(self._mode, options.start_step)

    def _end_assessment(self, trial: Trial, state: TrialState) -> None:
        steps = self._reports.pop(trial.number, None)
        if self._assessor is not None and steps and len(steps) >= self.options.assessor.start_step:
            self._assessor.trial_end(trial.number, state is TrialState.DONE)

    def _only_point(self) -> Proposal | Exhausted:
        point = self.encoding.decode({})
        if point in self._seen:
            return Exhausted()
        self._enter(point)
        return Proposal(point)

    def _adopt(self, point: Point) -> None:
        if self.encoding.search_space:
            with seeded(self._draw_seed()):
                self.adopt(self._next, point)
        self._enter(point)

    def _enter(self, point: Point) -> None:
        self._running.append((point_key(point), self._next))
        self._seen.add(point)
        self._next += 1

    def _take(self, point: Point) -> int | None:
        for position, (running, number) in enumerate(self._running):
            if running == point_key(point):
                del self._running[position]
                return number
        return None

    def _draw_seed(self) -> int:
        """Depends on what was told, so a resumed run goes on where it stopped, and on what runs."""
        return derived(self.seed, self._told, len(self._running))


def refuse_several(name: str, context: SearchContext) -> None:
    """Refuse several objectives, which no tuner of NNI's serves.

    Raises:
        RecipeError: there are several.
    """
    if len(context.objectives) > 1:
        raise RecipeError(
            f"{name} serves one objective, and the recipe has {', '.join(context.objectives)}.",
            hint="Use optuna.tpe, optuna.nsga2 or evolution.regularized, or name one objective.",
        )


def quiet() -> None:
    """Import NNI and keep its log to warnings; it would write every trial to the output."""
    import logging

    import nni  # noqa: F401

    logging.getLogger("nni").setLevel(logging.WARNING)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed the global generators, which some tuners draw from, and put them back afterwards."""
    import numpy as np

    before, numpy_before = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)
        np.random.set_state(numpy_before)


def derived(*parts: object) -> int:
    """A seed of 31 bits out of anything that prints."""
    return random.Random("/".join(map(str, parts))).getrandbits(31)
