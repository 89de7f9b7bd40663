"""Commands that read a run folder: `status`, `trials`, `show`, `logs`, `best`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolkit.cli.guard import working_in
from toolkit.cli.output import print_facts, print_json, print_table

if TYPE_CHECKING:
    from toolkit.run.ledger import Ledger
    from toolkit.run.records import TrialRecord

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")]
Number = Annotated[int, typer.Argument(metavar="NUMBER", help="Number of a trial.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON Lines.")]


def status(run: RunArgument, as_json: AsJson = False) -> None:
    """Say how far a run is."""
    from toolkit.run.lock import holder
    from toolkit.run.status import summary

    with open_ledger(run) as ledger:
        facts = {"run": str(run), "engine": holder(run) or "not running", **summary(ledger)}
    print_json(facts) if as_json else print_facts(facts)


def trials(
    run: RunArgument,
    everything: Annotated[
        bool, typer.Option("--all", help="Final trainings too, not the search alone.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List a run's trials."""
    with open_ledger(run) as ledger:
        records = ledger.trials(None if everything else "search")
    if as_json:
        for record in records:
            print_json(_row(record))
        return
    header = ["number", "state", "fingerprint", "seed", "epochs", "values", "parameters", "seconds"]
    rows = [
        [
            record.number,
            str(record.state),
            record.fingerprint[:8],
            record.seed,
            record.fidelity.get("epochs"),
            _values(record),
            record.parameters,
            record.duration_s,
        ]
        for record in records
    ]
    if any(record.continues is not None or record.origin for record in records):
        header += ["continues", "paid epochs"]
        for row, record in zip(rows, records, strict=True):
            row += [record.continues or record.origin or None, record.epochs_paid]
    if everything:
        header.insert(1, "label")
        for row, record in zip(rows, records, strict=True):
            row.insert(1, record.label or record.kind)
    print_table(header, rows, [record.state.ended and not _good(record) for record in records])


def show(run: RunArgument, number: Number, as_json: AsJson = False) -> None:
    """Show one trial: its architecture, its metrics epoch by epoch, its error."""
    with open_ledger(run) as ledger:
        record = _trial(ledger, run, number)
        metrics = ledger.metrics(number)
    if as_json:
        steps = [{"step": metric.step, **metric.values} for metric in metrics]
        print_json({**_row(record), "metrics": steps})
        return
    facts = {name: value for name, value in _row(record).items() if value not in (None, "", {}, [])}
    error, point = facts.pop("error", ""), facts.pop("point", None)
    print_facts(facts)
    if point is not None:
        import json

        typer.echo(f"\n{json.dumps(point, indent=2)}")
    if metrics:
        names = list(dict.fromkeys(name for metric in metrics for name in metric.values))
        rows = [[metric.step, *(metric.values.get(name) for name in names)] for metric in metrics]
        typer.echo("")
        print_table(["epoch", *names], rows)
    if error:
        typer.echo(f"\n{error}")


def logs(
    run: RunArgument,
    number: Annotated[
        int | None, typer.Argument(metavar="NUMBER", help="Of this trial, not of the engine.")
    ] = None,
) -> None:
    """Print the engine's log, or what a trial printed."""
    if number is None:
        with open_ledger(run):
            paths = [run / "engine.log"]
    else:
        with open_ledger(run) as ledger:
            record = _trial(ledger, run, number)
        paths = [run / record.folder / name for name in ("stdout.log", "stderr.log")]
        if record.source is not None:
            typer.echo(f"Trial {number} was answered by trial {record.source}, nothing ran.")
            return
    for path in paths:
        if path.is_file():
            with path.open(encoding="utf-8", errors="replace") as stream:
                for line in stream:
                    typer.echo(line.rstrip("\n"))


def best(run: RunArgument, as_json: AsJson = False) -> None:
    """Show what a run has found: the best architecture, tested beside its rivals."""
    from toolkit.errors import ToolkitError
    from toolkit.run.facts import OUTCOME
    from toolkit.run.status import best_so_far, front

    with open_ledger(run) as ledger:
        outcome = OUTCOME.plain(ledger.get(OUTCOME))
        several = front(ledger)
        record = None if outcome else best_so_far(ledger)
    if outcome is None and record is None:
        raise ToolkitError(
            f"No trial of {run} has ended well yet.",
            hint=f"`toolkit status {run}` says how far it is, `toolkit trials {run}` lists them.",
        )
    if record is not None:
        outcome = {
            "architecture": (record.point or {}).get("architecture"),
            "point": record.point,
            "trial": record.number,
            "fingerprint": record.fingerprint,
            "values": dict(record.values),
            "parameters": record.parameters,
            "test": None,
            "baselines": {},
        }
    folder = run / "best"
    outcome = {**outcome, "folder": str(folder) if folder.is_dir() else None}
    if as_json:
        print_json({**outcome, "front": several} if several else outcome)
        return
    _print_best(outcome)
    _print_contest(run, outcome)
    _print_front(several)


def print_outcome(run: Path) -> None:
    """The end of a search: the table of networks, if the run got that far."""
    if not (run / "ledger.sqlite").is_file():
        return
    from toolkit.run.facts import OUTCOME
    from toolkit.run.status import front

    with open_ledger(run) as ledger:
        outcome = OUTCOME.plain(ledger.get(OUTCOME))
        several = front(ledger)
    if outcome is not None:
        typer.echo("")
        _print_results(outcome)
        _print_contest(run, outcome)
        _print_front(several)
        typer.echo(f"\n{run / 'best'}")


