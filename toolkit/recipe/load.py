"""Recipes read: found, parsed, overridden, validated; every fault is told at once."""

from __future__ import annotations

import copy
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import ValidationError

from toolkit.base.errors import DamagedLedgerError, RecipeError
from toolkit.base.files import too_long
from toolkit.base.places import expanded
from toolkit.base.secrets import hide
from toolkit.base.spelling import did_you_mean
from toolkit.recipe.document import ENVIRONMENT, Document, Interpolate, parse_yaml
from toolkit.recipe.faults import NOT_SET, Faults, Mark, dotted
from toolkit.recipe.overrides import apply_override
from toolkit.recipe.recipe import Recipe
from toolkit.recipe.schema import RecipeBlocks, split_plugins
from toolkit.recipe.shipped import shipped_recipes
from toolkit.recipe.validation import check
from toolkit.recipe.values import first, parse_searched, put, searched_in
from toolkit.registry import Registry

MAX_BYTES = 32_000
_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}?")

Source: TypeAlias = str | Path | Mapping[str, Any]
"""A recipe's file, the name of a shipped recipe, or a recipe as plain data."""


def load_recipe(source: Source, overrides: Sequence[str], registry: Registry) -> Recipe:
    """Read a recipe and check all that can be checked without its data.

    Args:
        source: a path, the name of a shipped recipe, or plain data; these are read as a file in
            the working directory with this content would be.
        overrides: changes such as `train.lr=0.01`, `space.ops+=[x]`, `~fidelity`, in order.
        registry: knows the plugins.

    Raises:
        RecipeError: it cannot be read or has faults; the message lists all of them, each as
            `file:line:column: where: what was given, what was expected`.
        PluginError: a plugin that it names does not load.
    """
    faults = Faults()
    document, name, text, interpolate = _parsed(source, faults)
    for turn, override in enumerate(overrides):
        apply_override(document, override, turn, faults, interpolate)
    _forget_replaced(faults, overrides)
    return check(document, registry, faults, name, text)


