"""The page of an evaluation on folds: what each network reached over all folds, and on each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def render_evaluation(page: Mapping[str, Any], folder: str) -> str:
    """Returns the page; every value goes through the template's escaping.

    Args:
        page: what `evaluation.json` holds.
        folder: the run folder.
    """
    from toolkit.report import render_with

    names = {each["network"]: each["network"] for each in page["networks"]}
    content = {"page": {"titles": names, **page}, "folder": folder, "with_charts": False}
    return render_with(Path(__file__).parent, "evaluation.html", content)
