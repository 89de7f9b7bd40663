"""How the found network and those beside it did on the test split: one row for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FOUND = "found"


@dataclass(frozen=True)
class NetworkResult:
    """A network that was trained in full and tested.

    Attributes:
        name: `found`, or what a rival or hand-made network is called; `random` for all random
            architectures together.
        part: of the found one, its own name among its rivals; empty where there are none.
        parameters: trainable numbers of the deployed network.
        test: metric -> `mean`, `std` and the values over `seeds`.
        costs: cost of the deployed network -> the same.
        breaks: constraints that it breaks.
    """

    name: str
    part: str = ""
    parameters: int | None = None
    test: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    costs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    breaks: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The name as tables show it: `found (softmax)`."""
        return f"{self.name} ({self.part})" if self.part else self.name


def network_results(outcome: Mapping[str, Any]) -> list[NetworkResult]:
    """Reads the rows of a run's outcome, that of the found network first."""
    own = outcome.get("found_as") or {}
    tested = {
        FOUND: {**outcome["test"], "parameters": outcome.get("parameters")},
        **outcome["baselines"],
    }
    costs, broken = outcome.get("costs") or {}, outcome.get("infeasible") or {}
    return [
        NetworkResult(
            name,
            str(own.get("name") or "") if name == FOUND else "",
            values.get("parameters"),
            {metric: value for metric, value in values.items() if metric != "parameters"},
            costs.get(name) or {},
            tuple(broken.get(name) or ()),
        )
        for name, values in tested.items()
    ]