def _print_best(outcome: Mapping[str, Any]) -> None:
    import json

    names = ("trial", "fingerprint", "values", "parameters", "folder")
    print_facts({name: outcome.get(name) for name in names})
    typer.echo(f"\n{json.dumps(outcome['architecture'], indent=2)}\n")
    if outcome["test"] is None:
        typer.echo("Not tested yet: the run has not ended.")
    else:
        _print_results(outcome)


def _print_results(outcome: Mapping[str, Any]) -> None:
    """Test metrics as mean ± standard deviation over the seeds, and the time each part took."""
    metrics = list(outcome["test"])
    own = outcome.get("found_as")
    found = f"found ({own['name']})" if own else "found"
    networks = {found: {**outcome["test"], "parameters": outcome.get("parameters")}}
    networks.update(outcome["baselines"])
    rows = [
        [name, result.get("parameters"), *(_mean_std(result.get(metric)) for metric in metrics)]
        for name, result in networks.items()
    ]
    print_table(["network", "parameters", *(f"test {metric}" for metric in metrics)], rows)
    _print_costs(outcome, found)
    times = outcome.get("times_s") or {}
    if times:
        typer.echo("\n" + ", ".join(f"{part} {seconds:.0f} s" for part, seconds in times.items()))


def _print_costs(outcome: Mapping[str, Any], found: str) -> None:
    """What each network costs when deployed, and the constraints that one breaks."""
    from toolkit.analysis.summary import format_cost

    costs, broken = outcome.get("costs") or {}, outcome.get("infeasible") or {}
    names = [
        n for n in dict.fromkeys(n for own in costs.values() for n in own) if n != "parameters"
    ]
    if not names:
        return
    rows = []
    for name, own in costs.items():
        cells = [format_cost(own[cost]) if cost in own else "" for cost in names]
        row = [found if name == "found" else name, *cells]
        rows.append([*row, "breaks " + ", ".join(broken[name]) if name in broken else ""])
    typer.echo("")
    print_table(["network", *names, ""], rows)


def _print_front(several: Mapping[str, Any] | None) -> None:
    """The Pareto front as a table."""
    if several is None:
        return
    objectives = list(several["objectives"])
    volume = several["hypervolume"]
    said = "" if volume is None else f", hypervolume {volume:.6g}"
    count = len(several["points"])
    typer.echo(f"\nPareto front: {count} of {several['results']} trials{said}\n")
    rows = [
        [
            point["trial"],
            point["fingerprint"][:8],
            *(_whole(point["values"][n]) for n in objectives),
        ]
        for point in several["points"]
    ]
    print_table(["trial", "fingerprint", *objectives], rows)


def _whole(value: float) -> float | int:
    return int(value) if float(value).is_integer() else value


def _print_contest(run: Path, outcome: Mapping[str, Any]) -> None:
    """Which of the found network and its rivals did best, where the space has rivals."""
    if outcome.get("found_as") and outcome["baselines"]:
        from toolkit.report.facts import read_facts
        from toolkit.report.verdict import judge

        typer.echo(f"\n{judge(read_facts(run)).sentence}")


def _mean_std(result: Mapping[str, Any] | None) -> str:
    if not result:
        return ""
    from toolkit.analysis.summary import format_metric

    count = len(result.get("seeds") or ())
    return format_metric(result) + (f" ({count})" if count else "")


def _row(record: TrialRecord) -> dict[str, Any]:
    """A trial as JSON, without the engine's own notes."""
    names = (
        "number",
        "phase",
        "label",
        "kind",
        "state",
        "fingerprint",
        "seed",
        "fidelity",
        "values",
        "duration_s",
        "parameters",
        "attempts",
        "source",
        "continues",
        "epochs_paid",
        "origin",
        "folder",
        "error",
        "violations",
        "point",
    )
    row = {name: getattr(record, name) for name in names}
    return {**row, "state": str(record.state)}


def _values(record: TrialRecord) -> str:
    from toolkit.cli.console import values_text

    return values_text(record.values)


def _good(record: TrialRecord) -> bool:
    return str(record.state) in ("done", "pruned")


def _trial(ledger: Ledger, run: Path, number: int) -> TrialRecord:
    from toolkit.errors import RecipeError

    record = ledger.trial(number)
    if record is None:
        raise RecipeError(
            f"{run} has no trial {number}.", hint=f"`toolkit trials {run} --all` lists them."
        )
    return record


@contextmanager
def open_ledger(run: Path) -> Iterator[Ledger]:
    """The ledger of a run folder, to read.

    Raises:
        RecipeError: it is no run folder.
    """
    from toolkit.errors import RecipeError
    from toolkit.run.ledger import Ledger

    if not (run / "ledger.sqlite").is_file():
        if run.is_dir():
            what = "is no run folder: it holds no ledger.sqlite"
        else:
            what = "is a file, expected a run folder" if run.exists() else "does not exist"
        known = sorted(str(path.parent) for path in Path("runs").glob("*/ledger.sqlite"))
        raise RecipeError(
            f"{run} {what}.", hint=f"Runs here: {', '.join(known) or 'none in runs/'}."
        )
    working_in(run)
    ledger = Ledger.open(run / "ledger.sqlite", read_only=True)
    try:
        yield ledger
    finally:
        ledger.close()
