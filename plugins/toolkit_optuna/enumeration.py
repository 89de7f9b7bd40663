"""Samplers of Optuna's that try every point of a finite tree once: grid and brute force."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from toolkit.contracts import Exhausted, Proposal, SearchContext, Trial, TrialState, Wait
from toolkit.errors import RecipeError
from toolkit.space import Choice, Int, SeenPoints, Space, is_fixed, leaves
from toolkit_optuna.strategy import OptunaOptions, OptunaStrategy

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

GRID_POINTS = 200_000
"""Largest grid; Optuna lists all of it for every proposal."""


class Enumeration(OptunaStrategy):
    """Base: ends when every point was proposed."""

    def setup(self, context: SearchContext) -> None:
        super().setup(context)
        self._seen = SeenPoints(context.space)

    def ask(self) -> Proposal | Wait | Exhausted:
        if self._seen.exhausted:
            return Exhausted()
        for _ in range(len(self._seen) + 1):
            proposal = super().ask()
            assert isinstance(proposal, Proposal)
            if proposal.point not in self._seen:
                break
            # Known from elsewhere: off the list it goes, as failed trials do.
            self._drop(self._running.pop()[1])
        assert isinstance(proposal, Proposal)
        self._seen.add(proposal.point)
        return proposal

    def resume(self, trial: Trial) -> None:
        self._seen.add(trial.point)
        super().resume(trial)

    def tell(self, trial: Trial, state: TrialState, values: Mapping[str, float]) -> None:
        told = self._told
        super().tell(trial, state, values)
        if self._told > told:
            self._seen.add(trial.point)


class OptunaGrid(Enumeration):
    """Every point of a flat grid once, in an order drawn from the seed."""

    stateful = True

    def check(self, context: SearchContext) -> None:
        refuse_endless("optuna.grid", context.space)
        nested = [path for path, _, under in leaves(context.space) if under]
        if nested:
            raise RecipeError(
                f"optuna.grid serves flat spaces, and {nested[0]} exists under one option alone.",
                hint="Use optuna.brute_force, which serves nested ones.",
            )
        size = context.space.size()
        if size > GRID_POINTS:
            raise RecipeError(
                f"optuna.grid lists every point, and this space has {size:.3g}.",
                hint="Use random, which never repeats a point and lists none.",
            )

    def sampler(self, seed: int) -> BaseSampler:
        from optuna.samplers import GridSampler

        if not hasattr(self, "_sampler"):
            axes: dict[str, Any] = {}
            for path, leaf, _ in leaves(self._context.space):
                if isinstance(leaf, Choice):
                    axes[path] = range(len(leaf.options))
                else:
                    axes[path] = leaf.values if isinstance(leaf, Int) else (leaf.low,)
            self._sampler = GridSampler(axes, seed=self._context.seed % 2**32)
        self._sampler._rng.rng.seed(seed)
        return self._sampler

    def token(self, notes: Mapping[str, Any]) -> dict[str, Any]:
        return {"grid_id": notes["grid_id"]}

    def notes(self, token: Any) -> dict[str, Any]:
        if not token:
            return {}
        return {**token, "search_space": self._axes()}

    def ask_again(self) -> int:
        # Only counted: asking would take another point off the grid.
        from optuna.trial import TrialState as OptunaState
        from optuna.trial import create_trial

        self._study.add_trial(create_trial(state=OptunaState.RUNNING))
        return len(self._study.get_trials(deepcopy=False)) - 1

    def _axes(self) -> dict[str, list[Any]]:
        self.sampler(0)
        return dict(self._sampler._search_space)


class OptunaBruteForce(Enumeration):
    """Every point of a finite tree once, also of a nested one, in random order."""

    class Options(OptunaOptions):
        """Options of Optuna's `BruteForceSampler` of the same names."""

        avoid_premature_stop: bool = Field(
            False, description="wait for running trials before a branch counts as known"
        )

    def check(self, context: SearchContext) -> None:
        refuse_endless("optuna.brute_force", context.space)

    def sampler(self, seed: int) -> BaseSampler:
        from optuna.samplers import BruteForceSampler

        return BruteForceSampler(seed=seed, avoid_premature_stop=self.options.avoid_premature_stop)


def refuse_endless(name: str, space: Space) -> None:
    """Refuse trees with a continuous parameter.

    Raises:
        RecipeError: there is one.
    """
    endless = [
        p
        for p, leaf, _ in leaves(space)
        if not is_fixed(leaf) and leaf.size() == math.inf and not isinstance(leaf, Choice)
    ]
    if endless:
        raise RecipeError(
            f"{name} tries every value, and {', '.join(endless[:3])} of this space"
            f" {'is' if len(endless) == 1 else 'are'} continuous.",
            hint="Give {choice: [...]} or {int: [...]} in its place, or use optuna.tpe.",
        )
