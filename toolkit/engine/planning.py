"""Which networks are trained from scratch after a search: the find, its rivals, random ones."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from toolkit.base.files import remove_tree
from toolkit.contracts import TrialState
from toolkit.contracts.jobs import ENSEMBLE, FEW_SHOT
from toolkit.engine import seeds
from toolkit.engine.anchors import is_anchor
from toolkit.engine.session import Session
from toolkit.problem import Problem
from toolkit.run.facts import FOUND_AS
from toolkit.run.folder import RunFolder
from toolkit.run.outcome import Part
from toolkit.run.predictions import sharpness_of, sharpness_together
from toolkit.run.records import FOUND, FRONT_POINT, RANDOM, TrialRecord, candidates
from toolkit.run.selection import best_found, by_validation, front_of, spread

_FEW = 6
"""Trials from which it is worth saying that validation cannot choose."""
_TRIES = 100
"""Draws after which a space counts as too small for one more random architecture."""


def found_trial(problem: Problem, records: Sequence[TrialRecord]) -> TrialRecord | None:
    """Returns the trial with what a search has found, see `toolkit.run.selection.best_found`.

    Where no derived architecture was trained on its own, the supernet's first choice stands.
    """
    found = best_found(records, problem.objectives, problem.recipe.train.final.choose)
    if found is not None:
        return found
    for record in records:
        # What was not trained on its own cannot be known to keep to constraints.
        if record.state is TrialState.DONE and record.derived and not problem.bounds:
            point = {"architecture": record.derived[0]}
            fingerprint = problem.fingerprint(point)
            return replace(record, kind="train", point=point, fingerprint=fingerprint)
    return None


def plan_trainings(session: Session, found: TrialRecord) -> None:
    """Enters every final training of this find into the ledger, unless that was done before."""
    ledger = session.ledger
    known = ledger.trials("final")
    if any(r.label == FOUND and r.fingerprint == found.fingerprint for r in known):
        return
    found_as, points = _networks(session.problem, found, ledger.trials("search"), session.folder)
    ledger.put_fact(FOUND_AS, found_as)
    # What an earlier session planned beside another find stays where it is still wanted.
    stale = {_identity(record): record for record in known}
    number = max((record.number for record in ledger.trials()), default=0)
    for record in _trainings(session.problem, points):
        if stale.pop(_identity(record), None) is None:
            number += 1
            ledger.put(replace(record, number=number))
    for record in stale.values():
        remove_tree(session.folder.trial(record), session.folder.path)
        ledger.remove(record.number)
    ledger.commit(durable=True)


def saturation_in_words(problem: Problem, records: Sequence[TrialRecord]) -> str:
    """Says that validation cannot choose, where a third of the trials are (almost) always right."""
    perfect, known = _saturation(problem, records)
    if not perfect:
        return ""
    metric, samples = next(iter(problem.objectives)), problem.info.train_size
    text = (
        f"Validation cannot choose: {perfect} of {known} trials have a {metric} of"
        f" {1 - 1 / samples:.3g} or more there, which does not say what is best on other data."
    )
    if len(_by_few_shots(problem, records)) > 1:
        text += " The ensemble begins with what is best when it learns from a few samples alone."
    elif len(_anchored(records)) > 1:
        text += " The ensemble is of those alone that the space knew to be good beforehand."
    return f"{text} Validation by groups, if the data have any, may tell them apart."


def _saturation(problem: Problem, records: Sequence[TrialRecord]) -> tuple[int, int]:
    """How many trials are (almost) always right in validation, and of how many.

    0 where these are less than a third, or trials are few.
    """
    metric = next(iter(problem.objectives))
    known = [r.values[metric] for r in candidates(records) if metric in r.values]
    samples = problem.info.train_size
    if metric not in ("accuracy", "balanced_accuracy") or len(known) < _FEW or samples < 1:
        return 0, len(known)
    perfect = sum(value >= 1 - 1 / samples for value in known)
    return (perfect if perfect >= len(known) / 3 else 0), len(known)


def _by_few_shots(problem: Problem, records: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Trials that are (almost) always right, those first that are so after the fewest samples."""
    known = by_validation(candidates(records), problem.objectives)
    return sorted(
        (record for record in known if FEW_SHOT in record.values),
        key=lambda record: -record.values[FEW_SHOT],
    )


def _anchored(records: Sequence[TrialRecord]) -> list[TrialRecord]:
    """The anchors among trials that may be found."""
    return [record for record in candidates(records) if is_anchor(record.token)]


