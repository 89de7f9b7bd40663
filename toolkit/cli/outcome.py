"""What a run came to, as tables: networks in the test, their costs, the Pareto front."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from toolkit.cli.output import print_table

if TYPE_CHECKING:
    from toolkit import Run, Statistics


def print_outcome(run: Run, as_json: bool = False) -> None:
    """Prints the end of a search: the table of networks, if the run got that far."""
    if as_json or run.outcome is None:
        return
    typer.echo("")
    print_results(run)
    print_contest(run)
    print_front(run)
    print_handed_over(run)
    typer.echo(f"\n{run.folder / 'best'}")


def print_handed_over(run: Run) -> None:
    """Prints what `best/` holds with its test, what is wrong with it, and the verdict."""
    if run.outcome is not None:
        name = run.outcome.handed_over
        tested = run.outcome.test_of(name)
        said = ", ".join(f"{metric} {_mean_std(tested[metric])}" for metric in list(tested)[:1])
        typer.echo(f"\nHanded over: {name}" + (f", test {said}" if said else ""))
    if holds := run.handed_over:
        typer.echo(f"best/ holds {holds}.")
    if warning := run.warning:
        typer.echo(warning)
    networks = run.networks
    if len(networks) > 1 and not networks[0].part:
        typer.echo(f"{run.verdict.partition('. ')[0].rstrip('.')}.")


def print_results(run: Run) -> None:
    """Prints test metrics as mean ± standard deviation over the seeds, costs and times."""
    networks = run.networks
    metrics = list(networks[0].test)
    rows = [
        [
            network.title,
            network.parameters,
            *(_mean_std(network.test.get(metric)) for metric in metrics),
        ]
        for network in networks
    ]
    print_table(["network", "parameters", *(f"test {metric}" for metric in metrics)], rows)
    _print_costs(run)
    times = run.outcome.times_s if run.outcome else {}
    if times:
        typer.echo("\n" + ", ".join(f"{part} {seconds:.0f} s" for part, seconds in times.items()))


def _print_costs(run: Run) -> None:
    """Prints what each network costs when deployed, and the constraints that one breaks."""
    known = [network for network in run.networks if network.costs]
    names = [n for n in dict.fromkeys(n for one in known for n in one.costs) if n != "parameters"]
    if not names:
        return
    rows = [
        [
            one.title,
            *(_cost(one.costs.get(name)) for name in names),
            "breaks " + ", ".join(one.breaks) if one.breaks else "",
        ]
        for one in known
    ]
    typer.echo("")
    print_table(["network", *names, ""], rows)


def _cost(result: Statistics | None) -> str:
    from toolkit.base.summary import format_cost

    return "" if result is None else format_cost(result)


def print_front(run: Run) -> None:
    """Prints the Pareto front as a table, where there are several objectives."""
    several = run.front
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


def print_contest(run: Run) -> None:
    """Prints which of the found network and its rivals did best, where the space has rivals."""
    networks = run.networks
    if len(networks) > 1 and networks[0].part:
        typer.echo(f"\n{run.verdict}")


def _mean_std(result: Statistics | None) -> str:
    if result is None:
        return ""
    from toolkit.base.summary import format_metric

    return format_metric(result) + (f" ({len(result.seeds)})" if result.seeds else "")
