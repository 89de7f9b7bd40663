"""`evaluate`: a recipe, or one architecture, judged on folds that together test every sample."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.api.architectures import (
    ArchitectureLike,
    RunLike,
    given_point,
    run_folder,
    settling,
    warn_of_other_data,
)
from toolkit.api.endings import settled
from toolkit.api.given import Overrides, RecipeLike, gather
from toolkit.api.run import Run
from toolkit.api.search import listener
from toolkit.base.errors import RecipeError

if TYPE_CHECKING:
    from toolkit.api.search import OnEvent
    from toolkit.problem import Problem
    from toolkit.sweeps.evaluation import Evaluated


class Evaluation(Run):
    """An evaluation on folds: its run folder, and what was found.

    Attributes:
        evaluated: a row for each fold, and for each network over all folds.
    """

    def __init__(self, folder: str | Path, evaluated: Evaluated) -> None:
        super().__init__(folder)
        self.evaluated = evaluated

    @property
    def table(self) -> Any:
        """A row for each fold and network, as in `evaluation.csv`.

        It is a pandas DataFrame, or a list of dicts where there is no pandas.
        """
        from toolkit.api.rows import table
        from toolkit.sweeps.evaluation import flat_rows

        return table(flat_rows(self.evaluated))

    def summary(self) -> dict[str, Any]:
        """Returns what `evaluation.json` holds: means, deviations, intervals, comparisons."""
        from toolkit.sweeps.evaluation import as_json

        return as_json(self.evaluated)

    @property
    def notes(self) -> list[str]:
        """What can be said of the results, in sentences."""
        return self.evaluated.notes

    def report(self, output: str | Path | None = None) -> Path:
        """Writes `report.html`, `evaluation.csv` and `evaluation.json`; the report's path.

        Args:
            output: a file to write the report to as well.
        """
        from toolkit.base.files import write_atomically
        from toolkit.sweeps.evaluation import write

        write(self.evaluated, self.folder)
        written = self.folder / "report.html"
        if output is None:
            return written
        write_atomically(Path(output), written.read_text(encoding="utf-8"))
        return Path(output)


def evaluate(
    recipe: RecipeLike,
    folds: str,
    *,
    architecture: ArchitectureLike = None,
    from_run: RunLike = None,
    output: str | Path | None = None,
    workers: int | None = None,
    plugins: Sequence[str | Path] = (),
    on_event: OnEvent | None = None,
    progress: bool | None = None,
    overrides: Overrides = None,
    **words: Any,
) -> Evaluation:
    """Judges a recipe on folds: searches on all but one, tests on that, and so on for each.

    The task's own test split is one of the samples' parts like any other. The same call on the
    same run folder goes on.

    Args:
        recipe: see `toolkit.search`, as for the arguments that are not described here.
        folds: `"leave_one_group_out"`, `"groups:4"` (folds of whole groups), `"stratified:5"`, or
            `"repeated:5x3"` (three rounds of five stratified folds).
        architecture: the one to train on each fold, where nothing is to be searched: itself, or
            the path of an `architecture.json`.
        from_run: an earlier run whose best architecture, with its searched values, is trained.
        output: the run folder; by default `runs/NAME-evaluation`. The run of each fold is in its
            folder `folds`.

    Raises:
        As `toolkit.search` does.
    """
    from toolkit.problem import assemble
    from toolkit.sweeps.evaluation import run_evaluation
    from toolkit.sweeps.folds import plan_folds

    asked = _checked(folds)
    given = gather(recipe, overrides, words, plugins)
    point = given_point(architecture, from_run, given.source)
    folder = given.output(output, "-evaluation")
    with given.stored(folder) as stored:
        if point is not None and stored.recipe.searched:
            stored = stored.changed(*settling(stored.recipe, point))
        stored = stored.changed("validation.outer=null")
        only = None if point is None else point["architecture"]
        problem = assemble(stored.recipe, given.registry, architecture=only)
        plan = plan_folds(stored.source, stored.overrides, problem, asked)
        _check_folds(problem, plan.configurations or 0, asked)
        others = from_run is not None and warn_of_other_data(run_folder(from_run), problem)
        code, found = run_evaluation(
            plan,
            problem,
            folder,
            optimistic=from_run is not None and not others,
            workers=workers,
            on_event=listener(on_event, progress),
        )
    return settled(Evaluation(folder, found), code)


def _checked(folds: str) -> str:
    from toolkit.contracts.outer import check_folds

    try:
        return check_folds(folds)
    except ValueError as error:
        raise RecipeError(f"--folds: {error}.") from None


def _check_folds(problem: Problem, count: int, folds: str) -> None:
    """Finds folds on which a metric cannot be had, or a class cannot be validated."""
    from toolkit.contracts.outer import OuterFold
    from toolkit.datasets.metrics import check_parts

    for number in range(1, count + 1):
        survey = problem.in_fold(OuterFold(folds=folds, fold=number)).survey
        if survey is not None:
            check_parts(tuple(problem.task.directions), survey.counts)
