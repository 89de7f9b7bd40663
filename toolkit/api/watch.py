"""`watch`: a local page that follows runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from toolkit.base.errors import RecipeError


def watch(
    folders: Sequence[str | Path],
    *,
    port: int = 0,
    started: Callable[[str], object] = lambda address: None,
) -> None:
    """Serves a page that follows runs, on this machine alone, until Ctrl-C.

    Args:
        folders: run folders, or folders of runs.
        port: to listen on; 0 for any that is free.
        started: is called with the page's address, which holds a token that it needs.

    Raises:
        RecipeError: one is no folder, or the port is taken.
    """
    from toolkit.report.watch.server import WatchServer

    roots = [Path(folder) for folder in folders]
    for root in roots:
        if not root.is_dir():
            raise RecipeError(
                f"{root} is no folder.", hint="Name a run folder, or a folder of runs such as runs."
            )
    try:
        server = WatchServer(roots, port)
    except OSError as error:
        raise RecipeError(
            f"--port {port} cannot be listened on: {error.strerror}.",
            hint="Name another one, or leave it out: any free one is taken.",
        ) from error
    with server, suppress(KeyboardInterrupt):
        started(server.address)
        server.serve_forever()
    server.ending.set()
