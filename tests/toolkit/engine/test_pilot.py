"""`budget.pilot`: whether a search over architectures can pay is found out before it spends."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any

import pytest

import toolkit
from toolkit.contracts import Outcome, TrialSpec, TrialState
from toolkit.executors.inline import Step
from toolkit.report import write_report
from toolkit.run.facts import OUTCOME, PILOT
from toolkit.run.words import pilot_in_words

Script = Callable[[TrialSpec], Generator[Step, None, None]]


def scored(of_width: float, of_seed: float) -> Script:
    """Trainings whose accuracy depends on the architecture and on the seed, as strongly as said."""

    def train(spec: TrialSpec) -> Generator[Step, None, None]:
        yield 1.0
        width = spec.job.point["architecture"]["width"]
        noise = (spec.seed * 7919 + spec.job.point["architecture"]["depth"] * 104729) % 1000 / 1000
        accuracy = 0.5 + of_width * width + of_seed * noise
        yield Outcome(TrialState.DONE, {"accuracy": accuracy, "loss": 1 - accuracy}, parameters=9)

    return train


def test_a_search_goes_on_where_architectures_differ(inline: Any) -> None:
    inline.train = scored(of_width=0.04, of_seed=0.01)
    assert inline("budget={trials: 24, pilot: auto}")[0] == 0
    pilot = inline.fact(PILOT)
    assert pilot.searches and pilot.tried == 24 - len(pilot.trials)
    assert pilot.variances.icc.value > 0.9 and pilot.variances.icc.low > 0.5
    assert len(inline.trials()) == 24
    assert "a search can pay" in pilot_in_words(pilot)


def test_a_search_ends_where_seeds_are_all_that_differs(inline: Any) -> None:
    inline.train = scored(of_width=0.0, of_seed=0.02)
    assert inline("budget={trials: 40, pilot: auto}")[0] == 0
    pilot = inline.fact(PILOT)
    trials = inline.trials()
    assert len(trials) == 16 and not pilot.searches
    assert pilot.trials == tuple(range(1, 17))
    seeds = {}
    for record in trials:
        seeds.setdefault(record.fingerprint, set()).add(record.seed)
    assert [len(own) for own in seeds.values()] == [2] * 8
    assert inline.fact(OUTCOME).trial in pilot.trials, "the best so far is trained and tested"
    (ended,) = [event for event in inline.events() if event["event"] == "pilot_ended"]
    assert "a search cannot pay" in ended["message"]
    write_report(inline.folder)
    page = (inline.folder / "report.html").read_text()
    assert "Can a search pay here?" in page and "a search cannot pay" in page


def test_a_pilot_alone_never_searches(inline: Any) -> None:
    inline.train = scored(of_width=0.04, of_seed=0.001)
    assert inline("budget={trials: 40, pilot: only}")[0] == 0
    assert len(inline.trials()) == 16
    assert "a search can pay" in pilot_in_words(inline.fact(PILOT))


@pytest.mark.parametrize("count", [1, 7, 16, 20])
@pytest.mark.parametrize("of_width", [0.0, 0.04])
def test_a_killed_pilot_goes_on_as_if_nothing_had_been(
    inline: Any, of_width: float, count: int
) -> None:
    inline.train = scored(of_width=of_width, of_seed=0.02)
    command = "budget={trials: 24, pilot: auto}"
    was_cut = inline.cut_off(command, at="trial_ended", count=count)
    assert inline(command)[0] == 0
    killed = [(r.number, r.fingerprint, r.seed, r.values) for r in inline.trials()]
    told = [event for event in inline.events() if event["event"] == "pilot_ended"]
    pilot, inline.folder = inline.fact(PILOT), inline.home / "undisturbed"
    assert inline(command)[0] == 0
    assert was_cut == (count <= len(inline.trials()))
    assert len(told) == 1
    assert inline.fact(PILOT) == pilot
    undisturbed = [(r.number, r.fingerprint, r.seed, r.values) for r in inline.trials()]
    assert killed == undisturbed


def test_failed_trials_leave_architectures_out(inline: Any) -> None:
    train = scored(of_width=0.04, of_seed=0.01)

    def failing(spec: TrialSpec) -> Generator[Step, None, None]:
        if spec.key in ("trial-1", "trial-10"):
            yield Outcome(TrialState.FAILED, error="broken on purpose")
        else:
            yield from train(spec)

    inline.train = failing
    assert inline("budget={trials: 32, pilot: auto}")[0] == 0
    assert len(inline.fact(PILOT).results) == 6


def test_a_small_budget_has_a_small_pilot(inline: Any) -> None:
    inline.train = scored(of_width=0.04, of_seed=0.001)
    assert inline("budget={trials: 20, pilot: auto}")[0] == 0
    pilot = inline.fact(PILOT)
    assert len(pilot.trials) == 10 and len(inline.trials()) == 20


def test_a_supernets_pilot_is_no_smaller_and_says_of_what_its_gain_is(inline: Any) -> None:
    said = toolkit.validate("spd_drone_quick", budget={"pilot": "auto"})
    assert said["budget"] == "18 trials, the pilot's 16 trainings among them"
    inline.train = scored(of_width=0.04, of_seed=0.01)
    assert inline("budget={trials: 24, pilot: auto}")[0] == 0
    pilot = replace(inline.fact(PILOT), one_shot=True, tried=20)
    assert "The best of 20 full trainings" in pilot_in_words(pilot)
    assert pilot_in_words(pilot).endswith("may find less.")
