"""The pilot: a few random architectures that say whether a search over them can pay."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

from toolkit.analysis.variances import expected_gain, variances
from toolkit.contracts import (
    Exhausted,
    OneShotStrategy,
    Proposal,
    SearchContext,
    Strategy,
    StrategyWrapper,
    Trial,
    TrialState,
    Wait,
)
from toolkit.engine import seeds
from toolkit.engine.planned import Planned
from toolkit.run.facts import PilotResult
from toolkit.run.predictions import held_out_hits
from toolkit.space import point_key, sample

ARCHITECTURES, SEEDS = 8, 2
_FEWEST = 4
_IN_FULL = 20
"""Full trainings by whose best one a supernet's space is judged: a search's usual total."""
_TRIES = 100
_TOKEN = "pilot"
_SHARES = ("accuracy", "balanced_accuracy")
"""Metrics that are shares of the test samples."""
_POINT = 0.01


class Pilot(Planned):
    """Trains random architectures with two seeds each; then searches, or does not.

    Its trials count as the search's, and the strategy inside is told of them. It takes half of the
    trials at most, or what the strategy inside leaves of them by its own total. A supernet trains
    few architectures in full, so there the best of `_IN_FULL` says what the space has to give.

    Args:
        inner: what searches afterwards, not yet set up.
        only: search in no case.
        test_samples: size of the test split; None where it is not known.
        fit: makes of a point what its own values have, see `Problem.fitting`.
    """

    def __init__(
        self,
        inner: Strategy,
        *,
        only: bool,
        test_samples: int | None,
        fit: Callable[[dict[str, Any]], dict[str, Any]] = dict,
    ) -> None:
        super().__init__(inner, _TOKEN)
        self._only, self._test_samples, self._fit = only, test_samples, fit
        self._points: list[dict[str, Any]] = []
        self._told: dict[tuple[int, int], tuple[int, float | None]] = {}
        self.result: PilotResult | None = None
        self.on_result: Callable[[PilotResult], None] = lambda result: None
        self.folder_of: Callable[[int], Path | None] = lambda number: None

    def default_trials(self) -> int | None:
        own = self.inner.default_trials()
        return None if own is None else own + ARCHITECTURES * SEEDS

    def setup(self, context: SearchContext) -> None:
        trials, own = context.trials, self.inner.default_trials()
        count = ARCHITECTURES
        if trials is not None:
            left = 0 if own is None else trials - own
            count = min(count, max(trials // (2 * SEEDS), left // SEEDS))
        self._context = context
        self._points = _random_points(context, max(count, _FEWEST), self._fit)
        self._plan()
        rest = None if trials is None else max(1, trials - len(self._points) * SEEDS)
        self._one_shot = _is_one_shot(self.inner)
        self._tried = _IN_FULL if self._one_shot else rest or ARCHITECTURES
        self.inner.setup(replace(context, trials=rest))

    @property
    def trainings(self) -> int:
        """How many trials are the pilot's own, once it is set up."""
        return len(self._points) * SEEDS if len(self._points) > 1 else 0

    def keep(self, known: PilotResult) -> None:
        """Stays as large as it was when it ended, whatever the run's total is now."""
        self._points = self._points[: len(known.trials) // SEEDS]
        self._plan()

    def _plan(self) -> None:
        pairs = [[a, s] for s in range(SEEDS) for a in range(len(self._points))]
        self.wanted = pairs if len(self._points) > 1 else []

    def ask(self) -> Proposal | Wait | Exhausted:
        if self.wanted:
            architecture, number = self.wanted.pop(0)
            return Proposal(
                self._points[architecture],
                token={_TOKEN: [architecture, number]},
                seed=seeds.derive(self._context.seed, _TOKEN, number),
            )
        if len(self._points) > 1:
            if len(self._told) < len(self._points) * SEEDS:
                return Wait()
            if self.result is not None and not self.result.searches:
                return Exhausted()
        return self.inner.ask()

    def tell(self, trial: Trial, state: TrialState, values: Mapping[str, float]) -> None:
        super().tell(trial, state, values)
        if (planned := self.planned(trial)) is None:
            return
        architecture, number = planned
        metric = next(iter(self._context.objectives))
        value = values.get(metric) if state is TrialState.DONE else None
        self._told[architecture, number] = trial.number, value
        if self.result is None and len(self._told) == len(self._points) * SEEDS:
            self.result = self._judge(metric)
            self.on_result(self.result)

    def _judge(self, metric: str) -> PilotResult:
        """What the trials say, once all have ended."""
        rows, numbers = [], []
        for architecture in range(len(self._points)):
            own = [self._told[architecture, number] for number in range(SEEDS)]
            found = [value for _, value in own if value is not None and math.isfinite(value)]
            if len(found) == SEEDS:
                rows.append(found)
                numbers.append([number for number, _ in own])
        trials = tuple(sorted(number for number, _ in self._told.values()))
        if len(rows) < 2:
            return PilotResult(metric=metric, trials=trials, searches=not self._only)
        components = variances(rows)
        gain = expected_gain(rows, self._tried, self._noise([row[0] for row in numbers]))
        mean = sum(map(sum, rows)) / (len(rows) * SEEDS)
        threshold = self._threshold(metric, mean, components.seeds)
        return PilotResult(
            metric=metric,
            trials=trials,
            results=tuple(map(tuple, rows)),
            variances=components,
            tried=self._tried,
            one_shot=self._one_shot,
            gain=gain,
            threshold=threshold,
            searches=not self._only and gain.value > threshold,
        )

    def _threshold(self, metric: str, mean: float, spread: float) -> float:
        """The least gain that is worth a search: what the test can see, or a point."""
        if metric not in _SHARES:
            return spread
        samples = self._test_samples
        noise = math.sqrt(max(mean * (1 - mean), 0.0) / samples) if samples else 0.0
        return max(noise, _POINT)

    def _noise(self, numbers: list[int]) -> float:
        """Variance of one result by the held-out samples that not all architectures get right.

        Two of them whose hits differ on a share d of m samples have a difference of variance d / m,
        half of which is each one's.
        """
        folders = [self.folder_of(number) for number in numbers]
        hits = [held_out_hits(folder) for folder in folders if folder is not None]
        sound = [each for each in hits if each]
        if len({len(each) for each in sound}) != 1:
            return 0.0
        shares = [
            sum(one != other for one, other in zip(a, b, strict=True)) / len(a)
            for a, b in combinations(sound, 2)
        ]
        return sum(shares) / len(shares) / (2 * len(sound[0])) if shares else 0.0


def _random_points(
    context: SearchContext, count: int, fit: Callable[[dict[str, Any]], dict[str, Any]]
) -> list[dict[str, Any]]:
    """Distinct random points of the run's tree."""
    rng = random.Random(seeds.derive(context.seed, _TOKEN))
    points: dict[str, dict[str, Any]] = {}
    for _ in range(_TRIES):
        point = fit(sample(context.space, rng))
        points.setdefault(point_key(point), point)
        if len(points) == count:
            break
    return list(points.values())


def _is_one_shot(strategy: Strategy) -> bool:
    """Whether a supernet searches, be it inside of others."""
    while isinstance(strategy, StrategyWrapper):
        strategy = strategy.inner
    return isinstance(strategy, OneShotStrategy)


def pilot_of(strategy: Strategy) -> Pilot | None:
    """Returns the pilot that a strategy is, or holds inside."""
    while isinstance(strategy, StrategyWrapper):
        if isinstance(strategy, Pilot):
            return strategy
        strategy = strategy.inner
    return None
