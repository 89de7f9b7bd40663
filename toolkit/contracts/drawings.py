"""What a learner may show of itself in the report."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from toolkit.base.png import encode_png

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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
            "kind": "scatter",
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


@dataclass(frozen=True)
class ImageRow:
    """Images of one kind, e.g. generated samples of one class.

    Attributes:
        name: what they are.
        pixels: bytes (N, C, H, W); C is 1 for grey images and 3 for coloured ones.
    """

    name: str
    pixels: NDArray[np.uint8]

    def png(self) -> bytes:
        """The images side by side, as a PNG file."""
        import numpy as np

        strip = np.concatenate(list(self.pixels), axis=2)
        return encode_png(strip[0] if len(strip) == 1 else strip.transpose(1, 2, 0))


@dataclass(frozen=True)
class Images:
    """A drawing of small images in rows.

    Attributes:
        title: one line.
        rows: from top to bottom.
        caption: sentences that say what is seen.
    """

    title: str
    rows: Sequence[ImageRow]
    caption: str = ""

    def to_json(self) -> Mapping[str, Any]:
        """Plain JSON; each row is a PNG file in base64."""
        return {
            "kind": "images",
            "title": self.title,
            "caption": self.caption,
            "rows": [
                {
                    "name": row.name,
                    "png": base64.b64encode(row.png()).decode(),
                    "count": len(row.pixels),
                    "height": int(row.pixels.shape[2]),
                    "width": int(row.pixels.shape[3]),
                }
                for row in self.rows
            ],
        }


@dataclass(frozen=True)
class Heat:
    """A drawing of a table of numbers as colours.

    Attributes:
        title: one line.
        values: the table, row by row.
        rows, columns: what each row and each column is.
        caption: sentences that say what is seen.
    """

    title: str
    values: Sequence[Sequence[float]]
    rows: Sequence[str]
    columns: Sequence[str]
    caption: str = ""

    def to_json(self) -> Mapping[str, Any]:
        """Plain JSON."""
        shape = [len(row) for row in self.values]
        if shape != [len(self.columns)] * len(self.rows):
            raise ValueError(
                f"The table has rows of {shape} numbers; {len(self.rows)} rows of"
                f" {len(self.columns)} are expected."
            )
        return {
            "kind": "heat",
            "title": self.title,
            "caption": self.caption,
            "values": [[round(float(value), 6) for value in row] for row in self.values],
            "rows": list(self.rows),
            "columns": list(self.columns),
        }


Drawing: TypeAlias = Scatter | Images | Heat
"""What a learner may draw of itself."""
