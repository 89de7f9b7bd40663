"""`toolkit test`: what came after a run's test, or was passed over, is tested beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import toolkit
from command_line import IN_PROCESS, run_toolkit
from tiny import PLUGINS
from toolkit.errors import RecipeError

WORDS = {
    "name": "first",
    "task": "tiny_task",
    "space": {"name": "tiny_space", "trained": True},
    "strategy": "draw",
    "budget": {"trials": 3},
    "resources": {"executor": "in_process", "workers": 1, "threads": 1},
    "train": {"epochs": 2, "lr": {"log": [0.001, 0.1]}, "final": {"seeds": 2, "random": 1}},
}
SIDE: list[Any] = [*PLUGINS, IN_PROCESS]


@pytest.fixture
def run(home: Path) -> toolkit.Run:
    return toolkit.search(WORDS, plugins=SIDE)


def other_than_found(run: toolkit.Run) -> int:
    tested = run.outcome.fingerprint
    rows = run.rows()
    return next(row["number"] for row in rows if row["fingerprint"] != tested)


def test_a_trial_is_trained_with_its_own_values_and_the_outcome_stays(run: toolkit.Run) -> None:
    before, number = run.outcome, other_than_found(run)
    tested = toolkit.test(run, number)
    assert tested.folder == run.folder / "tests" / f"trial-{number}"
    assert tested.outcome.architecture == run.trial(number)["point"]["architecture"]
    assert tested.recipe["train"]["lr"] == run.trial(number)["point"]["train"]["lr"]
    assert {training.label for training in tested.outcome.trainings} == {"found"}
    assert len(tested.outcome.trainings) == 2, "with as many seeds as the run's own"
    assert run.outcome == before
    (further,) = run.status["further_tests"]
    assert further["trial"] == number
    assert further["test"]["accuracy"] == tested.outcome.test["accuracy"].mean
    assert "has now been read twice" in run.test_reads


def test_the_command_says_that_the_test_split_was_read_again(run: toolkit.Run, home: Path) -> None:
    number = other_than_found(run)
    answer = run_toolkit("test", str(run.folder), "--trial", str(number), folder=home)
    assert answer.code == 0, answer.err
    assert "has now been read twice: the best of several tests is no" in answer.err
    again = run_toolkit("test", str(run.folder), "--trial", str(number), folder=home)
    assert again.code == 0 and len(run.further_tests) == 1


def test_what_cannot_be_tested_is_refused_in_a_sentence(run: toolkit.Run) -> None:
    with pytest.raises(toolkit.ToolkitError, match="is what the run has tested"):
        toolkit.test(run)
    for number in (99, run.outcome.trainings[0].number):
        with pytest.raises(toolkit.ToolkitError, match="is none of the search"):
            toolkit.test(run, number)
    assert run.further_tests == [] and not (run.folder / "tests").exists()
    assert run.test_reads == ""


def test_a_run_that_was_not_tested_is_first_to_be(home: Path) -> None:
    words = {**WORDS, "space": {"name": "tiny_space", "fault": "raise"}, "name": "broken"}
    with pytest.raises(toolkit.RunFailedError) as caught:
        toolkit.search(words, plugins=SIDE)
    with pytest.raises(toolkit.ToolkitError, match="has not been tested yet"):
        toolkit.test(caught.value.run, 1)


def test_a_run_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="nowhere does not exist"):
        toolkit.test(tmp_path / "nowhere")
