"""From sequences to matrices, with what has to be learned of the training sequences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from toolkit.datasets.matrices import add_ridge, mean_eigenvalue
from toolkit.datasets.parts import padded
from toolkit.errors import DataError
from toolkit_mocap import covariance, sequences
from toolkit_mocap.options import MocapOptions

if TYPE_CHECKING:
    import torch

Array = NDArray[np.float64]


class Sequence3d(NamedTuple):
    """A sequence, and its number in the archive for errors."""

    number: int
    positions: Array
    """(frames, joints, 3)"""


@dataclass(frozen=True)
class Transform:
    """How sequences become matrices.

    Attributes:
        options: the recipe's.
        hip: joint that positions are relative to.
        joints: joints to take.
        position_scale: what positions are divided by: their root mean square deviation from each
            sequence's mean, over the training sequences.
        velocity_scale: what velocities are divided by: their root mean square, likewise.
        projection: (d, components) with orthonormal columns, or None.
        scaling: the mean eigenvalue of the training matrices, or 1.
    """

    options: MocapOptions
    hip: int
    joints: NDArray[np.int64]
    position_scale: float = 1.0
    velocity_scale: float = 1.0
    projection: Array | None = None
    scaling: float = 1.0

    def apply(self, given: Sequence[Sequence3d]) -> tuple[Array, NDArray[np.int64]]:
        """Matrices of every segment of every sequence.

        Returns:
            (M, windows, n, n), and for each of the M segments the position of its sequence.

        Raises:
            DataError: a window of a sequence does not move, or a covariance is not positive
                definite.
        """
        means, covariances, owners = self._moments(given)
        numbers = [given[owner].number for owner in owners]
        if self.projection is not None:
            means = means @ self.projection
            covariances = self.projection.T @ covariances @ self.projection
        _check_motion(covariances, numbers)
        matrices = add_ridge(covariances, self.options.ridge)
        _check_positive_definite(matrices, numbers)
        if self.options.mean:
            matrices = covariance.embed_gaussians(means, matrices)
        if self.options.scale == "trace":
            matrices = matrices / mean_eigenvalue(matrices)
        return matrices / self.scaling, owners

    def pieces(
        self, given: Sequence[Sequence3d], longest: int | None = None
    ) -> tuple[Array, NDArray[np.int64]]:
        """Relative positions of every segment of every sequence, filled up by NaN.

        Segments that are pieces of sequences have one neighbouring frame more at either end.

        Args:
            given: the sequences.
            longest: frames of the result; by default those of the longest segment.

        Returns:
            (M, 3 joints, frames), and for each of the M segments the position of its sequence.
        """
        found, owners = [], []
        for owner, sequence in enumerate(given):
            rows = self.positions(sequence)
            for segment in sequences.segments(len(rows), self.options.segment):
                own = rows[segment]
                cut = self.options.segment is not None
                found.append(sequences.with_neighbours(rows, segment) if cut else own)
                owners.append(owner)
                if (own == own[0]).all():
                    raise DataError(
                        f"Sequence {sequence.number} does not move, so it has no covariance.",
                        hint="Leave it out, or give it longer segments.",
                    )
        return padded(found, longest), np.array(owners, np.int64)

    def preparer(self, joints: int) -> torch.nn.Module:
        """The same as a torch module, for sequences of so many joints."""
        import torch

        from toolkit_mocap.preparation import PaddedPositions, SequencePreparation

        options, projection = self.options, self.projection
        if options.output == "series":
            taken = self.joints.tolist()
            cut = options.segment is not None
            return PaddedPositions(joints, self.hip, taken, options.bones, options.grouped, cut)
        return SequencePreparation(
            joints,
            self.hip,
            self.joints.tolist(),
            options.bones,
            options.velocities,
            options.time_rows,
            options.windows,
            options.components,
            options.ridge,
            options.mean,
            options.scale,
            self.position_scale,
            self.velocity_scale,
            self.scaling,
            None if projection is None else torch.from_numpy(projection.copy()),
        )

    def fitted(self) -> dict[str, Any]:
        """What was learned of the training sequences, as plain JSON; `with_fitted` reads it."""
        return {
            "position_scale": self.position_scale,
            "velocity_scale": self.velocity_scale,
            "projection": None if self.projection is None else self.projection.tolist(),
            "scaling": self.scaling,
        }

    def with_fitted(self, fitted: Mapping[str, Any]) -> Transform:
        """The same with what another transform learned."""
        projection = fitted["projection"]
        return replace(
            self,
            position_scale=float(fitted["position_scale"]),
            velocity_scale=float(fitted["velocity_scale"]),
            projection=None if projection is None else np.array(projection, np.float64),
            scaling=float(fitted["scaling"]),
        )

    def _moments(self, given: Sequence[Sequence3d]) -> tuple[Array, Array, NDArray[np.int64]]:
        """Means (M, windows, d), covariances (M, windows, d, d), and whose they are (M,)."""
        means, covariances, owners = [], [], []
        for owner, sequence in enumerate(given):
            rows = self._rows(sequence)
            for segment in sequences.segments(len(rows), self.options.segment):
                found = [covariance.moments(one) for one in self._windows(rows[segment])]
                means.append([mean for mean, _ in found])
                covariances.append([matrix for _, matrix in found])
                owners.append(owner)
        return np.array(means), np.array(covariances), np.array(owners, np.int64)

    def _windows(self, rows: Array) -> list[Array]:
        parts = [rows[window] for window in sequences.windows(len(rows), self.options.windows)]
        count = self.options.time_rows
        return [np.hstack([part, sequences.cosines_of_time(len(part), count)]) for part in parts]

    def _rows(self, sequence: Sequence3d) -> Array:
        """Positions and, if asked for, velocities (frames, 3 joints or 6 joints)."""
        positions = self.positions(sequence)
        rows = [positions / self.position_scale]
        if self.options.velocities:
            rows.append(sequences.velocities(positions) / self.velocity_scale)
        return np.hstack(rows)

    def positions(self, sequence: Sequence3d) -> Array:
        """Relative positions (frames, 3 joints), divided by the body's size if bones are given."""
        moving = sequences.relative_positions(sequence.positions, self.hip, self.joints)
        if not self.options.bones:
            return moving
        size = sequences.body_size(sequence.positions, self.options.bones)
        if not size > 0:
            raise DataError(
                f"The bones of sequence {sequence.number} have length {size}.",
                hint="Name bones between joints at different places.",
            )
        return moving / size


