"""Tasks of generation: disjoint parts, one judge, and sentences for what is wrong."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from toolkit.contracts import Splits
from toolkit.errors import DataError
from toolkit_images.generation import judge as judges
from toolkit_images.generation.arrays import ArraysGenerationTask
from toolkit_images.generation.digits import DigitsGenerationTask
from toolkit_images.generation.fashion import FashionGenerationTask
from toolkit_images.generation.judge import JudgedImages

DIGITS = DigitsGenerationTask(DigitsGenerationTask.Options())
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("cache")
    return made


@pytest.fixture(scope="module")
def splits(cache: Path) -> Splits:
    return DIGITS.load(cache, 0)


class Given:
    """Gives images that were chosen by label."""

    model = torch.nn.Identity()

    def __init__(self, images: torch.Tensor, labels: torch.Tensor, swap: bool = False) -> None:
        self.images, self.labels, self.swap = images, labels, swap

    def predict(self, inputs: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError

    def generate(self, labels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        asked = (labels + 1) % 3 if self.swap else labels
        found = []
        for label in asked.tolist():
            own = (self.labels == label).nonzero().flatten()
            found.append(self.images[own[torch.randint(len(own), (), generator=generator)]])
        return torch.stack(found)


def rows(data: Any) -> set[bytes]:
    return {image.numpy().tobytes() for image in data.tensors[0]}


def test_parts_are_disjoint_and_only_the_shots_depend_on_the_seed(
    splits: Splits, cache: Path
) -> None:
    test = splits.load_test()
    parts = [splits.train, splits.val, test, splits.source, splits.source_val]
    sets = [rows(part) for part in parts]
    for position, own in enumerate(sets):
        assert own and not any(own & other for other in sets[position + 1 :])
    other = DIGITS.load(cache, 1)
    assert rows(other.val) == sets[1] and rows(other.load_test()) == sets[2]
    assert rows(other.train) != sets[0] and len(other.train.tensors[0]) == 30  # type: ignore[attr-defined]


def test_the_judge_sees_source_and_validation_images_alone_and_is_made_once(
    splits: Splits, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(list((cache / "judges").iterdir())) == 1
    seen: list[torch.Tensor] = []

    def never(judge: Any, images: torch.Tensor, labels: torch.Tensor) -> None:
        seen.append(images)

    monkeypatch.setattr(judges, "_train", never)
    DIGITS.load(cache, 5)
    assert not seen, "the seed of the shots is none of the judge's"
    with pytest.raises(DataError, match=r"The judge tells the class of 1\d% .* chance is 10%"):
        DIGITS.load(cache / "empty", 0)
    known = {image.numpy().tobytes() for image in seen[0]}
    assert known == rows(splits.val) | rows(splits.source)


def test_a_judge_that_has_learned_its_images_by_heart_does_not_know_classes(tmp_path: Path) -> None:
    drawing = np.random.default_rng(0)
    labels = drawing.permutation(np.arange(280) % 2)
    np.savez(tmp_path / "noise.npz", X=drawing.random((280, 8, 8)), y=labels)
    options = {"data": tmp_path / "noise.npz", "targets": ["1"], "shots": 20}
    task = ArraysGenerationTask(ArraysGenerationTask.Options.model_validate(options))
    with pytest.raises(DataError, match=r"judge tells the class of [3-6]\d% .* chance is 50%"):
        task.load(tmp_path, 0)


def test_swapped_classes_are_seen_by_distances_of_classes_alone(splits: Splits) -> None:
    images, labels = splits.val.tensors  # type: ignore[attr-defined]
    right, wrong = (
        DIGITS.judge(Given(images, labels, swap), splits.val, CPU) for swap in (False, True)
    )
    assert wrong["class_fid"] > 10 * max(right["class_fid"], 0.5)
    assert wrong["fid"] < 3 * right["fid"] + 1
    assert right["class_accuracy"] > 0.9 > wrong["class_accuracy"] + 0.5


def test_shots_given_again_are_near_and_cover_little(splits: Splits) -> None:
    test = splits.load_test()
    found = DIGITS.references(splits, test, CPU)
    shots, real = found["the shots, given again"], found["real validation images"]
    assert real["coverage"] > shots["coverage"] + 0.2
    assert shots.keys() == real.keys() == dict(DIGITS.directions).keys()


def test_samples_are_judged_beside_images_of_the_task_alone(splits: Splits) -> None:
    data = torch.utils.data.TensorDataset(*splits.val.tensors)  # type: ignore[attr-defined]
    with pytest.raises(DataError, match="beside images of this task alone, not TensorDataset"):
        DIGITS.judge(Given(*splits.val.tensors), data, CPU)  # type: ignore[attr-defined]
    assert isinstance(splits.val, JudgedImages)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"targets": list(range(10))}, "Every class is a target class"),
        ({"targets": ["x"]}, "There is no class 'x'"),
        ({"targets": [3, "3"]}, "named twice"),
        ({"shots": 60}, "left for 60 shots"),
        ({"most_source": 5}, "The source class 0 has 5 images; at least 16"),
    ],
)
def test_classes_that_do_not_serve_are_refused_with_a_sentence(
    options: dict[str, Any], says: str
) -> None:
    with pytest.raises(DataError, match=says):
        DigitsGenerationTask(DigitsGenerationTask.Options(**options)).info()


def test_one_shot_is_too_few() -> None:
    with pytest.raises(ValueError, match="greater than or equal to 2"):
        DigitsGenerationTask.Options(shots=1)


def idx(array: np.ndarray) -> bytes:
    head = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(np.uint8).tobytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    drawing = np.random.default_rng(0)
    labels = np.arange(400) % 10
    images = drawing.integers(0, 256, (400, 28, 28)) // 2 + labels[:, None, None] * 12
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx(labels))
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
    return tmp_path


def fashion(folder: Path, **more: Any) -> FashionGenerationTask:
    given = {"data": folder, "shots": 3, **more}
    return FashionGenerationTask(FashionGenerationTask.Options(**given))


def test_idx_files_are_read_gzipped_or_not_and_made_smaller(folder: Path) -> None:
    task = fashion(folder, size=16)
    assert task.info().shape == (1, 16, 16)
    assert task.info().class_names == ("dress", "coat", "sneaker")
    pixels = task.pixels(folder)
    assert pixels.shape == (400, 1, 16, 16) and 0 <= pixels.min() <= pixels.max() <= 1


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda f: (f / "t10k-labels-idx1-ubyte").unlink(), "holds none as the labels of t10k"),
        (lambda f: (f / "t10k-labels-idx1-ubyte").write_bytes(b"no"), "is no idx file of bytes"),
        (
            lambda f: (f / "t10k-labels-idx1-ubyte").write_bytes(idx(np.arange(9))[:-1]),
            "has 8 bytes for the shape",
        ),
        (
            lambda f: (f / "t10k-images-idx3-ubyte.gz").write_bytes(
                gzip.compress(idx(np.zeros((400, 20, 20))))
            ),
            r"\(400, 28, 28\) is expected",
        ),
    ],
)
def test_damaged_idx_files_are_told_of(
    folder: Path, spoil: Callable[[Path], object], says: str
) -> None:
    spoil(folder)
    with pytest.raises(DataError, match=says):
        task = fashion(folder)
        task.info()
        task.pixels(folder)


def test_pixels_of_another_range_are_refused(tmp_path: Path) -> None:
    images = np.random.default_rng(0).normal(size=(90, 8, 8))
    np.savez(tmp_path / "own.npz", X=images, y=np.arange(90) % 3)
    options = {"data": tmp_path / "own.npz", "targets": [0], "shots": 2}
    task = ArraysGenerationTask(ArraysGenerationTask.Options(**options))
    with pytest.raises(DataError, match=r"'X' holds pixels from -\d"):
        task.load(tmp_path, 0)
