"""Events as lines of text: the event's name, then what there is to say of it.

An event has a name and facts (`toolkit.run.events`). Facts are shown by what they are called, so
that events not known here read well too; a mapping becomes its leaves by dotted name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from toolkit.base.plain import is_number

_SHORT_ID = 8
_SHOWN: Mapping[str, str] = {"smoke_passed": "one batch works"}
"""Events whose names do not say by themselves what was done."""
_LONGEST = 160
"""Characters after which a value is cut."""
_PLAIN = ("state", "message", "reason", "error", "said")
"""Facts whose values say by themselves what they are."""

_ENDINGS: Mapping[Any, str] = {0: "done", 130: "stopped by Ctrl-C", 143: "stopped by SIGTERM"}


def describe(name: str, body: Mapping[str, Any]) -> str:
    """Returns an event in one line, with several-line texts indented below it."""
    parts: list[str] = []
    texts: list[str] = []
    for key, value in _said(name, body).items():
        if value is None or value == "" or value == {} or value == []:
            continue
        if isinstance(value, str) and "\n" in value.strip():
            if key == "error":
                parts.append(value.strip().splitlines()[-1])
            else:
                texts += value.strip().splitlines()
        else:
            parts += _facts(key, value)
    line = f"{_SHOWN.get(name, name):<15} {'  '.join(parts)}".rstrip()
    return "\n".join([line, *(f"    {text}".rstrip() for text in texts)])


def values_text(values: Mapping[str, Any]) -> str:
    """Returns metrics in one line: `accuracy 0.9312  loss 0.201`."""
    return "  ".join(
        f"{name} {_compact(value)}" for name, value in values.items() if value is not None
    )


def point_text(point: Mapping[str, Any] | None) -> str:
    """Returns the searched values of a point beside its architecture: `train.lr=0.01`."""
    known = {name: value for name, value in (point or {}).items() if name != "architecture"}
    return "  ".join(f"{name}={_compact(value)}" for name, value in _leaves("", known))


def _said(name: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """What is worth saying of an event, in the order in which it is said."""
    if name == "run_started":
        return _start(body)
    if name == "resumed":
        counts = {key: body.get(key) for key in ("ended", "requeued") if body.get(key)}
        return counts or {"said": "no trial yet"}
    if name in ("trial_started", "trial_reported", "trial_ended"):
        return _trial(name, body)
    if name == "tested":
        given = body.get("handed_over")
        networks = {"found": body.get("test") or {}, **(body.get("baselines") or {})}
        first = [given] if given in networks else []
        results = {each: _results(networks[each]) for each in dict.fromkeys([*first, *networks])}
        said = "  ".join(f"{each}={told}" for each, told in results.items() if told)
        return {"said": said, "handed_over": given}
    if name == "stopping":
        return {"said": stopping_text(body)}
    if name == "run_ended":
        code = body.get("exit_code")
        said = _ENDINGS.get(code, f"ended with exit code {code}")
        return {"said": said, "state": _relative(body.get("folder"))}
    if name == "pilot_ended":
        return {"message": body.get("message")}
    return dict(body)


def _start(body: Mapping[str, Any]) -> dict[str, Any]:
    goes_on = "goes on" if body.get("resumed") else None
    slots, device = body.get("slots"), body.get("device")
    workers = None if slots is None else f"{_many(slots, 'worker')} on {device or 'cpu'}"
    objectives = body.get("objectives") or {}
    return {
        "said": body.get("name"),
        "state": _relative(body.get("folder")),
        "reason": goes_on,
        "strategy": body.get("strategy"),
        "trials": body.get("trials"),
        "time_s": body.get("time_s"),
        "epochs": body.get("epochs"),
        "message": workers,
        "objectives": ", ".join(f"{direction} {each}" for each, direction in objectives.items()),
    }


def _relative(folder: Any) -> str:
    """A path as one types it, where it is below this folder."""
    path = Path(str(folder or ""))
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _trial(name: str, body: Mapping[str, Any]) -> dict[str, Any]:
    label = body.get("label") or (body.get("kind") if body.get("kind") != "train" else None)
    head = {"number": body.get("number"), "said": label}
    if name == "trial_reported":
        return {**head, "step": step_text(body.get("step"), body.get("epochs")), **_values(body)}
    if name == "trial_started":
        attempt = body.get("attempt")
        return {
            **head,
            "fingerprint": body.get("fingerprint"),
            "epochs": body.get("epochs"),
            "attempt": attempt if attempt != 1 else None,
            "message": point_text(body.get("point")),
        }
    return {
        **head,
        "state": body.get("state"),
        **_values(body),
        "duration_s": body.get("duration_s"),
        "answered_by": body.get("source"),
        "error": body.get("error"),
    }


def _values(body: Mapping[str, Any]) -> dict[str, Any]:
    return {"values": body.get("values") or None}


def step_text(step: Any, epochs: Any) -> str:
    """Returns how far a training is: `epoch 3 of 9`, or `epoch 3` where nobody knows its length."""
    if not step:
        return ""
    return f"epoch {step} of {epochs}" if is_number(epochs) and epochs >= step else f"epoch {step}"


def stopping_text(body: Mapping[str, Any]) -> str:
    """Returns what a Ctrl-C was answered with."""
    if body.get("how") == "now":
        return "stopping now"
    jobs = body.get("jobs") or 0
    return f"finishing {_many(jobs, 'epoch')}, Ctrl-C again to stop now"


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _facts(key: str, value: Any) -> Iterator[str]:
    if key == "number":
        yield f"#{value}"
    elif key in _PLAIN or key == "step":
        yield str(value).strip()
    elif key.endswith("_s") and is_number(value):
        yield f"{value:.1f} s" if key == "duration_s" else f"{key[:-2]} {value:.1f} s"
    elif key == "fingerprint":
        yield str(value)[:_SHORT_ID]
    elif key == "values" and isinstance(value, Mapping):
        yield values_text(value)
    else:
        for name, leaf in _leaves(key, value):
            yield f"{name}={_compact(leaf)}"


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The leaves of nested mappings by dotted name; a mean with its deviation is one."""
    if isinstance(value, Mapping) and not _is_statistics(value):
        for inner, leaf in value.items():
            yield from _leaves(f"{name}.{inner}" if name else str(inner), leaf)
    else:
        yield name, value


def _results(network: Mapping[str, Any]) -> str:
    """The metrics of a network in the test; beside them an event has its parameters."""
    tested = {n: v for n, v in network.items() if isinstance(v, Mapping) and _is_statistics(v)}
    return _braced(tested)


def _braced(metrics: Mapping[str, Any]) -> str:
    """The metrics of one network of several in a line: `{accuracy:0.95±0.01 loss:0.2±0.1}`."""
    told = " ".join(f"{name}:{_compact(leaf)}" for name, leaf in _leaves("", metrics))
    return f"{{{told}}}" if told else ""


def _is_statistics(value: Mapping[str, Any]) -> bool:
    return "mean" in value and "std" in value


def _compact(value: Any) -> str:
    from toolkit.base.summary import format_metric, format_number

    if isinstance(value, Mapping):
        return format_metric(value).replace(" ", "") if _is_statistics(value) else str(len(value))
    if isinstance(value, Sequence) and not isinstance(value, str):
        simple = not any(isinstance(inner, Mapping) for inner in value)
        return ",".join(map(_compact, value)) if simple else str(len(value))
    text = format_number(value) if isinstance(value, float) else str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
