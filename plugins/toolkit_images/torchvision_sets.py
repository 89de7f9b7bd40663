"""The tasks `cifar10`, `cifar100` and `stl10`: public data sets, read by torchvision."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from toolkit.contracts import DataPath, Splits, TaskInfo
from toolkit.errors import DataError
from toolkit_images.task import ImageOptions, ImageTask

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from toolkit_images.parts import Parts


class PublicOptions(ImageOptions):
    """Where the data set is, or may be put."""

    root: DataPath | None = Field(
        None, description="folder of the data set's files; by default one in the data folder"
    )
    download: bool = Field(False, description="fetch missing files from the publisher")


class PublicTask(ImageTask):
    """A data set with given training and test images, all classes equally frequent.

    Attributes:
        folder: the folder with the extracted files, in `root`.
        archive: the file to extract there.
        reader: name of torchvision's class.
    """

    Options = PublicOptions
    options: PublicOptions
    folder: ClassVar[str]
    archive: ClassVar[str]
    reader: ClassVar[str]
    shape: ClassVar[tuple[int, int, int]]
    counts: ClassVar[tuple[int, int]]
    """Training and test images."""
    class_count: ClassVar[int]

    def info(self) -> TaskInfo:
        """Describe the data; of the files, only their presence is looked at where `root` is set."""
        if self.options.root is not None:
            self._check(self.options.root)
        return self.describe(self.shape, self.division(0))

    def division(self, seed: int) -> Parts:
        """Sizes of the parts under a seed: the order of published labels does not change them."""
        import numpy as np

        labels = np.arange(sum(self.counts)) % self.class_count
        declared = np.arange(len(labels)) < self.counts[0]
        return self.parts(labels, self.names(), seed, declared)

    def load(self, data_dir: Path, seed: int) -> Splits:
        """Read all images from `root`, or from `data_dir/torchvision`."""
        import numpy as np

        from toolkit_images.pixels import BYTES

        root = self.options.root or data_dir / "torchvision"
        train, test = self.read(root, train=True), self.read(root, train=False)
        labels = np.concatenate([train[1], test[1]])
        declared = np.arange(len(labels)) < len(train[1])
        parts = self.parts(labels, self.names(), seed, declared)
        return self.splits(np.concatenate([train[0], test[0]]), parts, BYTES)

    def names(self) -> tuple[str, ...]:
        """The classes' names."""
        return tuple(str(label) for label in range(self.class_count))

    def _check(self, root: Path) -> None:
        if self.options.download or (root / self.folder).is_dir():
            return
        raise DataError(
            f"There is no folder {self.folder} in {root}.",
            hint=f"Get {self.archive} and extract it there, or set task.download: true on a"
            " machine that may fetch it.",
        )

    def read(self, root: Path, *, train: bool) -> tuple[NDArray[Any], NDArray[Any]]:
        """Images (N, 3, H, W) of bytes and labels (N,)."""
        import numpy as np
        import torchvision

        self._check(root)
        reader = getattr(torchvision.datasets, self.reader)
        part: dict[str, Any] = {"train": train}
        if self.reader == "STL10":
            part = {"split": "train" if train else "test"}
        try:
            if self.options.download:
                root.mkdir(parents=True, exist_ok=True)
            data = reader(str(root), download=self.options.download, **part)
        except (RuntimeError, OSError, EOFError) as error:
            raise DataError(
                f"The data set in {root / self.folder} cannot be read:"
                f" {str(error).splitlines()[0]}",
                hint=f"Extract {self.archive} there anew.",
            ) from error
        images = np.asarray(data.data)
        labels = np.asarray(data.labels if self.reader == "STL10" else data.targets)
        if self.reader != "STL10":
            images = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
        return images, labels.astype("int64")


class Cifar10Task(PublicTask):
    """50,000 + 10,000 colour images of 32 x 32 pixels, ten classes (Krizhevsky, 2009)."""

    folder, archive, reader = "cifar-10-batches-py", "cifar-10-python.tar.gz", "CIFAR10"
    shape, counts, class_count = (3, 32, 32), (50_000, 10_000), 10

    def names(self) -> tuple[str, ...]:
        """The classes' names."""
        return (
            "airplane",
            "automobile",
            "bird",
            "cat",
            "deer",
            "dog",
            "frog",
            "horse",
            "ship",
            "truck",
        )


class Cifar100Task(PublicTask):
    """50,000 + 10,000 colour images of 32 x 32 pixels, a hundred classes (Krizhevsky, 2009)."""

    folder, archive, reader = "cifar-100-python", "cifar-100-python.tar.gz", "CIFAR100"
    shape, counts, class_count = (3, 32, 32), (50_000, 10_000), 100


class Stl10Task(PublicTask):
    """5,000 + 8,000 colour images of 96 x 96 pixels, ten classes (Coates et al., 2011)."""

    folder, archive, reader = "stl10_binary", "stl10_binary.tar.gz", "STL10"
    shape, counts, class_count = (3, 96, 96), (5_000, 8_000), 10

    def names(self) -> tuple[str, ...]:
        """The classes' names."""
        return ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")
