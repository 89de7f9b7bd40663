"""What a report says, read from a run folder; nothing here is optional but the ledger."""

from __future__ import annotations

import re
import shlex
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

from toolkit.base.files import json_within, read_within
from toolkit.base.summary import Statistics, format_cost, statistics_of
from toolkit.contracts import TrialState
from toolkit.contracts.jobs import ENSEMBLE
from toolkit.report.drawn import are_images, drawings
from toolkit.report.formats import last_line
from toolkit.run import status as runs
from toolkit.run.facts import (
    CREATED,
    DIRECTIONS,
    DRAWING,
    OBJECTIVES,
    OUTCOME,
    PILOT,
    RECIPE,
    TIMES,
    PilotResult,
)
from toolkit.run.folder import trial_folder
from toolkit.run.following import told
from toolkit.run.ledger import Ledger
from toolkit.run.lock import holder
from toolkit.run.outcome import Baseline, Results, RunOutcome
from toolkit.run.predictions import (
    Confusion,
    GroupResult,
    Values,
    by_group,
    confusion,
    hits,
    values_of,
)
from toolkit.run.records import FOUND, RANDOM, MetricRecord, TrialRecord, network_of
from toolkit.run.searched import decided, few_decided, searched
from toolkit.run.state import is_study
from toolkit.run.weights import FOUND_DRAWING, PREDICTIONS, PREPARATION, SAMPLES
from toolkit.run.words import handed_over_in_words, pilot_in_words

TRAIN_LOSS = "train_loss"
SAMPLE_KINDS = ("samples", "shots", "real")
_UNSEEN = object()
_STALE = "The report could not be written"


@dataclass
class Network:
    """One network's final trainings: the found one, a baseline, or all random architectures.

    Attributes:
        trainings: each with what it reported, epoch by epoch.
        test: results on the test split, by metric; empty before the test.
        validation: the same on validation data, of the trainings that are done.
        groups: test metric -> values by architecture, for random architectures of several.
        part: of the found one, its name among its rivals; empty where there are none.
        given: whether the found one was given to be trained, not searched.
        hits: for each test sample, the share of its trainings that were right; empty if unknown.
            Of values, what it adds to `hits_of`, the metric they are judged by.
        chance: of values, see `toolkit.run.predictions.Values.shares`.
        samples: what its first training generates, see `toolkit.run.weights.SAMPLES`.
    """

    name: str
    trainings: list[tuple[TrialRecord, list[MetricRecord]]]
    test: Results = field(default_factory=dict)
    parameters: int | None = None
    groups: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    part: str = ""
    given: bool = False
    hits: list[float] = field(default_factory=list)
    hits_of: str = "accuracy"
    chance: float | None = None
    samples: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        if self.name == FOUND:
            origin = "given" if self.given else "found by the search"
            return f"{origin}: {self.part}" if self.part else origin
        return "random architectures" if self.name == RANDOM else self.name

    @property
    def done(self) -> list[TrialRecord]:
        return [record for record, _ in self.trainings if record.state is TrialState.DONE]

    @property
    def duration_s(self) -> float | None:
        """Mean time of one training that is done."""
        times = [record.duration_s for record in self.done if record.source is None]
        return statistics.fmean(times) if times else None

    @property
    def validation(self) -> Results:
        return statistics_of(record.values for record in self.done)


