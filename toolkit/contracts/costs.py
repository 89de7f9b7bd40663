"""The costs of a deployed model that objectives and constraints may name."""

from __future__ import annotations

from toolkit.contracts.common import Direction

COSTS: dict[str, Direction] = {
    "parameters": "minimize",
    "multiply_adds": "minimize",
    "latency_ms": "minimize",
    "latency_batch_ms": "minimize",
    "memory_mb": "minimize",
}
"""Costs that may stand among objectives and constraints, with their directions."""
TIMED = frozenset({"latency_ms", "latency_batch_ms"})
"""Those that a clock measures: the same model has others the next time."""
