"""What an exported model says of new data, as a table and in files."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.base.files import write_atomically
from toolkit.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Predictions:
    """What a model says of each input.

    Attributes:
        names: of the inputs: a file's name, or the position from 0.
        classes: the classes' names.
        probabilities: (N, classes), softmax of the scores; not calibrated.
    """

    names: tuple[str, ...]
    classes: tuple[str, ...]
    probabilities: NDArray[np.float64]

    @property
    def predicted(self) -> list[str]:
        """The most probable class of each input."""
        return [self.classes[index] for index in self.probabilities.argmax(axis=1)]

    def rows(self) -> list[dict[str, Any]]:
        """A row for each input: its name, the predicted class, a probability for each class."""
        return [
            {
                "input": name,
                "predicted": best,
                **dict(zip(self.classes, map(float, own), strict=True)),
            }
            for name, best, own in zip(self.names, self.predicted, self.probabilities, strict=True)
        ]

    def write(self, path: Path) -> None:
        """Writes `.csv`, `.json` or `.npz`, by the path's ending.

        Raises:
            ToolkitError: the ending is another.
        """
        if path.suffix == ".json":
            write_atomically(path, json.dumps(self.rows(), ensure_ascii=False) + "\n")
        elif path.suffix == ".csv":
            write_atomically(path, self._csv())
        elif path.suffix == ".npz":
            import numpy as np

            stream = io.BytesIO()
            np.savez(
                stream,
                names=np.array(self.names),
                predicted=np.array(self.predicted),
                classes=np.array(self.classes),
                probabilities=self.probabilities,
            )
            write_atomically(path, stream.getvalue())
        else:
            raise DataError(
                f"{path} ends in {path.suffix or 'nothing'}.", hint="End it in .csv, .json or .npz."
            )

    def _csv(self) -> str:
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["input", "predicted", *self.classes])
        for name, best, own in zip(self.names, self.predicted, self.probabilities, strict=True):
            writer.writerow([name, best, *(f"{value:.6g}" for value in own)])
        return stream.getvalue()
