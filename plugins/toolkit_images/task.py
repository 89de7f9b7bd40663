"""What all image tasks share: options, metrics, and splits of arrays in memory."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from toolkit.contracts import (
    ClassificationOptions,
    ClassificationTask,
    Name,
    NewInputs,
    Options,
    Pool,
    Splits,
    Survey,
    TaskInfo,
)

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from torch.utils.data import Dataset, TensorDataset

    from toolkit_images.parts import Parts


class ImageOptions(ClassificationOptions):
    """Options of every image task."""

    channels: Literal[1, 3] | None = Field(
        None, description="1: make the images grey; 3: repeat grey ones; as they are by default"
    )
    split_ratio: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = Field(
        (3, 1, 1),
        description="training : validation : test; where the test images are given, the first two"
        " share the rest",
    )
    per_class: PositiveInt | None = Field(
        None, ge=2, description="training images to use of each class; all by default"
    )
    novel_classes: tuple[Name, ...] = Field(
        (),
        description="classes to leave out, by name or number from 0; how well a network tells"
        " their images from those it learned is measured where the space does so",
    )


class ImageTask(ClassificationTask):
    """Images (channels, height, width) of float32 in [0, 1], with one label each."""

    Options: ClassVar[type[Options]] = ImageOptions
    options: ImageOptions

    @abstractmethod
    def division(self, seed: int) -> Parts:
        """Which images are for what under a seed, without reading them."""

    def doubts(self, parts: Parts) -> list[str]:
        """What may be meant otherwise."""
        return []

    def suggestions(self) -> dict[str, Any]:
        """Options that suit the images better than the defaults."""
        return {}

    def likely(self) -> float:
        """How much the data look like images, as `Survey.likely` has it."""
        return 0.0

    def survey(self, seed: int) -> Survey:
        """Count the images of each part."""
        from toolkit.datasets.groups import count_classes

        parts = self.division(seed)
        counts = count_classes(parts.labels, parts.names, parts.split)
        return Survey(counts, {}, self.doubts(parts), self.suggestions(), self.likely())

    def parts(
        self,
        labels: NDArray[Any],
        names: tuple[str, ...],
        seed: int,
        declared: NDArray[Any] | None = None,
    ) -> Parts:
        """The one division of the images under a seed."""
        from toolkit_images.parts import divide

        options = self.options
        return divide(
            labels,
            names,
            seed,
            options.split_ratio,
            declared=declared,
            per_class=options.per_class,
            novel_classes=options.novel_classes,
        )

    def describe(self, shape: tuple[int, int, int], parts: Parts) -> TaskInfo:
        """Facts on the data from one image's shape and the division of all images."""
        channels = self.options.channels or shape[0]
        shape = (channels, *shape[1:])
        return TaskInfo(
            "image",
            shape,
            len(parts.names),
            len(parts.train),
            parts.names,
            parts.leaves_out,
            "scores" if parts.names else "values",
        )

    def splits(
        self,
        images: NDArray[Any],
        parts: Parts,
        pixels: str,
        known: tuple[float, float] | None = None,
    ) -> Splits:
        """Data sets of images (N, C, H, W) in [0, 1], or of bytes, in memory.

        Args:
            images: all images.
            parts: which are for what.
            pixels: what was done to them, in words.
            known: range of the pixels before that; None for bytes.
        """
        from toolkit_images.pixels import channels_in_words

        words = channels_in_words(images.shape[1], self.options.channels)
        return self.compose(
            parts,
            lambda indices: self._dataset(images[indices], parts.labels[indices]),
            f"{pixels}{words}",
            partial(self.preparer, images.shape[1], known),
        )

    def new_images(
        self, images: NDArray[Any], names: Sequence[str] = (), warnings: Sequence[str] = ()
    ) -> NewInputs:
        """Images (N, C, H, W) in [0, 1], or of bytes, as new inputs."""
        import torch

        from toolkit_images.pixels import to_float, with_channels

        pixels = with_channels(to_float(images), self.options.channels)
        known = names or [str(number) for number in range(len(images))]
        return NewInputs(torch.from_numpy(pixels), known, warnings=warnings)

    def preparer(self, channels: int, known: tuple[float, float] | None) -> torch.nn.Module:
        """From images as they come to those of the data sets.

        Args:
            channels: of the data sets' images, where no option says it.
            known: range of the pixels; None for bytes.
        """
        from toolkit_images.preparation import ImagePreparation

        low, high = known or (0.0, 1.0)
        return ImagePreparation(self.options.channels or channels, None, known is None, low, high)

    def compose(
        self,
        parts: Parts,
        part: Callable[[NDArray[Any]], Dataset[Any]],
        pixels: str,
        make_preparer: Callable[[], torch.nn.Module] | None = None,
    ) -> Splits:
        """Splits of data sets that `part` makes from indices."""
        return Splits(
            part(parts.train),
            part(parts.val),
            lambda: part(parts.test),
            f"An input is an image (channels, height, width) of numbers in [0, 1]: {pixels}.",
            part(parts.novel) if parts.leaves_out else None,
            (lambda: part(parts.novel_test)) if parts.leaves_out else None,
            make_preparer=make_preparer,
        )

    def _dataset(self, images: NDArray[Any], labels: NDArray[Any]) -> TensorDataset:
        import torch
        from torch.utils.data import TensorDataset

        from toolkit_images.pixels import to_float, with_channels

        pixels = with_channels(to_float(images), self.options.channels)
        kept = labels if labels.dtype == "float64" else labels.astype("int64")
        return TensorDataset(torch.from_numpy(pixels), torch.from_numpy(kept))


class OwnImages(ImageTask):
    """Images whose labels are known without reading them, so that they divide in any way."""

    @abstractmethod
    def load_parts(self, parts: Parts) -> Splits:
        """Read and check all images, divided as asked for."""

    def load(self, data_dir: Path, seed: int) -> Splits:
        """Read and check all images; nothing is kept in `data_dir`."""
        return self.load_parts(self.division(seed))

    def pool(self, data_dir: Path, seed: int) -> Pool | None:
        """All images of the classes that are learned."""
        parts = self.division(seed)

        def divide(
            train: NDArray[Any], val: NDArray[Any], test: NDArray[Any] | None = None
        ) -> Splits:
            held_out = parts.test if test is None else test
            return self.load_parts(parts._replace(train=train, val=val, test=held_out))

        own = (parts.train, parts.val, parts.test)
        return Pool(parts.labels, parts.names, None, *own, divide)
