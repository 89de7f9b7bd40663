"""One plain answer: did the search earn its cost?"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from toolkit.analysis.significance import welch_half_width, with_sample_noise
from toolkit.report.facts import ENSEMBLE, FOUND, RANDOM, Facts, Network
from toolkit.report.formats import interval, points
from toolkit.report.formats import metric as show
from toolkit.run.records import FRONT_POINT

_NAMES = {RANDOM: "random architectures", FOUND: "what was found", ENSEMBLE: "the ensemble"}

_ALONE = (
    "Nothing was trained beside the found network, so whether the search earned its cost cannot be"
    " said."
)

_OWN_ALONE = (
    "Nothing but what the search itself found was trained, so whether the search earned its cost"
    " cannot be said."
)


@dataclass(frozen=True)
class Comparison:
    """The found network or the ensemble against another; positive differences are in its favour.

    Attributes:
        margin: half of the 95 % interval of the difference; None with a single training.
    """

    name: str
    difference: float
    margin: float | None

    @property
    def ahead(self) -> bool:
        return self.margin is not None and self.difference > self.margin

    @property
    def behind(self) -> bool:
        return self.margin is not None and self.difference < -self.margin


@dataclass(frozen=True)
class Verdict:
    """The headline's sentence with its tone (`good`, `mixed`, `bad`, `open`), and the evidence."""

    tone: str
    sentence: str
    comparisons: tuple[Comparison, ...] = ()
    evidence: tuple[str, ...] = ()


def judge(facts: Facts) -> Verdict:
    """Compare what was found with hand-made networks and with random architectures."""
    if facts.outcome is None or not facts.metrics:
        return Verdict("open", _unfinished(facts))
    metric = facts.metrics[0]
    compared = compare(facts.networks, metric, facts.direction_of(metric), facts.answer)
    if not compared:
        return Verdict("open", _ALONE)
    others = [entry for entry in compared if _is_rival(entry.name)]
    random = next((entry for entry in compared if entry.name == RANDOM), None)
    strongest = min(others, key=lambda entry: entry.difference, default=None)
    contested = bool(facts.outcome.found_as and others)
    if contested:
        tone, sentence = _sentence(None, random, metric) if random else ("mixed", "")
    elif others or random:
        who = "the ensemble" if facts.answer == ENSEMBLE else "the found network"
        tone, sentence = _sentence(strongest, random, metric, who)
        if strongest is not None and (broken := facts.broken(strongest.name)):
            sentence += f" But {strongest.name} breaks a constraint: {', '.join(broken)}."
    else:
        tone, sentence = "open", _OWN_ALONE
    if facts.outcome.trial is None:
        sentence = _of_given(compared, metric)
    if contested:
        sentence = f"{contest(facts, metric)} {sentence}".rstrip()
    return Verdict(tone, sentence, tuple(compared), tuple(_evidence(compared, metric)))


def _is_rival(name: str) -> bool:
    """Whether a network is none that the search has found: not the ensemble, nor of its front."""
    return name not in (RANDOM, FOUND, ENSEMBLE) and not name.startswith(FRONT_POINT)


def contest(facts: Facts, metric: str) -> str:
    """Which of the found network and its rivals did best, by how much before the next one.

    All are one network but for the part they are named by.
    """
    sign = 1 if facts.direction_of(metric) == "maximize" else -1
    known = [n for n in facts.networks if n.name in (FOUND, ENSEMBLE) or _is_rival(n.name)]
    named = {n.part or n.name: n for n in known}
    samples = {name: _sample(network, metric) for name, network in named.items()}
    ranked = sorted(
        ((sign * statistics.fmean(own), name) for name, own in samples.items() if own), reverse=True
    )
    best, winner = ranked[0]
    leaders = sorted(name for value, name in ranked if value == best)
    assert facts.outcome is not None and facts.outcome.found_as is not None
    by = f"in test {metric.replace('_', ' ')}"
    text = f"{len(ranked)} {facts.outcome.found_as.part}s were compared on the same network: "
    if len(leaders) == len(ranked):
        return f"{text}none did best, they are equal {by}."
    second, other = ranked[len(leaders)]
    who = leaders[0] if len(leaders) == 1 else f"{' and '.join(leaders)}, which are equal,"
    text += f"{who} did best {by}, and {other} comes next,"
    text += f" {points(best - second, metric).removeprefix('+')} behind"
    welch = welch_half_width(samples[winner], samples[other])
    margin = _margin(named[winner], named[other], welch, metric)
    if margin is None:
        return f"{text}. One training each does not tell whether that is more than noise."
    settled = "more than" if best - second > margin else "within"
    said = interval(best - second, margin, metric)
    return f"{text} (95 % interval {said}): {settled} the noise of the trainings."


