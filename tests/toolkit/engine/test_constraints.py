"""Constraints: what breaks them is refused before training, or never counts as found."""

from __future__ import annotations

from typing import Any

import pytest

from toolkit.run.facts import OUTCOME

SIZED = "space={name: sized_space, depths: 40}"


def constrained(*parts: str) -> str:
    return f"constraints={{{', '.join(parts)}}}"


def ended(inline: Any) -> dict[str, Any]:
    return [event for event in inline.events() if event["event"] == "search_ended"][-1]


def test_what_costs_too_much_is_not_trained_and_not_paid_for(inline: Any) -> None:
    bound = constrained('parameters: "<= 30"', 'multiply_adds: "<= 1e6"')
    final = "train.final={seeds: 2, random: 0, baselines: true}"
    assert inline(SIZED, bound, final, "budget={trials: 6, failures: 1}", "strategy=draw")[0] == 0
    records = inline.trials()
    refused = [record for record in records if record.state == "invalid"]
    done = [record for record in records if record.state == "done"]
    assert len(done) == 6, "the total counts what was trained"
    assert refused, "with this seed some are too wide"
    for record in refused:
        size = 7 * record.point["architecture"]["width"] + 2
        assert record.parameters == size > 30
        assert record.violations == {"parameters <= 30": pytest.approx(size / 30 - 1)}
        assert f"parameters is {size}, and the bound is <= 30" in record.error
        assert not (inline.folder / record.folder / "draws.txt").exists()
    assert all(record.values["parameters"] <= 30 for record in done)
    assert {"multiply_adds", "roughness", "accuracy"} <= set(done[0].values)
    assert ended(inline)["rejected"] == len(refused)

    outcome = inline.fact(OUTCOME)
    assert outcome.parameters == 7 * 4 + 2
    assert outcome.infeasible == {"wide": ("parameters <= 30",)}, "trained, and marked"
    assert outcome.test["roughness"].mean == pytest.approx(4 / 2 + 0.032)
    assert outcome.costs["found"]["multiply_adds"].mean == 6 * 4
    assert outcome.costs["wide"]["parameters"].seeds == (65, 65)
    assert set(outcome.costs["wide"]) == {
        "parameters",
        "multiply_adds",
        "latency_ms",
        "latency_batch_ms",
        "memory_mb",
    }


def test_measuring_costs_leaves_the_training_as_it_was(inline: Any) -> None:
    draws = []
    for bound in ((), (constrained('latency_ms: "< 1e9"', 'memory_mb: "< 1e9"'),)):
        inline.folder = inline.home / f"run{len(draws)}"
        assert inline(SIZED, "budget.trials=1", *bound)[0] == 0
        (record,) = inline.trials()
        draws.append((inline.folder / record.folder / "draws.txt").read_text())
    assert draws[0] == draws[1]
    assert record.values["latency_ms"] > 0


def test_a_constraint_that_nothing_keeps_to_ends_the_search_and_says_which(inline: Any) -> None:
    code, _ = inline(SIZED, constrained('parameters: "<= 5"', 'multiply_adds: "<= 12"'))
    assert code == 3
    records = inline.trials()
    assert len(records) == 100
    assert all(record.state == "invalid" for record in records)
    started = [record for record in records if record.source is None]
    assert len({record.fingerprint for record in records}) == len(started), "none is built again"
    assert ended(inline)["reason"] == "constraints"
    message = next(e["message"] for e in inline.events() if e["event"] == "warning")
    assert "100 proposals in a row break a constraint" in message
    assert "break parameters <= 5; the closest had parameters 9" in message

    assert inline(SIZED, constrained('parameters: "<= 5"', 'multiply_adds: "<= 12"'))[0] == 3
    assert len(inline.trials()) == 100, "a resumed run knows"


def test_a_search_that_found_something_ends_well_where_nothing_else_keeps_to_it(
    inline: Any,
) -> None:
    small = "space={name: sized_space, widths: 100, depths: 1}"
    assert inline(small, constrained('parameters: "<= 16"'), "budget.trials=200")[0] == 0
    assert inline.fact(OUTCOME).architecture["width"] <= 2
    assert ended(inline)["reason"] in ("constraints", "exhausted")


def test_bounds_on_metrics_keep_trained_trials_from_being_found(inline: Any) -> None:
    bound = constrained('roughness: "<= 2.2, >= 0"', 'accuracy: ">= 0.2"')
    assert inline(SIZED, bound, "budget={trials: 20, failures: 1}")[0] == 0
    records = inline.trials()
    assert all(record.state == "done" for record in records), "trained, so paid for"
    broken = [record for record in records if record.violations]
    assert {bound for record in broken for bound in record.violations} == {
        "roughness <= 2.2",
        "accuracy >= 0.2",
    }
    assert "roughness is" in next(r for r in broken if r.values["roughness"] > 2.2).error
    assert inline.fact(OUTCOME).architecture["width"] == 4
    told = [e for e in inline.events() if e["event"] == "trial_ended" and e["number"] == 1]
    assert told


def test_strategies_hear_of_infeasible_trials_as_invalid(inline: Any) -> None:
    inline.environment["TOLD"] = str(inline.home / "told")
    assert inline(SIZED, constrained('roughness: "<= 2.2"'), "budget.trials=12")[0] == 0
    told = [line.split() for line in (inline.home / "told").read_text().splitlines()]
    states = {int(number): state for number, state, _ in told}
    for record in inline.trials():
        assert states[record.number] == ("invalid" if record.violations else "done")


def test_all_trials_infeasible_is_nothing_found(inline: Any) -> None:
    code, _ = inline(SIZED, constrained('accuracy: ">= 2"'), "budget.trials=5")
    assert code == 3
    warnings = [event["message"] for event in inline.events() if event["event"] == "warning"]
    assert any(
        message.startswith("No trial keeps to the constraints. Of 5") for message in warnings
    )
    assert any("the closest had accuracy 0." in message for message in warnings)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("constraints={weight: '<= 5'}", "constraints: 'weight' is neither a metric"),
        ("constraints={parameter: '<= 5'}", "(did you mean parameters?)"),
        ("constraints={parameters: 500}", '500 given, expected a bound such as "<= 50000"'),
        ("constraints={parameters: '<= 5, >= 10'}", "nothing is both >= 10 and <= 5"),
        ("objectives={acuracy: maximize}", "objectives: 'acuracy' is neither a metric"),
        ("objectives={accuracy: minimize}", "accuracy is to be minimized here"),
        ("objectives={parameters: maximize}", "it is a value to minimize"),
    ],
)
def test_bad_objectives_and_constraints_are_refused(
    inline: Any, override: str, message: str
) -> None:
    code, errors = inline(override)
    assert code == 2
    assert message in errors
    assert not (inline.folder / "ledger.sqlite").exists()


def test_a_metric_that_is_never_reported_spends_the_failure_budget(inline: Any) -> None:
    silent = "space={name: sized_space, silent: true, depths: 40}"
    assert (
        inline(silent, "objectives={roughness: minimize}", "budget={trials: 9, failures: 2}")[0]
        == 4
    )
    for record in inline.trials():
        assert record.state == "invalid"
        assert record.error == "The trial ended without a usable result: roughness is missing."


def test_an_exhausted_space_ends_the_search_well(inline: Any) -> None:
    assert inline("space={name: sized_space, widths: 3, depths: 1}", "budget.trials=400")[0] == 0
    assert ended(inline)["reason"] == "exhausted"
