"""The page, made of the report's looks, script and library of charts, and of its own script."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_HERE = Path(__file__).parent


@cache
def render_page() -> str:
    """Returns the page: it holds no run, and asks for all it shows."""
    from toolkit.report import render_with

    return render_with(
        _HERE,
        "watch.html",
        {
            "with_charts": True,
            "own_css": (_HERE / "watch.css").read_text(encoding="utf-8"),
            "own_script": (_HERE / "watch.js").read_text(encoding="utf-8"),
        },
    )
