"""What a worker keeps from one job to the next: plugins, data, and what a space has prepared."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from toolkit.base.plain import digest
from toolkit.contracts import Learner, Splits, Training
from toolkit.contracts.outer import OuterFold
from toolkit.problem import DataSource, Problem
from toolkit.run.weights import WEIGHTS
from toolkit.worker import preparation
from toolkit.worker.data import DataCache
from toolkit.worker.state import seed_everything

if TYPE_CHECKING:
    import torch


class Workplace:
    """The plugins and data of a recipe, as the jobs of a worker share them.

    Args:
        recipe: the resolved recipe.
        plugin_paths: local plugins to load.
        device: `"cpu"` or `"cuda"`.

    Attributes:
        data: what was loaded.
        outer: the fold of all samples that the job at hand has for a test split; None for the
            task's own.
    """

    def __init__(self, recipe: Mapping[str, Any], plugin_paths: Sequence[str], device: str) -> None:
        self._recipe, self._plugin_paths, self._device = recipe, plugin_paths, device
        self.data = DataCache()
        self.outer: Mapping[str, Any] | None = None
        self._prepared_in: tuple[tuple[int, str], Path, object] | None = None
        self._in_folds: dict[str, Problem] = {}

    @property
    def problem(self) -> Problem:
        """What the job at hand works on."""
        if self.outer is None:
            return self.whole
        key = json.dumps(self.outer, sort_keys=True)
        if key not in self._in_folds:
            outer = OuterFold.model_validate(self.outer)
            self._in_folds[key] = self.whole.in_fold(outer)
        return self._in_folds[key]

    @cached_property
    def whole(self) -> Problem:
        """The recipe's problem, of no fold."""
        return Problem.of_checked(self._recipe, self._plugin_paths)

    @cached_property
    def device(self) -> torch.device:
        """Where jobs train."""
        import torch

        return torch.device(self._device)

    def splits(self, source: DataSource, share: float = 1.0) -> Splits:
        """The parts that a final training is made on, and tested beside."""
        if self.problem.refits:
            return self.data.whole(source)
        return self.data.splits(source, share)

    def prepared(self, point: Mapping[str, Any] | None, splits: Splits) -> Path | None:
        """What the space has prepared; None where it prepares nothing."""
        folder = self.to_prepare(point, splits)
        return None if folder is None else preparation.require(folder)

    def to_prepare(self, point: Mapping[str, Any] | None, splits: Splits) -> Path | None:
        """The folder of it, whether it is there or not; None where the space prepares nothing."""
        asked = self.problem.preparation(point)
        if asked is None:
            return None
        # To read all source data anew for each trial would take longer than some trials.
        key = id(splits.source), digest(dict(asked))
        if self._prepared_in is None or self._prepared_in[0] != key:
            folder = preparation.folder_of(self.problem.recipe.space.name, asked, splits)
            self._prepared_in = key, folder, splits.source
        return self._prepared_in[1]

    def rebuild(self, training: Training) -> Learner:
        """A final training's learner with its weights, ready to be used."""
        from safetensors.torch import load_file

        seed_everything(training.seed)
        learner = self.problem.learner(training.point)
        learner.model.load_state_dict(load_file(Path(training.folder) / WEIGHTS))
        learner.model.to(self.device).eval()
        return learner


def first_inputs(splits: Splits, most: int) -> torch.Tensor:
    """The first inputs of the validation part, as a batch."""
    import torch

    data = cast(Any, splits.val)
    return torch.stack([data[index][0] for index in range(min(most, len(data)))])
