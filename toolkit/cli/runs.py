"""`toolkit runs`, `toolkit delete` and `toolkit reproduce`: what was run before."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from toolkit.cli.guard import working_in
from toolkit.cli.options import AsJson, RunArgument
from toolkit.cli.output import print_facts, print_json, print_table


def runs(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where to look, at any depth.")
    ] = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """List the runs below a folder, beside each other: state, best result, test."""
    from toolkit import compare_runs

    rows = compare_runs(folder)
    if as_json:
        for row in rows:
            print_json(row)
        return
    names = ("run", "state", "space", "strategy", "trials", "objective", "best", "test", "test_of")
    bad = [row["state"] in ("damaged", "failed") for row in rows]
    print_table(
        [name.replace("_", " ") for name in names],
        [[row.get(name) for name in names] for row in rows],
        bad,
    )


def delete(
    run: RunArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a run folder with all that it holds, after asking."""
    from toolkit import Run, delete_run

    opened = Run(run)
    typer.echo(repr(opened))
    if not yes:
        typer.confirm(f"Delete {run} with all that it holds?", abort=True)
    delete_run(opened)
    typer.echo(f"{run} is deleted.")


def reproduce(
    run: RunArgument,
    number: Annotated[
        str, typer.Argument(metavar="NUMBER", help="Number of a trial; smoke: the first batch.")
    ],
    as_json: AsJson = False,
) -> None:
    """Run one trial again in this process, without touching the run; ends with 1 if it fails."""
    from toolkit import Run

    opened = Run(run)
    working_in(run)
    again = opened.reproduce(number, None if as_json else _show)
    if as_json:
        print_json(again)
    else:
        print_facts({name: value for name, value in again.items() if value not in (None, "", {})})
    if again["state"] != "done":
        raise typer.Exit(1)


def _show(step: int, values: Mapping[str, Any]) -> None:
    typer.echo(f"{step}  " + "  ".join(f"{name} {value:.4g}" for name, value in values.items()))