@dataclass
class Facts:
    """All that is known of a run.

    Attributes:
        study: of an ask-and-tell study, whether it is `open` or `closed`; empty for a run.
        drawing: the network in `best/`, as SVG.
        found_drawing: what the search found, where that is another one.
    """

    folder: str
    recipe: Mapping[str, Any]
    objective: str
    direction: str
    search: list[tuple[TrialRecord, list[MetricRecord]]]
    networks: list[Network]
    outcome: RunOutcome | None
    best: TrialRecord | None
    times: dict[str, float]
    warnings: list[str]
    drawing: bytes | None
    found_drawing: bytes | None
    texts: dict[str, str]
    created: float | None
    engine: str
    front: Mapping[str, Any] | None = None
    drawings: tuple[Mapping[str, Any], ...] = ()
    drawn_classes: tuple[str, ...] = ()
    directions: Mapping[str, str] = field(default_factory=dict)
    confusion: Confusion | None = None
    values: Values | None = None
    by_group: Sequence[GroupResult] = ()
    pilot: PilotResult | None = None
    classes: tuple[str, ...] = ()
    manifest: Mapping[str, Any] = field(default_factory=dict)
    study: str = ""

    @property
    def judged(self) -> str:
        """What trials are judged by, in words: a study does not say on which data it measures."""
        name = self.objective.replace("_", " ")
        return name if self.study else f"validation {name}"

    @property
    def command(self) -> str:
        """The command that made the run, as one types it."""
        words = [str(word) for word in self.manifest.get("command") or ()]
        if not words:
            return ""
        program = Path(words[0])
        module = program.parts[-2:] == ("toolkit", "__main__.py")  # `python -m toolkit`
        return shlex.join(["toolkit" if module else program.name, *words[1:]])

    @property
    def name(self) -> str:
        return str(self.recipe.get("name") or Path(self.folder).name)

    @property
    def supernets(self) -> list[tuple[TrialRecord, list[MetricRecord]]]:
        return [entry for entry in self.search if entry[0].kind == "supernet"]

    @property
    def architecture(self) -> Any:
        if self.outcome is not None:
            return self.outcome.architecture
        return self.best.point.get("architecture") if self.best and self.best.point else None

    def class_name(self, index: int) -> str:
        """What a class is called, its number where no name is known."""
        return self.classes[index] if index < len(self.classes) else str(index)

    @property
    def sampled(self) -> list[tuple[str, list[Mapping[str, Any]]]]:
        """Rows of images, one for each class: test images, shots, and samples of each network."""
        known = [network for network in self.networks if network.samples]
        if not known:
            return []
        first = known[0].samples
        columns = [
            ("test images", first["real"]["rows"]),
            ("training images", first["shots"]["rows"]),
            *((network.title, network.samples["samples"]["rows"]) for network in known),
        ]
        return [(name, list(rows)) for name, rows in columns]

    @property
    def handed_over(self) -> str:
        """The network in `best/`; the found one where the search's find was handed over."""
        return network_of(self.outcome.handed_over) if self.outcome else FOUND

    @property
    def handed_over_title(self) -> str:
        """The network in `best/`, as the tables call it; one of the random architectures is one."""
        if self.handed_over == RANDOM:
            return "a random architecture"
        named = {network.name: network.title for network in self.networks}
        return named.get(self.handed_over, self.handed_over)

    @property
    def handed_over_in_words(self) -> str:
        """Which network `best/` holds, and whether the search found it; empty before the test."""
        return (
            handed_over_in_words(self.outcome, self.objective, self.recipe) if self.outcome else ""
        )

    @property
    def pilot_in_words(self) -> str:
        """What the pilot found, if there was one that has ended."""
        return pilot_in_words(self.pilot) if self.pilot else ""

    @property
    def answer(self) -> str:
        """The network that the search answers with: what it found, or the ensemble in `best/`."""
        return ENSEMBLE if self.handed_over == ENSEMBLE else FOUND

    @property
    def answered(self) -> Network | None:
        """The network of that name."""
        return next((network for network in self.networks if network.name == self.answer), None)

    @property
    def refitted(self) -> bool:
        """Whether some training ended elsewhere than its last epoch: its head was fitted then."""
        for network in self.networks:
            for record, metrics in network.trainings:
                ended = record.values.get(self.objective)
                last = metrics[-1].values.get(self.objective) if metrics else None
                if ended is not None and last is not None and abs(ended - last) > 1e-9:
                    return True
        return False

    @property
    def states(self) -> dict[str, int]:
        return dict(Counter(str(record.state) for record, _ in self.search))

    @property
    def metrics(self) -> list[str]:
        """Test metrics, or before the test validation metrics; the objective first."""
        names: dict[str, None] = {}
        for network in self.networks:
            names.update(dict.fromkeys(network.test if self.outcome else network.validation))
        names.pop(TRAIN_LOSS, None)
        names.pop("parameters", None)
        return sorted(names, key=lambda name: name != self.objective)

    def direction_of(self, metric: str) -> str:
        """Where a metric is to go; runs of earlier versions know it of the objective alone."""
        return self.directions.get(metric, self.direction)

    @property
    def costs(self) -> list[str]:
        """Costs of the deployed networks that were measured, the parameters apart."""
        measured = self.outcome.costs.values() if self.outcome else ()
        names = dict.fromkeys(name for own in measured for name in own)
        return [name for name in names if name != "parameters"]

    def cost(self, network: str, name: str) -> Statistics | None:
        """A network's cost, as mean and standard deviation over its trainings."""
        return self.outcome.costs.get(network, {}).get(name) if self.outcome else None

    @property
    def constrained(self) -> bool:
        """Whether the recipe has constraints."""
        return bool(self.recipe.get("constraints"))

    def constraints_of(self, record: TrialRecord) -> str:
        """Which constraints a trial breaks, with its values; `met`, or nothing while unknown."""
        said = []
        for bound in record.violations:
            name = bound.partition(" ")[0]
            value = record.values.get(name, record.parameters if name == "parameters" else None)
            known = "" if value is None else f" ({format_cost(value)})"
            said.append(f"breaks {bound}{known}")
        return ", ".join(said) or ("met" if record.state is TrialState.DONE else "")

    def broken(self, network: str) -> list[str]:
        """Constraints that a network breaks."""
        return list(self.outcome.infeasible.get(network, ())) if self.outcome else []

    @cached_property
    def choices(self) -> dict[int, dict[str, Any]]:
        """By trial, its searched values and the single decisions of its architecture."""
        own = self._searched
        return {r.number: {**own[r.number], **decided(r)} for r, _ in self.search}

    @cached_property
    def _searched(self) -> dict[int, dict[str, Any]]:
        """By trial, the values that were searched beside the architecture."""
        return {record.number: searched(record) for record, _ in self.search}

    @cached_property
    def searched_names(self) -> list[str]:
        """Values that were searched beside the architecture, such as `train.lr`."""
        return list(dict.fromkeys(chain.from_iterable(self._searched.values())))

    @cached_property
    def columns(self) -> list[str]:
        """Searched values, and the decisions of architectures where few of these differ."""
        few = few_decided(decided(record) for record, _ in self.search)
        return list(dict.fromkeys([*self.searched_names, *few]))

    @cached_property
    def varied(self) -> list[str]:
        """Searched values and decisions that differ between done trials, the former first."""
        first: dict[str, Any] = dict.fromkeys(self.searched_names, _UNSEEN)
        varied = set()
        for record, _ in self.search:
            if record.state is not TrialState.DONE:
                continue
            for name, value in self.choices[record.number].items():
                known = first.setdefault(name, value)
                if known is _UNSEEN:
                    first[name] = value
                elif name not in varied and known != value and str(known) != str(value):
                    varied.add(name)
        return [name for name in first if name in varied]

    @cached_property
    def failures(self) -> list[tuple[str, int, int]]:
        """Reasons for which trials ended badly: the reason, how many, the first one's number."""
        reasons: dict[str, list[int]] = {}
        for record, _ in self.search:
            if str(record.state) in ("failed", "oom", "timeout", "invalid"):
                line = re.sub(r"\d+(\.\d+)?", "N", last_line(record.error)) or str(record.state)
                if record.violations:
                    line = f"not trained, as it breaks {', '.join(record.violations)}"
                reasons.setdefault(line[:200], []).append(record.number)
        found = [(reason, len(own), own[0]) for reason, own in reasons.items()]
        return sorted(found, key=lambda entry: -entry[1])

    @cached_property
    def trial_metrics(self) -> list[str]:
        """Metrics of search trials; what has a column of its own is left out."""
        names: dict[str, None] = {}
        for record, _ in self.search:
            names.update(dict.fromkeys(record.values))
        for own in (TRAIN_LOSS, "parameters", "duration_s"):
            names.pop(own, None)
        return sorted(names, key=lambda name: name != self.objective)


