"""Strategies that let one of Optuna's samplers decide, over trees of any depth.

Optuna proposes and hears results; trials, storage, resuming and parallel work are the engine's. The
study lives in memory and is filled through `tell` and `resume`, so that a resumed run, whose trials
are told again in their order, has the same study as one that was never interrupted.
"""

from __future__ import annotations

import math
import random
import warnings
from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

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
from toolkit_optuna.frozen_trials import frozen_trial
from toolkit_optuna.lean import in_pieces, without_progress_bars
from toolkit_optuna.pruning import PrunerOptions, Pruning

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial
    from optuna.trial import Trial as OptunaTrial


class OptunaOptions(contracts.Options):
    """What every strategy of Optuna's offers beside its sampler's own options."""

    pruner: PrunerOptions | None = Field(
        None,
        description="ends trials that look bad: median, percentile, asha, hyperband, patient,"
        " threshold or wilcoxon, by name or with options as {name: ..., option: ...}",
    )


class OptunaStrategy(Strategy):
    """Base of the strategies: keeps the study, leaves the choice of the sampler to a subclass.

    A parameter's name in the study is its path in the tree. The options of a `Choice` are known to
    Optuna by position, so that options such as `None`, `False` and `0` stay apart.
    """

    Options: ClassVar[type[contracts.Options]] = OptunaOptions
    stateful: ClassVar[bool] = False
    """Whether the sampler keeps notes on trials (their generation) and on how many were asked.

    The notes on a trial come back as its token. A trial told out of an earlier engine's ledger is
    asked for once more before it is told, so that the count and the notes on the study are right.
    """

    constrained: ClassVar[bool] = False
    """Whether the sampler learns from constraints; to others what breaks one has failed."""

    def __init__(self, options: Any) -> None:
        super().__init__(options)
        if getattr(options, "pruner", None) is None:  # Else it judges by what others reported.
            self.hears_reports = "pruned"

    @abstractmethod
    def sampler(self, seed: int) -> BaseSampler:
        """Make the sampler for one proposal."""

    def check(self, context: SearchContext) -> None:
        """Refuse trees and objectives that the sampler cannot serve.

        Raises:
            RecipeError: it cannot.
        """

    def setup(self, context: SearchContext) -> None:
        with without_progress_bars():
            import optuna

        self.check(context)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._context = context
        self._study: Study = optuna.create_study(directions=list(context.objectives.values()))
        self._distributions: dict[tuple[str, ...], dict[str, BaseDistribution]] = {}
        self._told = 0
        self._running: list[tuple[dict[str, Any], int]] = []
        self._reports: dict[int, dict[int, float]] = {}
        pruner = getattr(self.options, "pruner", None)
        self._pruning = Pruning(pruner, context.objectives) if pruner else None

    def resume(self, trial: Trial) -> None:
        from optuna.trial import TrialState as OptunaState
        from optuna.trial import create_trial

        if trial.point is not None:
            known = {**self._decided(trial.point), "system_attrs": self.notes(trial.token)}
            number = len(self._study.get_trials(deepcopy=False))
            self._study.add_trial(create_trial(state=OptunaState.RUNNING, **known))
            self._running.append((trial.point, number))

    def ask(self) -> Proposal | Wait | Exhausted:
        point, trial = self._ask()
        self._running.append((point, trial.number))
        if not self.stateful:
            return Proposal(point)
        return Proposal(point, token=self.token(self._notes(trial.number)) or None)

    def token(self, notes: Mapping[str, Any]) -> dict[str, Any]:
        """What of the sampler's notes on a trial has to survive the engine, as plain JSON."""
        return dict(notes)

    def notes(self, token: Any) -> dict[str, Any]:
        """The notes that a token stands for."""
        return dict(token or {})

    def _ask(self) -> tuple[dict[str, Any], OptunaTrial]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._study.sampler = self.sampler(self._seed())
            trial = self._study.ask()
            space = self._context.space
            return space.walk(lambda path, leaf: _suggest(trial, path, leaf)), trial

    def _notes(self, number: int) -> dict[str, Any]:
        return dict(self._study.get_trials(deepcopy=False)[number].system_attrs)

    def _seed(self) -> int:
        """Depends on what was told, so a resumed run goes on where it stopped, and on what runs."""
        return random.Random(f"{self._context.seed}/{self._told}/{len(self._running)}").getrandbits(
            31
        )

    def report(self, trial: Trial, step: int, values: Mapping[str, float]) -> bool:
        value = values.get(next(iter(self._context.objectives)))
        self._reports.setdefault(trial.number, {})[step] = math.nan if value is None else value
        if self._pruning is None:
            return True
        return self._pruning.report(trial, step, values, judge=not self.replaying)

    def tell(self, trial: Trial, state: TrialState, values: Mapping[str, float]) -> None:
        reports = self._reports.pop(trial.number, {})
        if self._pruning is not None:
            self._pruning.end(trial, state)
        if trial.point is None:
            return
        try:
            known = self._decided(trial.point)
        except SpaceError:
            return  # a point of no trial of this tree teaches nothing
        known["system_attrs"] = self._forget_running(trial)
        self._told += 1
        self._study.add_trial(self._ended(known, trial, state, values, reports))

    def _forget_running(self, trial: Trial) -> dict[str, Any]:
        """Take a proposal out of the study's running trials; the sampler's notes on it.

        Its result is added as a new trial: the study's finished trials then stand in the order
        they were told, as after a replay. Samplers skip failed trials.
        """
        number = None
        for position, (running, known) in enumerate(self._running):
            if running == trial.point:
                number = known
                del self._running[position]
                break
        if number is None and self.stateful and not trial.origin and self.counts(trial.token):
            number = self.ask_again()
        if number is None:
            return self.notes(trial.token) if self.stateful and not trial.origin else {}
        notes = {**self._notes(number), **self.notes(trial.token)} if self.stateful else {}
        self._drop(number)
        return notes

    def _drop(self, number: int) -> None:
        import optuna

        # Some samplers would stop `Study.optimize` here, which does not run.
        self._study.sampler = optuna.samplers.RandomSampler(seed=0)
        self._study.tell(number, state=optuna.trial.TrialState.FAIL)

    def counts(self, token: Any) -> bool:
        """Whether asking for an earlier engine's trial once more teaches the sampler anything."""
        return True

    def ask_again(self) -> int:
        """Ask as an earlier engine did; the number of the trial in the study."""
        return self._ask()[1].number

    def _ended(
        self,
        known: dict[str, Any],
        trial: Trial,
        state: TrialState,
        values: Mapping[str, float],
        reports: Mapping[int, float],
    ) -> FrozenTrial:
        from optuna.trial import TrialState as OptunaState

        results = [values.get(name, math.nan) for name in self._context.objectives]
        if self.constrained and self._context.constraints:
            known["constraints"] = {
                str(bound): bound.excess_in(trial.violations) for bound in self._context.constraints
            }
            if trial.violations:
                # Infeasible trials are ranked by how far they are from feasible, whatever they
                # reached; Optuna asks for a result all the same.
                worst = {"maximize": -math.inf, "minimize": math.inf}
                results = [
                    value if math.isfinite(value) else worst[direction]
                    for value, direction in zip(
                        results, self._context.objectives.values(), strict=True
                    )
                ]
                return frozen_trial(OptunaState.COMPLETE, values=results, **known)
        if state is TrialState.DONE and all(map(math.isfinite, results)):
            return frozen_trial(OptunaState.COMPLETE, values=results, **known)
        if state is TrialState.PRUNED and len(results) == 1:
            # Optuna ranks pruned trials by their last step; it cannot with several objectives.
            steps = dict(reports) or {0: results[0]}
            return frozen_trial(OptunaState.PRUNED, intermediate_values=steps, **known)
        return frozen_trial(OptunaState.FAIL, **known)

    def _decided(self, point: Any) -> dict[str, Any]:
        """The decisions behind a point, as `create_trial` takes them.

        Raises:
            SpaceError: it is no point of the run's tree.
        """
        taken = decisions(self._context.space, point)
        alike = self._distributions.get(tuple(taken))
        if alike is None:
            alike = {path: distribution(leaf) for path, (leaf, _) in taken.items()}
            self._distributions[tuple(taken)] = alike
        return {
            "params": {path: _internal(leaf, value) for path, (leaf, value) in taken.items()},
            "distributions": alike,
        }


