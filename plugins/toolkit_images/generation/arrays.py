"""The task `arrays_generation`: a user's own images, from an archive."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from toolkit.contracts import DataPath
from toolkit.errors import DataError
from toolkit_images.generation.task import GenerationOptions, GenerationTask

if TYPE_CHECKING:
    from numpy.typing import NDArray

HINT = "Write the archive with numpy.savez, and name its path as the task's 'data'."


class ArraysGenerationOptions(GenerationOptions):
    """Where the images are and what the arrays are called."""

    data: DataPath = Field(description="an .npz archive")
    x: str = Field("X", description="array of images, bytes or numbers in [0, 1]")
    y: str = Field("y", description="array of labels, whole numbers or strings")
    layout: Literal["auto", "nchw", "nhwc"] = Field(
        "auto", description="order of the axes, where the shape does not tell"
    )


class ArraysGenerationTask(GenerationTask):
    """Labelled images of one size, (N, H, W), (N, H, W, C) or (N, C, H, W)."""

    Options = ArraysGenerationOptions
    options: ArraysGenerationOptions
    arrays: ClassVar[Mapping[str, str]] = {"X": "x", "y": "y", "class_names": ""}

    def image_shape(self) -> tuple[int, int, int]:
        """Read from the archive's headers."""
        from toolkit.datasets.arrays import read_arrays, read_headers
        from toolkit_images.pixels import image_shape

        headers = read_headers(self.options.data, hint=HINT)
        if self.options.x not in headers:
            read_arrays(self.options.data, [self.options.x], hint=HINT)
        return image_shape(headers[self.options.x].shape, self.options.layout, self.options.x)[0]

    def labels(self) -> tuple[NDArray[Any], tuple[str, ...]]:
        """Labels of all images, and their names."""
        from toolkit.datasets.arrays import encode_labels, read_arrays
        from toolkit.datasets.names import class_names, read_labels

        options = self.options
        arrays = read_arrays(options.data, [options.y], ["class_names"], hint=HINT)
        raw = read_labels(arrays[options.y], options.y)
        names_of = class_names(raw, arrays.get("class_names"), options.y)
        labels, names = encode_labels(raw, options.y)
        return labels, tuple(names_of[name] for name in names)

    def pixels(self, data_dir: Path) -> NDArray[Any]:
        """All images, refused where numbers lie outside of [0, 1]."""
        from toolkit.datasets.arrays import read_arrays
        from toolkit_images.pixels import to_float, to_nchw

        options = self.options
        arrays = read_arrays(options.data, [options.x, options.y], hint=HINT)
        if len(arrays[options.x]) != len(arrays[options.y]):
            raise DataError(
                f"{options.x!r} holds {len(arrays[options.x])} images, but {options.y!r}"
                f" {len(arrays[options.y])} labels.",
                hint="Give one label for each image.",
            )
        images = to_nchw(arrays[options.x], options.layout, options.x)
        if images.dtype != "uint8":
            low, high = float(images.min()), float(images.max())
            if low < 0 or high > 1:
                raise DataError(
                    f"{options.x!r} holds pixels from {low:.6g} to {high:.6g}.",
                    hint="Save them as bytes, or as numbers in [0, 1].",
                )
        return to_float(images)
