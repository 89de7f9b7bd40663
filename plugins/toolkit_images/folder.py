"""The task `image_folder`: image files in one folder a class."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from pydantic import Field

from toolkit.contracts import DataPath, NewInputs, Splits, TaskInfo
from toolkit.errors import DataError
from toolkit_images.task import ImageOptions, OwnImages

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from toolkit.datasets.folders import Listing
    from toolkit_images.parts import Parts

SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".jp2", ".png", ".apng", ".gif", ".bmp", ".dib"),
        *(".webp", ".avif", ".ppm", ".pgm", ".pbm", ".pnm", ".tif", ".tiff", ".tga"),
    }
)
HINT = (
    "Put the images of each class into a folder of its name; train/, val/ and test/ may be around."
)
LOOKED_AT = 100
"""Images whose sizes are looked at before a run."""
IN_MEMORY = 2**30
"""Bytes of pixels up to which all images are decoded once; more are read as they are needed."""


class ImageFolderOptions(ImageOptions):
    """Where the images are and how large they are to be."""

    data: DataPath = Field(
        description="a folder with one folder of images a class, or with 'train', 'val' and 'test'"
        " that each hold these; without 'val', validation images are drawn from 'train', without"
        " 'test', half of 'val' is tested on"
    )
    size: int = Field(64, ge=4, description="side of the images, in pixels; others are resized")


class ImageFolderTask(OwnImages):
    """Files of images, resized on the shorter side and cut to the middle square."""

    Options = ImageFolderOptions
    options: ImageFolderOptions

    def info(self) -> TaskInfo:
        """Describe the data from the names of the files alone."""
        return self.describe((self._channels, *self._sides), self.division(0))

    def division(self, seed: int) -> Parts:
        """Which images are for what under a seed, from the names of the files alone."""
        return self._division(self._list(), seed)

    def doubts(self, parts: Parts) -> list[str]:
        """What is not read or is enlarged, and what is tested on where the folder gives no test."""
        from toolkit_images.lazy import warn_of_frames

        listing = self._list()
        notes = [
            *listing.notes,
            *self._enlarged(),
            *self._repeated(),
            *warn_of_frames([file.path for file in listing.files], self.options.data),
            *self._copies(listing, parts),
        ]
        if listing.parts != {"train", "val"}:
            return notes
        return [
            *notes,
            f"{self.options.data} has no test/: {len(parts.test)} of the"
            f" {len(parts.val) + len(parts.test)} images in val/ are kept for the test. To test on"
            " all of them, call the folder test/: validation images are then drawn from train/.",
        ]

    def _copies(self, listing: Listing, parts: Parts) -> list[str]:
        """Warns of files that are there twice."""
        from toolkit.datasets.copies import marks_of_files, warn_of_copies

        marks = marks_of_files([file.path for file in listing.files])
        return warn_of_copies(marks, parts.labels, parts.split)

    def suggestions(self) -> dict[str, Any]:
        """The images' own size, where the default enlarges most of them; one channel if grey."""
        size = {} if self._own_size is None else {"size": self._own_size}
        return size | ({"channels": 1} if self._are_grey else {})

    @cached_property
    def _heads(self) -> list[tuple[int, bool]]:
        """Shorter side of some images from all over the folder, and whether each is grey."""
        from toolkit_images.lazy import look_at_heads

        listing = self._list()
        step = max(len(listing.files) // LOOKED_AT, 1)
        return look_at_heads([file.path for file in listing.files[::step]])

    @property
    def _are_grey(self) -> bool:
        """Whether images are grey, and nobody chose how many channels they have."""
        every = bool(self._heads) and all(grey for _, grey in self._heads)
        return every and self.options.channels is None

    @cached_property
    def _own_size(self) -> int | None:
        """Side of most images, where it is below the default size, which nobody chose."""
        default = ImageFolderOptions.model_fields["size"].default
        sides = sorted(side for side, _ in self._heads)
        middle = sides[len(sides) // 2] if sides else default
        if self.options.size != default or middle >= default:
            return None
        return max(middle, 4)

    def _repeated(self) -> list[str]:
        """Warns of grey images that are read as colours."""
        if not self._are_grey:
            return []
        return [
            f"The images in {self.options.data} are grey, and each is repeated as red, green and"
            " blue. To keep one channel, add `channels: 1` to the task; `channels: 3` leaves this"
            " line out."
        ]

    def _enlarged(self) -> list[str]:
        """Warns where most images are smaller than the default size."""
        own, default = self._own_size, self.options.size
        if own is None:
            return []
        return [
            f"The images in {self.options.data} are enlarged to the default size of {default} x"
            f" {default} pixels: half of them have a shorter side of {own} pixels or less, and"
            " all of these pixels cost time and tell nothing. To keep them as they are, add"
            f" `size: {own}` to the task."
        ]

    def load_parts(self, parts: Parts) -> Splits:
        """Decode the images, at once where they fit into memory."""
        from toolkit_images.lazy import ImageFiles, read_images
        from toolkit_images.pixels import BYTES

        listing = self._list()
        files = [file.path for file in listing.files]
        size, channels = self.options.size, self._channels
        pixels = (
            f"the file's picture, upright, {'grey' if channels == 1 else 'in RGB'} and over white"
            " where it is transparent, resized (bilinear) and cut to its middle square of"
            f" {size} x {size} pixels, {BYTES} (16 bits by 65535)"
        )
        if len(files) * channels * size * size <= IN_MEMORY:
            return self.splits(read_images(files, size, channels), parts, pixels)

        def part(indices: NDArray[Any]) -> ImageFiles:
            own = [files[index] for index in indices.tolist()]
            return ImageFiles(own, parts.labels[indices].tolist(), size, channels)

        return self.compose(parts, part, pixels, partial(self.preparer, channels, None))

    def preparer(self, channels: int, known: tuple[float, float] | None) -> torch.nn.Module:
        """From decoded images of any size, as bytes."""
        from toolkit_images.preparation import ImagePreparation

        return ImagePreparation(channels, self.options.size, bytes=True)

    def new_inputs(self, fitted: Mapping[str, Any]) -> NewInputs:
        """Every image below the folder, whatever the folders in it are called."""
        from toolkit.datasets.folders import Kind, files_below
        from toolkit_images.lazy import read_images, warn_of_frames

        root, kind = self.options.data, Kind("images", SUFFIXES, HINT)
        files = files_below(root, kind) if root.is_dir() else [root] * kind.holds(root)
        if not files:
            raise DataError(
                f"There is no image in {root}.",
                hint=f"Name a folder of images. {kind.endings_in_words}",
            )
        names = [str(p.relative_to(root)) if root.is_dir() else p.name for p in files]
        images = read_images(files, self.options.size, self._channels)
        return self.new_images(images, names, warn_of_frames(files, root))

    @property
    def _channels(self) -> int:
        return self.options.channels or 3

    @property
    def _sides(self) -> tuple[int, int]:
        return self.options.size, self.options.size

    def _list(self) -> Listing:
        """Files in order of their parts, classes and names."""
        from toolkit.datasets.folders import Kind, list_folder

        root = self.options.data
        if root.is_file():
            raise DataError(
                f"{root} is a file, and a folder of images is read.",
                hint="Unpack an archive first. The task image_arrays reads images of an .npz.",
            )
        if not root.is_dir():
            raise DataError(
                f"There is no folder {root}.", hint="Name a folder of images as the task's 'data'."
            )
        return list_folder(root, Kind("images", SUFFIXES, HINT))

    def _division(self, listing: Listing, seed: int) -> Parts:
        import numpy as np

        names = tuple(sorted({file.label for file in listing.files}))
        if len(names) < 2:
            raise DataError(
                f"{self.options.data} holds {len(names)} folder of images; at least two classes"
                " are needed, one folder each.",
                hint=HINT,
            )
        index = {name: number for number, name in enumerate(names)}
        labels = np.array([index[file.label] for file in listing.files], np.int64)
        declared = np.array([file.part for file in listing.files]) if listing.parts else None
        if declared is not None and "test" not in listing.parts:
            declared = _with_test(declared, labels)
        return self.parts(labels, names, seed, declared)


def _with_test(declared: NDArray[Any], labels: NDArray[Any]) -> NDArray[Any]:
    """A given split, half of its validation part for the test: the same half under every seed."""
    import numpy as np

    rng = np.random.default_rng(0)
    divided = declared.astype("<U5")
    for label in np.unique(labels):
        own = rng.permutation(np.flatnonzero((declared == "val") & (labels == label)))
        divided[own[1::2]] = "test"
    return divided
