"""`toolkit search` and `toolkit validate`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from toolkit.cli.guard import say_error, working_in
from toolkit.cli.read import print_outcome
from toolkit.errors import ExitCode

if TYPE_CHECKING:
    from toolkit.cli.console import Display
    from toolkit.problem import Problem

RecipeArgument = Annotated[
    str, typer.Argument(metavar="RECIPE", help="A recipe file, or the name of a shipped recipe.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY=VALUE", help="Overrides: a.b=1, a.b+=\\[x], ~a.b."),
]
Plugins = Annotated[
    list[Path] | None,
    typer.Option("--plugin", metavar="PATH", help="A local plugin: .py file or package folder."),
]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Trials at once; default: cores or GPUs.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON Lines.")]


def search(
    recipe: RecipeArgument,
    overrides: Overrides = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="RUN", help="Run folder; default runs/NAME."),
    ] = None,
    workers: Workers = None,
    executor: Annotated[
        str | None,
        typer.Option("--executor", metavar="NAME", help="Where trials run, e.g. local or nni."),
    ] = None,
    earlier: Annotated[
        Path | None,
        typer.Option("--from", metavar="RUN", help="Begin with the trials of an earlier run."),
    ] = None,
    extend: Annotated[
        list[str] | None,
        typer.Option(
            "--extend",
            metavar="TOTAL=MORE",
            help="Add to the run's budget: trials=50, time=10m or epochs=200.",
        ),
    ] = None,
    plugin: Plugins = None,
    as_json: AsJson = False,
) -> None:
    """Run a recipe: search, train what was found, test it, export it.

    The same command on the same run folder resumes.
    """
    from toolkit.cli.console import make_display
    from toolkit.problem import assemble
    from toolkit.recipe import load_recipe
    from toolkit.registry import Registry

    stdout = sys.stdout
    with plugins_print_elsewhere(as_json):
        registry = Registry(plugin or ())
        chosen = [] if executor is None else [f"resources.executor={executor}"]
        loaded = load_recipe(recipe, [*(overrides or ()), *chosen], registry)
        folder = output if output is not None else Path("runs") / loaded.name
        more = additions(extend or ())
        working_in(folder)
        problem = assemble(loaded, registry)
        code = _run(problem, folder, workers, lambda: make_display(as_json, stdout), earlier, more)
    if not as_json:
        print_outcome(folder)
    end(code, folder)


_ENDINGS: Mapping[int, tuple[str, str]] = {
    ExitCode.ALL_TRIALS_FAILED: (
        "Nothing was found: no trial has ended well, or no final training of the best has.",
        "`toolkit trials {run} --all` lists them, `toolkit show {run} NUMBER` says why one failed.",
    ),
    ExitCode.FAILURE_BUDGET_SPENT: (
        "The search was ended: as many trials failed as budget.failures allows.",
        "`toolkit trials {run}` lists them. To go on, give the same command with a higher"
        " budget.failures.",
    ),
}
"""What is said, and what to do, where a run ends badly without an error of its own."""


def end(code: int, folder: Path) -> NoReturn:
    """Leave with a run's exit code, and say what to do where it ended badly."""
    if code in _ENDINGS:
        message, hint = _ENDINGS[code]
        say_error(message, hint.format(run=folder))
    raise typer.Exit(code)


@contextmanager
def plugins_print_elsewhere(as_json: bool) -> Iterator[None]:
    """Where standard output carries JSON, what plugins print goes to standard error."""
    with redirect_stdout(sys.stderr) if as_json else nullcontext():
        yield


def _run(
    problem: Problem,
    folder: Path,
    workers: int | None,
    open_display: Callable[[], Display],
    earlier: Path | None,
    extend: Mapping[str, float],
) -> int:
    from toolkit.engine import run_search

    display = open_display()
    try:
        return int(
            run_search(
                problem,
                folder,
                workers=workers,
                on_event=display.event,
                earlier=earlier,
                extend=extend,
            )
        )
    finally:
        display.close()


def additions(texts: Sequence[str]) -> dict[str, float]:
    """What `--extend` adds to which total: `["trials=50"]` as `{"trials": 50}`.

    Raises:
        RecipeError: a text is none of that.
    """
    from toolkit.errors import RecipeError
    from toolkit.recipe.schema import parse_duration

    found: dict[str, float] = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            plain = value.replace(".", "", 1).isdecimal()
            number = float(value if plain or name != "time" else parse_duration(value))
            if name not in ("trials", "time", "epochs") or not 0 < number < float("inf"):
                raise ValueError
        except ValueError:
            raise RecipeError(
                f"--extend {text}: expected trials=NUMBER, time=DURATION or epochs=NUMBER.",
                hint="For example --extend trials=50, or --extend time=10m.",
            ) from None
        found[name] = int(number) if name == "trials" else number
    return found


def validate(
    recipe: RecipeArgument,
    overrides: Overrides = None,
    plugin: Plugins = None,
    as_json: AsJson = False,
) -> None:
    """Check a recipe, its data and its options without running anything."""
    from toolkit.cli.output import print_facts, print_json
    from toolkit.problem import assemble, examine
    from toolkit.recipe import load_recipe
    from toolkit.registry import Registry

    with plugins_print_elsewhere(as_json):
        registry = Registry(plugin or ())
        loaded = load_recipe(recipe, overrides or (), registry)
        problem = assemble(loaded, registry, strategy=True)
        survey = examine(problem)
        size, choice = problem.tree.size(), problem.prepared_strategy().choice
    facts = {
        "recipe": loaded.name,
        "task": loaded.task.name,
        "data": f"{problem.info.kind} {'x'.join(map(str, problem.info.shape))}, "
        f"{problem.info.classes} classes, {problem.info.train_size} training samples",
        **({} if as_json else survey.facts()),
        "space": loaded.space.name,
        "points": size,
        "strategy": f"{loaded.strategy.name}: {choice}" if choice else loaded.strategy.name,
        "objectives": dict(problem.objectives),
        **({"constraints": list(map(str, problem.bounds))} if problem.bounds else {}),
        "searched": sorted(loaded.searched),
    }
    if as_json:
        parts = {"parts": survey.counts, "groups": survey.groups, "warnings": survey.warnings}
        print_json({"valid": True, **facts, **parts, "resolved": loaded.resolved()})
    else:
        print_facts(facts)
