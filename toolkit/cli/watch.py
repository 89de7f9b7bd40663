"""`toolkit watch`: a local page that follows runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def watch(
    folders: Annotated[
        list[Path], typer.Argument(metavar="RUN|FOLDER", help="Run folders, or folders of runs.")
    ],
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65535, help="Default: a free one.")
    ] = 0,
) -> None:
    """Follow runs on a page in the browser: trials, curves, parallel coordinates, front.

    The page is served on this machine alone, to those who have the printed
    address with its token. Runs may be at work or ended; they can be stopped
    and gone on with. Ctrl-C ends the page, and no run.
    """
    from toolkit.api.watch import watch as serve

    serve(folders, port=port, started=lambda address: typer.echo(f"{address}\nCtrl-C ends it."))
