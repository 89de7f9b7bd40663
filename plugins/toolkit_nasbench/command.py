"""`toolkit bench`: strategies measured on tables of trained architectures."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolkit.cli.options import AsJson

if TYPE_CHECKING:
    from toolkit_nasbench.bench import Benchmark, Line

STRATEGIES = ("auto", "evolution.regularized", "evolution.local", "random")
"""Strategies that are measured unless others are named."""


class TableName(StrEnum):
    """The tables there are."""

    NASBENCH201 = "nasbench201"
    MACRO = "nasbench-macro"


class Dataset(StrEnum):
    """The data sets of NAS-Bench-201."""

    CIFAR10 = "cifar10"
    CIFAR100 = "cifar100"
    IMAGENET = "imagenet"


def bench(
    table: Annotated[
        TableName,
        typer.Argument(
            metavar="TABLE", help="Of trained architectures: nasbench201 or nasbench-macro."
        ),
    ],
    dataset: Annotated[
        Dataset,
        typer.Option(
            "--dataset", metavar="NAME", help="Of nasbench201: cifar10, cifar100 or imagenet."
        ),
    ] = Dataset.CIFAR10,
    file: Annotated[
        Path | None,
        typer.Option("--table", metavar="PATH", help="Of nasbench-macro: its JSON file."),
    ] = None,
    seeds: Annotated[
        int, typer.Option("--seeds", metavar="N", min=1, help="Runs of each strategy.")
    ] = 20,
    first_seed: Annotated[
        int, typer.Option("--first-seed", metavar="N", min=0, help="Seed of the first.")
    ] = 0,
    strategy: Annotated[
        list[str] | None,
        typer.Option("--strategy", metavar="NAME", help="Measure this one; may be repeated."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure strategies on a table of trained architectures, beside Optuna alone.

    nasbench201: regret in points of validation accuracy. nasbench-macro: hypervolume of accuracy
    and parameters, as a share of the whole front's. Both after 50, 100 and 200 paid evaluations.
    """
    from toolkit.cli.output import print_json, print_table
    from toolkit_nasbench.bench import compare

    benchmark, peers = _benchmark(table, dataset, file)
    result = compare(
        benchmark, strategy or STRATEGIES, peers, range(first_seed, first_seed + seeds)
    )
    name = f"{table} {dataset}" if table is TableName.NASBENCH201 else str(table)
    if as_json:
        for line in result.lines:
            print_json(
                {
                    "benchmark": name,
                    "measure": result.measure,
                    "seeds": result.seeds,
                    "searcher": line.name,
                    "paid": result.paid,
                    "mean": line.mean,
                    "error": line.error,
                }
            )
        return
    header = (f"{name}: {result.measure}", *(f"at {count}" for count in result.paid))
    print_table(header, [_cells(line) for line in result.lines])


def _benchmark(
    table: TableName, dataset: Dataset, file: Path | None
) -> tuple[Benchmark, tuple[str, ...]]:
    from toolkit.errors import RecipeError
    from toolkit_nasbench.bench import Benchmark

    objectives: dict[str, Any]
    if table is TableName.NASBENCH201:
        task: dict[str, Any] = {"name": "nasbench201", "dataset": str(dataset)}
        return Benchmark(task, "nasbench201", {"val_accuracy": "maximize"}), ("tpe", "random")
    if file is None:
        raise RecipeError(
            "nasbench-macro needs its table.",
            hint="Give --table PATH, the authors' nas-bench-macro_cifar10.json.",
        )
    task = {"name": "nasbench_macro", "table": str(file)}
    objectives = {"accuracy": "maximize", "params": "minimize"}
    return Benchmark(task, "nasbench_macro", objectives), ("nsga2", "tpe", "random")


def _cells(line: Line) -> tuple[str, ...]:
    pairs = zip(line.mean, line.error, strict=True)
    return (line.name, *(f"{mean:.3f} ±{error:.3f}" for mean, error in pairs))
