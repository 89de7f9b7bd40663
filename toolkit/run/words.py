"""What an outcome means, in sentences: what was handed over and why, and whether it is any good."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from toolkit.analysis.significance import share_p_value
from toolkit.base.summary import statistics_of
from toolkit.contracts.jobs import ENSEMBLE
from toolkit.run.facts import PilotResult
from toolkit.run.outcome import RunOutcome
from toolkit.run.records import FOUND, RANDOM

ACCURACY = "accuracy"
_OF_SUPERNETS = "A supernet trains few of them in full, and may find less."
LEVEL = 0.05
"""Of the test against chance."""
_ADVICE = (
    "Try more epochs (train.epochs), or another learning rate (train.lr: {log: [1e-4, 1e-1]})."
)


def handed_over_in_words(
    outcome: RunOutcome, metric: str, recipe: Mapping[str, Any] | None = None
) -> str:
    """Says which network `best/` holds, and whether the search found it.

    Args:
        outcome: of the run.
        metric: the first objective.
        recipe: of the run, which may ask for the ensemble whatever it is worth.
    """
    asked = _asked(recipe or {}) == ENSEMBLE
    if outcome.handed_over == FOUND:
        return "what the search found" if outcome.trial is not None else "what was given"
    means = [
        statistics_of(t.values for t in outcome.trainings_of(label)).get(metric)
        for label in (outcome.handed_over, FOUND)
    ]
    name = outcome.handed_over
    what = f"the network {name}"
    if name == ENSEMBLE:
        what = "the ensemble of the search's best points"
    elif name.startswith(f"{RANDOM}-"):
        what = "a random architecture"
    if None in means:
        return f"{what}, which did better on validation data than what the search found"
    ours, theirs = (mean for mean in means if mean is not None)
    said = (
        f"{what}, and not what the search found: {metric} {ours.mean:.4g} against"
        f" {theirs.mean:.4g} on validation data"
    )
    if name == ENSEMBLE:
        return f"{said}; the recipe asks for it (train.final.hand_over)" if asked else said
    noise = math.hypot(*(one.std / math.sqrt(len(one.seeds)) for one in (ours, theirs)))
    if abs(ours.mean - theirs.mean) <= noise:
        return (
            f"{said}, equal within the noise of the seeds, with the lower loss or the smaller model"
        )
    return said


def _asked(recipe: Mapping[str, Any]) -> str:
    train = recipe.get("train")
    final = train.get("final") if isinstance(train, Mapping) else None
    return str(final.get("hand_over")) if isinstance(final, Mapping) else ""


def chance_in_words(outcome: RunOutcome, recipe: Mapping[str, Any] | None = None) -> str:
    """Says that the network in `best/` is no better than chance; nothing where it is better.

    Where the recipe tests on one fold of many (`validation.outer`), the fold is named.

    A one-sided binomial test compares its accuracy with that of always naming the most frequent
    class of the test split. Values are compared with the mean of the training targets, see
    `toolkit.analysis.significance.p_of_mean`.
    """
    fold = _fold(recipe)
    if outcome.p_of_mean is not None:
        return "" if outcome.p_of_mean < LEVEL else _no_better_than_mean(outcome, fold)
    accuracy = outcome.test_of(outcome.handed_over).get(ACCURACY)
    if accuracy is None or outcome.majority is None or not outcome.tested_on:
        return ""
    if not (0 <= accuracy.mean <= 1 and 0 <= outcome.majority <= 1):
        return ""  # A task of one's own counts otherwise.
    p_value = share_p_value(accuracy.mean, outcome.tested_on, outcome.majority)
    if p_value < LEVEL:
        return ""
    measured = (
        f"accuracy {accuracy.mean:.3g} on {outcome.tested_on} test samples, where always naming the"
        f" most frequent class gives {outcome.majority:.3g}"
    )
    if accuracy.mean > outcome.majority:
        more = (
            "All folds together tell more."
            if fold
            else "More test samples would tell: `toolkit evaluate` tests on all of them."
        )
        return (
            f"{_subject(fold, 'As far as the test can tell, the')} is no better than chance:"
            f" {measured} (one-sided p = {p_value:.2g}). {more}"
        )
    return f"{_subject(fold)} is no better than chance: {measured}. {outcome.advice or _ADVICE}"


def _no_better_than_mean(outcome: RunOutcome, fold: int) -> str:
    found = outcome.test_of(outcome.handed_over).get("r2")
    said = "" if found is None else f": r2 {found.mean:.3g}"
    return (
        f"{_subject(fold)} is no better than always giving the mean of the training"
        f" targets{said} on {outcome.tested_on} test samples. {outcome.advice or _ADVICE}"
    )


def _subject(fold: int, opening: str = "The") -> str:
    """The network that is spoken of, after how the sentence opens; a fold has no `best/`."""
    if not fold:
        return f"{opening} network in best/"
    return f"Fold {fold}: {opening[0].lower()}{opening[1:]} network that would be handed over"


def _fold(recipe: Mapping[str, Any] | None) -> int:
    """The fold that a run tests on; 0 where it tests on its task's own part."""
    place: Any = recipe
    for word in ("validation", "outer", "fold"):
        place = place.get(word) if isinstance(place, Mapping) else None
    return place if isinstance(place, int) else 0


def pilot_in_words(pilot: PilotResult) -> str:
    """Says in a sentence or two what a pilot found, and whether the search goes on."""
    if pilot.variances is None or pilot.gain is None:
        return "Too many trials of the pilot failed to tell architectures apart."
    found, gain = pilot.variances, pilot.gain
    share = (
        f"Of the variance of {pilot.metric}, {found.icc.value:.0%} is between architectures"
        f" ({found.icc.low:.0%} to {found.icc.high:.0%}): their standard deviation is"
        f" {found.architectures.value:.2g}, that of seeds {found.seeds:.2g}."
    )
    tried = f"{pilot.tried} full trainings" if pilot.one_shot else pilot.tried
    expected = (
        f"The best of {tried} is expected to be {gain.value:.2g} ahead of a random one (of 20"
        f" such searches, 19 end at {gain.low:.2g} to {gain.high:.2g});"
    )
    if gain.value > pilot.threshold:
        said = f"{share} {expected} a search can pay."
        return f"{said} {_OF_SUPERNETS}" if pilot.one_shot else said
    return (
        f"{share} {expected} a search cannot pay, as the test cannot see less than"
        f" {pilot.threshold:.2g}."
    )
