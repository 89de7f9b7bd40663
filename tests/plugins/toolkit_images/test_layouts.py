"""Folders of images as people have them: parts, stray files, and every kind of picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from toolkit.errors import DataError
from toolkit_images.arrays import ImageArraysTask
from toolkit_images.folder import ImageFolderTask
from toolkit_images.lazy import read_image, read_images

RNG = np.random.default_rng(0)


def _task(data: Path, **options: object) -> ImageFolderTask:
    return ImageFolderTask(ImageFolderTask.Options.model_validate({"data": data, **options}))


def _write(root: Path, parts: dict[str, int], classes: tuple[str, ...] = ("cat", "dog")) -> Path:
    """Images of one grey each: the same in a part, and no two parts alike."""
    for level, (part, each) in enumerate(parts.items()):
        for name in classes:
            folder = root / part / name
            folder.mkdir(parents=True)
            for number in range(each):
                said = PngInfo()  # No two files are alike.
                said.add_text("number", f"{name} {number}")
                grey = Image.new("L", (5, 5), 10 + 50 * level)
                grey.save(folder / f"{number}.png", pnginfo=said)
    return root


def _levels(data: torch.utils.data.Dataset) -> set[int]:  # type: ignore[type-arg]
    return {round(float(image.mean() * 255)) for image, _ in data}  # type: ignore[attr-defined]


@pytest.mark.parametrize("names", [("train", "val", "test"), ("Training", "VALID", "testing")])
def test_each_part_is_what_its_folder_holds(tmp_path: Path, names: tuple[str, ...]) -> None:
    task = _task(_write(tmp_path, dict(zip(names, (6, 3, 2), strict=True))), size=4, channels=1)
    splits, survey = task.load(tmp_path, 0), task.survey(0)
    parts = (splits.train, splits.val, splits.load_test())
    assert [_levels(part) for part in parts] == [{10}, {60}, {110}]
    assert survey.counts == {
        "train": {"cat": 6, "dog": 6},
        "val": {"cat": 3, "dog": 3},
        "test": {"cat": 2, "dog": 2},
    }
    assert not survey.warnings


def test_without_a_test_part_half_of_validation_is_kept_for_it(tmp_path: Path) -> None:
    task = _task(_write(tmp_path / "data", {"train": 6, "val": 4}), size=4, channels=1)
    for seed in (0, 1):
        splits = task.load(tmp_path, seed)
        parts = (splits.train, splits.val, splits.load_test())
        assert [_levels(part) for part in parts] == [{10}, {60}, {60}]
        assert [len(part) for part in parts] == [12, 4, 4]  # type: ignore[arg-type]
    first, second = (task.division(seed) for seed in (0, 1))
    assert set(first.test) == set(second.test), "what is tested on is no matter of luck"
    (warning,) = task.survey(0).warnings
    assert "has no test/: 4 of the 8 images in val/ are kept for the test" in warning


def test_small_images_are_not_enlarged_without_a_word(tmp_path: Path) -> None:
    data = _write(tmp_path / "data", {"": 6})
    (warning,) = _task(data, channels=1).survey(0).warnings
    assert "enlarged to the default size of 64 x 64" in warning
    assert "add `size: 5` to the task" in warning
    assert _task(data, channels=1).survey(0).suggests == {"size": 5}
    assert not _task(data, size=5, channels=1).survey(0).warnings
    assert not _task(data, size=8, channels=3).survey(0).warnings, "who names a size has chosen it"


def test_a_class_that_is_only_tested_on_is_named(tmp_path: Path) -> None:
    _write(tmp_path / "data", {"train": 6, "val": 4, "test": 4})
    _write(tmp_path / "data", {"test": 2}, classes=("owl",))
    with pytest.raises(DataError, match="Class 'owl' has no sample marked 'train'"):
        _task(tmp_path / "data").info()


def test_a_part_of_left_out_classes_alone_is_empty(tmp_path: Path) -> None:
    labels = np.arange(40) % 4
    split = np.repeat(["train", "test"], 20)
    split[np.flatnonzero(labels == 3)[2:6]] = "val"
    np.savez(tmp_path / "a.npz", X=np.zeros((40, 4, 4), np.uint8), y=labels, split=split)
    options = {"data": tmp_path / "a.npz", "novel_classes": [3.0]}
    task = ImageArraysTask(ImageArraysTask.Options.model_validate(options))
    with pytest.raises(DataError, match="The validation part of the data is empty"):
        task.info()


@pytest.mark.parametrize(
    "ending", ["JPG", "jpeg", "jpe", "JFIF", "PNG", "Bmp", "TIFF", "gif", "webp"]
)
def test_pictures_have_many_endings(tmp_path: Path, ending: str) -> None:
    root = _write(tmp_path, {".": 6})
    format = {"jpg": "JPEG", "jpe": "JPEG", "jfif": "JPEG"}.get(ending.lower(), ending.upper())
    for name in ("cat", "dog"):
        Image.new("RGB", (5, 5), "red").save(root / name / f"more.{ending}", format)
    assert sum(_task(root).survey(0).counts["train"].values()) == 8
    assert len(_task(root, size=4).load(tmp_path, 0).train) == 8  # type: ignore[arg-type]


GREYS = np.linspace(0, 1, 64).reshape(8, 8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("name", "picture"),
    [
        ("8.png", (GREYS * 255).round().astype(np.uint8)),
        ("16.png", (GREYS * 65535).round().astype(np.uint16)),
        ("16.tif", (GREYS * 65535).round().astype(np.uint16)),
        ("16.pgm", (GREYS * 65535).round().astype(np.uint16)),
        ("float.tif", GREYS.astype(np.float32)),
    ],
)
def test_every_depth_fills_its_range(
    tmp_path: Path, name: str, picture: np.ndarray, channels: int
) -> None:
    Image.fromarray(picture).save(tmp_path / name)
    pixels = read_image(tmp_path / name, 8, channels)
    deep = not name.startswith("8")
    assert pixels.dtype == (np.float32 if deep else np.uint8)
    unit = pixels if deep else pixels / 255
    assert np.allclose(unit, GREYS, atol=1e-5 if deep else 0.5 / 255)
    assert pixels.shape == (channels, 8, 8)


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        *(("p.png", "P"), ("bit.png", "1"), ("la.png", "LA"), ("rgba.png", "RGBA")),
        *(("cmyk.tif", "CMYK"), ("lab.tif", "LAB"), ("palette.gif", "P")),
    ],
)
def test_every_mode_shows_the_same_picture(tmp_path: Path, name: str, mode: str) -> None:
    picture = Image.new("RGB", (8, 8), "white")
    picture.paste((0, 0, 0), (0, 0, 8, 4))
    picture.convert(mode).save(tmp_path / name)
    for channels in (1, 3):
        pixels = read_image(tmp_path / name, 8, channels).astype(float)
        assert np.abs(pixels[:, :3] - 0).max() < 6
        assert np.abs(pixels[:, 5:] - 255).max() < 6


def test_what_is_transparent_lies_over_white(tmp_path: Path) -> None:
    picture = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    picture.save(tmp_path / "clear.png")
    picture.putalpha(128)
    picture.save(tmp_path / "half.png")
    palette = Image.new("P", (8, 8), 0)
    palette.putpalette([9, 9, 9])
    palette.save(tmp_path / "palette.gif", transparency=0)
    assert (read_image(tmp_path / "clear.png", 4, 3) == 255).all()
    assert read_image(tmp_path / "half.png", 4, 3)[:, 0, 0].tolist() == [255, 127, 127]
    assert (read_image(tmp_path / "palette.gif", 4, 3) == 255).all()


@pytest.mark.parametrize(
    ("name", "numbers", "words"),
    [
        ("deep.tif", (GREYS * 1e6).astype(np.int32), r"whole numbers of 32 bits from 0 to 1e\+06"),
        ("wide.tif", (GREYS * 300).astype(np.float32), "fractions from 0 to 300"),
        ("minus.tif", (GREYS - 0.5).astype(np.float32), "fractions from -0.5 to 0.5"),
        ("nan.tif", np.full((8, 8), np.nan, np.float32), "fractions from nan to nan"),
    ],
)
def test_pixels_of_unknown_range_are_refused(
    tmp_path: Path, name: str, numbers: np.ndarray, words: str
) -> None:
    Image.fromarray(numbers).save(tmp_path / name)
    with pytest.raises(DataError, match=rf"{name} holds {words}, of which the range is not known"):
        read_image(tmp_path / name, 8, 1)


def test_deep_and_flat_images_are_read_together(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.png", "b.png", "c.png")]
    Image.new("L", (4, 4), 51).save(files[0])
    Image.fromarray(np.full((4, 4), 13107, np.uint16)).save(files[1])
    Image.new("L", (4, 4), 255).save(files[2])
    images = read_images(files, 4, 1)
    assert images.dtype == np.float32
    assert np.allclose(images[:, 0, 0, 0], [0.2, 0.2, 1])


def test_a_file_that_is_no_image_is_named(tmp_path: Path) -> None:
    root = _write(tmp_path, {".": 6})
    (root / "cat" / "page.jpg").write_text("<html>not found</html>")
    with pytest.raises(DataError, match=r"page\.jpg cannot be read as an image"):
        _task(root).load(tmp_path, 0)


def test_images_of_people_are_warned_of_where_no_split_keeps_them_apart(tmp_path: Path) -> None:
    def warnings(**more: object) -> list[str]:
        np.savez(
            tmp_path / "a.npz",
            X=(np.arange(640) % 251).astype(np.uint8).reshape(40, 4, 4),
            y=np.arange(40) % 2,
            patient=np.repeat(np.arange(4), 10),
            **more,  # type: ignore[arg-type]
        )
        options = {"data": tmp_path / "a.npz"}
        task = ImageArraysTask(ImageArraysTask.Options.model_validate(options))
        return list(task.survey(0).warnings)

    (warning,) = warnings()
    assert "'patient', which no option uses: samples of 4 of its 4 values" in warning
    assert warnings(split=np.repeat(["train", "train", "val", "test"], 10)) == []


def test_further_frames_are_told_of(tmp_path: Path) -> None:
    root = _write(tmp_path, {"": 6})
    frames = [Image.new("L", (5, 5), level) for level in (10, 20, 30)]
    for name, ending in (("cat/moving", "gif"), ("cat/stack", "tif"), ("dog/moving", "webp")):
        frames[0].save(root / f"{name}.{ending}", save_all=True, append_images=frames[1:])
    frames[0].save(root / "dog" / "still.gif")
    frames[0].save(root / "dog" / "moving.png", save_all=True, append_images=frames[1:])
    task = _task(root, size=4)
    (told,) = [text for text in task.survey(0).warnings if "frame" in text]
    assert told.startswith("4 of 17 image files have further frames") and "moving.gif has 3" in told
    assert [told] == [text for text in task.new_inputs({}).warnings if "frame" in text]
    alone = _task(root / "cat" / "stack.tif", size=4).new_inputs({})
    assert "stack.tif has 3" in alone.warnings[0]
