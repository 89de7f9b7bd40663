"""What an exported model says of new data, as a table and in files."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.base.errors import DataError
from toolkit.base.files import write_atomically
from toolkit.base.places import expanded

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Predictions:
    """What a model says of each input.

    Attributes:
        names: of the inputs: a file's name, or the position from 0.
        classes: the classes' names; none where the model gives values.
        probabilities: (N, classes), softmax of the scores; not calibrated.
        values: (N,) in the units of the targets, where these are values.
        novelty: (N,) how unlike all classes each input is, larger for more so, where the model
            knows: for a head in the joint null space, the distance to the nearest class point in
            units of the training samples' spread within their classes.
    """

    names: tuple[str, ...]
    classes: tuple[str, ...]
    probabilities: NDArray[np.float64]
    values: NDArray[np.float64] | None = None
    novelty: NDArray[np.float64] | None = None

    @property
    def predicted(self) -> list[str] | list[float]:
        """The most probable class of each input, or its value."""
        if self.values is not None:
            return [float(value) for value in self.values]
        return [self.classes[index] for index in self.probabilities.argmax(axis=1)]

    @property
    def columns(self) -> list[str]:
        """What `rows` has of each input, in order."""
        novelty = [] if self.novelty is None else [self._novelty]
        return [self._free("input"), self._free("predicted"), *self.classes, *novelty]

    @property
    def _novelty(self) -> str:
        return self._free("novelty")

    def _free(self, name: str) -> str:
        """A column's name; classes may be called so, too."""
        while name in self.classes:
            name = f"{name}_"
        return name

    def rows(self) -> list[dict[str, Any]]:
        """A row for each input: its name, what is predicted, a probability for each class.

        After these comes novelty, where the model knows of it.
        """
        rows: list[dict[str, Any]] = [
            {
                self._free("input"): name,
                self._free("predicted"): best,
                **dict(zip(self.classes, map(float, own), strict=True)),
            }
            for name, best, own in zip(self.names, self.predicted, self.probabilities, strict=True)
        ]
        if self.novelty is not None:
            for row, own in zip(rows, self.novelty, strict=True):
                row[self._novelty] = float(own)
        return rows

    def write(self, path: Path) -> None:
        """Writes `.csv`, `.json` or `.npz`, by the path's ending.

        Raises:
            ToolkitError: the ending is another.
        """
        path = expanded(path)
        if path.suffix.lower() == ".json":
            write_atomically(path, json.dumps(self.rows(), ensure_ascii=False) + "\n")
        elif path.suffix.lower() == ".csv":
            write_atomically(path, self._csv())
        elif path.suffix.lower() == ".npz":
            import numpy as np

            stream = io.BytesIO()
            arrays: dict[str, Any] = {
                "names": np.array(self.names),
                "predicted": np.array(self.predicted),
            }
            if self.values is None:
                arrays |= {"classes": np.array(self.classes), "probabilities": self.probabilities}
            if self.novelty is not None:
                arrays["novelty"] = self.novelty
            np.savez(stream, **arrays)
            write_atomically(path, stream.getvalue())
        else:
            raise DataError(
                f"{path} ends in {path.suffix or 'nothing'}.", hint="End it in .csv, .json or .npz."
            )

    def _csv(self) -> str:
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(self.columns)
        for number, (name, best) in enumerate(zip(self.names, self.predicted, strict=True)):
            own = [f"{value:.6g}" for value in self.probabilities[number]]
            novelty = [] if self.novelty is None else [f"{self.novelty[number]:.6g}"]
            writer.writerow([name, best, *own, *novelty])
        return stream.getvalue()
