"""Commands that read a run folder: `status`, `trials`, `show`, `logs`, `best`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolkit.cli.guard import working_in
from toolkit.cli.options import AsJson, RunArgument
from toolkit.cli.outcome import print_contest, print_front, print_handed_over, print_results
from toolkit.cli.output import print_facts, print_json, print_table

if TYPE_CHECKING:
    from toolkit import Run

Number = Annotated[int, typer.Argument(metavar="NUMBER", help="Number of a trial.")]
_WELL = ("done", "pruned", "queued", "running", "lost")
"""States of a trial that has not ended badly."""
_OF_STUDIES = ("run", "study", "strategy", "trials", "budget", "best", "front", "hypervolume")
"""What is worth saying of an ask-and-tell study: it has no engine, no final trainings, no test."""


def status(run: RunArgument, as_json: AsJson = False) -> None:
    """Say how far a run is."""
    facts = _opened(run).status
    if as_json:
        print_json(facts)
    elif "study" in facts:
        said = (
            f"{facts['study']}; your own program asks and tells (toolkit.Study), nothing is tested"
        )
        print_facts({**{name: facts[name] for name in _OF_STUDIES if name in facts}, "study": said})
    else:
        print_facts(facts)


def trials(
    run: RunArgument,
    everything: Annotated[
        bool, typer.Option("--all", help="Final trainings too, not the search alone.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List a run's trials."""
    from toolkit.api.columns import decided_at, few_decided

    listed = _opened(run).rows(everything)
    if as_json:
        for trial in listed:
            print_json(trial)
        return
    header = ["number", "state", "fingerprint", "seed", "epochs", "values", "parameters", "seconds"]
    chosen = list(dict.fromkeys(name for trial in listed for name in trial["searched"]))
    decisions = [decided_at(trial["point"] or {}) for trial in listed]
    few = few_decided(
        own for trial, own in zip(listed, decisions, strict=True) if trial["phase"] == "search"
    )
    chosen += [name for name in few if name not in chosen]
    header[5:5] = chosen
    rows = [
        _cells(trial, [{**own, **trial["searched"]}.get(name) for name in chosen])
        for trial, own in zip(listed, decisions, strict=True)
    ]
    if any(trial["continues"] is not None or trial["origin"] for trial in listed):
        header += ["continues", "paid epochs"]
        for row, trial in zip(rows, listed, strict=True):
            row += [trial["continues"] or trial["origin"] or None, trial["epochs_paid"]]
    if everything:
        header.insert(1, "label")
        for row, trial in zip(rows, listed, strict=True):
            row.insert(1, trial["label"] or trial["kind"])
    print_table(header, rows, [trial["state"] not in _WELL for trial in listed])


def _cells(trial: Mapping[str, Any], chosen: Sequence[Any]) -> list[Any]:
    from toolkit.base.lines import values_text

    return [
        trial["number"],
        trial["state"],
        trial["fingerprint"][:8],
        trial["seed"],
        trial["fidelity"].get("epochs"),
        *chosen,
        values_text(trial["values"]),
        trial["parameters"],
        trial["duration_s"],
    ]


def show(run: RunArgument, number: Number, as_json: AsJson = False) -> None:
    """Show one trial: its architecture, its metrics epoch by epoch, its error."""
    trial = _opened(run).trial(number)
    if as_json:
        print_json(trial)
        return
    facts = {name: value for name, value in trial.items() if value not in (None, "", {}, [])}
    error, point = facts.pop("error", ""), facts.pop("point", None)
    metrics = facts.pop("metrics", ())
    print_facts(facts)
    if point is not None:
        typer.echo(f"\n{json.dumps(point, indent=2)}")
    if metrics:
        names = list(dict.fromkeys(name for metric in metrics for name in metric))
        typer.echo("")
        header = ["epoch" if name == "step" else name for name in names]
        print_table(header, [[metric.get(name) for name in names] for metric in metrics])
    if error:
        typer.echo(f"\n{error}")


def logs(
    run: RunArgument,
    number: Annotated[
        int | None, typer.Argument(metavar="NUMBER", help="Of this trial, not of the engine.")
    ] = None,
) -> None:
    """Print the engine's log, or what a trial printed."""
    opened = _opened(run)
    if number is not None:
        source = opened.trial(number)["source"]
        if source is not None:
            typer.echo(f"Trial {number} was answered by trial {source}, nothing ran.")
            return
    for path in opened.logs(number):
        with path.open(encoding="utf-8", errors="replace") as stream:
            for line in stream:
                typer.echo(line.rstrip("\n"))


def best(run: RunArgument, as_json: AsJson = False) -> None:
    """Show what a run has found: the best architecture, tested beside its rivals."""
    from toolkit import ToolkitError

    opened = _opened(run)
    facts = opened.result()
    if facts is None:
        raise ToolkitError(
            f"No trial of {run} has ended well yet.",
            hint=f"`toolkit status {run}` says how far it is, `toolkit trials {run}` lists them.",
        )
    if as_json:
        print_json(facts)
        return
    if (over := opened.evaluation) is not None:
        typer.echo(f"Evaluation: {over.network}: {over.sentence}.")
        typer.echo("Each fold has a run of its own, of which none is the best:")
        typer.echo(f"  {run / 'report.html'}\n  {run / 'evaluation.csv'}")
        return
    names = ["trial", "fingerprint", "values", "parameters", "folder"]
    if opened.outcome is not None and opened.outcome.handed_over != "found":
        # The folder holds another network, which the end says.
        names.remove("folder")
        typer.echo(
            "What the search found, which is not what best/ holds"
            f" (`toolkit export {run} --network found` hands it over):\n"
        )
    of_study = opened.state.endswith("study")
    if of_study:
        names = ["trial", "values"]
    print_facts({name: facts.get(name) for name in names} | facts["searched"])
    if of_study:
        status = opened.state.removesuffix(" study")
        typer.echo(
            f"\nAsk-and-tell study, {status}: your own program trains and tests what it finds."
        )
        print_front(opened)
        return
    typer.echo(f"\n{json.dumps(facts['architecture'], indent=2)}\n")
    if facts["test"] is None:
        typer.echo("Not tested yet: the run has not ended.")
    else:
        print_results(opened)
    print_contest(opened)
    print_front(opened)
    print_handed_over(opened)


def _opened(folder: Path) -> Run:
    from toolkit import Run

    run = Run(folder)
    working_in(folder)
    return run
