"""Samplers of Optuna's that model numbers, cover them or breed: CMA-ES, GP, QMC, NSGA."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from toolkit.contracts import SearchContext
from toolkit.errors import PluginError, RecipeError
from toolkit.space import Choice, Space, is_fixed, leaves
from toolkit_optuna.strategy import OptunaOptions, OptunaStrategy, distribution

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.study import Study
    from optuna.trial import FrozenTrial


class OptunaCmaEs(OptunaStrategy):
    """CMA-ES (Hansen, 2016): evolves a normal distribution over numbers."""

    stateful = True

    class Options(OptunaOptions):
        """Options of Optuna's `CmaEsSampler` of the same names."""

        n_startup_trials: PositiveInt = Field(1, description="random trials at the start")
        popsize: PositiveInt | None = Field(
            None, description="trials of a generation; by default 4 + floor(3 ln(dimensions))"
        )
        consider_pruned_trials: bool = Field(False, description="learn from pruned trials, too")
        use_separable_cma: bool = Field(False, description="a diagonal covariance matrix")
        with_margin: bool = Field(False, description="a margin that keeps integers moving")
        lr_adapt: bool = Field(False, description="adapt the learning rate")

        @model_validator(mode="after")
        def _fits(self) -> OptunaCmaEs.Options:
            if self.use_separable_cma + self.with_margin + self.lr_adapt > 1:
                raise ValueError("set one of use_separable_cma, with_margin and lr_adapt at most")
            return self

    def check(self, context: SearchContext) -> None:
        if importlib.util.find_spec("cmaes") is None:
            raise PluginError(
                "optuna.cmaes needs the package cmaes, which is not installed.",
                hint="Install the toolkit's extra of that name: pip install 'nas-toolkit[cmaes]'.",
            )
        if len(context.objectives) > 1:
            raise RecipeError(
                f"optuna.cmaes serves one objective, and the recipe has {len(context.objectives)}.",
                hint="Use optuna.nsga2 or optuna.tpe, or name one objective.",
            )
        refuse_categories("optuna.cmaes", context.space)

    def sampler(self, seed: int) -> BaseSampler:
        from optuna.samplers import CmaEsSampler

        options = self.options.model_dump(exclude={"pruner"})
        return CmaEsSampler(seed=seed, warn_independent_sampling=False, **options)

    def token(self, notes: Mapping[str, Any]) -> dict[str, Any]:
        # The optimiser itself is rebuilt from the trials; Optuna would hand it over as a pickle.
        return {key: value for key, value in notes.items() if ":optimizer:" not in key}


class OptunaGP(OptunaStrategy):
    """Bayesian optimisation with a Gaussian process; about a second a proposal."""

    class Options(OptunaOptions):
        """Options of Optuna's `GPSampler` of the same names."""

        n_startup_trials: NonNegativeInt = Field(10, description="random trials at the start")
        deterministic_objective: bool = Field(False, description="results carry no noise")

    def check(self, context: SearchContext) -> None:
        refuse_categories("optuna.gp", context.space)

    def sampler(self, seed: int) -> BaseSampler:
        from optuna.samplers import GPSampler

        options = self.options.model_dump(exclude={"pruner"})
        return GPSampler(seed=seed, warn_independent_sampling=False, **options)


class OptunaQMC(OptunaStrategy):
    """A low-discrepancy sequence: covers the tree more evenly than random draws.

    Parameters that exist only under an option are drawn independently.
    """

    stateful = True

    class Options(OptunaOptions):
        """Options of Optuna's `QMCSampler` of the same names."""

        qmc_type: Literal["sobol", "halton"] = Field("sobol", description="which sequence")
        scramble: bool = Field(True, description="scramble it, so that seeds differ")

    def sampler(self, seed: int) -> BaseSampler:
        from optuna.samplers import QMCSampler, RandomSampler

        axes: dict[str, BaseDistribution] = {
            path: distribution(leaf)
            for path, leaf, under in leaves(self._context.space)
            if not under and not is_fixed(leaf)
        }

        class Sampler(QMCSampler):
            """Knows its axes at once, not only after the first trial."""

            def infer_relative_search_space(
                self, study: Study, trial: FrozenTrial
            ) -> dict[str, BaseDistribution]:
                return axes

        options = self.options.model_dump(exclude={"pruner"})
        # One seed for the whole sequence; the study counts how far it has come.
        return Sampler(
            seed=self._context.seed % 2**32,
            independent_sampler=RandomSampler(seed=seed),
            warn_independent_sampling=False,
            **options,
        )


class _Generations(OptunaStrategy):
    """Base of the genetic samplers: a generation's parents are chosen when it is first asked for.

    What else they note stands in the tokens, so a replay asks once a generation: asking for each of
    ten thousand trials, every time through all before it, would take minutes.
    """

    stateful = True
    constrained = True

    def setup(self, context: SearchContext) -> None:
        super().setup(context)
        self._generations: set[int] = set()

    def counts(self, token: Any) -> bool:
        generation = next((v for k, v in (token or {}).items() if k.endswith(":generation")), None)
        if generation is None:
            return True
        known = generation in self._generations
        self._generations.add(generation)
        return not known


class OptunaNsga2(_Generations):
    """NSGA-II (Deb et al., 2002): an elitist genetic algorithm for several objectives."""

    class Options(OptunaOptions):
        """Options of Optuna's `NSGAIISampler` of the same names."""

        population_size: int = Field(50, ge=2, description="trials of a generation")
        mutation_prob: float | None = Field(
            None, ge=0, le=1, description="of each parameter; by default 1 / their number"
        )
        crossover_prob: float = Field(0.9, ge=0, le=1, description="of a child with two parents")
        swapping_prob: float = Field(
            0.5, ge=0, le=1, description="of each parameter in a crossover"
        )

    def sampler(self, seed: int) -> BaseSampler:
        from optuna.samplers import NSGAIISampler

        return NSGAIISampler(seed=seed, **self.options.model_dump(exclude={"pruner"}))


class OptunaNsga3(_Generations):
    """NSGA-III (Deb and Jain, 2014): NSGA-II with reference points, for many objectives."""

    class Options(OptunaNsga2.Options):
        """Options of Optuna's `NSGAIIISampler` of the same names."""

        dividing_parameter: PositiveInt = Field(
            3, description="divisions of each axis between reference points"
        )

    def sampler(self, seed: int) -> BaseSampler:
        from optuna.samplers import NSGAIIISampler

        return NSGAIIISampler(seed=seed, **self.options.model_dump(exclude={"pruner"}))


def refuse_categories(name: str, space: Space) -> None:
    """Refuse trees that are not a box of numbers.

    Raises:
        RecipeError: a parameter is a category, or there are fewer than two numbers to decide.
    """
    open_leaves = [(path, leaf) for path, leaf, _ in leaves(space) if not is_fixed(leaf)]
    categories = [path for path, leaf in open_leaves if isinstance(leaf, Choice)]
    if categories:
        more = f" and {len(categories) - 3} more" if len(categories) > 3 else ""
        raise RecipeError(
            f"{name} serves numbers alone, and {', '.join(categories[:3])}{more} of this space"
            f" {'is' if len(categories) == 1 else 'are'} chosen from options.",
            hint="Use optuna.tpe or evolution.regularized, which serve every space.",
        )
    if len(open_leaves) < 2:
        raise RecipeError(
            f"{name} needs two or more numbers to decide, and this space has {len(open_leaves)}.",
            hint="Use optuna.tpe.",
        )
