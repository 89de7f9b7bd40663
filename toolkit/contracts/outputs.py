"""The contracts of exporters and trackers: who is handed what comes out of a run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


class Exporter(ABC):
    """Hands a trained model over in one more form, beside what `best/` always holds."""

    @abstractmethod
    def export(self, module: torch.nn.Module, example: torch.Tensor, folder: Path) -> list[Path]:
        """Write files for a deployed module into `folder`; `example` is a batch of inputs."""


class Tracker(ABC):
    """Hears what happens in a run, for an outside experiment tracker."""

    @abstractmethod
    def event(self, name: str, body: Mapping[str, Any]) -> None:
        """Hear one event of the run's `events.jsonl`."""

    def close(self) -> None:  # noqa: B027 - nothing to close is the usual case
        """Called when the engine ends, on every way out."""