def fit_transform(
    options: MocapOptions, hip: int, joints: NDArray[np.int64], training: Sequence[Sequence3d]
) -> Transform:
    """Learn of the training sequences what a transform needs.

    Raises:
        DataError: nothing moves, there are more components than rows, or see `Transform.apply`.
    """
    plain = Transform(options, hip, joints)
    positions = [plain.positions(one) for one in training]
    deviation = _root_mean_square([one - one.mean(axis=0) for one in positions])
    speed = _root_mean_square([sequences.velocities(one) for one in positions])
    if not deviation > 0:
        raise DataError("No joint moves in any training sequence.")
    fitted = Transform(options, hip, joints, deviation, speed)
    if options.components is not None:
        rows = row_count(options, len(joints))
        if options.components > rows:
            raise DataError(
                f"task.components are {options.components}, but there are {rows} rows.",
                hint=f"Give at most {rows}, or leave it out.",
            )
        mean = fitted._moments(training)[1].mean(axis=(0, 1))
        projection = covariance.leading_eigenvectors(mean, options.components)
        fitted = Transform(options, hip, joints, deviation, speed, projection)
    if options.scale != "dataset":
        return fitted
    scaling = float(mean_eigenvalue(fitted.apply(training)[0]).mean())
    return Transform(options, hip, joints, deviation, speed, fitted.projection, scaling)


def row_count(options: MocapOptions, joints: int) -> int:
    """Rows whose covariance is taken."""
    return 3 * joints * (2 if options.velocities else 1) + options.time_rows


