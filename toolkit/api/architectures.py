"""Architectures to be trained that were found elsewhere: in a file, or in an earlier run."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from toolkit.base.errors import RecipeError, ToolkitWarning
from toolkit.base.places import expanded

if TYPE_CHECKING:
    from toolkit.api.run import Run
    from toolkit.contracts import Architecture
    from toolkit.problem import Problem
    from toolkit.recipe import Recipe, Source
    from toolkit.registry import Registry

MAX_BYTES = 1_000_000

ArchitectureLike: TypeAlias = "Mapping[str, Any] | str | Path | None"
"""An architecture, or the file of one, as in a run's `best/architecture.json`."""
RunLike: TypeAlias = "Run | str | Path | None"
"""A run, or its folder."""


def run_folder(run: Run | str | Path) -> Path:
    """Returns the folder of a run that is given in one way or the other."""
    return expanded(run) if isinstance(run, str | Path) else run.folder


def given_point(
    architecture: ArchitectureLike, run: RunLike, recipe: Source
) -> dict[str, Any] | None:
    """Returns the point to train, or None where nothing is given.

    A point is `{"architecture": ...}`, with the searched values where it is a run's.

    Args:
        architecture: itself, or its file: looked for in the working directory, then beside the
            recipe.
        run: whose best it is, in its place.
        recipe: the recipe to train by.

    Raises:
        RecipeError: both are given, or what is named holds no architecture.
    """
    if architecture is not None and run is not None:
        raise RecipeError(
            "--architecture and --from are both given.", hint="Name one source of architectures."
        )
    if isinstance(architecture, Mapping):
        return {"architecture": dict(architecture)}
    if architecture is not None:
        return {"architecture": _read(_find(Path(architecture), recipe))}
    return None if run is None else _best_of(run_folder(run))


def going_on(recipe: Recipe, registry: Registry, run: Run | str | Path) -> list[str]:
    """Returns overrides by which trainings go on from the weights that an earlier run exported.

    Raises:
        RecipeError: trainings of the recipe's space cannot.
        ToolkitError: the run has exported nothing yet.
    """
    name = recipe.space.name
    option = registry.get("search_spaces", name).goes_on_from
    if option is None:
        raise RecipeError(
            "--architecture and --from are both given, and trainings of the space"
            f" {name} do not go on from the weights of a run.",
            hint="Name one source of architectures.",
        )
    from toolkit.api.run import Run
    from toolkit.engine.exports import exported_weights

    folder = Run(run_folder(run)).folder
    return [f"space.{option}={json.dumps(str(exported_weights(folder)))}"]


def settling(recipe: Recipe, point: Mapping[str, Any]) -> list[str]:
    """Returns overrides that give a recipe's searched values those of a point.

    Raises:
        RecipeError: the point has none for one of them.
    """
    overrides = []
    for key in recipe.searched:
        value: Any = point
        for name in key.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        if value is None:
            raise RecipeError(
                f"{recipe.where(key)}: {key} is searched, and a retraining needs one value.",
                hint=f"Give it one, as in `{key}=...`, or take the values of a run by --from RUN.",
            )
        overrides.append(f"{key}={json.dumps(value)}")
    return overrides


def warn_of_other_data(run: Path, problem: Problem) -> bool:
    """Warns where a run was on other data than those of a problem; says whether it did.

    Data are known by their content, so that another path of theirs does not matter.
    """
    from toolkit.api.ledger import reading
    from toolkit.run.content import as_value, contents_of, digests_of, of_one_kind
    from toolkit.run.facts import DATA, HOLDINGS
    from toolkit.run.holdings import differences_in_words, holdings_of

    with reading(run) as ledger:
        known, held = ledger.get(DATA), ledger.get(HOLDINGS)
    if not known:
        return False
    contents = contents_of(problem.task.options)
    own = digests_of(contents)
    if set(known.values()) & set(own.values()):
        return False
    shared = [key for key in known if key in own and of_one_kind(known[key], own[key])]
    if not shared:
        return False
    pairs = {key: (as_value(known[key]), as_value(own[key])) for key in shared}
    now = holdings_of(contents, problem.info, problem.survey)
    text = (
        f"--from {run}: that run is of other data than the recipe: "
        f"{differences_in_words(pairs, held, now)}. Its architecture is trained on the recipe's"
        " data all the same, and was not chosen with them."
    )
    warnings.warn(ToolkitWarning(text), stacklevel=3)
    return True


def _find(file: Path, recipe: Source) -> Path:
    from toolkit.recipe import find_recipe

    home = Path() if isinstance(recipe, Mapping) else find_recipe(recipe).parent
    for path in (expanded(file), home / file):
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


def _read(path: Path) -> Architecture:
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


def _best_of(folder: Path) -> dict[str, Any]:
    from toolkit.api.run import Run

    best = Run(folder).best
    if best is None or not best.architecture:
        raise RecipeError(
            f"--from {folder}: this run has found no architecture yet.",
            hint=f"`toolkit status {folder}` says how far it is.",
        )
    return dict(best.point)
