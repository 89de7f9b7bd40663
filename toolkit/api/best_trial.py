"""What is best, as a study says it: with the attributes of `toolkit.api.best.Best`, and its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from toolkit.contracts import Trial

if TYPE_CHECKING:
    from toolkit.contracts import Architecture
    from toolkit.run.records import TrialRecord


@dataclass(frozen=True)
class BestTrial(Trial):
    """The best trial of a study: as it was asked for, with what was told of it.

    Attributes:
        values: what was told, by metric.
        parameters: None; only a run counts the trainable numbers of its models.
    """

    values: Mapping[str, float] = field(default_factory=dict)
    parameters: int | None = None

    @classmethod
    def of(cls, record: TrialRecord) -> BestTrial:
        """Makes it of an ended trial."""
        asked = record.trial()
        known = {entry.name: getattr(asked, entry.name) for entry in fields(asked)}
        return cls(**known, values=dict(record.values), parameters=record.parameters)

    @property
    def trial(self) -> int:
        """The trial's number, as `number` says it."""
        return self.number

    @property
    def architecture(self) -> Architecture:
        """The whole point: a loop of one's own searches nothing beside its space."""
        return self.point or {}