def compare(
    networks: Sequence[Network], metric: str, direction: str, answer: str = FOUND
) -> list[Comparison]:
    """Differences of means with 95 % intervals: Welch's, of the trainings, and for accuracies, or
    metrics of values, the noise of the test samples with it, where predictions were kept.

    The sample of random architectures is one of architectures: each counts once, with the mean of
    its trainings, where there are several.
    """
    sign = 1 if direction == "maximize" else -1
    found = next((network for network in networks if network.name == answer), None)
    if found is None or metric not in found.test:
        return []
    own = _sample(found, metric)
    compared = []
    for network in networks:
        other = _sample(network, metric)
        if network.name == answer or not other or not own:
            continue
        difference = sign * (statistics.fmean(own) - statistics.fmean(other))
        margin = _margin(found, network, welch_half_width(own, other), metric)
        compared.append(Comparison(network.name, difference, margin))
    return compared


def _margin(one: Network, other: Network, welch: float | None, metric: str) -> float | None:
    if one.hits_of != metric or other.hits_of != metric:
        return welch
    trainings = len(one.done), len(other.done)
    known = [network.chance for network in (one, other) if network.chance is not None]
    chance = sum(known) if len(known) == 2 else None
    return with_sample_noise(welch, one.hits, other.hits, trainings, chance)


def _sample(network: Network, metric: str) -> list[float]:
    groups = network.groups.get(metric) or {}
    if network.name == RANDOM and len(groups) > 1:
        return [statistics.fmean(values) for values in groups.values()]
    result = network.test.get(metric)
    return [] if result is None else list(result.seeds) or [result.mean]


def _sentence(
    strongest: Comparison | None,
    random: Comparison | None,
    metric: str,
    who: str = "the found network",
) -> tuple[str, str]:
    by = f" in test {_words(metric)}"
    if strongest is not None and strongest.difference <= 0:
        least = "beyond the noise" if strongest.behind else "within the noise"
        if strongest.margin is None:
            least = "with one training of each"
        return "bad", (
            f"The search did not earn its cost: {strongest.name} is as good or better{by} "
            f"({points(strongest.difference, metric)} for {who}, {least})."
        )
    if random is not None and random.difference <= 0:
        return "bad" if strongest is None else "mixed", (
            f"The search did not earn its cost: random architectures of the same space do as well"
            f"{by} ({points(random.difference, metric)} for {who})"
            + (", though both beat the hand-made networks." if strongest else ".")
        )
    known = [entry for entry in (strongest, random) if entry is not None]
    said = " and ".join(
        f"{points(entry.difference, metric)} against "
        + ("random architectures" if entry.name == RANDOM else entry.name)
        for entry in known
    )
    if all(entry.ahead for entry in known):
        return "good", f"The search earned its cost: {said}{by}, beyond the noise of the trainings."
    unsure = [
        "random architectures" if entry.name == RANDOM else entry.name
        for entry in known
        if not entry.ahead
    ]
    return "mixed", (
        f"{who.capitalize()} is ahead ({said}{by}), but its lead over {' and '.join(unsure)} is "
        "within the noise of so few trainings: whether the search earned its cost is not settled."
    )


def _of_given(compared: Sequence[Comparison], metric: str) -> str:
    """What is said of an architecture that was not searched here, but given."""
    said = " and ".join(
        f"{points(entry.difference, metric)} against "
        + ("random architectures" if entry.name == RANDOM else entry.name)
        for entry in compared
    )
    return f"Nothing was searched; the given architecture: {said} in test {_words(metric)}."


def _words(metric: str) -> str:
    return metric.replace("_", " ")


def _evidence(compared: Sequence[Comparison], metric: str) -> list[str]:
    lines = []
    for entry in compared:
        name = _NAMES.get(entry.name, entry.name)
        line = f"Against {name}: {points(entry.difference, metric)}"
        if entry.margin is not None:
            line += f" (95 % interval {interval(entry.difference, entry.margin, metric)})"
        lines.append(line + ".")
    return lines


def _unfinished(facts: Facts) -> str:
    if facts.study:
        return _of_study(facts)
    ended = sum(record.state.ended for record, _ in facts.search)
    trainings = [record for network in facts.networks for record, _ in network.trainings]
    parts = [f"{ended} of {len(facts.search)} search trials have ended"]
    if trainings:
        done = sum(record.state.ended for record in trainings)
        parts.append(f"{done} of {len(trainings)} final trainings")
    text = "This run is not finished, and nothing was tested yet: " + ", ".join(parts) + "."
    if facts.best is not None:
        text += f" {_best_so_far(facts, f'validation {facts.objective}')}"
    elif ended and not any(str(record.state) == "done" for record, _ in facts.search):
        text = "No trial of this run ended well, so nothing was found."
    return text


def _of_study(facts: Facts) -> str:
    ended = sum(record.state.ended for record, _ in facts.search)
    state = "is still open" if facts.study == "open" else "is closed"
    text = (
        f"This is an ask-and-tell study, which {state}: a program of your own has run its trials,"
        f" {ended} of {len(facts.search)} have ended. Nothing is trained from scratch or tested"
        " here."
    )
    return f"{text} {_best_so_far(facts, facts.objective)}" if facts.best else text


def _best_so_far(facts: Facts, what: str) -> str:
    assert facts.best is not None
    value = show(facts.best.values.get(facts.objective), facts.objective)
    return f"Best so far is trial {facts.best.number} with a {what} of {value}."
