"""Proposals checked as they arrive: a wrong type is the strategy's fault, by its name."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from toolkit.base.errors import PluginError, SpaceError
from toolkit.base.plain import is_number, shown
from toolkit.contracts import Proposal, Strategy
from toolkit.registry import plugin_code
from toolkit.space import Space, validate

_LARGEST = 2**63 - 1
_LEVELS = 100
"""Of nested values: who copies them must not run out of stack."""


def check_proposal(proposal: Any, strategy: str) -> Proposal:
    """Returns what `Strategy.ask` returned, with a copy of its point in plain values.

    Raises:
        PluginError: it is no proposal, or one of its fields is not what the contract says.
    """
    with plugin_code("strategy.ask"):
        return _checked(proposal, strategy)


def check_point(point: Any, space: Space, strategy: str) -> None:
    """Checks that a proposed point is one of the space.

    Raises:
        PluginError: it is none.
    """
    try:
        validate(space, point)
    except SpaceError as error:
        raise PluginError(
            f"The strategy {strategy} proposed a point outside the space. {error.message}"
        ) from error


def _checked(proposal: Any, strategy: str) -> Proposal:
    if not isinstance(proposal, Proposal):
        raise PluginError(
            f"strategy.ask of {strategy} returned {shown(proposal)}, expected a Proposal, Wait() or"
            " Exhausted()."
        )
    for field, expected in _faults(proposal):
        value = getattr(proposal, field)
        raise PluginError(
            f"strategy.ask of {strategy} proposed {field}={shown(value)}, expected {expected}."
        )
    return replace(proposal, point=_plain(proposal.point))


def _plain(value: Any) -> Any:
    """A copy without types of others: a number of NumPy's, a dictionary with ideas of its own."""
    if isinstance(value, Mapping):
        return {key: _plain(value[key]) for key in value}
    if isinstance(value, list | tuple):
        return type(value)(map(_plain, value)) if type(value) in (list, tuple) else value
    if type(value) is bool:
        return value
    for kind in (int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value


def check_default_trials(strategy: Strategy, name: str) -> int | None:
    """Asks a strategy how many trials it takes where a recipe does not say.

    Raises:
        PluginError: it says anything but a number above 0, or None for no limit.
    """
    with plugin_code("strategy.default_trials"):
        trials = strategy.default_trials()
    if trials is not None and not 0 < _whole(trials) <= _LARGEST:
        raise PluginError(
            f"strategy.default_trials of {name} returned {shown(trials)}, expected a number above"
            " 0, or None."
        )
    return trials


def check_promotable(promotable: Any, strategy: str) -> Collection[int] | None:
    """Returns what `Strategy.promotable` returned.

    Raises:
        PluginError: it is neither None nor numbers of trials.
    """
    if promotable is None:
        return None
    if isinstance(promotable, Collection) and all(map(_is_whole, promotable)):
        return promotable
    raise PluginError(
        f"strategy.promotable of {strategy} returned {shown(promotable)}, expected None or a"
        " collection of numbers of trials."
    )


def _faults(proposal: Proposal) -> Iterator[tuple[str, str]]:
    if proposal.kind not in ("train", "supernet"):
        yield "kind", "'train' or 'supernet'"
    if not _is_fidelity(proposal.fidelity):
        yield "fidelity", "plain values by name, epochs above 0 and data in (0, 1]"
    if proposal.seed is not None and not 0 <= _whole(proposal.seed) <= _LARGEST:
        yield "seed", f"None or an integer from 0 to {_LARGEST}"
    if proposal.continues is not None and not 0 < _whole(proposal.continues) <= _LARGEST:
        yield "continues", "None or a trial's number"
    if not _is_json(proposal.token):
        yield "token", "what can be written as JSON"


def _is_fidelity(fidelity: Any) -> bool:
    if not isinstance(fidelity, Mapping) or not all(isinstance(name, str) for name in fidelity):
        return False
    for name in ("epochs", "of_epochs"):
        if name in fidelity and not 0 < _whole(fidelity[name]) <= _LARGEST:
            return False
    if "data" in fidelity and not (is_number(fidelity["data"]) and 0 < fidelity["data"] <= 1):
        return False
    return _is_json(dict(fidelity))


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _whole(value: Any) -> int:
    """A whole number as it is; -1 for anything else."""
    return value if _is_whole(value) else -1


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError):
        return False
    return _is_shallow(value)


def _is_shallow(value: Any, levels: int = _LEVELS) -> bool:
    inner = value.values() if isinstance(value, Mapping) else value
    if not isinstance(value, Mapping | list | tuple):
        return True
    return levels > 0 and all(_is_shallow(one, levels - 1) for one in inner)
