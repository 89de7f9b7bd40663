"""What a learner may show of itself in the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Marker: TypeAlias = Literal["dot", "circle", "cross", "star"]
"""`dot` is small and half transparent, for many points; the others stand out."""


@dataclass(frozen=True)
class Series:
    """Points of one kind, e.g. the test images.

    Attributes:
        name: what they are, for the legend.
        points: (x, y) of each.
        classes: class of each, as an index; it gives the colour. The one after the last class
            stands for inputs of none of them.
        marker: how each is drawn.
    """

    name: str
    points: Sequence[tuple[float, float]]
    classes: Sequence[int]
    marker: Marker = "dot"


@dataclass(frozen=True)
class Scatter:
    """A drawing of points in the plane.

    Attributes:
        title: one line.
        series: the kinds of points, in the order in which they are drawn.
        x, y: what the axes are.
        caption: sentences that say what is seen, and on which data.
    """

    title: str
    series: Sequence[Series]
    x: str = ""
    y: str = ""
    caption: str = ""

    def to_json(self, most: int = 1000) -> Mapping[str, Any]:
        """Plain JSON; of a series of more than `most` points, so many of them, evenly spread."""
        return {
            "title": self.title,
            "x": self.x,
            "y": self.y,
            "caption": self.caption,
            "series": [_thinned(series, most) for series in self.series],
        }


def _thinned(series: Series, most: int) -> dict[str, Any]:
    count = len(series.points)
    if len(series.classes) != count:
        raise ValueError(
            f"The series {series.name!r} has {count} points and {len(series.classes)} classes."
        )
    kept = range(count) if count <= most else [index * count // most for index in range(most)]
    return {
        "name": series.name,
        "marker": series.marker,
        "points": [[round(float(value), 6) for value in series.points[i]] for i in kept],
        "classes": [int(series.classes[index]) for index in kept],
    }
