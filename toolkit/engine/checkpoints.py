"""Checkpoints of ended trials: kept while a strategy may continue them, and handed on."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from pathlib import Path

from toolkit.base.files import is_inside, remove_tree
from toolkit.run.folder import CHECKPOINT


class Checkpoints:
    """The checkpoints of a run's ended search trials.

    Args:
        folder: the run folder; trials' folders are named relative to it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: dict[int, str] = {}

    def keep(self, number: int, folder: str) -> None:
        """Know of an ended trial's checkpoint, if there is one."""
        if self.exists(folder):
            self._kept[number] = folder

    def exists(self, folder: str) -> bool:
        """Whether a trial's folder holds a checkpoint."""
        return (self._folder / folder / CHECKPOINT).exists()

    def hand_on(self, number: int, folder: str) -> bool:
        """Give a kept checkpoint to another trial as its own; False if there is none.

        The file is shared, not copied, where the file system can: trials replace their checkpoint
        and never write into it.
        """
        if number not in self._kept:
            return False
        source = self._folder / self._kept[number] / CHECKPOINT
        target = self._folder / folder / CHECKPOINT
        temporary = target.with_suffix(".part")
        if not is_inside(self._folder, target):
            return False
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary.unlink(missing_ok=True)
            try:
                os.link(source, temporary)
            except FileNotFoundError:
                raise
            except OSError:
                shutil.copyfile(source, temporary)
            temporary.replace(target)
        except FileNotFoundError:
            return False
        return True

    def keep_only(self, numbers: Collection[int]) -> None:
        """Delete the checkpoints of all other trials."""
        for number in self._kept.keys() - numbers:
            self.delete(self._kept.pop(number))

    def delete(self, folder: str) -> None:
        """Delete what a trial's folder holds of checkpoints."""
        remove_tree((self._folder / folder / CHECKPOINT).parent, self._folder)
