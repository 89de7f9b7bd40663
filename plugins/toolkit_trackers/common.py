"""What the trackers share: parameters by name, metrics that are numbers, missing packages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from toolkit.errors import ToolkitError


def require(package: str, extra: str) -> None:
    """Refuses to go on without a package.

    Raises:
        ToolkitError: it is not installed.
    """
    if find_spec(package) is None:
        raise ToolkitError(
            f"The tracker {extra} needs the package {package}, which is not installed.",
            hint=f"pip install 'nas-toolkit[{extra}]', or take {extra} out of track.",
        )


def parameters(facts: Mapping[str, Any]) -> dict[str, str | int | float | bool]:
    """Returns what a trial that starts was given, by dotted name."""
    given = {"seed": facts.get("seed"), **(facts.get("point") or {}), **(facts["fidelity"] or {})}
    return dict(_flat("", given))


def numbers(values: Mapping[str, Any] | None) -> dict[str, float]:
    """Returns the values that are finite."""
    return {name: float(value) for name, value in (values or {}).items() if value is not None}


def trial_name(facts: Mapping[str, Any]) -> str:
    """Returns a trial's name among those of its run."""
    label = facts.get("label")
    return f"trial-{facts['number']:04d}" + (f"-{label}" if label else "")


def _flat(path: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        pairs = [_flat(f"{path}.{name}" if path else name, each) for name, each in value.items()]
        return [pair for inner in pairs for pair in inner]
    plain = isinstance(value, str | int | float | bool)
    return [(path, value if plain else json.dumps(value))]
