"""Numbers and times as people read them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from toolkit.base.summary import NOTHING, format_metric, format_number

if TYPE_CHECKING:
    from markupsafe import Markup

_SHARES = ("accuracy", "f1", "precision", "recall", "auc", "error_rate")


def is_share(name: str) -> bool:
    """Whether a metric is a share of something, shown in percent."""
    return any(part in name.lower() for part in _SHARES)


def metric(value: Any, name: str = "") -> str:
    """A metric, or its mean and standard deviation: `95.31 %`, `95.31 ± 0.42 %`, `0.1234`."""
    return format_metric(value, share=is_share(name))


def points(difference: float, name: str) -> str:
    """A difference of two values of a metric, with its sign."""
    if is_share(name):
        return f"{100 * difference:+.2f} points".replace("-", "−")
    return f"{'−' if difference < 0 else '+'}{format_number(abs(difference), 3)}"


def interval(difference: float, half_width: float, name: str) -> str:
    """The 95 % interval of a difference, with its sign; of shares it ends where they can.

    An interval that would go further comes of a few trainings that differ much, and says so.
    """
    low, high = difference - half_width, difference + half_width
    if not is_share(name) or abs(difference) > 1 or -1 <= low <= high <= 1:
        return f"{points(low, name)} to {points(high, name)}"
    bounds = f"{points(max(low, -1.0), name)} to {points(min(high, 1.0), name)}"
    return f"{bounds}: so few trainings say next to nothing"


def count(number: Any) -> str:
    """A whole number with thin spaces: `12 345`."""
    return f"{number:,}".replace(",", "\u202f") if isinstance(number, int) else NOTHING


def last_line(text: str) -> str:
    """The last line that says something: of a traceback, the error itself."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def parts(text: str) -> tuple[str, str]:
    """What a message says in one line, and all of it where it has more: a traceback is long."""
    lines = [line.rstrip() for line in text.strip().splitlines()]
    if len(lines) < 2:
        return text, ""
    flat = [line for line in lines[1:] if line and not line[0].isspace()]
    error = next((x for x in reversed(flat) if not x.startswith("To reproduce")), "")
    return f"{lines[0]} {error}".strip(), "\n".join(lines[1:])


def code(text: str) -> Markup:
    """A sentence, escaped, with what stands between backticks as code."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def chosen(value: Any) -> str:
    """A searched value: numbers with four digits, the rest as it is written."""
    if value is None:
        return ""
    if isinstance(value, float):
        return format_number(value)
    return json.dumps(value) if isinstance(value, dict | list | bool) else str(value)
