"""How the found network and those beside it did on the test split: one row for each."""

from __future__ import annotations

from dataclasses import dataclass, field

from toolkit.run.outcome import Results, RunOutcome
from toolkit.run.records import FOUND


@dataclass(frozen=True)
class NetworkResult:
    """A network that was trained in full and tested.

    Attributes:
        name: `found`, or what a rival or hand-made network is called; `random` for all random
            architectures together.
        part: of the found one, its own name among its rivals; empty where there are none.
        parameters: trainable numbers of the deployed network.
        test: by metric, its statistics over the trainings of the network.
        costs: the same of the deployed network, by cost.
        breaks: constraints that it breaks.
    """

    name: str
    part: str = ""
    parameters: int | None = None
    test: Results = field(default_factory=dict)
    costs: Results = field(default_factory=dict)
    breaks: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The name as tables show it: `found (softmax)`."""
        return f"{self.name} ({self.part})" if self.part else self.name


def network_results(outcome: RunOutcome) -> list[NetworkResult]:
    """Returns the rows of a run's outcome, that of the found network first."""
    part = outcome.found_as.name if outcome.found_as else ""
    rows = [_row(outcome, FOUND, part, outcome.parameters, outcome.test)]
    for name, baseline in outcome.baselines.items():
        rows.append(_row(outcome, name, "", baseline.parameters, baseline.test))
    return rows


def _row(
    outcome: RunOutcome, name: str, part: str, parameters: int, test: Results
) -> NetworkResult:
    costs, breaks = outcome.costs.get(name) or {}, tuple(outcome.infeasible.get(name) or ())
    return NetworkResult(name, part, parameters, test, costs, breaks)
