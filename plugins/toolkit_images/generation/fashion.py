"""The task `fashion_generation`: Fashion-MNIST, or whatever else lies in MNIST's files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from toolkit.contracts import DataPath, Name
from toolkit.errors import DataError
from toolkit_images.generation.task import GenerationOptions, GenerationTask

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAMES = (
    "tshirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "boot",
)


class FashionOptions(GenerationOptions):
    """Where the files are."""

    targets: tuple[Name, ...] = Field(
        ("dress", "coat", "sneaker"),
        description="classes to generate, by name or number; all others are source classes",
        min_length=1,
    )
    data: DataPath = Field(description="a folder with the idx files, gzipped or not")
    part: Literal["t10k", "train"] = Field("t10k", description="which pair of files to read")
    size: Literal[28, 16] = Field(28, description="side of the images; 16 is made by averaging")
    class_names: tuple[str, ...] = Field(
        NAMES, description="names of the classes, by label; those of Fashion-MNIST by default"
    )


class FashionGenerationTask(GenerationTask):
    """Grey images of 28 x 28 pixels of ten kinds of clothing (Xiao et al., 2017)."""

    Options = FashionOptions
    options: FashionOptions

    def image_shape(self) -> tuple[int, int, int]:
        """One channel, of the size that is asked for."""
        return 1, self.options.size, self.options.size

    def labels(self) -> tuple[NDArray[Any], tuple[str, ...]]:
        """Labels of all images."""
        from toolkit_images.generation.idx import find_idx, read_idx

        path = find_idx(self._folder(), self.options.part, "labels")
        labels, names = read_idx(path), self.options.class_names
        if labels.ndim != 1 or not len(labels) or int(labels.max()) >= len(names):
            raise DataError(
                f"{path} holds labels of shape {labels.shape} for {len(names)} classes.",
                hint="Give the labels of the images, and a name for each in task.class_names.",
            )
        return labels.astype("int64"), names

    def pixels(self, data_dir: Path) -> NDArray[Any]:
        """All images."""
        from toolkit_images.generation.idx import find_idx, read_idx
        from toolkit_images.pixels import to_float

        path = find_idx(self._folder(), self.options.part, "images")
        images, count = read_idx(path), len(self.labels()[0])
        if images.shape != (count, 28, 28):
            raise DataError(
                f"{path} holds an array of shape {images.shape}; {(count, 28, 28)} is expected.",
                hint="Give images of 28 x 28 pixels and their own labels.",
            )
        pixels = to_float(images[:, None])
        return pixels if self.options.size == 28 else _smaller(pixels, self.options.size)

    def _folder(self) -> Path:
        if not self.options.data.is_dir():
            raise DataError(
                f"There is no folder {self.options.data}.",
                hint="Name the folder with the idx files as task.data.",
            )
        return self.options.data


def _smaller(pixels: NDArray[Any], size: int) -> NDArray[Any]:
    """Images of another side, each pixel a mean over what it covers."""
    import torch
    from torch.nn.functional import interpolate

    made: NDArray[Any] = interpolate(torch.from_numpy(pixels), size=size, mode="area").numpy()
    return made
