"""`toolkit retrain`: a given architecture trained, tested and exported, without a search."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolkit.cli.guard import working_in
from toolkit.cli.read import print_outcome
from toolkit.cli.search import (
    AsJson,
    Overrides,
    Plugins,
    RecipeArgument,
    Workers,
    end,
    plugins_print_elsewhere,
)

if TYPE_CHECKING:
    from toolkit.contracts import Architecture
    from toolkit.recipe import Recipe

ArchitectureFile = Annotated[
    Path | None,
    typer.Option(
        "--architecture",
        metavar="FILE",
        help="An architecture.json, as in a run's best/; also looked for beside the recipe.",
    ),
]
FromRun = Annotated[
    Path | None,
    typer.Option("--from", metavar="RUN", help="The best architecture of this run folder."),
]
MAX_BYTES = 1_000_000


def retrain(
    recipe: RecipeArgument,
    overrides: Overrides = None,
    architecture: ArchitectureFile = None,
    from_run: FromRun = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="RUN", help="Run folder; default runs/NAME-retrain."
        ),
    ] = None,
    workers: Workers = None,
    plugin: Plugins = None,
    as_json: AsJson = False,
) -> None:
    """Train a given architecture as the recipe says, test it, export it.

    Nothing is searched: the architecture comes from a file or from an earlier
    run, also one on other data. It is trained train.final.seeds times beside
    the recipe's baselines and random architectures, and tested once. The same
    command on the same run folder resumes.
    """
    from toolkit.cli.console import make_display
    from toolkit.engine import run_retraining
    from toolkit.problem import assemble
    from toolkit.recipe import load_recipe
    from toolkit.registry import Registry

    stdout = sys.stdout
    with plugins_print_elsewhere(as_json):
        point = given_point(architecture, from_run, recipe)
        if point is None:
            from toolkit.errors import RecipeError

            raise RecipeError(
                "No architecture is given.",
                hint="Name a file with --architecture FILE, or a run with --from RUN.",
            )
        registry = Registry(plugin or ())
        loaded = load_recipe(recipe, overrides or (), registry)
        if loaded.searched:
            settled = _settled(loaded, point)
            loaded = load_recipe(recipe, [*(overrides or ()), *settled], registry)
        folder = output if output is not None else Path("runs") / f"{loaded.name}-retrain"
        working_in(folder)
        problem = assemble(loaded, registry, architecture=point["architecture"])
        display = make_display(as_json, stdout)
        try:
            code = run_retraining(
                problem,
                folder,
                workers=workers,
                on_event=display.event,
            )
        finally:
            display.close()
    if not as_json:
        print_outcome(folder)
    end(code, folder)


def given_point(file: Path | None, run: Path | None, recipe: str) -> dict[str, Any] | None:
    """What the options name: `{"architecture": ...}`, with searched values where a run has them.

    Args:
        file: of `--architecture`; looked for in the working directory, then beside the recipe.
        run: of `--from`.
        recipe: the recipe's name or file.

    Raises:
        RecipeError: both are given, or what is named holds no architecture.
    """
    from toolkit.errors import RecipeError

    if file is not None and run is not None:
        raise RecipeError(
            "--architecture and --from are both given.", hint="Name one source of architectures."
        )
    if file is not None:
        return {"architecture": _read_architecture(_find(file, recipe))}
    return None if run is None else _best_of(run)


def _find(file: Path, recipe: str) -> Path:
    from toolkit.errors import RecipeError
    from toolkit.recipe import find_recipe

    beside = find_recipe(recipe).parent / file
    for path in (file.expanduser(), beside):
        if path.is_file():
            return path
    if file.is_dir():
        best = file / "best" / "architecture.json"
        named = f"--architecture {best}, or --from {file}" if best.is_file() else "a file in it"
        raise RecipeError(f"--architecture {file} is a directory.", hint=f"Name {named}.")
    raise RecipeError(
        f"--architecture {file}: no such file, here or beside the recipe.",
        hint="A finished run has it as best/architecture.json; --from RUN takes it from there.",
    )


def _read_architecture(path: Path) -> Architecture:
    from toolkit.errors import RecipeError

    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise RecipeError(f"{path} is too large for an architecture: over {MAX_BYTES} bytes.")
        found = json.loads(content, parse_constant=_refuse_constant)
    except OSError as error:
        raise RecipeError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise RecipeError(
            f"{path} is no architecture: it is not JSON ({error}).",
            hint="Name an architecture.json of a run, e.g. runs/NAME/best/architecture.json.",
        ) from None
    if not isinstance(found, dict) or not found:
        raise RecipeError(
            f"{path} is no architecture: it holds {json.dumps(found)[:60]}, expected an object.",
            hint="Name an architecture.json of a run, e.g. runs/NAME/best/architecture.json.",
        )
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _best_of(run: Path) -> dict[str, Any]:
    from toolkit.cli.read import open_ledger
    from toolkit.errors import RecipeError
    from toolkit.run.facts import OUTCOME
    from toolkit.run.status import best_so_far

    with open_ledger(run) as ledger:
        found = ledger.get(OUTCOME) or best_so_far(ledger)
    point = found.point if found else None
    if not point or "architecture" not in point:
        raise RecipeError(
            f"--from {run}: this run has found no architecture yet.",
            hint=f"`toolkit status {run}` says how far it is.",
        )
    return dict(point)


def _settled(recipe: Recipe, point: dict[str, Any]) -> list[str]:
    """Overrides that give the recipe's searched values those of the point.

    Raises:
        RecipeError: the point has none for one of them.
    """
    from toolkit.errors import RecipeError

    overrides = []
    for key in recipe.searched:
        value: Any = point
        for name in key.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        if value is None:
            raise RecipeError(
                f"{recipe.where(key)}: {key} is searched, and a retraining needs one value.",
                hint=f"Give it one, as in `{key}=...`, or take the values of a run by --from RUN.",
            )
        overrides.append(f"{key}={json.dumps(value)}")
    return overrides