def read_facts(folder: Path) -> Facts:
    """Read a run folder.

    Raises:
        LedgerError: there is no ledger in it, or it is damaged.
    """
    ledger = Ledger.open(folder / "ledger.sqlite", read_only=True)
    try:
        recipe = ledger.get(RECIPE) or {}
        outcome = ledger.get(OUTCOME)
        metric, direction = next(iter(ledger.get(OBJECTIVES).items()), ("", "maximize"))
        searched, trained = ledger.trials("search"), ledger.trials("final")
        best = runs.best_so_far(ledger, searched)
        curves = [record for record in searched if record.kind == "supernet"] + trained
        reported = ledger.metrics_of([record.number for record in curves])
        search = [(record, reported.get(record.number, [])) for record in searched]
        final = [(record, reported.get(record.number, [])) for record in trained]
        times = {part: ledger.get(fact) for part, fact in TIMES.items()}
        created = ledger.get(CREATED)
        front, drawing = runs.front(ledger), ledger.get(DRAWING) or {}
        directions, pilot = ledger.get(DIRECTIONS), ledger.get(PILOT)
        of_study = is_study(ledger)
    finally:
        ledger.close()
    return Facts(
        folder=str(folder.absolute()),
        recipe=recipe,
        objective=metric,
        direction=direction,
        search=search,
        networks=_networks(folder, final, outcome, metric),
        outcome=outcome,
        best=best,
        times={part: time for part, time in times.items() if time},
        warnings=_warnings(folder),
        drawing=_read(folder, "best/architecture.svg"),
        found_drawing=_read(folder, f"best/{FOUND_DRAWING}"),
        texts={
            title: text.decode(errors="replace")
            for title, name in (("as given", "recipe.yaml"), ("resolved", "recipe.resolved.yaml"))
            if (text := _read(folder, name))
        },
        created=created,
        engine=holder(folder),
        study=("open" if holder(folder) else "closed") if of_study else "",
        front=front,
        drawings=drawings(drawing),
        drawn_classes=_names(drawing.get("class_names")),
        directions=directions,
        confusion=confusion(_predictions(folder, final, outcome)),
        values=values_of(_predictions(folder, final, outcome)),
        by_group=by_group(_predictions(folder, final, outcome)),
        classes=_class_names(folder),
        pilot=pilot,
        manifest=_manifest(folder),
    )


