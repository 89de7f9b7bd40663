"""The task `digits`: scanned handwritten digits that scikit-learn brings along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolkit.contracts import Splits, TaskInfo
from toolkit_images.task import OwnImages

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from toolkit_images.parts import Parts

NAMES = tuple("0123456789")


class DigitsTask(OwnImages):
    """1,797 grey images of 8 x 8 pixels, ten classes (Alpaydin and Kaynak, 1998)."""

    def info(self) -> TaskInfo:
        """Describe the data, which are always there."""
        return self.describe((1, 8, 8), self.division(0))

    def division(self, seed: int) -> Parts:
        """Which images are for what under a seed."""
        return self.parts(read_digits()[1], NAMES, seed)

    def load_parts(self, parts: Parts) -> Splits:
        """Read the images."""
        return self.splits(read_digits()[0], parts, "0 to 16 divided by 16", (0.0, 16.0))


def read_digits() -> tuple[NDArray[Any], NDArray[Any]]:
    """Images (1797, 1, 8, 8) in [0, 1] and labels."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return (bunch.images[:, None] / 16).astype("float32"), bunch.target.astype("int64")
