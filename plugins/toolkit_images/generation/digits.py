"""The task `digits_generation`: scanned handwritten digits that scikit-learn brings along."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from toolkit.contracts import Name
from toolkit_images.digits import NAMES, read_digits
from toolkit_images.generation.task import GenerationOptions, GenerationTask

if TYPE_CHECKING:
    from numpy.typing import NDArray


class DigitsGenerationOptions(GenerationOptions):
    """Which digits are new."""

    targets: tuple[Name, ...] = Field(
        (3, 5, 8),
        description="classes to generate, by name or number; all others are source classes",
        min_length=1,
    )
    shots: int = Field(
        10, ge=2, description="images of each target class to learn from, drawn by train.seed"
    )


class DigitsGenerationTask(GenerationTask):
    """1,797 grey images of 8 x 8 pixels, ten classes (Alpaydin and Kaynak, 1998)."""

    Options = DigitsGenerationOptions
    shape: ClassVar[tuple[int, int, int]] = (1, 8, 8)

    def labels(self) -> tuple[NDArray[Any], tuple[str, ...]]:
        """Labels of all images."""
        return read_digits()[1], NAMES

    def pixels(self, data_dir: Path) -> NDArray[Any]:
        """All images."""
        return read_digits()[0]
