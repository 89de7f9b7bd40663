"""What pipelines take of a data set, kept from one to the next: moments of series cost most."""

from __future__ import annotations

import json
import weakref
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from toolkit.datasets.parts import Part
from toolkit.training.batches import fetch, in_order, length

from .representation import Given, Representation

if TYPE_CHECKING:
    from torch.utils.data import Dataset

LIMIT_BYTES = 768 << 20
"""Moments that a process keeps; those at hand always stay."""
_BATCH = 1024


@dataclass(frozen=True)
class _Entry:
    inputs: weakref.ref[Tensor]
    given: Given

    @property
    def bytes(self) -> int:
        return sum(part.nbytes for part in self.given.moments)


_kept: OrderedDict[tuple[int, str], _Entry] = OrderedDict()


def take(model: Representation, part: Dataset[Any], device: torch.device) -> Given:
    """Return what a representation takes of all inputs of a part, in its order.

    Of parts of one pool it takes each input once: nothing that is taken depends on other inputs.
    """
    if not isinstance(part, Part) or model.spec["rows"] is None:
        batches = fetch(part, in_order(length(part), _BATCH), device)
        with torch.no_grad():
            return model.take(torch.cat([inputs for inputs, _ in batches]))
    spec = model.spec
    wanted = [spec["rows"], spec["estimator"] == "ledoit_wolf", spec["grouped"], str(device)]
    key = id(part.whole), json.dumps(wanted)
    entry = _kept.get(key)
    if entry is None or entry.inputs() is not part.whole:
        with torch.no_grad():
            entry = _Entry(weakref.ref(part.whole), model.take(part.whole.to(device)))
        _kept[key] = entry
    _kept.move_to_end(key)
    _drop_others()
    return entry.given.of(part.index.to(device))


def _drop_others() -> None:
    """Drop what no data are left of, and the longest unused until the rest fits."""
    for key in [key for key, entry in _kept.items() if entry.inputs() is None]:
        del _kept[key]
    while len(_kept) > 1 and sum(entry.bytes for entry in _kept.values()) > LIMIT_BYTES:
        _kept.popitem(last=False)
