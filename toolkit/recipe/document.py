"""YAML text read into plain data, with the place of every key and value.

A recipe is data: tags, anchors, aliases and further documents are faults. Scalars are read by the
core schema of YAML 1.2, section 10.3 (so `yes` and `1_000` are text), except that numbers must be
finite.
"""

from __future__ import annotations

import copy
import json
import math
import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from toolkit.recipe.faults import Faults, Mark, Path, dotted

MAX_DEPTH = 32
QUOTING = (
    "; text that begins with a sign, or holds # , : [ ] { or }, goes into single quotes within the"
    " shell's double ones: \"task={data: 'a #1.npz'}\""
)
"""What to do where YAML takes a text for something else; said of overrides."""
_INT = re.compile(r"[-+]?[0-9]{1,300}|0o[0-7]{1,300}|0x[0-9a-fA-F]{1,300}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_BLOCK = re.compile(r"[-?]\s|[\w.-]+\s*:(\s|$)")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}

ENVIRONMENT = "${env:"
"""Begins what stands for a variable of the environment."""
Interpolate: TypeAlias = Callable[[str], str]
"""Replaces `${...}` in a text; a ValueError says what is wrong with one."""


@dataclass
class Document:
    """Plain data and where each part of them was written.

    Attributes:
        data: mappings with text keys, lists and scalars.
        values: place of each value, by its path.
        keys: place of each key, by the path of its value.
        broken: paths whose value could not be read; nothing more need be said of these.
        typed: text of the values that were typed on the command line, where it was read as
            something else than text: what they mean where only text will do.
        secret: text of the values that come from the environment, `${env:...}` as it is written.
    """

    data: Any = None
    values: dict[Path, Mark] = field(default_factory=dict)
    keys: dict[Path, Mark] = field(default_factory=dict)
    broken: set[Path] = field(default_factory=set)
    typed: dict[Path, str] = field(default_factory=dict)
    secret: dict[Path, str] = field(default_factory=dict)

    def mark(self, path: Path, *, key: bool = False) -> Mark:
        """Place of a value, or of its key; of the nearest thing around it that has a place."""
        while path:
            found = (self.keys.get(path) if key else None) or self.values.get(path)
            if found:
                return found
            path, key = path[:-1], True
        return self.values.get((), Mark("recipe"))

    def is_broken(self, path: Path) -> bool:
        """Whether the value at a path, or something around it, could not be read."""
        return any(path[:length] in self.broken for length in range(len(path) + 1))

    def copy(self) -> Document:
        """A copy that can be changed without changing this one."""
        return Document(
            copy.deepcopy(self.data),
            dict(self.values),
            dict(self.keys),
            set(self.broken),
            dict(self.typed),
            dict(self.secret),
        )


def parse_scalar(text: str) -> Any:
    """Read an unquoted scalar.

    Raises:
        ValueError: it is an infinite number or none at all (`.nan`).
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INT.fullmatch(text):
        return int(text, 0) if text.startswith(("0o", "0x")) else int(text)
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f"{text} given, expected a finite number")
    if _FLOAT.fullmatch(text):
        number = float(text)
        if not math.isfinite(number):
            raise ValueError(f"{text} given, expected a finite number")
        return number
    return text


def parse_yaml(
    text: str, source: str, faults: Faults, interpolate: Interpolate, *, origin: Mark | None = None
) -> Document | None:
    """Read one YAML document.

    Args:
        text: the YAML.
        source: name of the file, for the places of faults.
        faults: takes what is wrong.
        interpolate: replaces `${...}` in scalars.
        origin: place to give to everything, for text that does not come from a file.

    Returns:
        The document; None where the text is no YAML, or there is none.
    """
    builder = _Builder(source, faults, interpolate, origin)
    try:
        return builder.document(YAML(typ="safe", pure=True).parse(text))
    except _Hostile:
        pass
    except ReaderError as error:
        before = text[: error.position].splitlines() or [""]
        mark = origin or Mark(source, len(before), len(before[-1]) + 1)
        faults.add(mark, (), f"the character {chr(error.character)!r} is not allowed in YAML")
    except MarkedYAMLError as error:
        _syntax_fault(error, text, source, faults, origin)
    except (YAMLError, ValueError, AttributeError) as error:
        faults.add(origin or Mark(source, 1, 1), (), f"is no YAML: {error}")
    return None


def read_typed(text: str, faults: Faults, interpolate: Interpolate, mark: Mark) -> Document | None:
    """Reads a value as it is typed on the command line.

    It is YAML only where it is written as such: wholly within brackets, braces or quotes, or as
    `name: value`, `- item`, or on several lines. Anything else is one scalar, the text as it
    stands: `session #2.npz`, `@home`, `[1].npz` and `C:\\data` mean just that.

    Blanks around it are dropped, unless they are part of a path that there is.

    Returns:
        The value; None where it is none.
    """
    stripped = text.strip()
    if text != stripped and _is_path(text):
        return Document(text, {(): mark})
    if _is_yaml(stripped):
        found = parse_yaml(text, str(mark), faults, interpolate, origin=mark)
    else:
        found = _plain_scalar(stripped, faults, interpolate, mark)
    if found is not None and not isinstance(found.data, str):
        with suppress(ValueError):  # told already
            found.typed[()] = interpolate(stripped)
    return found


def _is_path(text: str) -> bool:
    """Whether a text names, blanks and all, what there is here."""
    with suppress(ValueError, OSError):
        return os.path.lexists(text)
    return False


def _plain_scalar(text: str, faults: Faults, interpolate: Interpolate, mark: Mark) -> Document:
    try:
        if any("\udc80" <= character <= "\udcff" for character in text):
            raise ValueError(
                "holds bytes that are no UTF-8, expected text: rename what it names, or give a"
                " link to it; in a terminal without UTF-8 set PYTHONUTF8=1"
            )
        secret: dict[Path, str] = {(): text} if ENVIRONMENT in text else {}
        return Document(parse_scalar(interpolate(_unicode(text))), {(): mark}, secret=secret)
    except ValueError as error:
        faults.add(mark, (), str(error))
        return Document(None, {(): mark}, broken={()})


def _is_yaml(text: str) -> bool:
    """Whether a text typed on the command line is written as YAML rather than as plain text."""
    if text[:1] not in ("[", "{", "'", '"'):
        return "\n" in text or _BLOCK.match(text) is not None
    end = _node_end(text)
    return end is None or not text[end:].strip()


def _node_end(text: str) -> int | None:
    """Where the list, mapping or quoted text ends that a text begins with; None if it does not."""
    depth = 0
    with suppress(YAMLError, ValueError, AttributeError):
        for event in YAML(typ="safe", pure=True).parse(text):
            depth += isinstance(event, SequenceStartEvent | MappingStartEvent)
            depth -= isinstance(event, SequenceEndEvent | MappingEndEvent)
            if depth == 0 and isinstance(event, ScalarEvent | SequenceEndEvent | MappingEndEvent):
                return int(event.end_mark.index)
            if depth > MAX_DEPTH:
                break
    return None


def _syntax_fault(
    error: MarkedYAMLError, text: str, source: str, faults: Faults, origin: Mark | None
) -> None:
    at = error.problem_mark or error.context_mark
    lines = text.splitlines()
    tabs = [
        (number, line[: len(line) - len(line.lstrip())].index("\t"))
        for number, line in enumerate(lines)
        if "\t" in line[: len(line) - len(line.lstrip())]
    ]
    problem = (error.problem or "").strip()
    if "\\t" in problem and tabs and origin is None:
        for number, column in tabs:
            faults.add(
                Mark(source, number + 1, column + 1), (), "a tab indents this line, expected spaces"
            )
        return
    context = " ".join((error.context or "").split())
    mark = origin or Mark(source, at.line + 1 if at else 1, at.column + 1 if at else 1)
    advice = QUOTING if origin is not None or "cannot start any token" in problem else ""
    faults.add(mark, (), f"is no YAML: {', '.join(filter(None, (problem, context)))}{advice}")


class _Hostile(Exception):  # noqa: N818 - ends the reading; its fault is noted
    """What follows could take time quadratic in its size to read, and is no recipe."""


class _Builder:
    def __init__(
        self, source: str, faults: Faults, interpolate: Interpolate, origin: Mark | None
    ) -> None:
        self.source, self.faults, self.interpolate, self.origin = (
            source,
            faults,
            interpolate,
            origin,
        )
        self.result = Document()

    @property
    def _advice(self) -> str:
        return QUOTING if self.origin is not None else ""

    def document(self, events: Iterator[Event]) -> Document | None:
        self.events = events
        seen = False
        for event in events:
            if isinstance(event, DocumentStartEvent) and seen:
                self.faults.add(self._mark(event), (), "a second document begins, expected one")
                break
            if isinstance(event, ScalarEvent | AliasEvent | MappingStartEvent | SequenceStartEvent):
                self.result.data, seen = self._node(event, ()), True
        return self.result if seen else None

    def _mark(self, event: Event) -> Mark:
        at = event.start_mark
        return self.origin or Mark(self.source, at.line + 1, at.column + 1)

    def _refuse(self, event: Event, path: Path, text: str) -> None:
        self.faults.add(self._mark(event), path, text)
        self.result.broken.add(path)

    def _node(self, event: Any, path: Path) -> Any:
        self.result.values[path] = self._mark(event)
        if isinstance(event, AliasEvent):
            told = f"*{event.anchor} is an alias: write the value out{self._advice}"
            return self._refuse(event, path, told)
        if event.anchor:
            told = f"&{event.anchor} is an anchor: recipes have none, remove it{self._advice}"
            self._refuse(event, path, told)
        if event.tag:
            told = f"the tag {event.tag} is not allowed, recipes are plain data{self._advice}"
            self._refuse(event, path, told)
        if isinstance(event, ScalarEvent):
            return self._scalar(event, path)
        if len(path) >= MAX_DEPTH:
            self._refuse(event, path[:MAX_DEPTH], f"nested deeper than {MAX_DEPTH} levels")
            raise _Hostile
        return self._mapping(path) if isinstance(event, MappingStartEvent) else self._list(path)

    def _scalar(self, event: ScalarEvent, path: Path) -> Any:
        try:
            text = self.interpolate(_unicode(event.value))
            if ENVIRONMENT in event.value:
                self.result.secret[path] = event.value
            plain = event.style is None or event.style == ""
            return parse_scalar(text) if plain else text
        except ValueError as error:
            return self._refuse(event, path, str(error))

    def _list(self, path: Path) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self.events), SequenceEndEvent):
            items.append(self._node(event, (*path, len(items))))
        return items

    def _mapping(self, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(self.events), MappingEndEvent):
            if not isinstance(event, ScalarEvent) or event.tag or event.anchor:
                self._refuse(event, path, "a key must be plain text")
                raise _Hostile
            try:
                name = _unicode(event.value)
            except ValueError as error:
                self._refuse(event, path, str(error))
                self._ignored(path)
                continue
            inner = (*path, name)
            if name in found:
                first = self.result.keys[inner]
                told = f"given twice, first at {first.position or first}"
                self.faults.add(self._mark(event), inner, told)
                self._ignored(inner)
                continue
            self.result.keys[inner] = self._mark(event)
            found[name] = self._node(next(self.events), inner)
        return found

    def _ignored(self, path: Path) -> None:
        """Read a value that has no place in the result, for its faults alone."""
        kept, self.result = self.result, Document()
        self._node(next(self.events), path)
        self.result = kept


def _unicode(text: str) -> str:
    """Join surrogates that were escaped in pairs, as in JSON; lone ones are a ValueError."""
    if not any("\ud800" <= character <= "\udfff" for character in text):
        return text
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise ValueError(f"{text!a} holds half a surrogate pair, expected Unicode") from None


def show(value: Any) -> str:
    """A value as a fault quotes it."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


__all__ = ["Document", "dotted", "parse_scalar", "parse_yaml", "read_typed", "show"]
