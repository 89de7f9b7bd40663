"""NNI's package without what takes most of its import and its manager never asks for."""

from __future__ import annotations

import sys
from types import ModuleType

DISTRIBUTIONS = ("norm", "lognorm", "uniform", "loguniform")
"""Names that NNI's search spaces take from `scipy.stats`; the engine's strategy knows the space."""


def leave_out() -> None:
    """Has NNI imported without pandas and `scipy.stats`, by processes that look into no space."""
    # NNI's serializer can do without pandas.
    sys.modules.setdefault("pandas", None)  # type: ignore[arg-type]
    if "scipy.stats" not in sys.modules:
        stand_in = ModuleType("scipy.stats")
        stand_in.__dict__.update(dict.fromkeys(DISTRIBUTIONS))
        sys.modules["scipy.stats"] = stand_in
