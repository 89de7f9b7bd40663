"""A pruner in a sweep with seeds, with real workers: bad configurations end early as a whole."""

from __future__ import annotations

import itertools
from contextlib import closing
from pathlib import Path

from toolkit.registry import Registry
from toolkit.run.ledger import Ledger
from toolkit.run.records import TrialRecord
from toolkit.sweeps import Request, make_plan, parse_axis, run_sweep

PLUGIN = Path(__file__).parents[1] / "engine" / "tiny_plugin"
RECIPE = """\
version: 1
name: tiny
task: tiny_task
space: {name: tiny_space, epochs: 6, pause_s: 0.02}
strategy: draw
resources: {workers: 1, threads: 1}
"""
SEEDS, EPOCHS = 3, 6


def sweep(folder: Path, configurations: int) -> dict[int, list[TrialRecord]]:
    """Run, or go on with, a sweep; its trials by configuration."""
    recipe = folder.parent / "tiny.yaml"
    recipe.write_text(RECIPE)
    request = Request(
        axes=(parse_axis("space.gain=uniform(0,1)"),),
        strategy="{name: optuna.random, pruner: {name: median, n_startup_trials: 2}}",
        trials=configurations,
        seeds=SEEDS,
        architecture={"width": 8, "depth": 1},
    )
    plan = make_plan(str(recipe), [], request, Registry([PLUGIN]))
    code, _ = run_sweep(plan, folder)
    assert code == 0
    with closing(Ledger.open(folder / "ledger.sqlite", read_only=True)) as ledger:
        records = ledger.trials("search")
    grouped = itertools.groupby(records, key=lambda record: record.token["configuration"])
    return {number: list(members) for number, members in grouped}


def test_a_pruner_ends_configurations_early_and_goes_on_to_after_a_resume(tmp_path: Path) -> None:
    first = sweep(tmp_path / "run", 5)
    both = sweep(tmp_path / "run", 12)
    assert [len(first), len(both)] == [5, 12]
    assert list(itertools.islice(both.values(), 5)) == list(first.values()), "nothing runs again"
    whole = [trials for trials in both.values() if trials[-1].state == "done"]
    ended = [trials for trials in both.values() if trials[-1].state == "pruned"]
    assert len(whole) + len(ended) == 12
    assert all([trial.state for trial in trials] == ["done"] * SEEDS for trials in whole)
    assert all(trial.epochs_paid == EPOCHS for trials in whole for trial in trials)
    assert all(trial.state == "done" for *before, _ in ended for trial in before)
    assert any(len(trials) < SEEDS for trials in ended), "repeats are spared"
    assert sum(trials[-1].epochs_paid for trials in ended) < EPOCHS * len(ended), "and epochs"
    later = [trials for number, trials in both.items() if number > 5 and trials in ended]
    assert ended and later, "with this seed some are bad, also of those after the resume"
