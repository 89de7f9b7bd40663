"""The task `recordings`: series or SPD matrices, whichever an archive holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from toolkit.contracts import ClassificationTask, NewInputs, Pool, Splits, Survey, TaskInfo
from toolkit_arrays.archive import HINT, ArchiveTask
from toolkit_arrays.options import ArchiveOptions, SeriesOptions, SpdOptions
from toolkit_arrays.series import SeriesArraysTask
from toolkit_arrays.spd import SpdArraysTask

if TYPE_CHECKING:
    import numpy as np

_LOOKED_AT = 3
_RIDGE = 1e-6
"""Of matrices, so small that what a space adds says how large it is."""


class RecordingsOptions(ArchiveOptions):
    """Where the data are, and what the space spd_pipeline may know of them."""

    grouped: bool = Field(
        True,
        description="where groups are known, each input carries the number of its own, by which"
        " spd_pipeline may recentre; false for models that need no groups",
    )
    lengths: str = Field("lengths", description="array of the series' lengths, if they differ")
    rate: float | None = Field(
        None, gt=0, description="samples a second, by which bands are chosen where it is an EEG's"
    )
    root_joint: int | None = Field(
        None, ge=0, description="of skeletons, the joint that positions are taken relative to"
    )


class RecordingsTask(ClassificationTask):
    """Series, handed over as they come, or matrices, where these are square and symmetric."""

    Options = RecordingsOptions
    arrays: ClassVar[Mapping[str, str]] = {**ArchiveTask.arrays, "lengths": "lengths"}
    options: RecordingsOptions

    @cached_property
    def _task(self) -> ArchiveTask:
        """The task that reads what there is."""
        own = self.options.model_dump()
        names = set(ArchiveOptions.model_fields)
        shared = {name: value for name, value in own.items() if name in names}
        if self._holds_matrices():
            return SpdArraysTask(SpdOptions.model_validate({**shared, "ridge": _RIDGE}))
        more = {name: own[name] for name in ("lengths", "rate", "root_joint")}
        options = {**shared, **more, "output": "series"}
        return SeriesArraysTask(SeriesOptions.model_validate(options))

    def _holds_matrices(self) -> bool:
        """Whether the first inputs are square, and symmetric or Hermitian."""
        from toolkit.datasets.arrays import read_first, read_headers
        from toolkit_arrays.matrices import are_symmetric

        data, x = self.options.data, self.options.x
        if data.is_dir():
            return True
        header = read_headers(data, hint=HINT).get(x)
        if header is None or len(header.shape) < 3 or header.shape[-1] != header.shape[-2]:
            return False
        some: np.ndarray[Any, Any] = read_first(data, x, min(_LOOKED_AT, header.shape[0]))
        return are_symmetric(some)

    def info(self) -> TaskInfo:
        """Describe the data as the task does that reads them."""
        return self._task.info()

    def survey(self, seed: int) -> Survey | None:
        """Count the samples of each part."""
        survey = self._task.survey(seed)
        return None if survey is None else replace(survey, likely=self._likely())

    def _likely(self) -> float:
        """Series are, with values below 0 above all; and what may be recentred by its groups."""
        from toolkit.datasets.arrays import read_first

        by_groups = self.info().grouped
        if self._holds_matrices():
            return 0.95 if by_groups else 0.85
        some = read_first(self.options.data, self.options.x, _LOOKED_AT)
        if some.dtype.kind == "c" or (some.dtype.kind in "fi" and some.min(initial=0) < 0):
            return 0.9
        return 0.6 if by_groups else 0.4

    def load(self, data_dir: Path, seed: int) -> Splits:
        """Read and check all samples."""
        return self._task.load(data_dir, seed)

    def pool(self, data_dir: Path, seed: int) -> Pool:
        """All samples, to be divided."""
        return self._task.pool(data_dir, seed)

    def new_inputs(self, fitted: Mapping[str, Any]) -> NewInputs:
        """Read new samples, without labels."""
        return self._task.new_inputs(fitted)