def written_words(source: Source, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Reads a recipe's words as they are written, unchecked and without defaults.

    Raises:
        RecipeError: it, or an override, cannot be read.
    """
    faults = Faults()
    document, name, _, interpolate = _parsed(source, faults)
    for turn, override in enumerate(overrides):
        apply_override(document, override, turn, faults, interpolate)
    _forget_replaced(faults, overrides)
    faults.raise_any(name)
    return document.data if isinstance(document.data, dict) else {}


def _forget_replaced(faults: Faults, overrides: Sequence[str]) -> None:
    """Drops what a missing variable made wrong with a value that an override replaces."""
    given = [
        text.partition("=")[0] for text in overrides if not text.partition("=")[0].endswith("+")
    ]
    faults.found = [
        fault
        for fault in faults.found
        if NOT_SET not in fault.text
        or not any(f"{fault.where}.".startswith(f"{path.lstrip('~')}.") for path in given)
    ]


def _parsed(source: Source, faults: Faults) -> tuple[Document, str, str, Interpolate]:
    """A recipe's document, what to call it, its text, and what replaces `${...}` in it."""
    if isinstance(source, Mapping):
        name, origin, home = "recipe", Mark("recipe"), Path.cwd()
        text = json.dumps(source, indent=2) + "\n"
    else:
        path = find_recipe(source)
        name, origin, home = str(path), None, path.absolute().parent
        text = _read(path)
    interpolate = _interpolation(home)
    document = parse_yaml(text, name, faults, interpolate, origin=origin)
    if document is None and not faults.found:
        faults.add(Mark(name, 1, 1), (), "is empty, expected version, name, task, ...")
    if document is None:
        faults.raise_any(name)
        raise AssertionError("an unreadable document has faults")
    return document, name, text, interpolate


def from_plain(data: Mapping[str, Any], registry: Registry) -> Recipe:
    """Check a recipe that is plain data already; nothing is interpolated.

    Raises:
        RecipeError: it has faults.
        PluginError: a plugin that it names does not load.
    """
    name = "resolved recipe"
    document = Document(copy.deepcopy(dict(data)), {(): Mark(name)})
    return check(document, registry, Faults(), name, "")


def from_checked(data: Mapping[str, Any]) -> Recipe:
    """Rebuilds a recipe from what `Recipe.resolved` gave, in another process or later.

    It was checked when it was loaded, so plugins are not asked again.

    Raises:
        RecipeError: it is as a run keeps it, and a variable of the environment is not set.
        DamagedLedgerError: it is none.
    """
    plain = unmasked(data)
    try:
        searched = {path: parse_searched(value) for path, value in searched_in(plain)}
        for path, leaf in searched.items():
            put(plain, path, first(leaf))
        blocks = RecipeBlocks.model_validate(split_plugins(plain))
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        what = str(error)
        if isinstance(error, ValidationError):
            first_of = error.errors(include_url=False, include_input=False)[0]
            what = f"{dotted(first_of['loc'])}: {first_of['msg']}"
        raise DamagedLedgerError(
            f"The recipe that a run keeps is none: {what}.",
            hint="Restore the run's ledger from a copy.",
        ) from error
    leaves = {dotted(path): leaf for path, leaf in searched.items()}
    return Recipe.assemble(blocks, leaves, "", Document(data))


def unmasked(data: Any) -> Any:
    """Returns a copy of plain data with the environment's values in place of `${env:NAME}`.

    Raises:
        RecipeError: a variable is not set.
    """
    if isinstance(data, Mapping):
        return {name: unmasked(value) for name, value in data.items()}
    if isinstance(data, list | tuple):
        return [unmasked(value) for value in data]
    if isinstance(data, str) and ENVIRONMENT in data:
        try:
            return _interpolation(Path.cwd())(data)
        except ValueError as error:
            raise RecipeError(f"{error}.", hint="Set it as it was when the run began.") from None
    return data


def find_recipe(source: str | Path) -> Path:
    """The file of a recipe, given by path or by the name of a shipped one.

    Raises:
        RecipeError: there is none.
    """
    path = expanded(source)
    if too_long(path):
        raise RecipeError(f"{source} is longer than names of files may be.")
    shipped = shipped_recipes()
    if path.is_file():
        return path
    if str(source) in shipped:
        return shipped[str(source)]
    if path.is_dir():
        raise RecipeError(
            f"{source} is a directory, expected a recipe file.",
            hint=f"Name a .yaml file in it, or a shipped recipe: {', '.join(shipped)}.",
        )
    if path.exists():
        raise RecipeError(f"{source} is no regular file, expected a recipe in YAML.")
    what = "recipe file" if path.suffix else "recipe file, and no shipped recipe of that name"
    raise RecipeError(
        f"{source}: no such {what}{did_you_mean(path.stem, shipped)}.",
        hint=f"Shipped recipes: {', '.join(shipped) or 'none'}; `toolkit recipes` describes them.",
    )


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise RecipeError(f"{path} cannot be read: {error.strerror}.") from None
    if len(content) > MAX_BYTES:
        raise RecipeError(
            f"{path} is too large for a recipe: {path.stat().st_size} bytes, "
            f"expected at most {MAX_BYTES}."
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        text, place = "\0", f"byte {error.start}"
    else:
        place = f"character {text.find(chr(0))}"
    if "\0" in text:
        raise RecipeError(f"{path} is no text in UTF-8 (see its {place}), expected a YAML recipe.")
    return text


def _interpolation(recipe_dir: Path) -> Interpolate:
    def replace(match: re.Match[str]) -> str:
        word = match[1]
        if not match[0].endswith("}"):
            raise ValueError(f"{match[0]} has no closing brace")
        if word == "recipe_dir":
            return str(recipe_dir)
        kind, _, name = word.partition(":")
        if kind != "env" or not name:
            raise ValueError(f"{match[0]} given, expected ${{env:NAME}} or ${{recipe_dir}}")
        if name not in os.environ:
            raise ValueError(f"{match[0]}: the environment variable {name} {NOT_SET}")
        hide(os.environ[name], match[0])
        return os.environ[name]

    return lambda text: _PLACEHOLDER.sub(replace, text)