class OptunaRandom(OptunaStrategy):
    """Independent uniform draws (in the logarithm where the tree asks for it)."""

    def sampler(self, seed: int) -> BaseSampler:
        from optuna.samplers import RandomSampler

        return RandomSampler(seed=seed)


class OptunaTPE(OptunaStrategy):
    """Tree-structured Parzen estimator (Bergstra et al., NeurIPS 2011), Optuna's default."""

    constrained = True

    class Options(OptunaOptions):
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
        from optuna.samplers import TPESampler

        options: OptunaTPE.Options = self.options
        one_objective = len(self._context.objectives) == 1
        joint = one_objective if options.multivariate is None else options.multivariate
        return in_pieces(
            TPESampler(
                n_startup_trials=options.n_startup_trials,
                n_ei_candidates=options.n_ei_candidates,
                multivariate=joint,
                group=joint and options.group,
                constant_liar=options.constant_liar,
                seed=seed,
            )
        )


def _suggest(trial: OptunaTrial, path: str, leaf: Leaf) -> Any:
    """Decide one value by the study's sampler."""
    if isinstance(leaf, Choice):
        return leaf.options[trial.suggest_categorical(path, range(len(leaf.options)))]
    if isinstance(leaf, Int):
        return trial.suggest_int(path, leaf.low, leaf.values[-1], step=leaf.step, log=leaf.log)
    return trial.suggest_float(path, leaf.low, leaf.high, log=leaf.log)


def distribution(leaf: Leaf) -> BaseDistribution:
    """A leaf as Optuna describes it."""
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
