"""The outcome of a run: what was found, and how it and its rivals did on the test split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, PlainSerializer

from toolkit.base.summary import Number, Statistics, statistics_of
from toolkit.contracts import Architecture
from toolkit.run.records import FOUND

Results: TypeAlias = Mapping[str, Statistics]
"""By metric."""


@dataclass(frozen=True)
class Part:
    """The part in which the found network differs from its rivals, and its name among them."""

    part: str
    name: str


@dataclass(frozen=True)
class Baseline:
    """A network that was trained beside the found one; random architectures together are one.

    Attributes:
        test: results on the test split.
        parameters: trainable numbers, in the mean.
    """

    test: Results
    parameters: int


def _read_baseline(stored: Any) -> Any:
    """Takes the parameters out from among the metrics, where JSON has them."""
    if not isinstance(stored, Mapping):
        return stored
    test = {name: value for name, value in stored.items() if name != "parameters"}
    return {"test": test, "parameters": stored.get("parameters")}


def _write_baseline(baseline: Baseline) -> dict[str, Any]:
    test = {name: asdict(result) for name, result in baseline.test.items()}
    return {**test, "parameters": baseline.parameters}


StoredBaseline: TypeAlias = Annotated[
    Baseline, BeforeValidator(_read_baseline), PlainSerializer(_write_baseline)
]


@dataclass(frozen=True)
class TrainingResult:
    """One final training: its results on the validation data (`values`) and on the test split.

    Attributes:
        label: `found`, `random-1`, or a baseline's name.
        costs: of the deployed network.
    """

    number: int
    label: str
    seed: int
    fingerprint: str
    parameters: int | None
    values: Mapping[str, Number]
    test: Mapping[str, Number]
    costs: Mapping[str, Number] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RunOutcome:
    """What a run ends with; its JSON is what `toolkit best --json` prints.

    Attributes:
        point: what was found, `architecture` being the architecture in it.
        trial: the number of the trial that found it; None where it was given, not searched.
        found_as: its name among its rivals, where the space has rivals.
        handed_over: the label of the network in `best/`: `found`, or another that did better on
            validation data.
        majority: the share of the most frequent class of the test split; None if unknown.
        tested_on: samples of the test split; None if unknown.
        p_of_mean: of values, the p-value of those of the network in `best/` being no better than
            the mean of the training targets: the median of its trainings; None if unknown.
        advice: what the space says may help a network that is no better than chance.
        values: its validation results in the search.
        parameters, test: of its final trainings, in the mean.
        baselines: what was trained beside it, by name.
        references: what is no network, judged on the test split: metrics by name.
        costs: of every deployed network, by name.
        infeasible: the constraints that a network breaks, as text, by the network's name.
        times_s: seconds spent on each part of the run until then.
    """

    architecture: Architecture
    point: dict[str, Any]
    trial: int | None
    fingerprint: str
    found_as: Part | None = None
    handed_over: str = FOUND
    majority: float | None = None
    tested_on: int | None = None
    p_of_mean: float | None = None
    advice: str = ""
    values: Mapping[str, Number]
    parameters: int
    test: Results
    baselines: Mapping[str, StoredBaseline]
    references: Mapping[str, Mapping[str, Number]] = field(default_factory=dict)
    costs: Mapping[str, Results] = field(default_factory=dict)
    infeasible: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    trainings: tuple[TrainingResult, ...]
    times_s: Mapping[str, float]

    @property
    def found(self) -> list[TrainingResult]:
        """The final trainings of what was found."""
        return self.trainings_of(FOUND)

    def trainings_of(self, label: str) -> list[TrainingResult]:
        """The final trainings of a network, by its label."""
        return [training for training in self.trainings if training.label == label]

    def test_of(self, label: str) -> Results:
        """How a network did on the test split, by its label."""
        return statistics_of(training.test for training in self.trainings_of(label))
