"""Strategies that let one of Optuna's samplers decide, over trees of any depth.

Optuna proposes and hears results; trials, storage, resuming and parallel work are the engine's. The
study lives in memory and is filled through `tell` and `resume`, so that a resumed run, whose trials
are told again in their order, has the same study as one that was never interrupted.
"""

from __future__ import annotations

import math
import random
from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field, NonNegativeInt, PositiveInt

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
from toolkit.errors import SpaceError
from toolkit.space import Choice, Int, Leaf, decisions

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial
    from optuna.trial import Trial as OptunaTrial


class OptunaStrategy(Strategy):
    """Base of the strategies: keeps the study, leaves the choice of the sampler to a subclass.

    A parameter's name in the study is its path in the tree. The options of a `Choice` are known to
    Optuna by position, so that options such as `None`, `False` and `0` stay apart.
    """

    @abstractmethod
    def sampler(self, seed: int) -> BaseSampler:
        """Make the sampler for one proposal."""

    def setup(self, context: SearchContext) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._context = context
        self._study: Study = optuna.create_study(directions=list(context.objectives.values()))
        self._told = 0
        self._running: list[tuple[dict[str, Any], int]] = []
        self._reports: dict[int, dict[int, float]] = {}

    def resume(self, trial: Trial) -> None:
        from optuna.trial import TrialState as OptunaState
        from optuna.trial import create_trial

        if trial.point is not None:
            known = self._decided(trial.point)
            self._study.add_trial(create_trial(state=OptunaState.RUNNING, **known))
            self._running.append((trial.point, self._study.trials[-1].number))

    def ask(self) -> Proposal | Wait | Exhausted:
        self._study.sampler = self.sampler(self._seed())
        trial = self._study.ask()

        point = self._context.space.walk(lambda path, leaf: _suggest(trial, path, leaf))
        self._running.append((point, trial.number))
        return Proposal(point)

    def _seed(self) -> int:
        """Depends on what was told, so a resumed run goes on where it stopped, and on what runs."""
        return random.Random(f"{self._context.seed}/{self._told}/{len(self._running)}").getrandbits(
            31
        )

    def report(self, trial: Trial, step: int, values: Mapping[str, float]) -> bool:
        value = values.get(next(iter(self._context.objectives)), math.nan)
        self._reports.setdefault(trial.number, {})[step] = value
        return True

    def tell(self, trial: Trial, state: TrialState, values: Mapping[str, float]) -> None:
        reports = self._reports.pop(trial.number, {})
        if trial.point is None:
            return
        self._told += 1
        self._forget_running(trial.point)
        try:
            ended = self._ended(trial, state, values, reports)
        except SpaceError:
            return  # a point of no trial of this tree teaches nothing
        self._study.add_trial(ended)

    def _forget_running(self, point: Mapping[str, Any]) -> None:
        """Take a proposal out of the study's running trials; its result is added as a new trial.

        The study's finished trials then stand in the order they were told, as after a replay;
        samplers skip failed trials.
        """
        import optuna

        for position, (running, number) in enumerate(self._running):
            if running == point:
                self._study.tell(number, state=optuna.trial.TrialState.FAIL)
                del self._running[position]
                return

    def _ended(
        self,
        trial: Trial,
        state: TrialState,
        values: Mapping[str, float],
        reports: Mapping[int, float],
    ) -> FrozenTrial:
        from optuna.trial import TrialState as OptunaState
        from optuna.trial import create_trial

        known = self._decided(trial.point)
        results = [values.get(name, math.nan) for name in self._context.objectives]
        if state is TrialState.DONE and all(map(math.isfinite, results)):
            return create_trial(state=OptunaState.COMPLETE, values=results, **known)
        if state is TrialState.PRUNED and len(results) == 1:
            # Optuna ranks pruned trials by their last step; it cannot with several objectives.
            steps = dict(reports) or {0: results[0]}
            return create_trial(state=OptunaState.PRUNED, intermediate_values=steps, **known)
        return create_trial(state=OptunaState.FAIL, **known)

    def _decided(self, point: Any) -> dict[str, Any]:
        """The decisions behind a point, as `create_trial` takes them.

        Raises:
            SpaceError: it is no point of the run's tree.
        """
        taken = decisions(self._context.space, point)
        return {
            "params": {path: _internal(leaf, value) for path, (leaf, value) in taken.items()},
            "distributions": {path: _distribution(leaf) for path, (leaf, _) in taken.items()},
        }


class OptunaRandom(OptunaStrategy):
    """Independent uniform draws (in the logarithm where the tree asks for it)."""

    def sampler(self, seed: int) -> BaseSampler:
        from optuna.samplers import RandomSampler

        return RandomSampler(seed=seed)


class OptunaTPE(OptunaStrategy):
    """Tree-structured Parzen estimator (Bergstra et al., NeurIPS 2011), Optuna's default."""

    class Options(contracts.Options):
        """Options of Optuna's `TPESampler` of the same names."""

        n_startup_trials: NonNegativeInt = Field(
            10, description="finished trials before the estimator takes over from random draws"
        )
        n_ei_candidates: PositiveInt = Field(
            24, description="draws of which the one of best expected improvement is proposed"
        )
        multivariate: bool | None = Field(
            None, description="one joint model of all parameters; by default with one objective"
        )
        group: bool = Field(
            True, description="a joint model for each set of parameters that occur together"
        )
        constant_liar: bool = Field(True, description="keep away from what is running")

    def sampler(self, seed: int) -> BaseSampler:
        import warnings

        from optuna.exceptions import ExperimentalWarning
        from optuna.samplers import TPESampler

        options: OptunaTPE.Options = self.options
        one_objective = len(self._context.objectives) == 1
        joint = one_objective if options.multivariate is None else options.multivariate
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return TPESampler(
                n_startup_trials=options.n_startup_trials,
                n_ei_candidates=options.n_ei_candidates,
                multivariate=joint,
                group=joint and options.group,
                constant_liar=options.constant_liar,
                seed=seed,
            )


def _suggest(trial: OptunaTrial, path: str, leaf: Leaf) -> Any:
    """Decide one value by the study's sampler."""
    if isinstance(leaf, Choice):
        return leaf.options[trial.suggest_categorical(path, range(len(leaf.options)))]
    if isinstance(leaf, Int):
        return trial.suggest_int(path, leaf.low, leaf.values[-1], step=leaf.step, log=leaf.log)
    return trial.suggest_float(path, leaf.low, leaf.high, log=leaf.log)


def _distribution(leaf: Leaf) -> BaseDistribution:
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if isinstance(leaf, Choice):
        return CategoricalDistribution(range(len(leaf.options)))
    if isinstance(leaf, Int):
        return IntDistribution(leaf.low, leaf.values[-1], leaf.log, leaf.step)
    return FloatDistribution(leaf.low, leaf.high, leaf.log)


def _internal(leaf: Leaf, value: Any) -> Any:
    """A decided value as the study knows it."""
    return leaf.index(value) if isinstance(leaf, Choice) else value
