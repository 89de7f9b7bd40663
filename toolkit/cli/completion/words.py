"""The words that may follow on a command line.

Commands, options and keys are read from `table.json`, which `scripts/generate_docs.py` makes of the
command line and the recipe's schema; plugins from the metadata of installed packages; runs from
`runs/`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("table.json")
PLUGIN_WORDS = {
    "task": "tasks",
    "task.name": "tasks",
    "space": "search_spaces",
    "space.name": "search_spaces",
    "strategy": "strategies",
    "strategy.name": "strategies",
    "resources.executor": "executors",
    "track": "trackers",
}
"""Keys of a recipe whose values are names of plugins, and the kinds of these."""
OPTION_KINDS = {"--strategy": "strategies", "--executor": "executors", "--task": "tasks"}
CHOICES = {
    "FORMAT": ("torch-export", "onnx", "state-dict", "all"),
    "KIND": ("search-space", "task", "strategy", "executor"),
    "SHELL": ("bash", "zsh", "fish"),
    "TABLE": ("nasbench201", "nasbench-macro"),
    "TOTAL=MORE": ("trials=", "time=", "epochs="),
    "--folds": ("leave_one_group_out", "groups:", "stratified:", "repeated:"),
}
"""Values of arguments, by how these are called in the help; of an option by its own name."""
VERBS = "plugins"
"""The command whose first word may be another command's."""


def answer(arguments: Sequence[str], shell: str) -> list[str]:
    """Returns the words that may stand in place of the last argument, sorted.

    Args:
        arguments: the words of the command line after `toolkit`; the last is what is being typed.
        shell: `bash` takes what comes after `=` alone, as it parts words there.
    """
    words = _joined(arguments) if shell == "bash" else list(arguments) or [""]
    *before, current = words
    found = sorted({word for word in _candidates(before, current) if word.startswith(current)})
    if shell == "bash" and "=" in current:
        start = current.rindex("=") + 1
        found = [word[start:] for word in found]
    return found


def _joined(arguments: Sequence[str]) -> list[str]:
    """Words as they were before bash parted them at `=`."""
    words: list[str] = []
    for word in arguments or [""]:
        glue = words and (word.startswith("=") or words[-1].endswith("="))
        if glue and (word == "=" or not word.startswith("-")):
            words[-1] += word
        else:
            words.append(word)
    return words


def _candidates(before: Sequence[str], current: str) -> Iterable[str]:
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    if not before:
        flags = ["--help", "--version"] if current.startswith("-") else []
        return [*(name for name in table["commands"] if " " not in name), *flags]
    name, rest = before[0], list(before[1:])
    if name == VERBS and rest and f"{name} {rest[0]}" in table["commands"]:
        name, rest = f"{name} {rest[0]}", rest[1:]
    command = table["commands"].get(name)
    if command is None:
        return []
    options: dict[str, str] = command["options"]
    if rest and options.get(rest[-1]):
        if rest[-1] == "--network":
            return networks(rest)
        return _values(options[rest[-1]], rest[-1], current, table)
    if current.startswith("-"):
        return [*options, "--help"]
    place = _position(rest, options)
    arguments = command["arguments"]
    if not arguments or (place >= len(arguments) and not command["repeats"]):
        return []
    kind = arguments[min(place, len(arguments) - 1)]
    verbs = [w.split()[1] for w in table["commands"] if name == VERBS and w.startswith(f"{name} ")]
    return [*_values(kind, "", current, table), *verbs]


def _position(words: Sequence[str], options: dict[str, str]) -> int:
    """How many arguments stand among words of options and their values."""
    place, skip = 0, False
    for word in words:
        if skip:
            skip = False
        elif word.startswith("-"):
            skip = bool(options.get(word))
        else:
            place += 1
    return place


def _values(kind: str, option: str, current: str, table: dict[str, Any]) -> Iterable[str]:
    if option in OPTION_KINDS:
        return plugins(OPTION_KINDS[option])
    if option in CHOICES:
        return CHOICES[option]
    match kind:
        case "RECIPE":
            return [*table["recipes"], *_paths(current, (".yaml", ".yml"))]
        case "KEY=VALUE" | "KEY=VALUES":
            return _keys(current, table["keys"])
        case "RUN" | "RUN|FOLDER":
            known = set(runs())
            return [*known, *(p for p in _paths(current, ()) if p.rstrip("/") not in known)]
        case "NAME" if not option:
            return plugins(*set(PLUGIN_WORDS.values()), "trackers")
        case "FILE" | "PATH" | "DATA" | "FOLDER" | "RUN|FILE":
            return _paths(current, None)
    return CHOICES.get(kind, ())


def _keys(current: str, keys: Iterable[str]) -> Iterable[str]:
    key, equals, _ = current.partition("=")
    if equals:
        return [f"{key}={name}" for name in plugins(PLUGIN_WORDS.get(key, ""))]
    return [f"{each}=" for each in keys]


def runs() -> Iterator[str]:
    """Yields the run folders in `runs/`."""
    return (str(path.parent) for path in Path("runs").glob("*/ledger.sqlite"))


def networks(words: Iterable[str]) -> set[str]:
    """Returns the networks that the run folder among words has trained from scratch."""
    folders = (path for word in words for path in Path(word, "final").glob("*-seed[0-9]*"))
    return {path.name.rpartition("-seed")[0] for path in folders}


def plugins(*kinds: str) -> list[str]:
    """Returns the names of installed plugins, read from the packages' files."""
    groups, names = {f"[toolkit.{kind}]" for kind in kinds}, set()
    for folder in sys.path:
        for path in Path(folder).glob("*-info/entry_points.txt"):
            try:
                text = path.read_text(encoding="utf-8")
            except (OSError, ValueError):
                continue
            if "[toolkit." not in text:
                continue
            section = ""
            for line in map(str.strip, text.splitlines()):
                if line.startswith("["):
                    section = line
                elif section in groups and "=" in line:
                    names.add(line.partition("=")[0].strip())
    return sorted(names)


def _paths(current: str, suffixes: Sequence[str] | None) -> Iterator[str]:
    """Yields folders, and files of some endings, that begin as what is typed."""
    head, tail = os.path.split(current)
    try:
        entries = list(os.scandir(Path(head or ".").expanduser()))
    except OSError:
        return
    for entry in entries:
        if not entry.name.startswith(tail) or entry.name.startswith(".") > tail.startswith("."):
            continue
        path = f"{head.rstrip('/')}/{entry.name}" if head else entry.name
        if entry.is_dir():
            yield f"{path}/"
        elif suffixes is None or entry.name.endswith(tuple(suffixes)):
            yield path
