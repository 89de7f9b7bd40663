"""NNI's TPE, random and grid search, over trees of any depth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import Field, PositiveFloat, PositiveInt

from toolkit.space import Point
from toolkit_nni.strategy import NniOptions, NniStrategy

if TYPE_CHECKING:
    from nni.tuner import Tuner


class NniRandom(NniStrategy):
    """Independent uniform draws; a repeat is replaced by a point of NNI's grid search."""

    name = "nni.random"

    def build(self, mode: str) -> Tuner:
        from nni.algorithms.hpo.random_tuner import RandomTuner

        return RandomTuner(seed=0)

    def prepare(self) -> None:
        mend_nesting(self.tuner.space)

    def generate(self, number: int) -> Any:
        reseed(self.tuner, self._draw_seed())
        return super().generate(number)

    def adopt(self, number: int, point: Point) -> None:
        self.tuner.dedup.add_history(self._formatted(point))

    def _formatted(self, point: Point) -> dict[Any, Any]:
        from nni.common.hpo_utils import format_parameters

        return cast(
            dict[Any, Any], format_parameters(self.encoding.encode(point), self.tuner.space)
        )


class NniTPE(NniRandom):
    """Tree-structured Parzen estimator (Bergstra et al., NeurIPS 2011) of NNI's own."""

    name = "nni.tpe"

    class Options(NniOptions):
        """NNI's `tpe_args` of the same names."""

        constant_liar_type: Literal["best", "worst", "mean"] | None = Field(
            "best", description="what is assumed of running trials; none: nothing"
        )
        n_startup_jobs: PositiveInt = Field(20, description="random trials at the start")
        n_ei_candidates: PositiveInt = Field(24, description="draws of which the best is proposed")
        linear_forgetting: PositiveInt = Field(25, description="results with full weight")
        prior_weight: PositiveFloat = Field(1.0, description="weight of the prior")
        gamma: PositiveFloat = Field(0.25, description="share of results that count as good")

    def build(self, mode: str) -> Tuner:
        from nni.algorithms.hpo.tpe_tuner import TpeTuner

        arguments = self.options.model_dump(exclude={"assessor"})
        if arguments["constant_liar_type"] is None:
            # NNI's own test for None fails, so it is made without a liar afterwards.
            del arguments["constant_liar_type"]
        tuner = TpeTuner(optimize_mode=mode, seed=0, tpe_args=arguments)
        if self.options.constant_liar_type is None:
            tuner.liar = None
        return tuner

    def adopt(self, number: int, point: Point) -> None:
        super().adopt(number, point)
        self.settle(number, point)

    def settle(self, number: int, point: Point) -> None:
        # The tuner would keep numbers as drawn, and a replay knows them only as rounded.
        self.tuner._params[number] = self.tuner._running_params[number] = self._formatted(point)


class NniGrid(NniStrategy):
    """Every combination of options; numbers between them are divided finer and finer."""

    name = "nni.grid"
    categorical_integers = True

    def build(self, mode: str) -> Tuner:
        from nni.algorithms.hpo.gridsearch_tuner import GridSearchTuner

        return GridSearchTuner()

    def prepare(self) -> None:
        mend_nesting(self.tuner.space)

    def adopt(self, number: int, point: Point) -> None:
        self.tuner.import_data([{"parameter": self.encoding.encode(point)}])


def reseed(tuner: Any, seed: int) -> None:
    """Give a tuner that has a generator of its own a new one."""
    import numpy as np

    tuner.rng = np.random.default_rng(seed)


def mend_nesting(space: dict[Any, Any]) -> None:
    """Let conditions be looked up at their own depth, in place.

    NNI looks the option above a parameter up without asking whether that option's own condition
    holds, and fails with a `KeyError` from the second level on.
    """
    from nni.common.hpo_utils import ParameterSpec

    class NestedSpec(ParameterSpec):
        """A parameter that knows it is absent where the one above it is."""

        __slots__ = ()

        def is_activated_in(self, partial_parameters: dict[Any, Any]) -> bool:
            if not self.is_nested():
                return True
            return bool(partial_parameters.get(self.key[:-2]) == self.key[-2])

    for key, spec in space.items():
        space[key] = NestedSpec(*spec)
