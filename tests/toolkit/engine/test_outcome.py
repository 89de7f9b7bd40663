"""The end of a search without its trainings: what is planned, chosen, summed up and said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from toolkit.base.summary import Statistics
from toolkit.contracts import TaskInfo, Tested, TrialState
from toolkit.contracts.jobs import ENSEMBLE, FEW_SHOT
from toolkit.engine.handover import chosen_training, model_card
from toolkit.engine.outcome import sum_up
from toolkit.engine.planning import found_trial, plan_trainings
from toolkit.engine.session import Session
from toolkit.problem import Problem
from toolkit.registry import Registry
from toolkit.run.facts import FINAL_S, FOUND_AS, SEARCH_S
from toolkit.run.outcome import Part
from toolkit.run.records import TrialRecord
from toolkit.run.words import chance_in_words

FINAL = "train={epochs: 3, batch_size: 8, final: {seeds: 2, random: 2, baselines: true}}"


def trial(problem: Problem, number: int, width: int, **more: Any) -> TrialRecord:
    point = {"architecture": {"width": width, "depth": 1}}
    facts: dict[str, Any] = {"values": {"accuracy": width / 100, "loss": 1.0}, **more}
    fingerprint = problem.fingerprint(point)
    state = TrialState.DONE
    return TrialRecord(number, "search", "train", state, point, fingerprint, 0, **facts)


@pytest.fixture
def session(idle_session: Any) -> Session:
    session: Session = idle_session(FINAL)
    return session


def test_a_find_is_trained_beside_baselines_and_random_architectures(session: Session) -> None:
    plan_trainings(session, trial(session.problem, 1, 5))
    planned = session.ledger.trials("final")
    labels = [record.label for record in planned]
    assert labels == ["found"] * 2 + ["plain"] * 2 + ["random-1"] * 2 + ["random-2"] * 2
    assert [record.number for record in planned] == list(range(1, 9))
    assert planned[0].seed == planned[2].seed != planned[1].seed, "networks are compared in pairs"
    assert planned[1].folder == "final/found-seed1"
    assert [record.network for record in planned[-2:]] == ["random", "random"]

    plan_trainings(session, trial(session.problem, 1, 5))
    assert session.ledger.trials("final") == planned, "planned once"


def test_another_find_keeps_the_trainings_that_are_still_wanted(session: Session) -> None:
    plan_trainings(session, trial(session.problem, 1, 5))
    before = session.ledger.trials("final")
    stale = session.folder.path / before[0].folder
    stale.mkdir(parents=True)
    plan_trainings(session, trial(session.problem, 2, 6))
    after = session.ledger.trials("final")
    assert after[:6] == before[2:]
    assert [(record.number, record.label) for record in after[6:]] == [(9, "found"), (10, "found")]
    assert not stale.exists()


def test_the_name_of_a_find_among_its_rivals_is_noted(idle_session: Any, session: Session) -> None:
    plan_trainings(session, trial(session.problem, 1, 5))
    assert session.ledger.get(FOUND_AS) is None
    contested = idle_session(FINAL, "space.rivals=true")
    plan_trainings(contested, trial(contested.problem, 2, 6))
    assert session.ledger.get(FOUND_AS) == Part("part", "odd")
    assert "even" in {record.label for record in session.ledger.trials("final")}


def test_an_ensemble_of_what_needs_few_samples_is_filled_up_with_the_best(
    idle_session: Any,
) -> None:
    together = "train.final.ensemble=4"
    session = idle_session("train={epochs: 3, final: {seeds: 1, random: 0}}", together)
    for number, few in enumerate((0.6, None, 0.8, None, 0.7, None, None), 1):
        values = {"accuracy": 1.0, "loss": 0.1 * number}
        values |= {} if few is None else {FEW_SHOT: few}
        session.ledger.put(trial(session.problem, number, number + 1, values=values))
    session.ledger.commit()
    plan_trainings(session, session.ledger.trials("search")[0])
    (ensemble,) = [each for each in session.ledger.trials("final") if each.label == ENSEMBLE]
    assert ensemble.point is not None
    members = [each["point"]["architecture"] for each in ensemble.point["architecture"][ENSEMBLE]]
    assert [each["width"] - 1 for each in members] == [3, 5, 1, 2]


def test_a_supernets_first_choice_stands_where_none_was_trained(idle_session: Any) -> None:
    problem = idle_session().problem
    choices = ({"width": 2, "depth": 1}, {"width": 3, "depth": 1})
    supernet = replace(trial(problem, 1, 1), kind="supernet", point=None, derived=choices)
    found = found_trial(problem, [supernet])
    assert found is not None
    assert (found.number, found.point) == (1, {"architecture": choices[0]})
    assert found.fingerprint == problem.fingerprint({"architecture": choices[0]})
    better = trial(problem, 2, 3)
    assert found_trial(problem, [supernet, better]) == better
    bounded = idle_session("constraints={parameters: '<= 100'}").problem
    assert found_trial(bounded, [supernet]) is None, "what it costs is not known"


def final(problem: Problem, number: int, label: str, accuracy: float, **more: Any) -> TrialRecord:
    values = {"accuracy": accuracy, "loss": 1.0}
    record = trial(problem, number, 5, values=values, parameters=10, **more)
    return replace(record, phase="final", label=label, seed=number, epochs_paid=3.0)


def test_an_outcome_sums_up_each_network_and_pools_random_ones(session: Session) -> None:
    problem, ledger = session.problem, session.ledger
    broken = {"parameters <= 9": 0.1}
    trainings = [
        final(problem, 1, "found", 0.5),
        final(problem, 2, "found", 0.7),
        final(problem, 3, "plain", 0.4, violations=broken),
        final(problem, 4, "random-1", 0.1),
        final(problem, 5, "random-2", 0.3),
    ]
    tested = {
        record.number: Tested({"accuracy": record.number / 10}, {"latency_ms": 2.0})
        for record in trainings
    }
    ledger.put_fact(SEARCH_S, 3.0)
    ledger.put_fact(FINAL_S, 2.0)
    ledger.commit()
    found = trial(problem, 7, 5)
    outcome = sum_up(ledger, found, trainings, tested)
    assert (outcome.trial, outcome.architecture) == (7, {"width": 5, "depth": 1})
    assert outcome.test == {"accuracy": Statistics.of([0.1, 0.2])}
    assert outcome.test["accuracy"].std == pytest.approx(0.1 / 2**0.5), "of a sample"
    assert list(outcome.baselines) == ["plain", "random"]
    assert outcome.baselines["plain"].test["accuracy"] == Statistics(0.3, 0.0, (0.3,))
    assert outcome.baselines["random"].test["accuracy"].seeds == (0.4, 0.5)
    assert outcome.baselines["random"].parameters == 10
    assert list(outcome.costs) == ["found", "plain", "random"]
    assert outcome.costs["found"]["latency_ms"].mean == 2.0
    assert outcome.infeasible == {"plain": ("parameters <= 9",)}
    assert [training.number for training in outcome.found] == [1, 2]
    assert outcome.trainings[3].test == {"accuracy": 0.4}
    assert outcome.times_s == {"search": 3.0, "final": 2.0, "test": 0.0}
    given = sum_up(ledger, replace(found, number=0), trainings, tested)
    assert given.trial is None, "nothing was searched"


def test_the_best_training_of_the_winner_is_handed_over_with_its_card(
    session: Session, idle_session: Any
) -> None:
    problem = session.problem
    trainings = [
        final(problem, 1, "found", 0.5),
        final(problem, 2, "found", 0.7),
        final(problem, 3, "found", 0.7),
        final(problem, 4, "plain", 0.9),
    ]
    kept = idle_session("train.final.hand_over=found").problem
    assert chosen_training(kept, trainings).number == 2, "the find's best, the first among equals"
    chosen = chosen_training(problem, trainings)
    assert chosen.number == 4, "whatever did best on validation data"
    tested = {record.number: Tested({"accuracy": 0.5}, counts=(8, 8)) for record in trainings}
    outcome = sum_up(session.ledger, trial(problem, 7, 5), trainings, tested, chosen.label)
    assert (outcome.handed_over, outcome.majority, outcome.tested_on) == ("plain", 0.5, 16)
    card = model_card(problem, outcome, chosen, trials=12, data={"task.data": "0a1b"})
    assert card.data == {"data": "digest 0a1b"}
    assert card.search == {
        "space": "tiny_space",
        "strategy": "draw",
        "trials": 12,
        "handed over": "the network plain, and not what the search found: accuracy 0.9 against"
        " 0.6333 on validation data",
    }
    assert card.training == {"seed": 4, "epochs": 3, "batch_size": 8, "lr": None}
    assert card.test["accuracy"] == {"mean": 0.5, "std": 0.0, "seeds": [0.5]}
    assert list(card.baselines) == ["what the search found"]
    assert card.baselines["what the search found"]["parameters"] == 10
    assert (card.title, card.fingerprint) == ("tiny", chosen.fingerprint)
    assert card.validation["accuracy"] == 0.9
    (warning,) = card.warnings
    assert warning.startswith("The network in best/ is no better than chance: accuracy 0.5 on 16")


@pytest.mark.parametrize(
    ("accuracy", "counts", "warned"),
    [
        (0.5, (8, 8), True),
        (0.69, (8, 8), True),  # 11 of 16 by luck: once in ten
        (0.8, (8, 8), False),
        (0.8, (160, 40), True),  # no better than to name the first class
        (0.9, (160, 40), False),
        (0.5, (), False),  # the classes are not known
        (50.0, (8, 8), False),  # a task that counts in percent
    ],
)
def test_a_result_no_better_than_chance_is_said(
    session: Session, accuracy: float, counts: tuple[int, ...], warned: bool
) -> None:
    problem = session.problem
    trainings = [final(problem, 1, "found", 0.9), final(problem, 2, "found", 0.9)]
    tested = {record.number: Tested({"accuracy": accuracy}, counts=counts) for record in trainings}
    outcome = sum_up(session.ledger, trial(problem, 7, 5), trainings, tested)
    said = chance_in_words(outcome)
    assert bool(said) == warned
    assert not said or "Try more epochs" in said or "More test samples would tell" in said


def test_what_helps_a_network_no_better_than_chance_is_the_spaces_to_say(session: Session) -> None:
    info, trainings = TaskInfo("series", (8, 500), 2, 40), [final(session.problem, 1, "found", 0.9)]
    tested = {1: Tested({"accuracy": 0.5}, counts=(8, 8))}
    outcome = sum_up(session.ledger, trial(session.problem, 7, 5), trainings, tested)
    pipelines = Registry().get("search_spaces", "spd_pipeline")
    said = chance_in_words(replace(outcome, advice=pipelines(pipelines.Options()).advice(info)))
    assert "task.grouped=true" in said and "train.epochs" not in said


@pytest.mark.parametrize("accuracy", [0.5, 0.69])
def test_a_fold_no_better_than_chance_is_named_and_not_sent_to_evaluate(
    session: Session, accuracy: float
) -> None:
    trainings = [final(session.problem, 1, "found", 0.9)]
    tested = {1: Tested({"accuracy": accuracy}, counts=(8, 8))}
    outcome = sum_up(session.ledger, trial(session.problem, 7, 5), trainings, tested)
    said = chance_in_words(outcome, {"validation": {"outer": {"folds": "stratified:4", "fold": 3}}})
    assert said.startswith("Fold 3: ") and "network that would be handed over" in said
    assert "best/" not in said and "toolkit evaluate" not in said
