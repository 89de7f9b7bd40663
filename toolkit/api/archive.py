"""Arrays of a running program kept in its run folder, where workers and later engines find them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.base.errors import ResumeError, ToolkitError

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOLDER = "data"
"""Within the run folder."""
OPTION = "data"
"""The task's option that takes the path of an archive."""


@dataclass(frozen=True)
class Archive:
    """Arrays that a task reads from an archive, not yet written.

    Attributes:
        arrays: by their names in the archive.
        options: for each of them, the task's option that gives its name; empty where none does.
    """

    arrays: Mapping[str, NDArray[Any]]
    options: Mapping[str, str]

    @cached_property
    def name(self) -> str:
        """The archive's file name: the digest of its content."""
        from toolkit.datasets.live import content_digest

        return f"{content_digest(self.arrays)}.npz"

    def overrides(self, folder: Path) -> dict[str, str]:
        """Returns what a recipe has to say for its task to read the archive in a run folder."""
        named = {f"task.{option}": name for name, option in self.options.items() if option}
        return {f"task.{OPTION}": str(folder.absolute() / FOLDER / self.name), **named}

    @contextmanager
    def kept_in(self, folder: Path) -> Iterator[None]:
        """Writes the archive into a run folder, unless it is there.

        It is taken away again where an error shows before the run has begun.

        Raises:
            ResumeError: the folder is the run of other data.
        """
        from toolkit.datasets.arrays import write_arrays

        self._refuse_others(folder)
        path = folder.absolute() / FOLDER / self.name
        new = [parent for parent in path.parents if not parent.exists()]
        if not path.is_file():
            write_arrays(path, self.arrays)
        try:
            yield
        except ToolkitError:
            if not (folder / "ledger.sqlite").exists():
                path.unlink(missing_ok=True)
                with suppress(OSError):
                    for made in new:
                        made.rmdir()
            raise

    def _refuse_others(self, folder: Path) -> None:
        known = _path_in_ledger(folder)
        if known is None or known.name == self.name:
            return
        changes = self._changes(folder / FOLDER / known.name)
        raise ResumeError(
            f"{folder} is the run of other data: {'; '.join(changes) or f'it reads {known}'}.",
            hint="Name another folder as `output`, or give the arrays it was started with.",
        )

    def _changes(self, path: Path) -> list[str]:
        """What differs from an archive of an earlier call; empty where there is none."""
        from toolkit.datasets.arrays import read_arrays, read_headers
        from toolkit.datasets.live import describe_changes

        if not path.is_file():
            return []
        return describe_changes(read_arrays(path, list(read_headers(path))), self.arrays)


def _path_in_ledger(folder: Path) -> Path | None:
    """The path of the data of the run in a folder, if there is such a run."""
    from toolkit.api.ledger import reading, recipe_of

    if not (folder / "ledger.sqlite").is_file():
        return None
    with reading(folder) as ledger:
        task = recipe_of(ledger).get("task") or {}
    return Path(task[OPTION]) if isinstance(task.get(OPTION), str) else None