def _predictions(
    folder: Path, final: Sequence[tuple[TrialRecord, object]], outcome: RunOutcome | None
) -> list[Path]:
    """The files of predictions of the network in `best/`, one for each of its trainings."""
    if outcome is None:
        return []
    own = [record for record, _ in final if record.label == outcome.handed_over and record.folder]
    return [trial_folder(folder, record) / PREDICTIONS for record in own]


def _samples(folder: Path, path: Path) -> Mapping[str, Any]:
    """What a training generated in its test, if that is known."""
    try:
        known = json_within(folder, path)
        sound = all(are_images(known[name]) for name in SAMPLE_KINDS)
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return known if sound else {}


def _manifest(folder: Path) -> Mapping[str, Any]:
    """What the run was started with and on, where that was written down."""
    try:
        known = json_within(folder, folder / "manifest.json")
        return {
            **{name: known[name] for name in ("python", "platform", "cpu_count")},
            "command": [*map(str, known["command"])],
            "packages": {**known["packages"]},
        }
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _class_names(folder: Path) -> tuple[str, ...]:
    try:
        return _names(json_within(folder, folder / "best" / PREPARATION)["classes"])
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def _names(stored: Any) -> tuple[str, ...]:
    return tuple(map(str, stored)) if isinstance(stored, list) else ()


def _networks(
    folder: Path,
    final: list[tuple[TrialRecord, list[MetricRecord]]],
    outcome: RunOutcome | None,
    objective: str,
) -> list[Network]:
    """Final trainings by network: the found one first, random architectures last."""
    networks: dict[str, Network] = {}
    for record, metrics in final:
        name = record.network
        networks.setdefault(name, Network(name, [])).trainings.append((record, metrics))
    for entry in networks.values():
        sizes = [record.parameters for record in entry.done if record.parameters is not None]
        entry.parameters = round(statistics.fmean(sizes)) if sizes else None
    if outcome is not None:
        _add_tests(networks, outcome)
        for entry in networks.values():
            own = [record for record in entry.done if record.folder]
            kept = [trial_folder(folder, record) / PREDICTIONS for record in own]
            entry.hits = hits(kept)
            values = values_of(kept)
            if values is not None and (added := values.shares(objective)) is not None:
                entry.hits, entry.chance = added
                entry.hits_of = objective
            entry.samples = _samples(folder, trial_folder(folder, own[0]) / SAMPLES) if own else {}
    order = {FOUND: -1, RANDOM: 1}
    return sorted(networks.values(), key=lambda network: order.get(network.name, 0))


def _add_tests(networks: dict[str, Network], outcome: RunOutcome) -> None:
    tested = {FOUND: Baseline(outcome.test, outcome.parameters), **outcome.baselines}
    for name, network in tested.items():
        entry = networks.setdefault(name, Network(name, []))
        entry.test, entry.parameters = network.test, network.parameters
    for training in outcome.trainings:
        groups = networks[network_of(training.label)].groups
        for metric, value in training.test.items():
            groups.setdefault(metric, {}).setdefault(training.label, []).append(value)
    found = networks[FOUND]
    found.part = outcome.found_as.name if outcome.found_as else ""
    found.given = outcome.trial is None


def _warnings(folder: Path) -> list[str]:
    """Every warning once, in order, with what ended badly."""
    found: dict[str, None] = {}
    for event in told(folder, "warning"):
        message = str(event.facts.get("message"))
        if not message.startswith(_STALE):
            number = event.facts.get("number")
            known = number is None or message.startswith(f"Trial {number} ")
            start = "" if known else f"Trial {number}: "
            found[start + message] = None
    return list(found)


def _read(folder: Path, name: str) -> bytes | None:
    try:
        return read_within(folder, folder / name)
    except OSError:
        return None
