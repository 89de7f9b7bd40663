"""What is best, as a run says it; a study's is in `toolkit.api.best_trial`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolkit.contracts import Architecture


@dataclass(frozen=True)
class Best:
    """What a run has found.

    Attributes:
        point: the architecture, and the searched values under `train` and `space`.
        values: validation metrics of the trial that found it.
        trial: that trial's number; None for an architecture that was given to be trained.
        fingerprint: equal for architectures that mean the same.
        parameters: trainable numbers of the deployed model.
    """

    point: Mapping[str, Any]
    values: Mapping[str, float]
    trial: int | None
    fingerprint: str
    parameters: int | None

    @property
    def number(self) -> int | None:
        """The trial's number, as `trial` says it."""
        return self.trial

    @property
    def architecture(self) -> Architecture:
        """The architecture alone."""
        return self.point.get("architecture") or {}
