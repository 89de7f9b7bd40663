"""`compare`: several runs in one page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.api.architectures import run_folder
from toolkit.api.ledger import require_run
from toolkit.base.errors import RecipeError

if TYPE_CHECKING:
    from toolkit.api.run import Run

DEFAULT = "comparison.html"


def compare(runs: Sequence[Run | str | Path], output: str | Path = DEFAULT) -> Path:
    """Writes one page that compares runs, in whatever state they are; its path.

    It shows what each had reached after how many paid epochs and after how much time, their tests
    with paired comparisons, and where their recipes differ.

    Args:
        runs: two or more runs, or their folders.
        output: the file to write.

    Raises:
        RecipeError: there are fewer than two, one is named twice, or one is no run folder.
        LedgerError: a ledger is damaged.
    """
    from toolkit.report import write_comparison

    folders = [run_folder(run) for run in runs]
    for folder in folders:
        require_run(folder)
    if len({folder.resolve() for folder in folders}) < max(len(folders), 2):
        raise RecipeError(
            f"{len(folders)} runs are given, {len({f.resolve() for f in folders})} of them"
            " different: a comparison needs two or more, each once.",
            hint="`toolkit report RUN` writes the report of one run.",
        )
    return write_comparison(folders, Path(output))
