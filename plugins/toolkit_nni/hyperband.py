"""Hyperband with NNI's brackets: many short trainings, and the best of them longer."""

from __future__ import annotations

import math
import sys
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, PositiveInt

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
from toolkit_nni.encoding import Encoding
from toolkit_nni.strategy import derived, quiet, refuse_several, seeded

if TYPE_CHECKING:
    from nni.algorithms.hpo.hyperband_advisor import Bracket

_BUDGET = "TRIAL_BUDGET"


class NniHyperband(Strategy):
    """Hyperband (Li et al., JMLR 2018): brackets of successive halving over the epochs of a trial.

    NNI's advisor speaks to its server alone, so the brackets are taken from it and driven here. A
    bracket's draws depend on the seed and on its place, so that a resumed run has the same ones;
    a trial's token tells which configuration and round it is. A promoted trial continues the
    training that it was promoted for; one without a usable result is never promoted.
    """

    hears_reports = False

    class Options(contracts.Options):
        """NNI's options of the same names."""

        R: PositiveInt = Field(27, description="epochs of the longest trials")
        eta: int = Field(3, ge=2, description="one in so many goes on, so many times as long")
        exec_mode: Literal["parallelism", "serial"] = Field(
            "parallelism", description="whether a free slot begins the next bracket at once"
        )

    def setup(self, context: SearchContext) -> None:
        refuse_several("nni.hyperband", context)
        quiet()
        ((self._metric, self._mode),) = context.objectives.items()
        self._seed = context.seed
        self._encoding = Encoding(context.space)
        self._deepest = math.floor(math.log(self.options.R, self.options.eta) + 1e-6)
        self._brackets: dict[str, Bracket] = {}
        self._waiting: dict[str, dict[str, Any]] = {}
        self._told: dict[str, tuple[int, bool]] = {}

    def ask(self) -> Proposal | Wait | Exhausted:
        if not self._waiting:
            latest = next(reversed(self._brackets.values()), None)
            serial = self.options.exec_mode == "serial"
            if serial and latest is not None and not latest.is_completed():
                return Wait()
            self._open_bracket()
        name = next(iter(self._waiting))
        parameters = self._waiting.pop(name)
        parent = self._told.get(_before(name))
        return Proposal(
            self._encoding.decode(parameters),
            fidelity={"epochs": int(parameters[_BUDGET]), "of_epochs": self.options.R},
            token={"config": name},
            continues=None if parent is None else parent[0],
        )

    def promotable(self) -> Collection[int]:
        # A bracket's latest round may be promoted yet, and what was promoted may not have begun.
        names = {_before(name) for name in self._waiting}
        for bracket in self._brackets.values():
            if not bracket.is_completed() and bracket.hyper_configs:
                names.update(bracket.hyper_configs[-1])
        return {self._told[name][0] for name in names if name in self._told}

    def resume(self, trial: Trial) -> None:
        self._find(trial)

    def tell(self, trial: Trial, state: TrialState, values: Mapping[str, float]) -> None:
        name = self._find(trial)
        if name is None or name in self._told:
            return
        value = values.get(self._metric, math.nan)
        good = state in (TrialState.DONE, TrialState.PRUNED) and math.isfinite(value)
        self._told[name] = trial.number, good
        self._hear(name, value if good else None)

    def _hear(self, name: str, value: float | None) -> None:
        """Give a result to NNI's bracket; None for one that is not usable."""
        if value is None:
            # NNI would miss the trial when it picks the best of the round.
            value = -math.inf if self._mode == "maximize" else math.inf
        bracket, turn = self._brackets[name.split("_")[0]], int(name.split("_")[1])
        bracket.set_config_perf(turn, name, sys.maxsize, value)
        promoted = bracket.inform_trial_end(turn) or ()
        for new, parameters in promoted:
            if self._told[_before(new)][1]:
                self._waiting[new] = parameters
        for new, _ in promoted:
            if not self._told[_before(new)][1]:
                self._told[new] = self._told[_before(new)]
                self._hear(new, None)

    def _find(self, trial: Trial) -> str | None:
        """The configuration a trial ran, no longer waiting; None if it is none of ours."""
        token = trial.token if isinstance(trial.token, dict) else {}
        name = str(token.get("config", ""))
        if name.count("_") != 2 or name.split("_")[0] not in self._names():
            return None
        label, turn, _ = name.split("_")
        while label not in self._brackets:
            self._open_bracket()
        self._waiting.pop(name, None)
        rounds = self._brackets[label].hyper_configs
        return name if int(turn) < len(rounds) and name in rounds[int(turn)] else None

    def _names(self) -> set[str]:
        """The brackets there are, and as many again as may have been opened by now."""
        loops = len(self._brackets) // (self._deepest + 1) + 2
        return {f"{loop}-{s}" for loop in range(loops) for s in range(self._deepest + 1)}

    def _open_bracket(self) -> None:
        """Open the next bracket, from the one of the shortest trials to that of the longest."""
        import numpy as np
        from nni.algorithms.hpo import hyperband_advisor

        loop, position = divmod(len(self._brackets), self._deepest + 1)
        s = self._deepest - position
        label = f"{loop}-{s}"
        bracket = hyperband_advisor.Bracket(
            label, s, self._deepest, self.options.eta, self.options.R, self._mode
        )
        # NNI numbers configurations over the life of the process.
        hyperband_advisor._next_parameter_id = 0
        seed = derived(self._seed, label)
        with seeded(seed):
            configurations = bracket.get_hyperparameter_configurations(
                *bracket.get_n_r(), self._encoding.search_space, np.random.RandomState(seed)
            )
        self._brackets[label] = bracket
        self._waiting.update(dict(configurations))


def _before(name: str) -> str:
    """The name that a configuration had in the round before."""
    label, turn, number = name.split("_")
    return f"{label}_{int(turn) - 1}_{number}"
