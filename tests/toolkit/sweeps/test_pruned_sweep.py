"""A pruner in a sweep with seeds: bad configurations end early as a whole, also after a resume."""

from __future__ import annotations

import itertools
from contextlib import closing
from pathlib import Path

import pytest

from tiny import PLUGIN
from toolkit.registry import Registry
from toolkit.run.ledger import Ledger
from toolkit.run.records import TrialRecord
from toolkit.sweeps import Request, make_plan, parse_axis, run_sweep

PLUGINS = [PLUGIN, Path(__file__).with_name("inline_jobs.py")]
RECIPE = """\
version: 1
name: tiny
task: tiny_task
space: {name: tiny_space, epochs: 6}
strategy: draw
resources: {executor: inline_jobs, threads: 1}
"""
SEEDS, EPOCHS = 3, 6


def sweep(folder: Path, configurations: int, workers: int) -> dict[int, list[TrialRecord]]:
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
    plan = make_plan(str(recipe), [], request, Registry(PLUGINS))
    code, _ = run_sweep(plan, folder, workers=workers)
    assert code == 0
    with closing(Ledger.open(folder / "ledger.sqlite", read_only=True)) as ledger:
        records = sorted(ledger.trials("search"), key=lambda r: r.token["configuration"])
    grouped = itertools.groupby(records, key=lambda record: record.token["configuration"])
    return {number: list(members) for number, members in grouped}


@pytest.mark.parametrize("workers", [1, SEEDS])
def test_a_pruner_ends_configurations_early_and_goes_on_to_after_a_resume(
    tmp_path: Path, workers: int
) -> None:
    first = sweep(tmp_path / "run", 5, workers)
    both = sweep(tmp_path / "run", 14, workers)
    assert [len(first), len(both)] == [5, 14]
    assert list(itertools.islice(both.values(), 5)) == list(first.values()), "nothing runs again"
    ended = {n: [t for t in trials if t.state == "pruned"] for n, trials in both.items()}
    assert any(ended[number] for number in first) and any(ended[n] for n in both if n > 5)
    for number, trials in both.items():
        if not ended[number]:
            assert [trial.state for trial in trials] == ["done"] * SEEDS
        assert all(trial.epochs_paid < EPOCHS for trial in ended[number])
        assert all(trial.epochs_paid == EPOCHS for trial in trials if trial.state == "done")
    spared = [len(trials) for number, trials in both.items() if ended[number]]
    assert min(spared) == min(workers, SEEDS), "what was not begun never is"
