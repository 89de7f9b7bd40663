"""Searches of a table: one of our strategies as the engine runs it, or one of Optuna's samplers.

A *paid* evaluation is one that would have to be trained. The engine answers repeats from the
ledger, so they are free here too; Optuna alone knows no such thing and pays for all.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Protocol

from toolkit.contracts import Exhausted, Proposal, Trial, TrialState
from toolkit.engine import seeds
from toolkit.engine.budget import REPEATS
from toolkit.problem import Problem
from toolkit.recipe import from_plain
from toolkit.registry import Registry
from toolkit.space import Choice, Leaf, point_key

Values = dict[str, float]


class Table(Protocol):
    """A task that knows the result of every architecture of a space."""

    def row(self, architecture: dict[str, Any]) -> Values:
        """Every metric of an architecture."""

    def rows(self) -> Iterator[Values]:
        """Every row of the table."""


class Benchmark:
    """A task that is a table, and its space.

    Args:
        task: the task with its options, as a recipe has it.
        space: the space's name.
        objectives: metric -> direction.

    Raises:
        DataError: the table is missing.
    """

    def __init__(self, task: Mapping[str, Any], space: str, objectives: Mapping[str, Any]) -> None:
        self._registry = Registry()
        self._recipe = {
            "version": 1,
            "name": "bench",
            "task": dict(task),
            "space": {"name": space},
            "objectives": dict(objectives),
        }
        self.problem = self.problem_of("random", 0)
        self.objectives = self.problem.objectives
        self.table: Table = self.problem.task  # type: ignore[assignment]
        self._fingerprints: dict[str, str] = {}

    def problem_of(self, strategy: str, seed: int) -> Problem:
        """The problem of a run with a strategy and a seed."""
        recipe = {**self._recipe, "strategy": {"name": strategy}, "train": {"seed": seed}}
        return Problem(from_plain(recipe, self._registry), self._registry)

    def fingerprint(self, point: Mapping[str, Any]) -> str:
        """`Problem.fingerprint`, computed once a point."""
        key = point_key(point)
        if key not in self._fingerprints:
            self._fingerprints[key] = self.problem.fingerprint(point)
        return self._fingerprints[key]

    def judge(self, point: Mapping[str, Any]) -> Values:
        """A point's objectives."""
        row = self.table.row(point["architecture"])
        return {name: row[name] for name in self.objectives}


def search(
    benchmark: Benchmark, strategy: str, seed: int, paid: int, *, dedup: bool = True
) -> list[Values]:
    """Results of the paid evaluations of a run with one worker, in order; fewer if exhausted.

    The steps are the engine's: ask, answer from the ledger or evaluate, tell.

    Args:
        dedup: answer repeats (by fingerprint) from the ledger, as `budget.dedup: reuse` does;
            otherwise every proposal is paid for, as with `repeat`.
    """
    problem = benchmark.problem_of(strategy, seed)
    chosen = problem.strategy()
    chosen.setup(problem.search_context(None))
    known: dict[str, Values] = {}
    found: list[Values] = []
    number = repeats = 0
    while len(found) < paid and repeats < REPEATS:
        proposal = chosen.ask()
        if isinstance(proposal, Exhausted):
            break
        assert isinstance(proposal, Proposal) and proposal.point is not None
        number += 1
        fingerprint = benchmark.fingerprint(proposal.point)
        trial = Trial(
            number,
            "train",
            proposal.point,
            proposal.fidelity,
            seeds.derive(seed, number),
            fingerprint,
            proposal.token,
        )
        if dedup and fingerprint in known:
            repeats += 1
        else:
            repeats = 0
            known[fingerprint] = benchmark.judge(proposal.point)
            found.append(known[fingerprint])
        chosen.tell(trial, TrialState.DONE, known[fingerprint])
    return found


SAMPLERS = {"tpe": "TPESampler", "nsga2": "NSGAIISampler", "random": "RandomSampler"}
"""Optuna's samplers that are run alone, by name."""


def optuna_alone(benchmark: Benchmark, sampler: str, seed: int, paid: int) -> list[Values]:
    """Results of a plain Optuna study with a sampler's own defaults; every trial is paid for."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = optuna.create_study(
            directions=list(benchmark.objectives.values()),
            sampler=getattr(optuna.samplers, SAMPLERS[sampler])(seed=seed),
        )
        found = []
        for _ in range(paid):
            trial = study.ask()
            point = benchmark.problem.tree.walk(partial(_suggest, trial))
            found.append(benchmark.judge(point))
            study.tell(trial, list(found[-1].values()))
    return found


def _suggest(trial: Any, path: str, leaf: Leaf) -> Any:
    assert isinstance(leaf, Choice), "tables hold categories alone"
    return trial.suggest_categorical(path, leaf.options)
