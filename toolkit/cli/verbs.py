"""A command that is also the home of others: `toolkit plugins`, `toolkit plugins new`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from typer.core import TyperCommand

from toolkit.cli import authors
from toolkit.cli.made import make_command


class WithVerbs(TyperCommand):
    """Takes its first word for another command, where it is one of `verbs`."""

    verbs: ClassVar[dict[str, Callable[..., None]]] = {"new": authors.new, "check": authors.check}

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:
        if args and args[0] in self.verbs:
            verb = command_of(args[0])
            return verb.make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


def command_of(verb: str) -> Any:
    """The command of a verb, made when it is asked for."""
    return make_command(verb, WithVerbs.verbs[verb])
