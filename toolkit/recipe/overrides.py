"""Overrides of a recipe on the command line: `train.lr=0.01`, `space.ops+=[x]`, `~fidelity`.

A value is the text as it stands, a number where it looks like one, or YAML in brackets, braces or
quotes (`document.read_typed`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from toolkit.base.spelling import did_you_mean
from toolkit.recipe.document import Document, Interpolate, read_typed, show
from toolkit.recipe.faults import Faults, Mark, Path
from toolkit.recipe.schema import PLUGIN_WORDS, parse_validation

_FORM = re.compile(r"(?P<path>[^=+~\s][^=+\s]*?)(?P<action>\+?=)(?P<value>.*)", re.DOTALL)
_REMOVAL = re.compile(r"~(?P<path>[^=+~\s]+)")


@dataclass(frozen=True)
class Override:
    """One change of a recipe.

    Attributes:
        path: the names from the top of the recipe to what changes.
        action: put the value there, append its items to the list there, or remove what is there.
        value: its text; empty for `remove`.
    """

    path: tuple[str, ...]
    action: Literal["set", "append", "remove"]
    value: str = ""

    def __str__(self) -> str:
        path = ".".join(self.path)
        if self.action == "remove":
            return f"~{path}"
        return f"{path}{'=' if self.action == 'set' else '+='}{self.value}"


def parse_override(text: str) -> Override:
    """Read one override.

    Raises:
        ValueError: the text is none.
    """
    removal, form = _REMOVAL.fullmatch(text), _FORM.fullmatch(text)
    match = removal or form
    path = tuple(match["path"].split(".")) if match else ()
    if not path or not all(path):
        raise ValueError(
            "is no override, expected key=value, key+=[items] or ~key, as in train.lr=0.01"
        )
    if form is None:
        return Override(path, "remove")
    return Override(path, "set" if form["action"] == "=" else "append", form["value"])


def apply_override(
    document: Document, text: str, turn: int, faults: Faults, interpolate: Interpolate
) -> None:
    """Change a recipe's document in place; a fault leaves it as it is.

    Args:
        turn: the override's position among the overrides.
    """
    mark = Mark(f"override {text!r}", turn=turn)
    try:
        override = parse_override(text)
    except ValueError as error:
        faults.add(mark, (), str(error))
        return
    if override.action == "remove":
        _remove(document, override, mark, faults)
        return
    if not override.value.strip():
        faults.add(mark, override.path, "no value given; to remove a key, write ~key")
        return
    given = read_typed(override.value, faults, interpolate, mark)
    if given is None:
        return
    if override.action == "append":
        _append(document, override, given, mark, faults)
    else:
        _set(document, override, given, mark, faults)


def _holder(document: Document, path: tuple[str, ...], *, create: bool) -> tuple[Any, Path]:
    """The mapping or list that holds the last name of a path, and its own path.

    Raises:
        ValueError: there is none, the text says why.
    """
    data, at = document.data, ()  # type: tuple[Any, Path]
    for name in path[:-1]:
        key = _key(data, name, at)
        if isinstance(data, dict) and name not in data:
            if not create:
                raise ValueError(f"there is no {name}{did_you_mean(name, data)}")
            data[name] = {}
        inner = data[key]
        if not at and isinstance(inner, str):
            data[key] = inner = _as_mapping(name, inner)
        if inner is None and create:
            data[key] = inner = {}
        data, at = inner, (*at, key)
    if not isinstance(data, dict | list):
        raise ValueError(f"{'.'.join(map(str, at))} is {show(data)}, which holds no keys")
    return data, at


def _as_mapping(word: str, value: str) -> Any:
    """What a word's value stands for where keys below it are given; itself where that is none."""
    if word in PLUGIN_WORDS:
        return {"name": value}
    return parse_validation(value) if word == "validation" else value


def _key(data: Any, name: str, at: Path) -> str | int:
    if isinstance(data, dict):
        return name
    if isinstance(data, list):
        if name.isascii() and name.isdigit() and int(name) < len(data):
            return int(name)
        raise ValueError(f"{name} is no position in a list of {len(data)}, counted from 0")
    raise ValueError(f"{'.'.join(map(str, at))} is {show(data)}, which holds no keys")


def _forget(document: Document, path: Path) -> None:
    for noted in (document.values, document.keys, document.typed, document.secret):
        for known in [known for known in noted if known[: len(path)] == path]:
            del noted[known]
    document.broken -= {known for known in document.broken if known[: len(path)] == path}


def _adopt(document: Document, path: Path, given: Document, mark: Mark) -> None:
    document.values.update({(*path, *inner): mark for inner in given.values})
    document.keys.update({(*path, *inner): mark for inner in given.keys})
    document.broken |= {(*path, *inner) for inner in given.broken}
    document.typed.update({(*path, *inner): text for inner, text in given.typed.items()})
    document.secret.update({(*path, *inner): text for inner, text in given.secret.items()})
    document.keys[path] = mark


def _set(
    document: Document, override: Override, given: Document, mark: Mark, faults: Faults
) -> None:
    try:
        holder, at = _holder(document, override.path, create=True)
        key = _key(holder, override.path[-1], at)
    except ValueError as error:
        faults.add(mark, override.path, str(error))
        return
    path = (*at, key)
    _forget(document, path)
    holder[key] = given.data
    for length in range(1, len(path)):
        document.keys.setdefault(path[:length], mark)
        document.values.setdefault(path[:length], mark)
    _adopt(document, path, given, mark)


def _append(
    document: Document, override: Override, given: Document, mark: Mark, faults: Faults
) -> None:
    try:
        holder, at = _holder(document, override.path, create=True)
        key = _key(holder, override.path[-1], at)
    except ValueError as error:
        faults.add(mark, override.path, str(error))
        return
    known = holder.get(key) if isinstance(holder, dict) else holder[key]
    if known is not None and not isinstance(known, list):
        faults.add(mark, override.path, f"+= adds to a list, and this is {show(known)}")
        return
    items = given.data if isinstance(given.data, list) else [given.data]
    start = len(known or [])
    holder[key] = [*(known or []), *items]
    path = (*at, key)
    document.keys.setdefault(path, mark)
    document.values.setdefault(path, mark)
    if given.typed and not isinstance(given.data, list):
        document.typed[(*path, start)] = given.typed[()]
    if given.broken:
        document.broken.add(path)
    for inner in given.values:
        if not isinstance(given.data, list):
            document.values[(*path, start, *inner)] = mark
        elif inner and isinstance(inner[0], int):
            document.values[(*path, start + inner[0], *inner[1:])] = mark


def _remove(document: Document, override: Override, mark: Mark, faults: Faults) -> None:
    try:
        holder, at = _holder(document, override.path, create=False)
        key = _key(holder, override.path[-1], at)
        if not isinstance(holder, dict):
            raise ValueError("items of a list cannot be removed, give the whole list")
        if key not in holder:
            raise ValueError(
                f"the recipe gives no {key}, nothing to remove{did_you_mean(str(key), holder)}"
            )
    except ValueError as error:
        faults.add(mark, override.path, str(error))
        return
    del holder[key]
    _forget(document, (*at, key))