def matrix_size(options: MocapOptions, joints: int) -> int:
    """Size n of the matrices."""
    return (options.components or row_count(options, joints)) + int(options.mean)


def describe(transform: Transform) -> str:
    """How a matrix is made of a sequence, for whoever has to repeat it."""
    options = transform.options
    if options.output == "series":
        return _describe_series(transform)
    unit = f"divided by {transform.position_scale!r}"
    if options.bones:
        bones = ", ".join(f"{a}-{b}" for a, b in options.bones)
        unit = f"divided by the summed mean lengths of the bones {bones}, {unit}"
    joints = ", ".join(map(str, transform.joints.tolist()))
    rows = [f"positions of the joints {joints} less that of joint {transform.hip}, {unit}"]
    if options.velocities:
        rows.append(
            "their central differences per frame before that division, divided by"
            f" {transform.velocity_scale!r}"
        )
    if options.time_rows:
        rows.append(f"{options.time_rows} cosines of time (toolkit_mocap.sequences)")
    steps = [f"An input is the sample covariance of {'; '.join(rows)}"]
    if options.segment:
        steps[0] += f", over pieces of {options.segment} frames"
    if options.windows != (1,):
        counts = ", ".join(map(str, options.windows))
        steps[0] += f", one channel for each of {counts} half overlapping windows"
    if options.components:
        steps.append(
            f"projected onto the {options.components} leading eigenvectors of the mean training"
            " covariance (`MocapTask.transform(seed).projection`)"
        )
    if options.ridge:
        steps.append(f"{options.ridge!r} x trace / n added to the diagonal")
    if options.mean:
        steps.append("extended by the mean, [[C + mm', m], [m', 1]]")
    if options.scale == "trace":
        steps.append("divided by its mean eigenvalue, trace / n")
    if transform.scaling != 1:
        steps.append(f"divided by {transform.scaling!r} (mean eigenvalue in the training data)")
    return "; then ".join(steps) + "."


def _describe_series(transform: Transform) -> str:
    options = transform.options
    joints = ", ".join(map(str, transform.joints.tolist()))
    text = f"An input is a series of positions of the joints {joints} less that of joint"
    text += f" {transform.hip}"
    if options.bones:
        bones = ", ".join(f"{a}-{b}" for a, b in options.bones)
        text += f", divided by the summed mean lengths of the bones {bones}"
    if options.segment:
        text += f", in pieces of {options.segment} frames and one more at either end, its neighbour"
        text += " in the sequence or extrapolated"
    return f"{text}, filled up by NaN behind its end."


def _root_mean_square(rows: Sequence[Array]) -> float:
    return float(np.sqrt(sum(np.sum(one**2) for one in rows) / sum(one.size for one in rows)))


def _check_motion(covariances: Array, numbers: Sequence[int]) -> None:
    # Rows are in units of the training sequences' motion: what is left of this size is rounding.
    still = mean_eigenvalue(covariances)[..., 0, 0] <= np.finfo(np.float64).eps
    for sample, window in np.argwhere(still)[:1]:
        raise DataError(
            f"Sequence {numbers[sample]} does not move in window {window}, so it has no"
            " covariance there.",
            hint="Leave it out, or give it longer segments or fewer windows.",
        )


def _check_positive_definite(matrices: Array, numbers: Sequence[int]) -> None:
    """The smallest eigenvalue must exceed n eps times the largest, the error of computing it."""
    values = np.linalg.eigvalsh(matrices)
    floor = matrices.shape[-1] * np.finfo(np.float64).eps * values[..., -1]
    for sample, window in np.argwhere(values[..., 0] <= floor)[:1]:
        raise DataError(
            f"The covariance of sequence {numbers[sample]}, window {window}, is not positive"
            f" definite: its smallest eigenvalue is {values[sample, window, 0]:.3g}.",
            hint="A covariance of fewer frames than rows needs a ridge, e.g. ridge: 1e-2.",
        )
