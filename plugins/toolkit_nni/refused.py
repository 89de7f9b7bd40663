"""Tuners of NNI 3.0 that do not run on today's packages, refused by name with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import ConfigDict

from toolkit import contracts
from toolkit.contracts import Exhausted, SearchContext, Strategy, Trial, TrialState
from toolkit.errors import RecipeError


class Refused(Strategy):
    """Base: says why, whatever the options."""

    name: ClassVar[str]
    reason: ClassVar[str]
    instead: ClassVar[str]

    class Options(contracts.Options):
        """Anything, so that the reason is read and not a complaint of an option."""

        model_config = ConfigDict(extra="allow")

    def setup(self, context: SearchContext) -> None:
        raise RecipeError(f"{self.name} does not run: {self.reason}.", hint=self.instead)

    def ask(self) -> Exhausted:
        return Exhausted()

    def tell(self, trial: Trial, state: TrialState, values: Mapping[str, float]) -> None:
        return None


class NniGP(Refused):
    """Gaussian process tuner."""

    name = "nni.gp"
    reason = (
        "NNI 3.0 hands scipy's optimiser a two-dimensional start, which scipy 1.11 and later refuse"
    )
    instead = "Use optuna.gp."


class NniMetis(Refused):
    """Metis tuner."""

    name = "nni.metis"
    reason = NniGP.reason
    instead = "Use optuna.gp."


class NniAnneal(Refused):
    """Simulated annealing through hyperopt."""

    name = "nni.anneal"
    reason = "it needs hyperopt 0.1.2, which makes numbers of arrays in a way that numpy refuses"
    instead = "Use evolution.local or optuna.tpe."


class NniSMAC(Refused):
    """SMAC through ConfigSpaceNNI."""

    name = "nni.smac"
    reason = "it needs smac4nni and ConfigSpaceNNI, and pip refuses the latter's setup"
    instead = "Use optuna.tpe."


class NniPPO(Refused):
    """Reinforcement learning with proximal policy optimisation."""

    name = "nni.ppo"
    reason = (
        "it needs the package gym, which is no longer maintained, and a space of NNI's old kind"
    )
    instead = "Use evolution.regularized."
