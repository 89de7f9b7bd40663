"""Numbers and times as people read them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

_SHARES = ("accuracy", "f1", "precision", "recall", "auc", "error_rate")


def is_share(name: str) -> bool:
    """Whether a metric is a share of something, shown in percent."""
    return any(part in name.lower() for part in _SHARES)


def metric(value: Any, name: str = "") -> str:
    """A metric, or its mean and standard deviation: `95.31 %`, `95.31 ± 0.42 %`, `0.1234`."""
    std = None
    if isinstance(value, Mapping):
        many = not isinstance(value.get("seeds"), list) or len(value["seeds"]) > 1
        value, std = value.get("mean"), value.get("std") if many else None
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return "–"
    if is_share(name) and abs(value) <= 1:
        spread = "" if std is None else f" ± {100 * std:.2f}"
        return f"{100 * value:.2f}{spread} %"
    return f"{value:.4g}" if std is None else f"{value:.4g} ± {std:.2g}"


def cost(value: Any) -> str:
    """A cost's mean and standard deviation: `0.412 ± 0.03`, `12.4 M`."""
    if not isinstance(value, Mapping) or not isinstance(value.get("mean"), int | float):
        return "–"
    mean, std = value["mean"], value.get("std") or 0.0
    for limit, unit in ((1e9, " G"), (1e6, " M"), (1e4, " k")):
        if mean >= limit:
            mean, std = mean / (limit if limit > 1e4 else 1e3), 0.0
            return f"{mean:.3g}{unit}"
    spread = f"{std:.0f}" if std >= 10 else f"{std:.1g}"
    return f"{mean:.3g}" + (f" ± {spread}" if std else "")


def points(difference: float, name: str) -> str:
    """A difference of two values of a metric, with its sign."""
    if is_share(name):
        return f"{100 * difference:+.2f} points".replace("-", "−")
    return f"{difference:+.3g}".replace("-", "−")


def duration(seconds: Any) -> str:
    """A time: `0.4 s`, `52 s`, `3 min 20 s`, `2 h 5 min`."""
    if not isinstance(seconds, int | float) or not math.isfinite(seconds):
        return "–"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def count(number: Any) -> str:
    """A whole number with thin spaces: `12 345`."""
    return f"{number:,}".replace(",", "\u202f") if isinstance(number, int) else "–"


def last_line(text: str) -> str:
    """The last line that says something: of a traceback, the error itself."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
