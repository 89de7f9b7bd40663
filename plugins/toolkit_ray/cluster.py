"""What a cluster's machines offer, and how many slots that makes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from toolkit.errors import RecipeError

_CLOSE = 1e-9


class Share(NamedTuple):
    """What one slot asks of a machine."""

    threads: int
    gpus: float

    def __str__(self) -> str:
        cores = "1 CPU core" if self.threads == 1 else f"{self.threads} CPU cores"
        return f"{cores} and {self.gpus:g} GPUs" if self.gpus else cores

    def fits(self, machine: Mapping[str, float]) -> int:
        """Returns how many such slots a machine has room for."""
        rooms = [machine.get("CPU", 0.0) / self.threads]
        if self.gpus:
            gpus = machine.get("GPU", 0.0)
            per_gpu = math.floor(1 / self.gpus + _CLOSE) if self.gpus < 1 else 1 / self.gpus
            rooms.append(gpus * per_gpu)
        return math.floor(min(rooms) + _CLOSE)


def plan(
    machines: Sequence[Mapping[str, float]],
    *,
    workers: int | None,
    gpus: float | None,
    threads: int | None,
) -> tuple[int, Share]:
    """Divides a cluster into slots.

    Args:
        machines: resources of each living node, as Ray names them (`CPU`, `GPU`).
        workers: slots to make, also where there is no room for them yet, or None for those that
            fit.
        gpus: GPUs per slot, or None for 1 where any machine has one.
        threads: CPU cores per slot, or None for an equal share.

    Returns:
        The number of slots, and what each asks for.

    Raises:
        RecipeError: not one fits, and no number was asked for.
    """
    any_gpu = any(machine.get("GPU", 0) >= 1 for machine in machines)
    asked = gpus if gpus is not None else float(any_gpu)
    if threads is None:
        threads = _equal_share(machines, workers, asked)
    share = Share(threads, asked)
    room = sum(share.fits(machine) for machine in machines)
    if workers is None and not room:
        raise RecipeError(
            f"resources: a trial asks for {share}, and no machine of the Ray cluster has them:"
            f" {shown(machines)}.",
            hint="Set resources.gpus and resources.threads to what one machine has, or"
            " resources.workers to wait for machines that come later.",
        )
    return workers or room, share


def shown(machines: Sequence[Mapping[str, Any]]) -> str:
    """Says what machines offer."""
    each = [f"{m.get('CPU', 0):g} CPU cores, {m.get('GPU', 0):g} GPUs" for m in machines]
    return "; ".join(each[:8]) + (f"; and {len(each) - 8} more" if len(each) > 8 else "") or "none"


def _equal_share(machines: Sequence[Mapping[str, float]], workers: int | None, gpus: float) -> int:
    cores = [int(machine.get("CPU", 0)) for machine in machines] or [1]
    if gpus:
        shares = [
            int(m.get("CPU", 0) / max(1, Share(1, gpus).fits({**m, "CPU": math.inf})))
            for m in machines
            if m.get("GPU", 0)
        ]
        return max(1, min(shares, default=1))
    return 1 if workers is None else max(1, min(sum(cores) // workers, max(cores)))
