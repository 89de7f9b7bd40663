"""Asynchronous successive halving and Hyperband over random points without repeats.

Many short trainings, and the best of them longer: each promoted trial continues the training it
was promoted for, so that nothing is trained twice.
"""

from __future__ import annotations

import random
from abc import abstractmethod
from collections.abc import Collection, Mapping
from typing import Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from toolkit import contracts
from toolkit.analysis.pareto import scores
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
from toolkit.space import Point, SeenPoints, is_point
from toolkit_halving.rungs import Entry, Rung, amounts, bracket_sizes, is_token


class HalvingOptions(contracts.Options):
    """What both strategies offer."""

    fidelity: Literal["epochs", "data"] = Field(
        "epochs", description="what a promotion raises: epochs, or the share of the training data"
    )
    min: PositiveFloat | None = Field(
        None, description="of the first trainings at least; by default 1 epoch, or a ninth of max"
    )
    max: PositiveFloat | None = Field(
        None, description="of the longest trainings; by default the recipe's epochs, or all data"
    )
    reduction: int = Field(3, ge=2, description="one in so many goes on, so many times as long")


class HalvingStrategy(Strategy):
    """Base: the rungs' fidelities, points without repeats, and what each trial was.

    A trial's token tells its bracket, its rung, its configuration and the trial it was promoted
    from, so that a resumed run, whose trials are told again, has the same rungs.
    """

    name: str
    hears_reports = False

    def default_trials(self) -> int | None:
        return 60

    def setup(self, context: SearchContext) -> None:
        self.context = context
        self.amounts = self._amounts(context)
        self._seen = SeenPoints(context.space)
        self._configs = 0
        self._open: set[tuple[int, int]] = set()

    @property
    def top(self) -> int:
        """Position of the last rung."""
        return len(self.amounts) - 1

    @abstractmethod
    def rung(self, bracket: int, level: int) -> Rung:
        """A rung of a bracket; one that is to come is made."""

    @abstractmethod
    def knows(self, token: Any) -> bool:
        """Whether a token is one of this strategy's."""

    def resume(self, trial: Trial) -> None:
        self._seen.add(trial.point)
        if self.knows(trial.token):
            self._start(trial.token)

    def tell(self, trial: Trial, state: TrialState, values: Mapping[str, float]) -> None:
        if not is_point(self.context.space, trial.point):
            return
        self._seen.add(trial.point)
        token = trial.token if self.knows(trial.token) else self._place(trial)
        if token is None:
            return
        self._start(token)
        self._open.discard((token["config"], token["level"]))
        rung = self.rung(token["bracket"], token["level"])
        reached = scores(values, self.context.objectives)
        if state is not TrialState.DONE or reached is None:
            rung.fail()
        else:
            rung.add(Entry(trial.number, trial.point, reached, token["config"], not trial.origin))

    def begin(self, bracket: int, level: int) -> Proposal | None:
        """A new configuration in the first rung of a bracket; None if all points are known."""
        point = self._seen.draw(random.Random(f"{self.context.seed}/{self._configs}"))
        if point is None or point in self._seen:
            return None
        token = {"bracket": bracket, "level": level, "config": self._configs, "parent": None}
        return self._propose(point, token, None)

    def promote(self, entry: Entry, bracket: int, level: int) -> Proposal:
        """An entry's training, to go on in the rung `level`."""
        token = {
            "bracket": bracket,
            "level": level,
            "config": entry.config,
            "parent": entry.number,
        }
        return self._propose(entry.point, token, entry.number if entry.continued else None)

    def without_proposal(self) -> Wait | Exhausted:
        """What to answer where every point is known and none can be promoted."""
        return Wait() if self._open else Exhausted()

    def _propose(self, point: Point, token: dict[str, Any], continues: int | None) -> Proposal:
        self._seen.add(point)
        self._start(token)
        amount = self.amounts[token["level"]]
        fidelity: dict[str, Any] = {"data": amount}
        if self.options.fidelity == "epochs":
            fidelity = {"epochs": int(amount), "of_epochs": int(self.amounts[-1])}
        return Proposal(point, fidelity=fidelity, token=token, continues=continues)

    def _start(self, token: Mapping[str, Any]) -> None:
        """Note that a trial of this token has begun, once more or for the first time."""
        config, level = token["config"], token["level"]
        self._configs = max(self._configs, config + 1)
        self._open.add((config, level))
        self.rung(token["bracket"], level).started.add(config)
        if token.get("parent") is not None:
            self.rung(token["bracket"], level - 1).promoted.add(token["parent"])

    def _place(self, trial: Trial) -> dict[str, Any] | None:
        """A token for a trial of another strategy or run, if its fidelity is that of a rung."""
        amount = trial.fidelity.get(self.options.fidelity, 1.0)
        whole = trial.fidelity.get("of_epochs", trial.fidelity.get("epochs"))
        if self.options.fidelity == "epochs" and whole != self.amounts[-1]:
            return None
        for level, known in enumerate(self.amounts):
            if abs(known - amount) <= 1e-9:
                return {"bracket": 0, "level": level, "config": self._configs, "parent": None}
        return None

    def _amounts(self, context: SearchContext) -> list[float]:
        options: HalvingOptions = self.options
        epochs = options.fidelity == "epochs"
        most = options.max or (context.epochs if epochs else 1.0)
        if most is None:
            raise RecipeError(
                f"strategy: {self.name} needs max, since the recipe searches how many epochs a"
                " training has.",
                hint="Set strategy.max to the epochs of the longest trainings.",
            )
        least = options.min or (1 if epochs else most / 9)
        if epochs and (most % 1 or least % 1):
            raise RecipeError(f"strategy: min {least:g} and max {most:g} epochs must be integers.")
        if not epochs and most > 1:
            raise RecipeError(f"strategy: max {most:g} is no share of the data, from 0 to 1.")
        if least * options.reduction > most:
            raise RecipeError(
                f"strategy: from {least:g} to {most:g} {options.fidelity} there is nothing to"
                f" promote to with reduction {options.reduction}.",
                hint="Raise max (train.epochs), or lower min or reduction.",
            )
        return amounts(least, most, options.reduction, whole=epochs)


