"""Commands that plugins add: entry points of the group `toolkit.commands`, one function each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import Any

GROUP = "toolkit.commands"


def load(name: str, target: str) -> Callable[..., Any]:
    """Returns the function of a contributed command.

    One that does not load is a command that says so when it is called.

    Args:
        name: of the command.
        target: its `module:function`.
    """
    module, _, attribute = target.partition(":")
    try:
        found: Callable[..., Any] = attrgetter(attribute)(import_module(module))
    except Exception as error:
        return _broken(name, target, error)
    return found


def declared(folders: Iterable[str]) -> dict[str, str]:
    """Returns name and `module:function` of the commands that installed packages declare.

    Their files are read here, because to import `importlib.metadata` takes longer than all the rest
    of `toolkit --help` that is ours.

    Args:
        folders: where packages are looked for, as in `sys.path`; the first one counts.
    """
    found: dict[str, str] = {}
    for folder in folders:
        for path in sorted(Path(folder).glob("*-info/entry_points.txt")):
            section = ""
            for line in path.read_text(encoding="utf-8").splitlines():
                name, equals, target = (part.strip() for part in line.partition("="))
                if name.startswith("["):
                    section = name.strip("[]")
                elif equals and section == GROUP and not name.startswith("#"):
                    found.setdefault(name, target)
    return found


def _broken(name: str, target: str, error: Exception) -> Callable[[], None]:
    def command() -> None:
        from toolkit.base.errors import PluginError

        raise PluginError(
            f"The command {name} ({target}) does not load: {error}.",
            hint="Install its package again, or remove it.",
        )

    command.__doc__ = "This command does not load."
    return command
