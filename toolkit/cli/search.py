"""`toolkit search` and `toolkit validate`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from toolkit.cli.console import Manner
from toolkit.cli.options import AsJson, Overrides, Plugins, Quiet, RecipeArgument, Verbose, Workers
from toolkit.cli.outcome import print_outcome
from toolkit.cli.output import print_facts, print_json
from toolkit.cli.running import plugins_print_elsewhere, run_shown

_ONLY_AS_JSON = ("parts", "groups", "warnings", "resolved")
"""Facts of `validate` that a person is told in words, or elsewhere."""

_HEADS = {"points": "in the space", "validated on": "trials judged on", "in the end": "at the end"}
"""Facts that a person knows by another name."""


def search(
    recipe: RecipeArgument,
    overrides: Overrides = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="RUN", help="Run folder; default runs/NAME."),
    ] = None,
    workers: Workers = None,
    executor: Annotated[
        str | None,
        typer.Option("--executor", metavar="NAME", help="Where trials run, e.g. local or nni."),
    ] = None,
    earlier: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="RUN",
            help="Begin with what an earlier run has tried: its trials inform the strategy, and"
            " where data, space and training are equal they count as this run's own, in the best"
            " and in the Pareto front.",
        ),
    ] = None,
    extend: Annotated[
        list[str] | None,
        typer.Option(
            "--extend",
            metavar="TOTAL=MORE",
            help="Add to the run's budget: trials=50, time=10m or epochs=200.",
        ),
    ] = None,
    plugin: Plugins = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Run a recipe: search, train what was found, test it, export it.

    The same command on the same run folder resumes.
    """
    import toolkit

    run_shown(
        Manner(as_json, quiet, verbose),
        lambda hear: toolkit.search(
            recipe,
            output=output,
            workers=workers,
            executor=executor,
            warm_start=earlier,
            extend=extend,
            plugins=plugin or (),
            on_event=hear,
            overrides=overrides,
        ),
        lambda run: print_outcome(run, as_json),
    )


def validate(
    recipe: RecipeArgument,
    overrides: Overrides = None,
    plugin: Plugins = None,
    as_json: AsJson = False,
) -> None:
    """Check a recipe, its data and its options without running anything."""
    import toolkit

    with plugins_print_elsewhere(as_json):
        facts = toolkit.validate(recipe, plugins=plugin or (), overrides=overrides)
    if as_json:
        print_json({"valid": True, **facts})
    else:
        shown = {
            _HEADS.get(name, name): value
            for name, value in _in_words(facts).items()
            if name not in _ONLY_AS_JSON and value not in ({}, [], "")
        }
        print_facts(shown)


def _in_words(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What is checked, as a person reads it."""
    points, folds = facts["points"], facts.get("validated on")
    aims = [f"{direction} {name}" for name, direction in facts["objectives"].items()]
    return {
        **facts,
        "points": f"{points:,} points" if points else "any number of points: values are continuous",
        "objectives": ", ".join(aims),
        "validated on": f"{folds}, of training and validation together" if folds else "",
    }
