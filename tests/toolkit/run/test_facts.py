"""Facts: typed on the way in and out, readable from ledgers of earlier versions."""

from __future__ import annotations

import json
import math
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from toolkit.base.summary import Statistics
from toolkit.errors import LedgerError
from toolkit.run import facts
from toolkit.run.facts import (
    CREATED,
    DIRECTIONS,
    EXTENSIONS,
    FRONT,
    OBJECTIVES,
    OUTCOME,
    RECIPE,
    SEARCH_S,
    WARM_STARTS,
    Extension,
    Fact,
    WarmStart,
)
from toolkit.run.ledger import Ledger
from toolkit.run.outcome import Part, RunOutcome, TrainingResult

FACTS = {fact.key: fact for fact in vars(facts).values() if isinstance(fact, Fact)}
VERSION_3 = Path(__file__).parent / "ledger_v3.sqlite"
"""Of a search with two objectives and a constraint, from another run, extended."""


def stored(path: Path) -> dict[str, Any]:
    """The facts of a ledger as they lie there."""
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT key, value FROM meta").fetchall()
    return {key: json.loads(value) for key, value in rows}


def store(path: Path, key: str, value: Any) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, json.dumps(value)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger of version 3, in a folder of its own."""
    copied = tmp_path / "ledger.sqlite"
    shutil.copy(VERSION_3, copied)
    return copied


def test_every_fact_of_version_3_is_read_and_written_back_as_it_was(path: Path) -> None:
    before = stored(path)
    ledger = Ledger.open(path)
    for fact in FACTS.values():
        ledger.put_fact(fact, ledger.get(fact))
    ledger.close()
    after = stored(path)
    assert (
        before.keys() | {"objectives", "data", "data_holds", "pilot"}
        == FACTS.keys()
        == after.keys()
    )
    new = {"handed_over": "found", "majority": None, "references": {}, "tested_on": None}
    new |= {"p_of_mean": None, "advice": ""}
    assert {name: after["outcome"].pop(name) for name in new} == new, "what was always so"
    assert {key: after[key] for key in before} == before
    assert list(after["outcome"]) == list(before["outcome"]), "in the order people read it in"


def test_facts_of_version_3_mean_what_they_meant(path: Path) -> None:
    ledger = Ledger.open(path, read_only=True)
    outcome, front = ledger.get(OUTCOME), ledger.get(FRONT)
    assert outcome is not None and front is not None
    assert outcome.test["accuracy"] == Statistics(
        0.6825, pytest.approx(0.0318, abs=1e-4), (0.66, 0.705)
    )
    assert set(outcome.baselines) == {"spdnet", "spdnet_bn", "random"}
    assert outcome.baselines["random"].parameters == 16211
    assert "parameters" not in outcome.baselines["random"].test
    assert outcome.infeasible == {"random": ("parameters <= 12500",)}
    assert [training.seed for training in outcome.found] == [1503942912, 1926969206]
    assert (front.trials, front.results) == ((1,), 4)
    assert ledger.get(EXTENSIONS) == {"trials": Extension(total=3, by=1)}
    assert ledger.get(WARM_STARTS) == (WarmStart("/home/user/runs/one", 1, comparable=True),)


def test_what_was_never_written_has_its_default(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path / "ledger.sqlite")
    assert all(ledger.get(fact) == fact.default for fact in FACTS.values())


def test_an_outcome_comes_back_with_what_is_not_finite(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path / "ledger.sqlite")
    unknown = Statistics(math.nan, 0.0, (math.nan, 0.5))
    training = TrainingResult(4, "found", 7, "abcd", 3, {"accuracy": 0.5}, {"auroc": math.nan})
    outcome = RunOutcome(
        architecture={"width": 1},
        point={"architecture": {"width": 1}, "train": {"lr": 0.1}},
        trial=None,
        fingerprint="abcd",
        found_as=Part("head", "null_space"),
        values={"accuracy": 0.5},
        parameters=3,
        test={"auroc": unknown},
        baselines={},
        costs={"found": {"latency_ms": Statistics.of([1.0, 3.0])}},
        trainings=(training,),
        times_s={"search": 1.5},
    )
    ledger.put_fact(OUTCOME, outcome)
    ledger.commit()
    again = ledger.get(OUTCOME)
    assert again is not None
    assert math.isnan(again.test["auroc"].mean) and math.isnan(again.test["auroc"].seeds[0])
    assert again.costs["found"]["latency_ms"] == Statistics(2.0, math.sqrt(2), (1.0, 3.0))
    assert OUTCOME.plain(again) == OUTCOME.plain(outcome)
    assert OUTCOME.plain(again)["test"]["auroc"] == {"mean": None, "std": 0.0, "seeds": [None, 0.5]}
    assert (again.point, again.found_as) == (outcome.point, outcome.found_as)


@pytest.mark.parametrize(
    ("fact", "value", "place"),
    [
        (SEARCH_S, [1.0], "search_s"),
        (RECIPE, "spd_drone", "recipe"),
        (OBJECTIVES, {"accuracy": "up"}, "objectives.accuracy"),
        (FRONT, {"objectives": {}, "trials": [1]}, "front.reference"),
        (OUTCOME, {"test": 0.5}, "outcome.architecture"),
        (EXTENSIONS, {"trials": 3}, "extended.trials"),
        (SEARCH_S, -1.0, "search_s"),
        (SEARCH_S, math.nan, "search_s"),
        (CREATED, 1e300, "created"),
        (RECIPE, {"strategy": ["optuna.tpe"]}, "recipe"),
        (RECIPE, {"task": {"name": 3}}, "recipe"),
        (RECIPE, {"train": {"final": 3}}, "recipe"),
    ],
)
def test_a_fact_of_a_wrong_type_is_one_sentence(
    path: Path, fact: Fact[Any], value: Any, place: str
) -> None:
    Ledger.open(path).close()
    store(path, fact.key, value)
    ledger = Ledger.open(path)
    with pytest.raises(LedgerError) as caught:
        ledger.get(fact)
    assert caught.value.message.startswith(f"{path} is damaged: {place}: ")
    assert "\n" not in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize(
    ("recipe", "directions", "expected"),
    [
        (
            {"loss": "minimize", "accuracy": "maximize"},
            {"accuracy": "maximize", "loss": "minimize"},
            {"loss": "minimize", "accuracy": "maximize"},
        ),
        ({}, {"f1": "maximize", "loss": "minimize"}, {"f1": "maximize"}),
        ({"loss": "minimize"}, None, {"loss": "minimize"}),
        ({}, None, {}),
    ],
)
def test_objectives_of_earlier_versions_come_from_the_recipe_or_the_directions(
    path: Path,
    recipe: dict[str, str],
    directions: dict[str, str] | None,
    expected: dict[str, str],
    read_only: bool,
) -> None:
    store(path, "recipe", {**stored(path)["recipe"], "objectives": recipe})
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM meta WHERE key = 'directions'")
    if directions is not None:
        store(path, "directions", directions)
    ledger = Ledger.open(path, read_only=read_only)
    assert list(ledger.get(OBJECTIVES).items()) == list(expected.items())
    assert ledger.get(DIRECTIONS) == (directions or {})
    ledger.close()
    assert ("objectives" in stored(path)) is bool(expected and not read_only)
