"""Arguments and options that several commands share.

For plugin authors who add a command: `AsJson`, the option `--json`, is stable.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RecipeArgument = Annotated[
    str, typer.Argument(metavar="RECIPE", help="A recipe file, or the name of a shipped recipe.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY=VALUE", help="Overrides: a.b=1, a.b+=[x], ~a.b."),
]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")]
Plugins = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugin", metavar="PATH", help="A local plugin: .py file, package or project folder."
    ),
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", metavar="N", min=1, help="Trials at once; default: cores or GPUs."),
]
ArchitectureFile = Annotated[
    Path | None,
    typer.Option(
        "--architecture",
        metavar="FILE",
        help="An architecture.json, as in a run's best/; also looked for beside the recipe.",
    ),
]
FromRun = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="RUN",
        help="The best architecture of this run folder; of a Pareto front, the point that its"
        " train.final.choose names.",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Warnings and the outcome alone.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="A line for each epoch, too.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON Lines.")]
