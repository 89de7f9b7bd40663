"""A strategy whose configurations are each run with several seeds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from toolkit.contracts import (
    Exhausted,
    Proposal,
    SearchContext,
    Strategy,
    StrategyWrapper,
    Trial,
    TrialState,
    Wait,
)
from toolkit.sweeps.proposals import refuse_promotion, repeat_of


@dataclass(frozen=True)
class _Ending:
    """How a repeat, or a whole configuration, ended."""

    state: TrialState
    values: Mapping[str, float]
    violations: Mapping[str, float]


@dataclass
class _Configuration:
    """A proposal of the inner strategy, which sees it as one trial, and its repeats."""

    proposal: Proposal
    introduced: bool = False
    """Whether the inner strategy knows of it."""
    over: bool = False
    """Whether the inner strategy has been told how it ended."""
    condemned: bool = False
    """Whether the inner strategy wants it ended early: its repeats end after their next reports."""
    asked: set[int] = field(default_factory=set)
    ended: dict[int, _Ending] = field(default_factory=dict)
    reports: dict[int, dict[int, Mapping[str, float]]] = field(default_factory=dict)
    """Step -> repeat -> values."""
    unheard: set[int] = field(default_factory=set)
    """Steps that a repeat has reached since the inner strategy last heard of them."""

    @property
    def running(self) -> set[int]:
        """The repeats that were begun and have not ended."""
        return self.asked - self.ended.keys()

    @property
    def refused(self) -> bool:
        """Whether it breaks a constraint, as far as is known: a budget does not count it then."""
        endings = self.ended.values()
        return bool(endings) and all(
            ending.state is TrialState.INVALID and ending.violations for ending in endings
        )

    def due(self) -> list[int]:
        """The unheard steps that no running repeat has yet to reach, in order."""
        return sorted(step for step in self.unheard if self.running <= self.reports[step].keys())

    def forget_reports(self) -> None:
        """Frees what is not needed once it is over."""
        self.reports.clear()
        self.unheard.clear()


class Repeated(StrategyWrapper):
    """Runs what another strategy proposes once for every seed, and tells it the means.

    The strategy inside sees each configuration as one trial. It hears of a step when all repeats
    that run have reached it, as the mean over all that ever have; so a configuration may be ended
    on its first repeat, before the others are begun. Once it wants a configuration ended, the
    repeats that run end after their next report, no more are begun, and it is told that the
    configuration was pruned with what its first repeat to end had reached.
    """

    def __init__(self, inner: Strategy, repeats: int) -> None:
        super().__init__(inner)
        self._repeats = repeats
        self._configurations: dict[int, _Configuration] = {}

    def default_trials(self) -> int | None:
        configurations = self.inner.default_trials()
        return None if configurations is None else configurations * self._repeats

    def setup(self, context: SearchContext) -> None:
        self._seed = context.seed
        total, repeats = context.trials, self._repeats
        self._most = None if total is None else math.ceil(total / repeats)
        self.inner.setup(replace(context, trials=None if total is None else total // repeats))

    def ask(self) -> Proposal | Wait | Exhausted:
        for number in self._configurations:
            self._introduce(number)
        for number, configuration in self._configurations.items():
            if configuration.over or configuration.condemned:
                continue
            for repeat in range(self._repeats):
                if repeat not in configuration.asked:
                    configuration.asked.add(repeat)
                    return repeat_of(configuration.proposal, number, repeat, self._seed)
        proposal: Proposal | Wait | Exhausted = Exhausted()
        if not self._all_begun():
            proposal = self.inner.ask()
        if isinstance(proposal, Exhausted) and self._any_condemned():
            return Wait()  # one that is done before it can be ended has repeats to come
        if not isinstance(proposal, Proposal):
            return proposal
        refuse_promotion(proposal)
        number = max(self._configurations, default=0) + 1
        configuration = _Configuration(proposal, introduced=True, asked={0})
        self._configurations[number] = configuration
        return repeat_of(proposal, number, 0, self._seed)

    def resume(self, trial: Trial) -> None:
        self._take(trial)
        self._introduce(trial.token["configuration"])

    def report(self, trial: Trial, step: int, values: Mapping[str, float]) -> bool:
        configuration = self._take(trial)
        if configuration.over or configuration.condemned:
            return False
        configuration.reports.setdefault(step, {})[trial.token["repeat"]] = values
        configuration.unheard.add(step)
        goes_on = self._pass_on(trial.token["configuration"])
        configuration.condemned = not (goes_on or self.replaying)
        return goes_on

    def tell(self, trial: Trial, state: TrialState, values: Mapping[str, float]) -> None:
        number, configuration = trial.token["configuration"], self._take(trial)
        ending = _Ending(state, values, trial.violations)
        configuration.ended[trial.token["repeat"]] = ending
        if configuration.over:
            return
        if not configuration.running:
            configuration.condemned = False
        if state is TrialState.PRUNED:
            self._end(number, ending)
        elif len(configuration.ended) == self._repeats:
            self._pass_on(number)
            self._end(number, _mean(list(configuration.ended.values())))

    def promotable(self) -> None:
        return None  # its numbers are those of configurations; see `refuse_promotion`

    def _introduce(self, number: int) -> None:
        configuration = self._configurations[number]
        if not configuration.introduced:
            configuration.introduced = True
            self.inner.resume(self._seen_by_inner(number))

    def _pass_on(self, number: int) -> bool:
        """Report the steps that are due to the inner strategy; whether it wants to go on."""
        configuration = self._configurations[number]
        goes_on = True
        for step in configuration.due():
            configuration.unheard.discard(step)
            means = _means(configuration.reports[step].values())
            goes_on = self.inner.report(self._seen_by_inner(number), step, means) and goes_on
        return goes_on

    def _end(self, number: int, ending: _Ending) -> None:
        """Tell the inner strategy how a configuration ended."""
        configuration = self._configurations[number]
        configuration.introduced = configuration.over = True
        configuration.forget_reports()
        trial = replace(self._seen_by_inner(number), violations=ending.violations)
        self.inner.tell(trial, ending.state, ending.values)

    def _all_begun(self) -> bool:
        """Whether there are as many configurations as there shall be: early ends add none."""
        if self._most is None:
            return False
        return sum(not each.refused for each in self._configurations.values()) >= self._most

    def _any_condemned(self) -> bool:
        return any(each.condemned and not each.over for each in self._configurations.values())

    def _take(self, trial: Trial) -> _Configuration:
        number, inner = trial.token["configuration"], trial.token.get("inner")
        if number not in self._configurations:
            proposal = Proposal(trial.point, fidelity=trial.fidelity, token=inner)
            self._configurations[number] = _Configuration(proposal)
        configuration = self._configurations[number]
        configuration.asked.add(trial.token["repeat"])
        return configuration

    def _seen_by_inner(self, number: int) -> Trial:
        """A configuration as one trial: the inner strategy counts configurations."""
        proposal = self._configurations[number].proposal
        return Trial(
            number,
            "train",
            proposal.point,
            proposal.fidelity,
            self._seed,
            f"configuration {number}",
            proposal.token,
        )


def _mean(endings: Sequence[_Ending]) -> _Ending:
    """The ending of a configuration: of repeats that ended well the mean, else the first one's."""
    done = [ending.values for ending in endings if ending.state is TrialState.DONE]
    if not done:
        return replace(endings[0], values={})
    return _Ending(TrialState.DONE, _means(done), {})


def _means(results: Iterable[Mapping[str, float | None]]) -> dict[str, float]:
    """Means of the metrics that all results have; NaN where one is not a number."""
    first, *others = results
    return {
        name: statistics.fmean(
            math.nan if value is None else value
            for value in (result[name] for result in (first, *others))
        )
        for name in first
        if all(name in other for other in others)
    }
