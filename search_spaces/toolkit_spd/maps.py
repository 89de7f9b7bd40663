"""Feature maps of SPD matrices that carry their eigendecomposition.

A decomposition costs more than everything else a layer does, so that a map never pays for it twice:
the matrix, its logarithm and its rectification are made from one, when first asked for. In
log-Euclidean networks a map holds its logarithm, and the matrix is made only for a BiMap.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .functional.spectral import (
    IDENTITY,
    LOG,
    Decomposition,
    Floor,
    ScalarFunction,
    decompose,
    decompose_positive,
    exponential,
    power_function,
    spectral,
    threshold,
)

_EXP = exponential()

AFFINE_INVARIANT = "affine_invariant"
LOG_EUCLIDEAN = "log_euclidean"


class Eigen:
    """The decomposition of one tensor of symmetric matrices, made when first asked for."""

    def __init__(self, parts: Sequence[Eigen] = (), known: Decomposition | None = None) -> None:
        self._parts = tuple(parts)
        self._known = known

    def of(self, base: Tensor, logarithmic: bool) -> Decomposition:
        """Return the decomposition of `base`, always the tensor this object was made for."""
        if self._known is None and self._parts:
            pieces = base.split(base.shape[1] // len(self._parts), 1)
            found = [
                part.of(piece, logarithmic) for part, piece in zip(self._parts, pieces, strict=True)
            ]
            self._known = Decomposition(
                torch.cat([each.values for each in found], 1),
                torch.cat([each.vectors for each in found], 1),
            )
        elif self._known is None:
            self._known = decompose(base) if logarithmic else decompose_positive(base)
        return self._known


class SpdMap:
    """A feature map (..., n, n), usually (batch, channels, n, n).

    Parameters
    ----------
    base : Tensor
        The matrices, or their logarithms.
    logarithmic : bool
        Which of the two.
    eigen : Eigen, optional
        Decomposition of `base`, shared by all maps with this base.
    floor : Floor, optional
        Bound on the eigenvalues (rectification) between the base and this map.
    """

    def __init__(
        self,
        base: Tensor,
        logarithmic: bool,
        eigen: Eigen | None = None,
        floor: Floor | None = None,
    ) -> None:
        self.base = base
        self.logarithmic = logarithmic
        self.eigen = Eigen() if eigen is None else eigen
        self.floor = floor
        self._matrix: Tensor | None = None
        self._logarithm: Tensor | None = None

    @classmethod
    def from_matrix(cls, matrix: Tensor) -> SpdMap:
        """Make a map of SPD matrices (..., n, n)."""
        return cls(matrix, logarithmic=False)

    @classmethod
    def from_logarithm(cls, logarithm: Tensor) -> SpdMap:
        """Make a map of the exponentials of symmetric matrices (..., n, n)."""
        return cls(logarithm, logarithmic=True)

    @property
    def shape(self) -> torch.Size:
        """Shape (..., n, n)."""
        return self.base.shape

    @property
    def decomposition(self) -> Decomposition:
        """Decomposition of the base, without gradient."""
        return self.eigen.of(self.base, self.logarithmic)

    @property
    def matrix(self) -> Tensor:
        """The SPD matrices (..., n, n)."""
        if self._matrix is None:
            self._matrix = self._make(_EXP if self.logarithmic else None)
        return self._matrix

    @property
    def logarithm(self) -> Tensor:
        """Logarithms of the SPD matrices (..., n, n)."""
        if self._logarithm is None:
            self._logarithm = self._make(None if self.logarithmic else LOG)
        return self._logarithm

    def _make(self, function: ScalarFunction | None) -> Tensor:
        if function is None and self.floor is None:
            return self.base
        return spectral(
            self.base,
            IDENTITY if function is None else function,
            decomposition=self.decomposition,
            floor=self.floor,
        )[0]

    def power(self, exponent: float) -> Tensor:
        """Return the SPD matrices to a real power (..., n, n), by the same decomposition."""
        if not self.logarithmic:
            return self._make(power_function(exponent))
        return self._make(exponential(exponent))

    def rectified(self, rate: float, relative: bool = False) -> SpdMap:
        """Return the map with eigenvalues raised to a threshold (see `functional.rectify`)."""
        if self.floor is None:
            floor = Floor(rate, relative, self.logarithmic)
            return SpdMap(self.base, self.logarithmic, self.eigen, floor)
        if not relative and not self.floor.relative:
            floor = Floor(max(rate, self.floor.rate), False, self.logarithmic)
            return SpdMap(self.base, self.logarithmic, self.eigen, floor)
        values, vectors = self.decomposition
        raised = torch.maximum(values, threshold(values, self.floor))
        base = self.logarithm if self.logarithmic else self.matrix
        known = Eigen(known=Decomposition(raised, vectors))
        return SpdMap(base, self.logarithmic, known, Floor(rate, relative, self.logarithmic))


def concatenate(maps: Sequence[SpdMap]) -> SpdMap:
    """Join maps of equal shape (B, C, n, n) along channels, keeping what they have decomposed."""
    if all(each.logarithmic for each in maps):
        bases, logarithmic = [each.logarithm for each in maps], True
    else:
        bases, logarithmic = [each.matrix for each in maps], False
    plain = all(each.floor is None and each.logarithmic == logarithmic for each in maps)
    parts = [each.eigen for each in maps] if plain else ()
    return SpdMap(torch.cat(bases, 1), logarithmic, Eigen(parts))
