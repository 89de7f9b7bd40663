"""The model card: what an exported model is, how it came about, how well it does, its limits."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from toolkit.base.summary import format_metric

if TYPE_CHECKING:
    import torch

Facts: TypeAlias = str | Mapping[str, Any]
"""A sentence, or facts by name."""


@dataclass(frozen=True)
class Card:
    """The facts of a model card, as plain JSON; what is empty is left out.

    Attributes:
        title: in one line.
        task, data, search, training: what it is for, on which data, how it was found and trained.
        inputs: how they are made of raw data.
        classes: their names, by index.
        fingerprint: of the architecture.
        parameters: trainable numbers; those of the model if it is not given.
        members: of an ensemble, a line each.
        validation: metric -> number, or mean and std.
        test: metric -> mean, std and seeds.
        baselines: name -> metrics as in `test`, and `parameters`.
        warnings, limits: sentences.
        outputs: what the model gives, see `toolkit.contracts.TaskInfo`.
        start: what its training started from, where that was made before it.
        references: what is no network, as in `test`.
    """

    title: str = ""
    task: Facts = ""
    data: Facts = ""
    inputs: str = ""
    classes: Sequence[str] = ()
    search: Facts = ""
    fingerprint: str = ""
    parameters: int | None = None
    members: Sequence[str] = ()
    validation: Mapping[str, Any] = field(default_factory=dict)
    test: Mapping[str, Any] = field(default_factory=dict)
    baselines: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    training: Facts = ""
    warnings: Sequence[str] = ()
    limits: Sequence[str] = ()
    outputs: str = "scores"
    start: Facts = ""
    references: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def taken(preparer: torch.nn.Module) -> str:
    """Returns what raw inputs a preparation takes, in words."""
    return str(getattr(preparer, "takes", "raw inputs"))


def write_card(
    card: Card,
    deployed: torch.nn.Module,
    preparer: torch.nn.Module | None = None,
    door: str = "Model",
) -> str:
    """Returns the card of a deployed model as Markdown.

    Args:
        card: its facts.
        deployed: the model.
        preparer: what makes its inputs of raw ones, where that is exported too.
        door: what the class that takes raw inputs is called.
    """
    lines = [f"# {card.title or type(deployed).__name__}", ""]
    lines += [f"{type(deployed).__name__}, {_count(card, deployed):,} parameters"]
    if card.fingerprint:
        lines[-1] += f", architecture `{card.fingerprint}`"
    lines[-1] += "."
    lines += _section("Task", _facts(card.task))
    lines += _section("Data", _facts(card.data))
    lines += _section("Inputs", _facts(card.inputs))
    lines += _section("How it was found", _facts(card.search))
    lines += _section("What its training started from", _facts(card.start))
    lines += _section("Members", [f"- {text}" for text in card.members])
    lines += _section("How it was trained", _facts(card.training))
    if card.classes:
        names = ", ".join(f"{index} {name}" for index, name in enumerate(card.classes))
        lines += _section("Classes", [names])
    lines += _section("Results on validation data", _metrics(card.validation))
    lines += _section("Results on test data", _results(card, deployed))
    knows = _knows_novelty(deployed)
    asks = card.outputs == "images"
    use = _ask(card, door) if asks else _use(preparer, door, card.outputs == "values", knows)
    lines += _section("Use", use)
    lines += _section("Warnings", [f"- {text}" for text in card.warnings])
    spread = (_NO_SPREAD if _seeds_of(card) == 1 else _SPREAD,) if card.test else ()
    limits = (*card.limits, *_limits_of_outputs(card), *_LIMITS, *spread)
    lines += _section("Limits", [f"- {text}" for text in limits])
    return "\n".join(lines).rstrip() + "\n"


def _knows_novelty(deployed: torch.nn.Module) -> bool:
    """Whether a model says of its scores how unlike all classes an input is."""
    import torch

    measure = getattr(deployed, "novelty", None)
    width = getattr(deployed, "config", {}).get("classes", 0)
    return bool(measure and width and measure(torch.zeros(1, width)) is not None)


def _use(
    preparer: torch.nn.Module | None, door: str, of_values: bool = False, novelty: bool = False
) -> list[str]:
    gives = "values" if of_values else "scores"
    prepared = [
        "from model import load",
        "",
        "network = load()                 # reads weights.safetensors beside model.py",
        f"{gives} = network(inputs)         # inputs: prepared as told under Inputs",
    ]
    each = "value" if of_values else "class"
    program = f"`python model.py inputs.pt` prints a {each} for each input of a saved tensor"
    if preparer is None:
        missing = "The preparation of raw data is told in words alone; the file has none."
        return [*_fenced(prepared), f"{program}.", "", missing]
    known = [
        f"names = model.predict(raw)       # raw: {taken(preparer)}",
        "scores = model(raw)              # the largest score names the class",
    ]
    if novelty:
        known.append("novelty = model.novelty(raw)     # distance to the nearest class, (N,)")
    if of_values:
        known = [f"values = model(raw)              # (N, 1); raw: {taken(preparer)}"]
    raw = [
        f"from model import {door}",
        "",
        f"model = {door}.load()".ljust(33) + "# reads weights.safetensors beside model.py",
        *known,
    ]
    return [
        *_fenced(raw),
        "`model.network` is the network alone, which takes inputs prepared as told under Inputs.",
        f"{program} of such inputs; `--raw` behind it takes raw ones.",
    ]


def _ask(card: Card, door: str) -> list[str]:
    name = str(card.classes[0]) if card.classes else "0"
    asked = [
        f"from model import {door}",
        "",
        f"model = {door}.load()".ljust(41) + "# reads weights.safetensors beside model.py",
        f"images = model.sample({name!r}, 16, seed=0)".ljust(41) + "# (16, C, H, W) in [0, 1]",
    ]
    return [*_fenced(asked), f"`python model.py {name} 36 new.png` writes 36 of them in one file."]


def _fenced(lines: Sequence[str]) -> list[str]:
    return ["Needs Python and PyTorch, nothing else:", "", "```python", *lines, "```", ""]


TRANSDUCTIVE = (
    "The model is transductive: it recentres each group (person, recording) by all of the group's"
    " own inputs, without labels, so that new data must come in whole groups, and their number and"
    " mix count."
)
_LIMITS = (
    "Its results hold for data like those it was tested on; other sensors, settings or classes "
    "need a test of their own.",
)
_SPREAD = "Standard deviations are over training seeds on one split of the data."
_NO_SPREAD = (
    "Each result is of one training on one split of the data: how much it would differ with another"
    " seed or split is not known."
)

_OF_OUTPUTS: Mapping[str, tuple[str, ...]] = {
    "values": (
        "Values are in the units of the targets it was trained on. They come without an interval,"
        " and far from these targets they are extrapolations.",
    ),
    "images": (
        "It has learned from few images of each class, and may come near to them: look at `copied`"
        " and at the nearest images in the report before samples are taken for new.",
        "Distances are between features of a judge trained on this task; they are comparable within"
        " this task alone.",
    ),
}

_SCORES = {
    False: "Scores are logits, not calibrated probabilities.",
    True: "Scores are logarithms of probabilities: the mean of its members', equally weighted, each"
    " calibrated on samples that were held out of a training.",
}


def _limits_of_outputs(card: Card) -> tuple[str, ...]:
    if card.outputs == "scores":
        return (_SCORES[bool(card.members)],)
    return _OF_OUTPUTS.get(card.outputs, ())


def _section(heading: str, body: Sequence[str]) -> list[str]:
    return ["", f"## {heading}", "", *body] if body else []


def _count(card: Card, deployed: torch.nn.Module) -> int:
    if card.parameters is not None:
        return card.parameters
    return sum(parameter.numel() for parameter in deployed.parameters())


def _facts(facts: Facts) -> list[str]:
    if not facts:
        return []
    if isinstance(facts, str):
        return [facts]
    return [f"- {key}: {_plain(value)}" for key, value in facts.items() if value is not None]


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _metrics(metrics: Mapping[str, Any]) -> list[str]:
    return [f"- {name}: {format_metric(value)}" for name, value in metrics.items()]


def _results(card: Card, deployed: torch.nn.Module) -> list[str]:
    if not card.test:
        return []
    metrics = list(card.test)
    rows: list[tuple[str, Mapping[str, Any]]]
    rows = [("this model's architecture", {**card.test, "parameters": _count(card, deployed)})]
    rows += card.baselines.items()
    rows += [(f"{name} (no network)", values) for name, values in card.references.items()]
    seeds = _seeds_of(card)
    lines = [
        f"| network | parameters | {' | '.join(metrics)} |",
        f"|---|---:|{'---:|' * len(metrics)}",
    ]
    for name, values in rows:
        count = f"{values['parameters']:,}" if "parameters" in values else ""
        cells = " | ".join(format_metric(values.get(metric)) for metric in metrics)
        lines.append(f"| {name} | {count} | {cells} |")
    note = "Mean ± standard deviation over " + (f"{seeds} training seeds." if seeds else "seeds.")
    if seeds == 1:
        note = "Each result is of one training."
    return [*lines, "", note]


def _seeds_of(card: Card) -> int:
    """How many trainings of the network were tested; 0 where that is not known."""
    return max((len(_seeds(value)) for value in card.test.values()), default=0)


def _seeds(value: Any) -> Sequence[Any]:
    """A metric's seeds: a list of them, or of the values they gave, or their number."""
    seeds = value.get("seeds") if isinstance(value, Mapping) else None
    if isinstance(seeds, int):
        return range(seeds)
    return list(seeds) if isinstance(seeds, Sequence | Mapping) else []
