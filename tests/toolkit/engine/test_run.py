"""A whole run: what is in its folder, what its exit code says, how its budget ends it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from toolkit.contracts import Outcome, Reported, TrialSpec, TrialState
from toolkit.executors.inline import Step
from toolkit.run.events import EVENTS
from toolkit.run.facts import OUTCOME, SEARCH_S


def test_a_run_is_searched_trained_tested_and_exported_once(inline: Any) -> None:
    inline.environment["TEST_READS"] = str(inline.home / "reads")
    final = "train.final={seeds: 2, random: 1, baselines: true}"
    assert inline(final)[0] == 0

    trials = inline.trials()
    assert [record.number for record in trials] == [1, 2, 3, 4]
    assert all(record.state is TrialState.DONE and record.attempts == 1 for record in trials)
    assert len({record.seed for record in trials}) == 4
    best = max(record.values["accuracy"] for record in trials)
    outcome = inline.fact(OUTCOME)
    assert outcome.values["accuracy"] == best
    assert set(outcome.baselines) == {"plain", "random"}
    assert len(outcome.test["accuracy"].seeds) == 2
    finals = inline.trials("final")
    assert [r.label for r in finals] == ["found"] * 2 + ["plain"] * 2 + ["random-1"] * 2
    assert {r.seed for r in finals if r.label == "found"} == {
        r.seed for r in finals if r.label == "plain"
    }
    names = {path.name for path in inline.folder.iterdir()}
    assert {"recipe.yaml", "recipe.resolved.yaml", "manifest.json", "trials", "best"} <= names
    folder = inline.folder / trials[0].folder
    assert json.loads((folder / "architecture.json").read_text()) == trials[0].point["architecture"]
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == 3
    assert (inline.folder / finals[0].folder / "weights.safetensors").exists()
    assert (inline.folder / "best/weights.safetensors").exists()
    assert {event["event"] for event in inline.events()} <= set(EVENTS)

    assert inline(final)[0] == 0
    assert len(inline.trials(None)) == 10
    assert inline.fact(OUTCOME) == outcome
    assert (inline.home / "reads").read_text() == "read\n", "the test split is read once a run"

    shutil.rmtree(inline.folder / "best")
    assert inline(final)[0] == 0
    assert (inline.folder / "best/weights.safetensors").exists(), "made again from what was trained"
    assert (inline.home / "reads").read_text() == "read\n"


def test_rivals_of_what_was_found_take_the_place_of_baselines(inline: Any) -> None:
    assert inline("train.final.baselines=true", "space.rivals=true")[0] == 0
    outcome = inline.fact(OUTCOME)
    found = outcome.architecture
    names, own = {"odd", "even"}, outcome.found_as.name
    assert own in names and set(outcome.baselines) == names - {own}
    (rival,) = (record for record in inline.trials("final") if record.label != "found")
    assert rival.point["architecture"] == {**found, "depth": found["depth"] + 1}
    report = (inline.folder / "report.html").read_text()
    assert f"found by the search: {own}" in report
    assert "2 parts were compared on the same network: " in report


def test_a_raised_total_extends_a_run_and_another_recipe_is_refused(inline: Any) -> None:
    assert inline("budget.trials=2")[0] == 0
    assert inline("budget.trials=3", "resources.workers=2")[0] == 0
    assert len(inline.trials()) == 3
    code, errors = inline("space.widths=5", "train.seed=1")
    assert code == 7
    assert "space.widths: 8 there, 5 now" in errors
    assert "train.seed: 0 there, 1 now" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        ("raise", "failed"),
        ("exit", "failed"),
        ("nan", "invalid"),
        ("missing", "invalid"),
        ("memory", "oom"),
    ],
)
def test_trials_that_end_badly_are_never_best(inline: Any, fault: str, state: str) -> None:
    code, _ = inline(f"space.fault={fault}", "budget.trials=2")
    assert code == 3
    assert [record.state for record in inline.trials()] == [state, state]
    assert inline.fact(OUTCOME) is None
    warnings = [event for event in inline.events() if event["event"] == "warning"]
    assert len(warnings) == 1, "the first failure is shown, the others are counted"
    assert f"toolkit.engine.reproduce {inline.folder} 1" in warnings[0]["message"]


def test_the_failure_budget_ends_a_run_and_its_first_failure_can_be_reproduced(inline: Any) -> None:
    assert inline("space.fault=raise", "budget={trials: 50, failures: 3}")[0] == 4
    assert len(inline.trials()) == 3
    again = subprocess.run(
        [sys.executable, "-m", "toolkit.engine.reproduce", str(inline.folder), "1"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[3],
    )
    assert again.returncode == 1
    assert "RuntimeError: broken on purpose" in again.stderr


def test_a_failing_first_batch_stops_a_run_before_its_search(inline: Any) -> None:
    code, errors = inline("space.fault=build")
    assert code == 5
    assert "ValueError: no such layer" in errors
    assert f"python -m toolkit.engine.reproduce {inline.folder} smoke" in errors
    assert inline.trials() == []


@pytest.mark.parametrize("given", [False, True])
def test_data_that_are_refused_at_the_first_batch_leave_no_run_folder(
    inline: Any, given: bool
) -> None:
    if given:
        inline.folder.mkdir()
    code, errors = inline("space.fault=data")
    assert (code, errors.count("The channels are constant. Leave them out.")) == (2, 1)
    assert inline.folder.exists() is given, "an empty folder that was there is not ours"
    assert not given or not [*inline.folder.iterdir()]
    assert inline("budget.trials=1")[0] == 0


def test_known_architectures_are_answered_until_a_small_space_is_exhausted(inline: Any) -> None:
    small = ["space={name: tiny_space, widths: 2, depths: 1}", "budget.trials=10000"]
    assert inline(*small)[0] == 0
    trials = inline.trials()
    trained = [record for record in trials if record.source is None]
    assert len({record.fingerprint for record in trials}) == len(trained) == 2
    for record in trials:
        if record.source is not None:
            assert record.values == trials[record.source - 1].values
            assert record.fingerprint == trials[record.source - 1].fingerprint
    ended = next(event for event in inline.events() if event["event"] == "search_ended")
    assert ended["reason"] == "exhausted"


@pytest.mark.parametrize("dedup", ["repeat", "reject"])
def test_dedup_trains_again_or_refuses(inline: Any, dedup: str) -> None:
    assert (
        inline(
            "space={name: tiny_space, widths: 1, depths: 2}",
            "budget.trials=6",
            f"budget.dedup={dedup}",
        )[0]
        == 0
    )
    trials = inline.trials()
    if dedup == "repeat":
        assert [record.source for record in trials] == [None] * 6
        assert len({record.fingerprint for record in trials}) == 2
    else:
        kept = [record for record in trials if record.source is None]
        assert len(kept) == len({record.fingerprint for record in kept}) == 2
        assert all(r.state is TrialState.INVALID for r in trials if r.source is not None)


def test_the_strategy_ends_trials_early_and_time_ends_a_search(inline: Any) -> None:
    def train(spec: TrialSpec) -> Generator[Step, None, None]:
        for epoch in range(1, 41):
            yield 0.9
            yield Reported(spec.key, epoch, {"accuracy": epoch / 100})
        yield Outcome(TrialState.DONE, {"accuracy": 0.4})

    inline.train = train
    assert inline("strategy.prune=true", "budget={time: 6, failures: 3}")[0] == 3
    trials = inline.trials()
    assert trials
    assert all(record.state is TrialState.PRUNED for record in trials)
    assert all(record.values["accuracy"] > 0 for record in trials)
    assert inline.fact(SEARCH_S) > 6


def test_results_are_told_before_the_next_question(inline: Any) -> None:
    inline.environment["TOLD"] = str(inline.home / "told")
    assert inline()[0] == 0
    names = [
        (event["event"], event["number"])
        for event in inline.events()
        if event["event"] in ("trial_started", "trial_ended") and event["phase"] == "search"
    ]
    assert names == [(e, n) for n in (1, 2, 3, 4) for e in ("trial_started", "trial_ended")]
    told = (inline.home / "told").read_text().splitlines()
    assert [line.split()[0] for line in told] == ["1", "2", "3", "4"]


def test_deterministic_runs_tell_in_the_order_of_numbers(inline: Any) -> None:
    def train(spec: TrialSpec) -> Generator[Step, None, None]:
        yield 7.0 if spec.key in ("trial-1", "trial-4") else 2.0
        yield Outcome(TrialState.DONE, {"accuracy": 0.5})

    inline.train = train
    assert inline("resources={workers: 2, deterministic: true}", "budget.trials=8")[0] == 0
    ended = sorted(inline.trials(), key=lambda record: record.ended)
    assert [record.number for record in ended] != list(range(1, 9)), "others end first"
    assert [record.told for record in inline.trials()] == list(range(1, 9))


def test_a_supernet_trial_is_followed_by_what_it_derived(inline: Any) -> None:
    assert inline("strategy=one_shot")[0] == 0
    supernet, *derived = inline.trials()
    assert supernet.kind == "supernet"
    assert [record.point["architecture"] for record in derived] == list(supernet.derived)
    assert inline.fact(OUTCOME).architecture == {"width": 6, "depth": 2}
    assert any(e["event"] == "warning" and e["message"] == "odd" for e in inline.events())


def test_a_fault_in_a_strategy_names_it_and_keeps_the_run(inline: Any) -> None:
    code, errors = inline("strategy.fault=true")
    assert code == 5
    assert "strategy.ask failed: ZeroDivisionError" in errors
    assert "Traceback" not in errors
    assert "ZeroDivisionError" in (inline.folder / "engine.log").read_text()


def test_finds_after_the_test_are_announced_but_not_tested(inline: Any) -> None:
    assert inline("budget.trials=1")[0] == 0
    outcome = inline.fact(OUTCOME)
    assert inline("budget.trials=8")[0] == 0
    assert inline.fact(OUTCOME) == outcome
    warnings = [event["message"] for event in inline.events() if event["event"] == "warning"]
    assert any("test split is read once" in message for message in warnings)


def test_trials_after_the_test_that_are_no_better_are_announced_too(inline: Any) -> None:
    assert inline("budget.trials=1", "space.widths=1")[0] == 0
    assert inline("budget.trials=3", "space.widths=1")[0] == 0
    warnings = [event["message"] for event in inline.events() if event["event"] == "warning"]
    chance, *warnings = warnings
    assert "is no better than chance: accuracy 0.562 on 32 test samples" in chance
    assert warnings == [
        "2 trials came after the test, none better than what was tested. The outcome stays."
    ]
