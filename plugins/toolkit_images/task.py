"""What all image tasks share: options, metrics, and splits of arrays in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from toolkit.contracts import Direction, Options, Splits, Task, TaskInfo

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from torch.utils.data import TensorDataset

    from toolkit.data import Split


class ImageOptions(Options):
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


class ImageTask(Task):
    """Images (channels, height, width) of float32 in [0, 1], with one label each."""

    Options: ClassVar[type[Options]] = ImageOptions
    directions: ClassVar[Mapping[str, Direction]] = {
        "accuracy": "maximize",
        "balanced_accuracy": "maximize",
        "loss": "minimize",
    }
    options: ImageOptions

    def metrics(self, scores: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
        """Accuracy, balanced accuracy and cross-entropy (`loss`)."""
        from toolkit.data import classification_metrics

        return classification_metrics(scores, labels)

    def split(
        self,
        labels: NDArray[Any],
        names: tuple[str, ...],
        seed: int,
        declared: NDArray[Any] | None = None,
    ) -> Split:
        """The one split under a seed, its training part cut down to `per_class`."""
        import numpy as np

        from toolkit.data import make_split

        split = make_split(labels, names, self.options.split_ratio, seed, declared=declared)
        if self.options.per_class is None:
            return split
        kept = [
            split.train[labels[split.train] == label][: self.options.per_class]
            for label in range(len(names))
        ]
        rng = np.random.default_rng([seed, 0x9E4])
        return split._replace(train=rng.permutation(np.concatenate(kept)))

    def describe(
        self,
        shape: tuple[int, int, int],
        labels: NDArray[Any],
        names: tuple[str, ...],
        declared: NDArray[Any] | None = None,
    ) -> TaskInfo:
        """Facts on the data from one image's shape and all labels."""
        channels = self.options.channels or shape[0]
        train_size = len(self.split(labels, names, 0, declared).train)
        return TaskInfo("image", (channels, *shape[1:]), len(names), train_size, names)

    def splits(self, images: NDArray[Any], labels: NDArray[Any], split: Split) -> Splits:
        """Data sets of images (N, C, H, W) in [0, 1], or of bytes, in memory."""
        return Splits(
            self._dataset(images[split.train], labels[split.train]),
            self._dataset(images[split.val], labels[split.val]),
            lambda: self._dataset(images[split.test], labels[split.test]),
        )

    def _dataset(self, images: NDArray[Any], labels: NDArray[Any]) -> TensorDataset:
        import torch
        from torch.utils.data import TensorDataset

        from toolkit_images.pixels import to_float, with_channels

        pixels = with_channels(to_float(images), self.options.channels)
        return TensorDataset(torch.from_numpy(pixels), torch.from_numpy(labels.astype("int64")))
