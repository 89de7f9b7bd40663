"""The points of a tree that a search has seen, and draws from those that it has not."""

from __future__ import annotations

import hashlib
import json
import random

from toolkit.space.tree import Point, Space, sample
from toolkit.space.variation import points

DRAWS = 200
"""Draws that may fall on seen points before the rest of the tree is listed."""
LISTED = 100_000
"""Trees up to this many points are listed where draws no longer find one that is left."""


class SeenPoints:
    """The points of a tree that a search has seen: proposed, or been told of.

    Args:
        space: the tree.
        draws: how many may fall on seen points before the rest of the tree is listed.
    """

    def __init__(self, space: Space, draws: int = DRAWS) -> None:
        self.size = space.size()
        self._space, self._draws = space, draws
        self._keys: set[bytes] = set()  # Digests: texts of ten thousand points are megabytes.

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, point: Point) -> bool:
        return _digest(point) in self._keys

    def add(self, point: Point) -> None:
        """Notes that a point has been seen."""
        self._keys.add(_digest(point))

    @property
    def exhausted(self) -> bool:
        """Whether no point of the tree is left."""
        return len(self._keys) >= self.size

    def draw(self, rng: random.Random) -> Point | None:
        """Draws a point that has not been seen.

        Returns:
            The point; None if none is left. In a tree too large to list it may be a seen one,
            where every draw fell on one.
        """
        if self.exhausted:
            return None
        for _ in range(self._draws):
            point = sample(self._space, rng)
            if point not in self:
                return point
        if self.size > LISTED:
            return point
        left = [point for point in points(self._space) if point not in self]
        return rng.choice(left) if left else None


def point_key(point: Point) -> str:
    """Returns a text that is the same for equal points alone, whatever the order of their names.

    Points are compared as JSON, since Python holds `True`, `1` and `1.0` equal.
    """
    return json.dumps(point, sort_keys=True)


def _digest(point: Point) -> bytes:
    return hashlib.blake2b(point_key(point).encode(), digest_size=16).digest()
