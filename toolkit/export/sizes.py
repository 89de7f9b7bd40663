"""How large inputs are, by which new data in other units are told from those of the training."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from toolkit.base.plain import is_number

if TYPE_CHECKING:
    import torch

LOOKED_AT = 256
"""Inputs that are looked at, from all over the data."""
FAR = 100.0
"""Times larger or smaller, in the median, that new inputs are told of."""
BEYOND = 10.0
"""The same where all of them are beyond the whole range of the training's."""
_TRIED = 16


@dataclass(frozen=True)
class Sizes:
    """Mean absolute values of inputs as they are prepared, the least, middle and largest.

    Attributes:
        kind: of the inputs, see `TaskInfo.kind`; the last channel of grouped ones is left out.
    """

    low: float
    median: float
    high: float
    kind: str

    @classmethod
    def of(cls, inputs: Iterable[torch.Tensor], kind: str) -> Sizes | None:
        """Measure inputs of a kind; None where there are none."""
        sizes = sorted(filter(math.isfinite, (_size(one, kind) for one in inputs)))
        if not sizes:
            return None
        return cls(sizes[0], sizes[len(sizes) // 2], sizes[-1], kind)

    @classmethod
    def read(cls, kept: Any) -> Sizes | None:
        """What `to_json` gave; None where that is missing or malformed."""
        if not isinstance(kept, Mapping) or not isinstance(kept.get("kind"), str):
            return None
        numbers = [kept.get(name) for name in ("low", "median", "high")]
        known = [float(one) for one in numbers if one is not None and is_number(one) and one >= 0]
        return cls(known[0], known[1], known[2], kept["kind"]) if len(known) == 3 else None

    def to_json(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)

    def factor_of(self, new: Sizes) -> float | None:
        """How many times larger new inputs are, where they are far from these; else None."""
        factor = _ratio(new.median, self.median)
        above = new.low > BEYOND * self.high
        below = new.high * BEYOND < self.low
        return factor if above or below or not 1 / FAR < factor < FAR else None


def warn_of_sizes(known: Sizes | None, inputs: torch.Tensor, model: torch.nn.Module) -> list[str]:
    """Warns of new inputs that are far larger or smaller than those of the training.

    Nothing is said where the model gives the same for inputs of the training's size.

    Args:
        known: of the training's; None where that is not known.
        inputs: new ones, prepared.
        model: takes them.
    """
    if known is None:
        return []
    new = Sizes.of(inputs[:: -(-len(inputs) // LOOKED_AT)], known.kind)
    factor = None if new is None else known.factor_of(new)
    if new is None or factor is None or _is_indifferent(model, inputs[:_TRIED], factor, known.kind):
        return []
    if factor == 0:
        how = "nothing but zeros, half of them at least, beside"
    elif factor > 1:
        how = f"{factor:.3g} times as large as"
    else:
        how = f"{1 / factor:.3g} times smaller than"
    of_signals = ""
    if "spd" in known.kind:
        of_signals = f" (a factor of {math.sqrt(factor):.3g} in signals that these are of)"
    return [
        f"The new inputs are {how} those of the training{of_signals}: as prepared, their mean"
        f" absolute value is {new.median:.3g} in the median, and was {known.median:.3g}, from"
        f" {known.low:.3g} to {known.high:.3g}. If they are in other units, such as volts for"
        " microvolts, the predictions mean nothing: give them in those of the training."
    ]


def _size(one: torch.Tensor, kind: str) -> float:
    values = one[:-1] if kind.startswith("grouped_") else one
    known = values[~values.isnan()]
    return float(known.abs().double().mean()) if known.numel() else math.nan


def _ratio(new: float, known: float) -> float:
    if new == known:
        return 1.0
    return new / known if known else math.inf


def _is_indifferent(model: torch.nn.Module, inputs: torch.Tensor, factor: float, kind: str) -> bool:
    """Whether a model gives the same for inputs that are divided by a factor."""
    import torch

    if not (math.isfinite(factor) and factor):
        return False
    scaled = inputs / factor
    if kind.startswith("grouped_"):
        scaled[:, -1] = inputs[:, -1]
    try:
        with torch.inference_mode():
            given, other = model(inputs).double(), model(scaled).double()
    except RuntimeError:  # An eigendecomposition that does not converge, say.
        return False
    spread = float(given.abs().max())
    return torch.allclose(given, other, rtol=1e-3, atol=1e-3 * spread)
