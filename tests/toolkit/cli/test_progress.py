"""How far a run is and how long it takes, by a clock that tests move."""

from __future__ import annotations

from typing import Any

import pytest

from toolkit.cli.progress import Progress
from toolkit.cli.remaining import clock, seconds_left


class Watched(Progress):
    """A progress whose clock is moved by `after`."""

    def __init__(self) -> None:
        self.time = 0.0
        super().__init__(lambda: self.time)

    def after(self, seconds: float, name: str, **facts: Any) -> Watched:
        self.time += seconds
        self.take(name, facts)
        return self


@pytest.fixture
def progress() -> Watched:
    return Watched().after(
        2, "run_started", trials=10, slots=2, trainings=4, objectives={"loss": "minimize"}
    )


def run_trial(progress: Watched, number: int, loss: float, seconds: float = 10.0) -> None:
    progress.after(0, "trial_started", number=number, phase="search", kind="train", epochs=5)
    for step in range(1, 6):
        values = {"loss": loss}
        progress.after(seconds / 5, "trial_reported", number=number, step=step, values=values)
    progress.after(0, "trial_ended", number=number, state="done", values={"loss": loss})


def test_phases_are_named(progress: Watched) -> None:
    assert Watched().phase() == "starting"
    assert progress.phase() == "checking one batch"
    run_trial(progress, 1, 0.5)
    progress.after(0, "trial_ended", number=2, state="failed", values={})
    assert progress.phase() == "searching 2 of 10 (1 failed)"
    assert progress.after(0, "search_ended").phase() == "planning the final trainings"
    assert progress.after(0, "final_started", trainings=4, open=3).phase() == "training 1 of 4"
    progress.after(0, "trial_started", number=3, phase="final", label="found", kind="train")
    progress.after(1, "trial_ended", number=3, phase="final", state="done", values={})
    assert progress.phase() == "training 2 of 4"
    assert progress.after(0, "final_ended").phase() == "testing"
    assert progress.after(0, "tested").phase() == "exporting"
    assert progress.after(0, "exported").phase() == "writing the report"


def test_the_best_is_kept_in_the_direction_of_the_objective(progress: Watched) -> None:
    for number, loss in enumerate((0.5, 0.25, 0.75), 1):
        run_trial(progress, number, loss)
    assert progress.reached() == "best loss 0.25 (#2)"


def test_several_objectives_have_a_front() -> None:
    goals = {"accuracy": "maximize", "parameters": "minimize"}
    progress = Watched().after(0, "run_started", objectives=goals)
    for number, (accuracy, size) in enumerate([(0.9, 100), (0.8, 50), (0.7, 80), (0.9, 100)], 1):
        values = {"accuracy": accuracy, "parameters": size}
        progress.after(0, "trial_ended", number=number, state="done", values=values)
    assert progress.reached() == "front of 2: accuracy 0.8 to 0.9, parameters 50 to 100"
    values = {"accuracy": 0.95, "parameters": 10}
    progress.after(0, "trial_ended", number=5, state="done", values=values)
    assert progress.reached() == "front of 1: accuracy 0.95, parameters 10"


def test_time_left_comes_from_what_was_measured(progress: Watched) -> None:
    assert seconds_left(progress) is None
    run_trial(progress, 1, 0.5, seconds=10)
    # Nine trials of 10 s and four trainings, which no one has measured yet, in two slots.
    assert seconds_left(progress) == pytest.approx(9 * 10 / 2 + 4 * 10 / 2)
    progress.after(0, "trial_started", number=2, phase="search", kind="train", epochs=5)
    progress.after(4, "trial_reported", number=2, step=1, values={"loss": 1.0})
    # The running one reports every 4 s, and has four epochs to go.
    assert seconds_left(progress) == pytest.approx((16 + 8 * 10) / 2 + 20)
    progress.after(0, "final_started", trainings=4, open=4)
    progress.after(0, "trial_started", number=3, phase="final", kind="train", epochs=20)
    progress.after(2, "trial_reported", number=3, step=1, values={"loss": 1.0})
    assert seconds_left(progress) == pytest.approx((19 * 2 + 3 * 40) / 2)
    assert progress.used_s == 2 + 10 + 4 + 2


def test_a_budget_of_time_bounds_the_search() -> None:
    progress = Watched().after(0, "run_started", trials=None, time_s=60, search_s=20)
    progress.after(5, "trial_started", number=1, phase="search", kind="train")
    assert seconds_left(progress) == 40
    progress.time += 15
    assert seconds_left(progress) == 25


def test_a_resumed_run_knows_what_it_had_reached_and_how_long_trials_take(
    progress: Watched,
) -> None:
    best = [{"number": 4, "values": {"loss": 0.1}}]
    progress.after(0, "resumed", counted=8, trials_s=[4, 120.0], best=best)
    assert progress.reached() == "best loss 0.1 (#4)"
    assert progress.phase() == "checking one batch"
    assert seconds_left(progress) == pytest.approx(2 * 30 / 2 + 4 * 30 / 2)
    progress.after(0, "trial_started", number=9, phase="search", kind="train")
    assert progress.phase() == "searching 8 of 10"


def test_a_training_longer_than_foretold_is_no_fault(progress: Watched) -> None:
    progress.after(0, "trial_started", number=1, phase="search", kind="train", epochs=2)
    progress.after(1, "trial_reported", number=1, step=7, values={"loss": 0.5})
    assert seconds_left(progress) is not None
    assert next(iter(progress.running.values())).step == 7


def test_a_sweep_says_which_run_it_is_at() -> None:
    progress = Watched().after(0, "sweep_started", runs=6)
    progress.after(0, "sweep_run_started", number=2)
    progress.after(0, "run_started", trials=3, objectives={"loss": "minimize"})
    assert progress.phase() == "run 2 of 6: checking one batch"


def test_an_evaluation_says_which_fold_it_is_at() -> None:
    progress = Watched().after(0, "evaluation_started", folds=5)
    progress.after(0, "fold_started", fold=3, tested_on="s3")
    progress.after(0, "run_started", trials=3, objectives={"loss": "minimize"})
    progress.after(0, "prepare_started")
    assert progress.phase() == "fold 3 of 5: preparing the search space"
    assert progress.after(0, "fold_ended").phase() == "fold 3 of 5: starting the next fold"


def test_durations_are_clocks() -> None:
    assert [clock(s) for s in (0, 59.6, 3725)] == ["0:00:00", "0:01:00", "1:02:05"]


def test_a_budget_of_time_is_known_before_the_first_trial() -> None:
    progress = Watched().after(0, "run_started", trials=None, time_s=60)
    assert (progress.phase(), seconds_left(progress)) == ("checking one batch", 60)


def test_a_test_takes_as_long_as_those_of_earlier_folds(progress: Watched) -> None:
    progress.after(0, "evaluation_started", folds=2).after(0, "fold_started", fold=1)
    progress.after(0, "final_ended")
    assert seconds_left(progress) is None
    progress.after(30, "tested").after(0, "fold_ended").after(0, "fold_started", fold=2)
    progress.after(0, "run_started", trials=10, slots=2, trainings=4, objectives={})
    run_trial(progress, 1, 0.5, seconds=10)
    assert seconds_left(progress) == pytest.approx(9 * 10 / 2 + 4 * 10 / 2 + 30)
    progress.after(0, "final_ended")
    progress.time += 10
    assert seconds_left(progress) == pytest.approx(20)
