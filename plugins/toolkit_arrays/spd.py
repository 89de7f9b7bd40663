"""The task `spd_arrays`: a user's own SPD matrices, from an archive."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from toolkit.contracts import Survey, TaskInfo
from toolkit_arrays.archive import (
    ArchiveTask,
    Index,
    describe_steps,
    headers,
    read,
    read_index,
    read_some,
)
from toolkit_arrays.options import SpdOptions

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray


class SpdArraysTask(ArchiveTask):
    """Labelled symmetric or Hermitian positive definite matrices of one size."""

    Options = SpdOptions
    options: SpdOptions

    def info(self) -> TaskInfo:
        """Describe the data from the archive's headers and labels."""
        from toolkit_arrays.matrices import check_shape

        found = headers(self.options)
        if self.options.x not in found:
            read(self.options, [self.options.x])
        header = found[self.options.x]
        channels, size = check_shape(header.shape, header.dtype, self.options.x)
        if header.dtype.kind == "c" and self.options.embedding == "real_embedding":
            size *= 2
        index = read_index(self.options)
        train_size = len(index.split(self.options, seed=0).train)
        names = index.class_names
        grouped = self.groups_of(index) is not None
        shape = (channels + grouped, size, size)
        return TaskInfo(
            "grouped_spd" if grouped else "spd",
            shape,
            len(names),
            train_size,
            names,
            outputs=self.outputs,
        )

    def inputs(self, index: Index) -> NDArray[Any]:
        """Read and check all matrices."""
        import numpy as np

        parts = [self._matrices(self.options.x, self.options.y)]
        if self.options.test_x and self.options.test_y:
            parts.append(self._matrices(self.options.test_x, self.options.test_y))
            _check_same_size(parts, self.options)
        kept: NDArray[Any] = np.concatenate(parts)[index.keep]
        return kept

    def survey(self, seed: int) -> Survey:
        """Count the samples of each part, and look at labels, groups and some inputs."""
        from toolkit_arrays.inspection import survey
        from toolkit_arrays.matrices import are_symmetric

        found = survey(self.options, seed, self._doubts())
        some = None if self.options.data.is_dir() else read_some(self.options, self.options.x, 3)
        return replace(found, likely=0.9 if some is None or are_symmetric(some) else 0.0)

    def _doubts(self) -> list[str]:
        """Warnings of some matrices that are too small, or have a rank that a ridge hides."""
        import numpy as np

        from toolkit.datasets.matrices import how_many, real_form, warn_of_rank, warn_of_scale

        options = self.options
        some = read_some(options, options.x, how_many(headers(options)[options.x].shape[-1]))
        some = some[:, None] if some.ndim == 3 else some
        rounding = float(np.finfo(some.dtype).eps) if some.dtype.kind in "fc" else 0.0
        some = some[np.isfinite(some).all(axis=(1, 2, 3))]
        if not len(some):
            return []
        real = real_form(some, options.embedding)
        return [
            *warn_of_rank(real, "matrices", options.ridge, rounding),
            *warn_of_scale(real, options.scale),
        ]

    def preparation(self, scaling: str) -> str:
        """The embedding, the ridge and the scale, in words."""
        from toolkit_arrays.matrices import describe_ridge

        taken = "A as it is"
        if headers(self.options)[self.options.x].dtype.kind == "c":
            taken = "the real part A of A + iB"
            if self.options.embedding == "real_embedding":
                taken = "[[A, -B], [B, A]] of A + iB"
        return describe_steps(f"a matrix, {taken}", describe_ridge(self.options.ridge), scaling)

    def preparer(self, scale: float, shape: tuple[int, ...], grouped: bool) -> torch.nn.Module:
        """The embedding, the ridge and the scale."""
        from toolkit_arrays.preparation import MatrixPreparation

        options, given = self.options, headers(self.options)[self.options.x]
        return MatrixPreparation(
            shape[0],
            given.shape[-1],
            options.embedding,
            options.ridge,
            options.scale,
            scale,
            grouped,
        )

    def _matrices(self, x: str, y: str) -> NDArray[Any]:
        """One array of matrices, checked, as (N, C, n, n) float64."""
        from toolkit.errors import DataError
        from toolkit_arrays.matrices import check_shape

        arrays = read(self.options, [x, y])
        values, count = arrays[x], len(arrays[y])
        check_shape(values.shape, values.dtype, x)
        if len(values) != count:
            raise DataError(f"{x!r} holds {len(values)} matrices, but {y!r} {count} labels.")
        return self._checked(values, x)

    def new_matrices(self) -> NDArray[Any]:
        """Read and check all matrices, without labels."""
        x = self.options.x
        if self.options.data.is_dir():
            from toolkit_arrays.folder import list_new_matrices, read_matrices

            return self._checked(read_matrices(list_new_matrices(self.options.data)), x)
        return self._checked(read(self.options, [x])[x], x)

    def new_names(self, count: int) -> list[str]:
        """The names of files in a folder, or positions from 0."""
        root = self.options.data
        if not root.is_dir():
            return super().new_names(count)
        from toolkit_arrays.folder import list_new_matrices

        return [str(file.path.relative_to(root)) for file in list_new_matrices(root)]

    def _checked(self, values: NDArray[Any], x: str) -> NDArray[Any]:
        from toolkit.datasets.matrices import add_ridge, real_form
        from toolkit_arrays import matrices as checks

        checks.check_shape(values.shape, values.dtype, x)
        values = values[:, None] if values.ndim == 3 else values
        checks.check_hermitian(values, x, self.options.symmetry_tolerance)
        real = real_form(values, self.options.embedding)
        real = add_ridge(real, self.options.ridge)
        checks.check_positive_definite(real, x)
        return real


def _check_same_size(parts: list[NDArray[Any]], options: SpdOptions) -> None:
    from toolkit.errors import DataError

    if parts[0].shape[1:] != parts[1].shape[1:]:
        raise DataError(
            f"Matrix 0 of {options.test_x!r} has (channels, n, n) = {parts[1].shape[1:]}, but"
            f" those of {options.x!r} have {parts[0].shape[1:]}."
        )
