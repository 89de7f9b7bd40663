"""The task `image_folder`: image files in one folder a class."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from toolkit.contracts import DataPath, Splits, TaskInfo
from toolkit.errors import DataError
from toolkit_images.task import ImageOptions, ImageTask

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".pgm", ".tif", ".tiff"})
IN_MEMORY = 2**30
"""Bytes of pixels up to which all images are decoded once; more are read as they are needed."""


class ImageFolderOptions(ImageOptions):
    """Where the images are and how large they are to be."""

    data: DataPath = Field(
        description="a folder with one folder of images a class, or with 'train' and 'test' (and"
        " optionally 'val') that each hold these"
    )
    size: int = Field(64, ge=4, description="side of the images, in pixels; others are resized")


class ImageFolderTask(ImageTask):
    """Files of images, resized on the shorter side and cut to the middle square."""

    Options = ImageFolderOptions
    options: ImageFolderOptions

    def info(self) -> TaskInfo:
        """Describe the data from the names of the files alone."""
        _, labels, names, declared = self._files()
        return self.describe((self._channels, *self._sides), labels, names, declared)

    def load(self, data_dir: Path, seed: int) -> Splits:
        """Decode the images, at once where they fit into memory."""
        from toolkit_images.lazy import ImageFiles, read_images
        from toolkit_images.pixels import BYTES

        files, labels, names, declared = self._files()
        parts = self.parts(labels, names, seed, declared)
        size, channels = self.options.size, self._channels
        pixels = (
            f"the file's picture, upright and {'grey' if channels == 1 else 'in RGB'}, resized"
            f" (bilinear) and cut to its middle square of {size} x {size} pixels, {BYTES}"
        )
        if len(files) * channels * size * size <= IN_MEMORY:
            return self.splits(read_images(files, size, channels), parts, pixels)

        def part(indices: NDArray[Any]) -> ImageFiles:
            own = [files[index] for index in indices.tolist()]
            return ImageFiles(own, parts.labels[indices].tolist(), size, channels)

        return self.compose(parts, part, pixels)

    @property
    def _channels(self) -> int:
        return self.options.channels or 3

    @property
    def _sides(self) -> tuple[int, int]:
        return self.options.size, self.options.size

    def _files(self) -> tuple[list[Path], NDArray[Any], tuple[str, ...], NDArray[Any] | None]:
        """Files in order of their names, labels, class names, and the given split."""
        import numpy as np

        root = self.options.data
        if not root.is_dir():
            raise DataError(
                f"There is no folder {root}.", hint="Name a folder of images as the task's 'data'."
            )
        parts = [part for part in ("train", "val", "test") if (root / part).is_dir()]
        if "train" in parts and "test" in parts:
            found = [(part, *one) for part in parts for one in _by_class(root / part)]
        else:
            found = [("", *one) for one in _by_class(root)]
        names = tuple(sorted({name for _, name, _ in found}))
        if len(names) < 2:
            raise DataError(
                f"{root} holds {len(names)} folder{'' if len(names) == 1 else 's'} of images; at"
                " least two classes are needed, one folder each.",
                hint=f"Images are files ending in {', '.join(sorted(SUFFIXES))}.",
            )
        labels = np.array([names.index(name) for _, name, _ in found], np.int64)
        given = found[0][0] != ""
        declared = np.array([part for part, _, _ in found]) if given else None
        return [path for _, _, path in found], labels, names, declared


def _by_class(root: Path) -> list[tuple[str, Path]]:
    """(class, file) of every image below the folders in `root`."""
    return [
        (folder.name, path)
        for folder in sorted(root.iterdir())
        if folder.is_dir() and not folder.name.startswith(".")
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES and path.is_file()
    ]
