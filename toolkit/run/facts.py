"""The facts of a run beside its trials: each a key of the ledger, with a type and a default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeAlias, TypeVar

from pydantic import AfterValidator, Field

from toolkit.analysis.variances import Estimate, Variances
from toolkit.base.plain import finite
from toolkit.contracts import Direction
from toolkit.run.checking import LAST_S, check_recipe, parsed
from toolkit.run.outcome import Part, RunOutcome

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")
Plain: TypeAlias = Mapping[str, Any]
"""A JSON object whose keys belong to others: a recipe, a job, a drawing."""
Seconds: TypeAlias = Annotated[float, Field(ge=0, le=LAST_S)]


@dataclass(frozen=True, eq=False)
class Fact(Generic[T]):
    """What one key of a ledger holds.

    Attributes:
        key: the name in the ledger.
        type: of the value: JSON types, and dataclasses made of them.
        default: the value where the ledger says nothing.
    """

    key: str
    type: Any
    default: T

    def plain(self, value: T) -> Any:
        """Returns a value as plain JSON, with null for NaN and infinities."""
        # An integer that stands for a float is fine.
        return finite(self._adapter.dump_python(value, mode="json", warnings="none"))

    def parse(self, text: str) -> T:
        """Reads a value from JSON text.

        Raises:
            ValueError: it is no JSON, or of another type.
        """
        parsed([text])  # pydantic takes NaN for a number, which a ledger never holds.
        return self._adapter.validate_json(text)

    @cached_property
    def _adapter(self) -> TypeAdapter[T]:
        from pydantic import TypeAdapter

        return TypeAdapter(self.type)


@dataclass(frozen=True)
class Extension:
    """A total that `--extend` has raised: what it is now, and the last addition to it."""

    total: int | float
    by: int | float


@dataclass(frozen=True)
class WarmStart:
    """An earlier run (its folder) whose trials were taken over.

    Attributes:
        trials: how many.
        comparable: whether they mean the same here: task, space and training are equal.
    """

    run: str
    trials: int
    comparable: bool


@dataclass(frozen=True)
class Front:
    """The Pareto front of a search with several objectives, see `toolkit.analysis.pareto.Archive`.

    Attributes:
        trials: numbers of those on it, the best in the first objective first.
        hypervolume: within `reference`; None where it was not computed yet.
        results: how many trials were compared.
    """

    objectives: Mapping[str, Direction]
    reference: Mapping[str, float]
    trials: tuple[int, ...]
    hypervolume: float | None
    results: int

    def __post_init__(self) -> None:
        if len(self.objectives) < 2:
            raise ValueError("a front has two objectives or more")


@dataclass(frozen=True)
class PilotResult:
    """What a pilot found of architectures and seeds, and whether the search goes on.

    Attributes:
        metric: the first objective.
        trials: numbers of the pilot's trials.
        searches: whether a search follows.
        results: of each architecture, with each seed; empty where too many trials failed.
        variances: between architectures and between seeds.
        tried: how many architectures the search would try; where a supernet searches, of how many
            full trainings the gain is.
        gain: of the best of these, over a random one.
        threshold: the least gain that is worth a search.
        one_shot: whether a supernet searches.
    """

    metric: str
    trials: tuple[int, ...]
    searches: bool
    results: tuple[tuple[float, ...], ...] = ()
    variances: Variances | None = None
    tried: int = 0
    gain: Estimate | None = None
    threshold: float = 0.0
    one_shot: bool = False


RECIPE: Fact[Plain | None] = Fact(
    "recipe", Annotated[Plain, AfterValidator(check_recipe)] | None, None
)
"""The resolved recipe; None before a run claims the folder."""
PURPOSE: Fact[Plain] = Fact("purpose", Plain, {"command": "search"})
"""The command, and what it was given beside the recipe."""
CREATED: Fact[float | None] = Fact("created", Seconds | None, None)
OBJECTIVES: Fact[Mapping[str, Direction]] = Fact("objectives", Mapping[str, Direction], {})
"""What is searched for, the primary objective first; empty in some runs of earlier versions."""
DIRECTIONS: Fact[Mapping[str, Direction]] = Fact("directions", Mapping[str, Direction], {})
"""Where each metric and each cost is to go."""
DATA: Fact[Mapping[str, str]] = Fact("data", Mapping[str, str], {})
"""A digest of the content of each file and folder of data, by its key in the recipe."""
HOLDINGS: Fact[Plain] = Fact("data_holds", Plain, {})
"""What the data hold, see `toolkit.run.holdings`; empty in runs of earlier versions."""
PLUGIN_PATHS: Fact[tuple[str, ...]] = Fact("plugin_paths", tuple[str, ...], ())
BUDGET_TRIALS: Fact[int | None] = Fact("budget_trials", int | None, None)
EXTENSIONS: Fact[Mapping[str, Extension]] = Fact("extended", Mapping[str, Extension], {})
"""By the name of the total."""
WARM_STARTS: Fact[tuple[WarmStart, ...]] = Fact("warm_starts", tuple[WarmStart, ...], ())

SEARCH_S: Fact[float] = Fact("search_s", Seconds, 0.0)
FINAL_S: Fact[float] = Fact("final_s", Seconds, 0.0)
TEST_S: Fact[float] = Fact("test_s", Seconds, 0.0)
EXPORT_S: Fact[float] = Fact("export_s", Seconds, 0.0)
TIMES: Mapping[str, Fact[float]] = {
    "search": SEARCH_S,
    "final": FINAL_S,
    "test": TEST_S,
    "export": EXPORT_S,
}
"""Seconds spent on each part of a run, over all its sessions."""

SMOKE_JOB: Fact[Plain | None] = Fact("smoke_job", Plain | None, None)
"""The first batch, for `toolkit.engine.reproduce`."""
SMOKE_PASSED: Fact[bool] = Fact("smoke_passed", bool, False)
FRONT: Fact[Front | None] = Fact("front", Front | None, None)
PILOT: Fact[PilotResult | None] = Fact("pilot", PilotResult | None, None)
FOUND_AS: Fact[Part | None] = Fact("found_as", Part | None, None)
DRAWING: Fact[Plain | None] = Fact("drawing", Plain | None, None)
"""What the network that is handed over draws of itself (`toolkit.contracts.Scatter`)."""
OUTCOME: Fact[RunOutcome | None] = Fact("outcome", RunOutcome | None, None)
EXPORTED: Fact[bool] = Fact("exported", bool, False)
