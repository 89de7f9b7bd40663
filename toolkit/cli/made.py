"""A function made into a command of the command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer

from toolkit.cli.guard import guarded


def make_command(name: str, function: Callable[..., None], **settings: Any) -> Any:
    """Returns a command whose errors are answered as the `toolkit` command answers them."""
    app = typer.Typer(
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"max_content_width": 100},
    )
    app.command(name, **settings)(guarded(function))
    return typer.main.get_command(app)