class Asynchronous(HalvingStrategy):
    """Base of the strategies that promote as soon as they can; its brackets run side by side."""

    sizes: list[int]

    def setup(self, context: SearchContext) -> None:
        super().setup(context)
        self.brackets = [[Rung() for _ in self.amounts] for _ in self.sizes]

    def rung(self, bracket: int, level: int) -> Rung:
        return self.brackets[bracket][level]

    def knows(self, token: Any) -> bool:
        return is_token(token, self.brackets, len(self.amounts))

    def ask(self) -> Proposal | Wait | Exhausted:
        for level in range(self.top - 1, -1, -1):
            for bracket, rungs in enumerate(self.brackets):
                rung = rungs[level]
                entry = rung.next_of(rung.ended // self.options.reduction)
                if entry is not None:
                    return self.promote(entry, bracket, level + 1)
        # Each bracket begins in its own rung; the one furthest behind its share comes next.
        bracket = min(range(len(self.sizes)), key=lambda b: self._begun(b) / self.sizes[b])
        return self.begin(bracket, bracket) or self.without_proposal()

    def promotable(self) -> Collection[int]:
        trials = self.context.trials
        found: set[int] = set()
        for rungs in self.brackets:
            for rung in rungs[:-1]:
                # A rank that no rung of this run is long enough for will not do later either.
                count = rung.usable if trials is None else trials // self.options.reduction
                found.update(entry.number for entry in rung.best(count))
        return found

    def _begun(self, bracket: int) -> int:
        return len(self.brackets[bracket][bracket].started)


class Asha(Asynchronous):
    """Asynchronous successive halving (ASHA; Li et al., MLSys 2020, Algorithm 2).

    A free slot promotes the best that can be, from the highest rung down, else begins a new
    training in the first rung.
    """

    name = "halving.asha"
    Options = HalvingOptions

    def setup(self, context: SearchContext) -> None:
        self.sizes = [1]
        super().setup(context)


class AsynchronousHyperband(Asynchronous):
    """Asynchronous Hyperband (Li et al., MLSys 2020, section 3.3): brackets of ASHA side by side.

    Bracket s begins in rung s; new trainings go to the brackets in the proportions of Hyperband
    (Li et al., JMLR 2018).
    """

    name = "halving.hyperband"

    class Options(HalvingOptions):
        """And how many brackets."""

        brackets: PositiveInt | None = Field(
            None, description="how many, the one of the shortest trainings first; by default all"
        )

    def setup(self, context: SearchContext) -> None:
        rungs = len(self._amounts(context))
        self.sizes = bracket_sizes(rungs, self.options.reduction)[: self.options.brackets]
        super().setup(context)
