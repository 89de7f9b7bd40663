"""The model card: what an exported model is, how it came about, how well it does, its limits."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from toolkit.analysis.summary import format_metric

if TYPE_CHECKING:
    import torch

KNOWN = frozenset(
    {
        "title",
        "task",
        "data",
        "inputs",
        "classes",
        "search",
        "fingerprint",
        "parameters",
        "validation",
        "test",
        "baselines",
        "training",
        "warnings",
        "limits",
    }
)


def write_card(card: Mapping[str, Any], deployed: torch.nn.Module) -> str:
    """The card as Markdown.

    Args:
        card: facts, all optional: `title`; `task`, `data`, `search`, `training` (a sentence, or a
            mapping of facts); `inputs` (how they are made of raw data); `classes` (names);
            `fingerprint`; `parameters` (a number); `validation` (metric -> number or mean and std);
            `test` (metric -> mean, std, seeds);
            `baselines` (name -> metrics like `test`, and `parameters`); `warnings`, `limits`
            (sentences). Anything else is listed as it is.
        deployed: the model.
    """
    lines = [f"# {card.get('title') or type(deployed).__name__}", ""]
    lines += [f"{type(deployed).__name__}, {_count(card, deployed):,} parameters"]
    if card.get("fingerprint"):
        lines[-1] += f", architecture `{card['fingerprint']}`"
    lines[-1] += "."
    for key, heading in (
        ("task", "Task"),
        ("data", "Data"),
        ("inputs", "Inputs"),
        ("search", "How it was found"),
        ("training", "How it was trained"),
    ):
        lines += _section(heading, _facts(card.get(key)))
    if card.get("classes"):
        names = ", ".join(f"{index} {name}" for index, name in enumerate(card["classes"]))
        lines += _section("Classes", [names])
    lines += _section("Results on validation data", _metrics(card.get("validation")))
    lines += _section("Results on test data", _results(card, deployed))
    lines += _section("Use", _USE)
    limits = [*_sentences(card.get("limits")), *_LIMITS]
    lines += _section("Warnings", [f"- {text}" for text in _sentences(card.get("warnings"))])
    lines += _section("Limits", [f"- {text}" for text in limits])
    rest = {key: value for key, value in card.items() if key not in KNOWN}
    lines += _section("Further facts", _facts(rest))
    return "\n".join(lines).rstrip() + "\n"


_USE = [
    "Needs Python and PyTorch, nothing else:",
    "",
    "```python",
    "from model import load",
    "",
    "model = load()           # reads weights.safetensors beside model.py",
    "scores = model(inputs)   # the largest score names the class",
    "```",
    "",
    "`python model.py inputs.pt` prints a class for each input of a saved tensor.",
]
_LIMITS = (
    "Its results hold for data like those it was tested on; other sensors, settings or classes "
    "need a test of their own.",
    "Scores are logits, not calibrated probabilities.",
    "Standard deviations are over training seeds on one split of the data.",
)


def _section(heading: str, body: Sequence[str]) -> list[str]:
    return ["", f"## {heading}", "", *body] if body else []


def _count(card: Mapping[str, Any], deployed: torch.nn.Module) -> int:
    known = card.get("parameters")
    if isinstance(known, int):
        return known
    return sum(parameter.numel() for parameter in deployed.parameters())


def _facts(facts: Any) -> list[str]:
    if not facts:
        return []
    if isinstance(facts, Mapping):
        return [f"- {key}: {_plain(value)}" for key, value in facts.items() if value is not None]
    return [_plain(facts)]


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _sentences(text: Any) -> Iterable[str]:
    return [text] if isinstance(text, str) else [str(sentence) for sentence in text or ()]


def _metrics(metrics: Any) -> list[str]:
    if not isinstance(metrics, Mapping):
        return []
    return [f"- {name}: {_metric(value)}" for name, value in metrics.items()]


def _results(card: Mapping[str, Any], deployed: torch.nn.Module) -> list[str]:
    test = card.get("test")
    if not isinstance(test, Mapping) or not test:
        return []
    metrics = list(test)
    rows = [("this model's architecture", _count(card, deployed), test)]
    for name, values in (card.get("baselines") or {}).items():
        rows.append((name, values.get("parameters"), values))
    seeds = max((len(_seeds(value)) for value in test.values()), default=0)
    lines = [
        f"| network | parameters | {' | '.join(metrics)} |",
        f"|---|---:|{'---:|' * len(metrics)}",
    ]
    for name, parameters, values in rows:
        count = f"{parameters:,}" if isinstance(parameters, int) else ""
        cells = " | ".join(_metric(values.get(metric)) for metric in metrics)
        lines.append(f"| {name} | {count} | {cells} |")
    note = "Mean ± standard deviation over " + (f"{seeds} training seeds." if seeds else "seeds.")
    return [*lines, "", note]


def _seeds(value: Any) -> Sequence[Any]:
    """A metric's seeds: a list of them, or of the values they gave, or their number."""
    seeds = value.get("seeds") if isinstance(value, Mapping) else None
    if isinstance(seeds, int):
        return range(seeds)
    return list(seeds) if isinstance(seeds, Sequence | Mapping) else []


def _metric(value: Any) -> str:
    return value if isinstance(value, str) else format_metric(value)