def _networks(
    problem: Problem, found: TrialRecord, search: Sequence[TrialRecord], folder: RunFolder
) -> tuple[Part | None, dict[str, dict[str, Any]]]:
    """The points to train, by label, and the found one's name among its rivals."""
    final = problem.recipe.train.final
    assert found.point is not None
    points, name = {FOUND: found.point}, None
    points.update(_front_points(problem, found, search))
    points.update(_ensemble_points(problem, found, search, folder))
    if final.baselines:
        name, beside = problem.points_beside(found.point)
        points.update(beside)
    points.update(_random_points(problem, final.random))
    return (Part(problem.space().exchanged, name) if name else None), points


def _front_points(
    problem: Problem, found: TrialRecord, search: Sequence[TrialRecord]
) -> dict[str, dict[str, Any]]:
    """Further points of the front, as many as are asked for.

    The best in the first objective comes first, then what adds most to the hypervolume of those
    that were taken, bounded by the worst results of the search: a point that is good in one
    objective alone, and hardly better in it than its neighbour, is passed over.
    """
    wanted = problem.recipe.train.final.front - 1
    if len(problem.objectives) < 2 or not wanted:
        return {}
    others = {
        record.fingerprint: record
        for record in front_of(candidates(search), problem.objectives)
        if record.fingerprint != found.fingerprint
    }
    numbers = spread([found, *others.values()], candidates(search), problem.objectives, wanted)
    front = {record.number: record for record in others.values()}
    return {f"{FRONT_POINT}{number}": dict(front[number].point or {}) for number in numbers}


def _ensemble_points(
    problem: Problem, found: TrialRecord, search: Sequence[TrialRecord], folder: RunFolder
) -> dict[str, dict[str, Any]]:
    """The ensemble of the best points whose data are the found one's samples, if asked for.

    Where validation cannot choose, what does best with few samples to learn from comes first, and
    if no trial knows that, what was known to be good beforehand is the best there is.
    What they make of these samples may differ: each member carries its own preparation.
    """
    wanted = problem.recipe.train.final.ensemble
    if wanted < 2:
        return {}
    assert found.point is not None
    samples = problem.source_of(found.point).info
    members: dict[str, dict[str, Any]] = {}
    folders: dict[str, Path] = {}
    best = by_validation(candidates(search), problem.objectives)
    if _saturation(problem, search)[0]:
        if len(sparing := _by_few_shots(problem, search)) > 1:
            best = sparing + [record for record in best if FEW_SHOT not in record.values]
        elif len(anchored := _anchored(search)) > 1:
            best = by_validation(anchored, problem.objectives)
    for record in best:
        if len(members) == wanted:
            break
        point = dict(record.point or {})
        own = problem.source_of(point).info
        if (own.train_size, own.class_names) == (samples.train_size, samples.class_names):
            # What an earlier run trained has no folder here.
            member = {"point": point, "sharpness": 1.0}
            if record.fingerprint in members:
                continue
            if record.folder:
                own_folder = folders[record.fingerprint] = folder.trial(record)
                member |= {"sharpness": sharpness_of(own_folder), "trial": record.number}
            members[record.fingerprint] = member
    if len(members) < 2:
        return {}
    if len(folders) == len(members):
        each = [float(member["sharpness"]) for member in members.values()]
        common = sharpness_together(list(folders.values()), each)
        for member, sharpness in zip(members.values(), common, strict=True):
            member["sharpness"] = sharpness
    return {ENSEMBLE: {"architecture": {ENSEMBLE: list(members.values())}}}


def _random_points(problem: Problem, count: int) -> dict[str, dict[str, Any]]:
    """Distinct random points, of all the architectures of the space."""
    rng = random.Random(seeds.derive(problem.recipe.train.seed, "random"))
    points: dict[str, dict[str, Any]] = {}
    for _ in range(_TRIES * count):
        if len(points) == count:
            break
        point = problem.draw(rng, problem.whole_tree)
        points.setdefault(problem.fingerprint(point), point)
    return {f"{RANDOM}-{index}": point for index, point in enumerate(points.values(), 1)}


def _trainings(problem: Problem, points: Mapping[str, dict[str, Any]]) -> Iterator[TrialRecord]:
    """A training of each point with each seed; the numbers are still to be given."""
    train = problem.recipe.train
    for label, point in points.items():
        fingerprint = problem.fingerprint(point)
        for index in range(train.final.seeds):
            yield TrialRecord(
                0,
                "final",
                "train",
                TrialState.QUEUED,
                point,
                fingerprint,
                seeds.derive(train.seed, "final", index),
                label=label,
                folder=RunFolder.trial_name("final", 0, fingerprint, label, index),
            )


def _identity(record: TrialRecord) -> tuple[str, str, int]:
    return record.label, record.fingerprint, record.seed
