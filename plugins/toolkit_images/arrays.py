"""The task `image_arrays`: a user's own images, from an archive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from toolkit.contracts import DataPath, NewInputs, Splits, TargetOptions, TargetTask, TaskInfo
from toolkit.errors import DataError
from toolkit_images.task import ImageOptions, OwnImages

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from toolkit.datasets.arrays import Header
    from toolkit_images.parts import Parts

LOOKED_AT = 8
HINT = "Write the archive with numpy.savez, and name its path as the task's 'data'."


class ImageArraysOptions(ImageOptions, TargetOptions):
    """Where the images are and what the arrays are called."""

    about_classes: ClassVar[tuple[str, ...]] = ("per_class", "novel_classes")

    data: DataPath = Field(description="an .npz archive")
    x: str = Field("X", description="array of images, bytes or numbers")
    y: str = Field(
        "y",
        description="array of labels: whole numbers or strings, or any numbers where target is"
        " continuous",
    )
    test_x: str | None = Field(None, description="array of separate test images, if there is one")
    test_y: str | None = Field(None, description="labels of the separate test images")
    split: str = Field(
        "split", description="optional array of 'train', 'val', 'test' (or booleans)"
    )
    layout: Literal["auto", "nchw", "nhwc"] = Field(
        "auto", description="order of the axes, where the shape does not tell"
    )

    @model_validator(mode="after")
    def _test_arrays_together(self) -> ImageArraysOptions:
        if (self.test_x is None) != (self.test_y is None):
            raise ValueError("test_x and test_y must be given together")
        return self


class ImageArraysTask(OwnImages, TargetTask):
    """Labelled images of one size, (N, H, W), (N, H, W, C) or (N, C, H, W)."""

    Options = ImageArraysOptions
    options: ImageArraysOptions
    arrays: ClassVar[Mapping[str, str]] = {
        "X": "x",
        "y": "y",
        "split": "split",
        "test_X": "test_x",
        "test_y": "test_y",
        "class_names": "",
    }

    def info(self) -> TaskInfo:
        """Describe the data from the archive's headers and labels."""
        from toolkit.datasets.arrays import read_arrays, read_headers
        from toolkit_images.pixels import image_shape

        headers = read_headers(self.options.data, hint=HINT)
        if self.options.x not in headers:
            read_arrays(self.options.data, [self.options.x], hint=HINT)
        shape, _ = image_shape(headers[self.options.x].shape, self.options.layout, self.options.x)
        return self.describe(shape, self.division(0))

    def division(self, seed: int) -> Parts:
        """Which images are for what under a seed, from the labels alone."""
        labels, names, declared = self._labels()
        if self.options.continuous:
            from toolkit_images.parts import divide_values

            return divide_values(labels, seed, self.options.split_ratio, declared)
        return self.parts(labels, names, seed, declared)

    def doubts(self, parts: Parts) -> list[str]:
        """Which arrays say who an image is from, and are used by no option."""
        from toolkit.datasets.arrays import read_arrays, read_headers
        from toolkit.datasets.groups import warn_of_unused, warn_of_unused_test

        options = self.options
        if options.test_x is not None:
            return []  # They are of `x` alone.
        headers = read_headers(options.data)
        own = [options.x, options.y, options.split]
        unused = warn_of_unused_test(options.data, headers, own) + warn_of_unused(
            options.data,
            headers,
            lambda name: read_arrays(options.data, [name])[name],
            own,
            parts.split,
            "To test on others, add an array of the words train, val and test that keeps each entry"
            " of {0} in one part, and name it as the task's split.",
        )
        return unused + self._copies(headers[options.x], parts)

    def likely(self) -> float:
        """Bytes and what has colours are images; series have values below 0, or are no square."""
        from toolkit.datasets.arrays import read_first, read_headers

        header = read_headers(self.options.data)[self.options.x]
        if header.dtype.kind in "bu":
            return 1.0
        some: NDArray[Any] = read_first(self.options.data, self.options.x, LOOKED_AT)
        if header.dtype.kind not in "fi" or some.min(initial=0) < 0:
            return 0.0
        if len(header.shape) == 4:
            return 1.0
        return 0.8 if header.shape[-1] == header.shape[-2] else 0.4

    def _copies(self, header: Header, parts: Parts) -> list[str]:
        """Warns of images that are there twice; of large archives nothing is said."""
        from toolkit.datasets.arrays import read_arrays
        from toolkit.datasets.copies import MOST_BYTES, marks_of_rows, warn_of_copies

        if header.size > MOST_BYTES or header.shape[:1] != parts.labels.shape:
            return []
        marks = marks_of_rows([read_arrays(self.options.data, [self.options.x])[self.options.x]])
        return warn_of_copies(marks, parts.labels, parts.split)

    def load_parts(self, parts: Parts) -> Splits:
        """Read and check all images."""
        import numpy as np

        from toolkit_images.pixels import fitted_range, in_unit_range

        images = self._images(self.options.x, self.options.y)
        if self.options.test_x and self.options.test_y:
            test = self._images(self.options.test_x, self.options.test_y)
            if test.shape[1:] != images.shape[1:] or test.dtype != images.dtype:
                raise DataError(
                    f"{self.options.test_x!r} holds images {test.shape[1:]} of {test.dtype}, but"
                    f" {self.options.x!r} {images.shape[1:]} of {images.dtype}.",
                    hint="Save both in one shape and type.",
                )
            images = np.concatenate([images, test])
        known = fitted_range(images, parts.train)
        images, pixels = in_unit_range(images, known)
        return replace(self.splits(images, parts, pixels, known), fitted={"range": known})

    def new_inputs(self, fitted: Mapping[str, Any]) -> NewInputs:
        """All images of `x`, in the range of those of the training."""
        from toolkit.datasets.arrays import read_arrays
        from toolkit_images.pixels import in_unit_range, to_nchw, warn_of_range

        x, known = self.options.x, fitted["range"]
        images = to_nchw(read_arrays(self.options.data, [x], hint=HINT)[x], self.options.layout, x)
        if (known is None) != (images.dtype == "uint8"):
            was = "bytes" if known is None else "no bytes"
            raise DataError(
                f"{x!r} holds images of {images.dtype}, and those of the training were {was}.",
                hint="Save them as those were.",
            )
        asked = None if known is None else tuple(known)
        pixels, _ = in_unit_range(images, asked)
        return self.new_images(pixels, warnings=warn_of_range(images, asked))

    def _images(self, x: str, y: str) -> NDArray[Any]:
        from toolkit.datasets.arrays import read_arrays
        from toolkit_images.pixels import to_nchw

        arrays = read_arrays(self.options.data, [x, y], hint=HINT)
        if len(arrays[x]) != len(arrays[y]):
            raise DataError(
                f"{x!r} holds {len(arrays[x])} images, but {y!r} {len(arrays[y])} labels."
            )
        return to_nchw(arrays[x], self.options.layout, x)

    def _labels(self) -> tuple[NDArray[Any], tuple[str, ...], NDArray[Any] | None]:
        """Class indices of all images, the classes' names, and the given split.

        Continuous targets, and no names, where these are asked for.
        """
        import numpy as np

        from toolkit.datasets.arrays import encode_labels, read_arrays, read_targets
        from toolkit.datasets.names import class_names, joined_labels, read_labels

        options = self.options
        required = [options.y] + ([options.test_y] if options.test_y else [])
        if options.split != type(options).model_fields["split"].default:
            # A split that the recipe names itself: to go on without it would be another task.
            required.append(options.split)
        arrays = read_arrays(options.data, required, [options.split, "class_names"], hint=HINT)
        declared = arrays.get(options.split)
        if options.continuous:
            targets = read_targets(arrays[options.y], options.y)
            if options.test_y:
                own = len(targets)
                test = read_targets(arrays[options.test_y], options.test_y)
                targets = np.concatenate([targets, test])
                declared = np.arange(len(targets)) < own
            return targets, (), declared
        raw = read_labels(arrays[options.y], options.y)
        if options.test_y:
            own = len(raw)
            raw = joined_labels(raw, arrays[options.test_y], options.test_y)
            declared = np.arange(len(raw)) < own
        names_of = class_names(raw, arrays.get("class_names"), options.y)
        labels, names = encode_labels(raw, options.y)
        return labels, tuple(names_of[name] for name in names), declared
