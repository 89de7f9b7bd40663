"""The page of an evaluation on folds: what each network reached over all folds, and on each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent


def render_evaluation(page: Mapping[str, Any], folder: str) -> str:
    """Returns the page; every value goes through the template's escaping.

    Args:
        page: what `evaluation.json` holds, and the networks' titles under `titles`.
        folder: the run folder.
    """
    from toolkit.report import environment

    css = (_HERE / "page.css").read_text(encoding="utf-8")
    template = environment().get_template("evaluation.html")
    return template.render(page=page, folder=folder, css=css)
