"""`sweep`: the same recipe with other values, compared in a table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from toolkit.api.architectures import ArchitectureLike, RunLike, given_point
from toolkit.api.endings import settled
from toolkit.api.given import Overrides, RecipeLike, gather
from toolkit.api.run import Run
from toolkit.api.search import listener

if TYPE_CHECKING:
    from toolkit.api.search import OnEvent
    from toolkit.sweeps import Axis, Plan, Table

Values: TypeAlias = Mapping[str, Any] | Sequence[str]
"""What to try, by dotted key: `{"train.batch_size": [16, 32]}`, or texts as after `-s`."""


class Sweep(Run):
    """A sweep that has ended: its run folder, and the table of what was compared.

    Attributes:
        comparison: the rows with their trials, the best in validation first.
        whole: whether each configuration and seed was a whole run, with a test of its own.
    """

    def __init__(self, folder: str | Path, comparison: Table, whole: bool) -> None:
        super().__init__(folder)
        self.comparison, self.whole = comparison, whole

    @property
    def table(self) -> Any:
        """The rows as a pandas DataFrame, or a list of dicts where there is no pandas.

        They are those of `sweep.csv`: swept values by their dotted names, then the mean, the
        deviation and the corrected p-value of the comparison with the best row.
        """
        from toolkit.api.rows import table
        from toolkit.sweeps.table import flat_rows

        return table(flat_rows(self.comparison))

    def compared(self) -> list[dict[str, Any]]:
        """Returns the rows as `toolkit sweep --json` prints them: with statistics and trials."""
        from toolkit.sweeps.table import row_json

        return [row_json(row) for row in self.comparison.rows]

    @property
    def notes(self) -> list[str]:
        """What can be said of the differences, in sentences."""
        return self.comparison.notes


def sweep(
    recipe: RecipeLike,
    values: Values = (),
    *,
    grid: bool = False,
    random: int | None = None,
    strategy: str | None = None,
    trials: int | None = None,
    seeds: int = 1,
    architecture: ArchitectureLike = None,
    from_run: RunLike = None,
    whole: bool = False,
    confirmed: bool = False,
    output: str | Path | None = None,
    workers: int | None = None,
    plugins: Sequence[str | Path] = (),
    on_event: OnEvent | None = None,
    progress: bool | None = None,
    overrides: Overrides = None,
    **words: Any,
) -> Sweep:
    """Tries a recipe with several values, with several seeds, and compares them in a table.

    Where one architecture is to be trained and the swept keys lie under `train` or `space`, each
    combination and seed is one trial, judged on the validation split. Otherwise each is a whole run
    of the recipe, with its own search, final trainings and test. The same call on the same run
    folder goes on, also with more seeds.

    Args:
        recipe: see `toolkit.search`, as for the arguments that are not described here.
        values: lists of values by dotted key, or ranges: `{"train.lr": {"log": [1e-4, 1e-1]}}`, or
            as on the command line, `{"train.lr": "log(1e-4,1e-1,4)"}`. By default what the recipe
            searches.
        grid: try every combination; the default where there are points.
        random: try so many random combinations.
        strategy: one that chooses, such as `"optuna.tpe"`. (The recipe's own is changed by
            `overrides={"strategy": ...}`.)
        trials: combinations that the strategy may try.
        seeds: repeat each combination with so many seeds.
        architecture: to be trained: itself, or the path of an `architecture.json`.
        from_run: an earlier run whose best architecture is trained.
        whole: make whole runs, also where trials would do.
        confirmed: run a grid of more than 10,000.
        output: the run folder; by default `runs/NAME-sweep`.

    Raises:
        As `toolkit.search` does.
    """
    from toolkit.sweeps import Request, make_plan, run_sweep

    axes = axes_of(values)
    given = gather(recipe, overrides, words, plugins)
    point = given_point(architecture, from_run, given.source)
    request = Request(
        axes,
        grid,
        random,
        strategy,
        trials,
        seeds,
        None if point is None else point["architecture"],
        whole,
        confirmed,
    )
    folder = given.output(output, "-sweep")
    with given.stored(folder) as stored:
        plan = make_plan(stored.source, stored.overrides, request, given.registry)
        _check(plan)
        code, result = run_sweep(
            plan, folder, workers=workers, on_event=listener(on_event, progress)
        )
    return settled(Sweep(folder, result, plan.whole), code)


def axes_of(values: Values) -> tuple[Axis, ...]:
    """Reads what is to be swept.

    Raises:
        RecipeError: a value is no plain data, or a text is malformed.
    """
    from toolkit.sweeps import parse_axis

    if isinstance(values, Mapping):
        values = [f"{key}={_written(key, given)}" for key, given in values.items()]
    return tuple(map(parse_axis, values))


def _written(key: str, values: Any) -> str:
    """Values as the command line has them after `-s KEY=`."""
    from toolkit.recipe import plain_data

    if isinstance(values, str):
        return values
    plain = plain_data(values.tolist() if hasattr(values, "tolist") else values, key)
    return ",".join(map(json.dumps, plain if isinstance(plain, list) else [plain]))


def _check(plan: Plan) -> None:
    """Finds what does not fit before anything runs: for whole runs, with every single value."""
    from toolkit.problem import assemble

    if not plan.whole:
        assemble(plan.recipe, plan.registry, architecture=plan.architecture)
        return
    for recipe in plan.probes():
        assemble(
            recipe,
            plan.registry,
            strategy=plan.architecture is None,
            architecture=plan.architecture,
        )
