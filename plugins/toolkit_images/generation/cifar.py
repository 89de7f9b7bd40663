"""The task `cifar10_generation`: CIFAR-10, read by torchvision."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from toolkit.contracts import DataPath, Name
from toolkit_images.generation.task import GenerationOptions, GenerationTask
from toolkit_images.torchvision_sets import Cifar10Task

if TYPE_CHECKING:
    from numpy.typing import NDArray


class CifarGenerationOptions(GenerationOptions):
    """Where the data set is, or may be put."""

    targets: tuple[Name, ...] = Field(
        ("cat", "ship"),
        description="classes to generate, by name or number; all others are source classes",
        min_length=1,
    )
    root: DataPath = Field(description="folder of the data set's files")
    download: bool = Field(False, description="fetch missing files from the publisher")


class CifarGenerationTask(GenerationTask):
    """60,000 colour images of 32 x 32 pixels, ten classes (Krizhevsky, 2009)."""

    Options = CifarGenerationOptions
    options: CifarGenerationOptions
    shape: ClassVar[tuple[int, int, int]] = (3, 32, 32)

    def labels(self) -> tuple[NDArray[Any], tuple[str, ...]]:
        """Labels of all images."""
        return self._read()[1], self._task().names()

    def pixels(self, data_dir: Path) -> NDArray[Any]:
        """All images."""
        from toolkit_images.pixels import to_float

        return to_float(self._read()[0])

    def _task(self) -> Cifar10Task:
        given = {"root": self.options.root, "download": self.options.download}
        return Cifar10Task(Cifar10Task.Options.model_validate(given))

    def _read(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Training and test images together."""
        import numpy as np

        task = self._task()
        train, test = (task.read(self.options.root, train=part) for part in (True, False))
        return np.concatenate([train[0], test[0]]), np.concatenate([train[1], test[1]])
