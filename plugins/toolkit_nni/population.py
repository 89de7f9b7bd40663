"""NNI's evolution and population-based training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import Field

from toolkit import contracts
from toolkit.contracts import Proposal, SearchContext, Trial, TrialState, Wait
from toolkit.errors import RecipeError
from toolkit.space import Choice, Point, leaves
from toolkit_nni.strategy import NniOptions, NniStrategy, derived

if TYPE_CHECKING:
    from nni.tuner import Tuner


class NniEvolution(NniStrategy):
    """Naive evolution (Real et al., ICML 2017): of two the better is mutated, the worse dies.

    The tuner has no history of its own; on a resumed run its population is lived through again,
    with the points that were tried.
    """

    name = "nni.evolution"

    class Options(NniOptions):
        """NNI's options of the same names."""

        population_size: int = Field(
            32, ge=2, description="individuals, and the most trials that may run at once"
        )

    def build(self, mode: str) -> Tuner:
        from nni.algorithms.hpo.evolution_tuner import EvolutionTuner

        return EvolutionTuner(mode, self.options.population_size)

    def prepare(self) -> None:
        # Drawn anew under the run's seed: the tuner fills its population from an unseeded one.
        self._draw_population()

    def generate(self, number: int) -> Mapping[str, Any] | None:
        if not self.tuner.population:
            return None
        self._reseed()
        found = self.tuner.generate_multiple_parameters([number], st_callback=_ignore)
        # It would send a proposal of its own later; here it is asked again instead.
        self.tuner.credit = 0
        self.tuner.param_ids.clear()
        return found[0] if found else None

    def without_proposal(self) -> Proposal | Wait | contracts.Exhausted:
        return Wait()

    def settle(self, number: int, point: Point) -> None:
        self.tuner.running_trials[number].config = self.encoding.encode(point, indexed=True)

    def adopt(self, number: int, point: Point) -> None:
        if self.generate(number) is None:
            from nni.algorithms.hpo.evolution_tuner import Individual

            self.tuner.running_trials[number] = Individual()
            self.tuner.num_running_trials += 1
        self.settle(number, point)

    def _reseed(self) -> None:
        import numpy as np

        self.tuner.random_state = np.random.RandomState(self._draw_seed())

    def _draw_population(self) -> None:
        self._reseed()
        self.tuner.population.clear()
        for _ in range(self.options.population_size):
            self.tuner._random_generate_individual()


class NniPBT(NniStrategy):
    """Population-based training (Jaderberg et al., 2017) of the parameters alone.

    Generation after generation the worst members take a best member's parameters, perturbed. Each
    trial is a whole training of its own: weights are not handed on.
    """

    name = "nni.pbt"
    categorical_integers = True

    class Options(contracts.Options):
        """NNI's options of the same names."""

        population_size: int = Field(10, ge=2, description="trials of a generation")
        factor: float = Field(0.2, gt=0, description="perturbation, as a share of the range")
        resample_probability: float = Field(0.25, ge=0, le=1, description="of a new draw instead")
        fraction: float = Field(0.2, gt=0, le=0.5, description="best to copy and worst to replace")

    def check(self, context: SearchContext) -> None:
        nested = [
            path
            for path, leaf, _ in leaves(context.space)
            if isinstance(leaf, Choice) and any(leaf.trees)
        ]
        if nested:
            raise RecipeError(
                f"nni.pbt serves flat spaces, and options of {nested[0]} have parameters of their"
                " own.",
                hint="Use nni.evolution or evolution.regularized, which serve nested ones.",
            )

    def build(self, mode: str) -> Tuner:
        from nni.algorithms.hpo.pbt_tuner import PBTTuner

        return PBTTuner(mode, all_checkpoint_dir="unused", **self.options.model_dump())

    def prepare(self) -> None:
        import numpy as np

        self.tuner.random_state = np.random.RandomState(self._draw_seed())
        for member in self.tuner.population:
            drawn = {
                name: _draw(spec, self.tuner.random_state)
                for name, spec in self.encoding.search_space.items()
            }
            member.hyper_parameters.update(drawn)

    def tell(self, trial: Trial, state: TrialState, values: Mapping[str, float]) -> None:
        with _seeded_states(derived(self.seed, "generation", self._told)):
            super().tell(trial, state, values)

    def without_proposal(self) -> Proposal | Wait | contracts.Exhausted:
        self.tuner.credit = 0
        self.tuner.param_ids.clear()
        return Wait()

    def settle(self, number: int, point: Point) -> None:
        self.tuner.running[number].hyper_parameters.update(self.encoding.encode(point))

    def adopt(self, number: int, point: Point) -> None:
        from nni import NoMoreTrialError

        try:
            self.generate(number)
            self.settle(number, point)
        except NoMoreTrialError:
            self.without_proposal()


@contextmanager
def _seeded_states(seed: int) -> Iterator[None]:
    """Seed the generators that the tuner makes without a seed when a generation ends."""
    import numpy as np

    before = np.random.RandomState
    np.random.RandomState = partial(before, seed)  # type: ignore[assignment, misc]
    try:
        yield
    finally:
        np.random.RandomState = before  # type: ignore[misc]


def _draw(spec: Mapping[str, Any], random_state: Any) -> Any:
    from nni.utils import json2parameter, json2space, split_index

    space = {"x": spec}
    return split_index(json2parameter(space, dict.fromkeys(json2space(space), True), random_state))[
        "x"
    ]


def _ignore(*arguments: Any) -> None:
    """Takes the proposals that a tuner sends unasked; there are none."""
