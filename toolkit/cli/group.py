"""The commands of `toolkit`, each imported when it is called for.

What the list of commands says of each is in the table that shells complete words from, which is
made of the commands' own help.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, MutableMapping
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from typer.core import TyperCommand, TyperGroup

from toolkit.cli.made import make_command

HOMES = {
    "init": "start",
    "search": "search",
    "sweep": "sweep",
    "retrain": "retrain",
    "evaluate": "evaluate",
    "validate": "search",
    "status": "read",
    "trials": "read",
    "show": "read",
    "logs": "read",
    "best": "read",
    "report": "report",
    "watch": "watch",
    "predict": "predict",
    "sample": "sample",
    "export": "export",
    "test": "test",
    "runs": "runs",
    "reproduce": "runs",
    "delete": "runs",
    "plugins": "about",
    "schema": "about",
    "recipes": "about",
    "doctor": "about",
    "completion": "about",
}
"""Commands in the order of the help, and the modules of `toolkit.cli` that have a function each."""
TABLE = Path(__file__).parent / "completion" / "table.json"
_LISTS = "`toolkit runs` lists runs, `toolkit recipes` recipes."
INSTEAD = {
    "compare": "`toolkit report RUN RUN...` compares runs on a page.",
    "help": "`toolkit --help` lists the commands.",
    "list": _LISTS,
    "ls": _LISTS,
    "resume": "`toolkit search` with the same recipe goes on with a run.",
    "run": "`toolkit search RECIPE` runs a recipe.",
    "train": "`toolkit search RECIPE` runs a recipe, `toolkit retrain` trains one architecture.",
}
"""What to give in place of words that people try."""
_WRITING = "`plugins new KIND NAME` writes a plugin, `plugins check PATH` says what one lacks."


class Commands(MutableMapping[str, Any]):
    """Name -> command, those of plugins too; a command is imported when it is first asked for."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    @cached_property
    def _contributed(self) -> dict[str, str]:
        import sys

        from toolkit.cli.contributed import declared

        found = declared(sys.path)
        return {name: found[name] for name in sorted(found) if name not in HOMES}

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*HOMES, *self._contributed, *self._made]))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return name in HOMES or name in self._made or name in self._contributed

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            if name not in self:
                raise KeyError(name)
            self._made[name] = self._make(name)
        return self._made[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        del self._made[name]

    def target(self, name: str) -> str:
        """Returns `module:function` of a plugin's command; empty for one of the toolkit."""
        return self._contributed.get(name, "")

    def _make(self, name: str) -> Any:
        if name == "plugins":
            from toolkit.cli.verbs import WithVerbs

            return make_command(name, self.function(name), cls=WithVerbs, epilog=_WRITING)
        return make_command(name, self.function(name))

    def function(self, name: str) -> Callable[..., None]:
        """Returns the function of a command, which its options are read from."""
        if name in HOMES:
            found = getattr(import_module(f"toolkit.cli.{HOMES[name]}"), name)
        else:
            from toolkit.cli.contributed import load

            found = load(name, self._contributed[name])
        command: Callable[..., None] = found
        return command


class LazyGroup(TyperGroup):
    """A group whose commands are imported when they are called for."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**{**attributes, "commands": {}})
        self.commands: Commands = Commands()

    def list_commands(self, ctx: Any) -> list[str]:
        """Returns the names in the order of the help."""
        return list(self.commands)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Finds the command; says what to give in place of words that people try."""
        if args[0] in INSTEAD and args[0] not in self.commands:
            ctx.fail(f"There is no command {args[0]!r}. {INSTEAD[args[0]]}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Writes name and purpose of each command, and imports only those not in the table."""
        table = json.loads(TABLE.read_text(encoding="utf-8"))["commands"]
        shown: dict[str, Any] = {}
        for name in self.commands:
            known = table.get(name, {})
            if name in HOMES or known.get("target") == self.commands.target(name):
                shown[name] = TyperCommand(name, help=known["purpose"])
            else:
                shown[name] = self.commands[name]
        TyperGroup(commands=shown).format_commands(ctx, formatter)
