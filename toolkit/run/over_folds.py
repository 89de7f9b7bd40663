"""What an evaluation on folds came to, for those who ask for the best of its folder."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from toolkit.base.files import json_within
from toolkit.base.plain import is_number
from toolkit.base.summary import format_number
from toolkit.run.facts import PURPOSE
from toolkit.run.ledger import Ledger

EVALUATION = "evaluation.json"
"""The file in which an evaluation keeps its results."""
EVALUATE = "evaluate"
"""The command that the purpose of an evaluation on folds names."""


@dataclass(frozen=True)
class OverFolds:
    """The network that is judged, over all folds that ended well.

    Attributes:
        network: how tables call it.
        metric: the first objective.
        mean: of that metric in the tests of the folds.
        interval: holds the mean with 95 %; None for fewer than two folds.
        folds: that ended well.
        of_folds: of how many.
    """

    network: str
    metric: str
    mean: float
    interval: tuple[float, float] | None
    folds: int
    of_folds: int

    def plain(self) -> dict[str, Any]:
        """Returns it as plain JSON."""
        return asdict(self)

    @property
    def sentence(self) -> str:
        """`test accuracy 0.97 (95 % interval 0.93 to 1) over 3 folds`."""
        said = f"test {self.metric} {format_number(self.mean)}"
        if self.interval is not None:
            said += f" (95 % interval {' to '.join(map(format_number, self.interval))})"
        count = (
            f"{self.folds}" if self.folds == self.of_folds else f"{self.folds} of {self.of_folds}"
        )
        return f"{said} over {count} folds"


def is_evaluation(ledger: Ledger) -> bool:
    """Whether a ledger's trials are the folds of an evaluation: none of them is the best."""
    return bool(ledger.get(PURPOSE).get("command") == EVALUATE)


def over_folds(folder: Path) -> OverFolds | None:
    """Reads what an evaluation has come to; None before it has, or where the file is damaged."""
    if not (folder / EVALUATION).is_file():
        return None
    try:
        page = json_within(folder, folder / EVALUATION)
        judged, metric = page["networks"][0], str(page["metric"])
        found = judged["results"][metric]
        interval = found["interval"]
        ends = None if interval is None else (float(interval[0]), float(interval[1]))
        if not is_number(found["mean"]):
            return None
        title = str(page["titles"].get(judged["network"], judged["network"]))
        return OverFolds(
            title, metric, float(found["mean"]), ends, int(found["folds"]), len(page["rows"])
        )
    except (OSError, ValueError, TypeError, LookupError, AttributeError):
        return None
