"""Image tasks: what they load, and what they say of data that cannot be used."""

import pickle
import re

import numpy as np
import pytest
import torch

from toolkit.errors import DataError
from toolkit.testing import check_task
from toolkit_images.arrays import ImageArraysTask
from toolkit_images.digits import DigitsTask
from toolkit_images.folder import ImageFolderTask
from toolkit_images.torchvision_sets import Cifar10Task, Stl10Task


def make(kind, **options):
    return kind(kind.Options.model_validate(options))


def archive(path, images, labels, **more):
    np.savez(path, X=images, y=labels, **more)
    return path


def noise(*shape, dtype=np.uint8):
    values = np.random.default_rng(0).integers(0, 256, shape)
    return values.astype(np.uint8) if dtype == np.uint8 else (values / 255).astype(dtype)


LABELS = np.arange(40) % 4


def test_digits_are_real_and_in_range(tmp_path):
    task = make(DigitsTask)
    check_task(task, tmp_path)
    splits = task.load(tmp_path, 1)
    sizes = [len(part) for part in (splits.train, splits.val, splits.load_test())]
    assert sum(sizes) == 1797
    images = splits.train.tensors[0]
    assert images.dtype == torch.float32
    assert images.min() == 0 and images.max() == 1
    assert not torch.equal(splits.train.tensors[1], task.load(tmp_path, 2).train.tensors[1])


def test_per_class_keeps_so_many_training_images_and_all_others(tmp_path):
    full, few = make(DigitsTask), make(DigitsTask, per_class=20)
    check_task(few, tmp_path)
    splits = few.load(tmp_path, 0)
    assert splits.train.tensors[1].bincount().tolist() == [20] * 10
    assert len(splits.val) == len(full.load(tmp_path, 0).val)


@pytest.mark.parametrize("shape", [(40, 6, 5), (40, 6, 5, 1), (40, 1, 6, 5), (40, 6, 5, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_arrays_of_any_layout_give_channels_first_in_unit_range(tmp_path, shape, dtype):
    images = noise(*shape, dtype=dtype)
    task = make(ImageArraysTask, data=archive(tmp_path / "a.npz", images, LABELS))
    check_task(task, tmp_path)
    channels = 3 if shape[-1] == 3 else 1
    assert task.info().shape == (channels, 6, 5)
    splits = task.load(tmp_path, 0)
    found = torch.cat([p.tensors[0] for p in (splits.train, splits.val, splits.load_test())])
    expected = images / 255 if dtype == np.uint8 else images
    assert found.sum().item() == pytest.approx(expected.sum(), rel=1e-5)


def test_numbers_outside_the_unit_range_are_scaled_by_the_training_images(tmp_path):
    images = noise(40, 6, 6).astype(np.float32) * 100 - 3000
    task = make(ImageArraysTask, data=archive(tmp_path / "a.npz", images, LABELS))
    splits = task.load(tmp_path, 0)
    train = splits.train.tensors[0]
    assert (train.min(), train.max()) == (0, 1)
    test = splits.load_test().tensors[0]
    assert test.min() >= 0 and test.max() <= 1


def test_separate_test_arrays_and_class_names_are_used(tmp_path):
    path = tmp_path / "a.npz"
    names = ["ant", "bee", "cow", "dog"]
    np.savez(
        path,
        x_train=noise(40, 8, 8, 3),
        y_train=LABELS,
        x_test=noise(12, 8, 8, 3),
        y_test=LABELS[:12],
        class_names=names,
    )
    options = {"x": "x_train", "y": "y_train", "test_x": "x_test", "test_y": "y_test"}
    task = make(ImageArraysTask, data=path, **options)
    check_task(task, tmp_path)
    assert task.info().class_names == tuple(names)
    splits = task.load(tmp_path, 0)
    assert len(splits.load_test()) == 12
    assert len(splits.train) + len(splits.val) == 40


def test_channels_are_repeated_or_made_grey(tmp_path):
    grey = archive(tmp_path / "g.npz", noise(40, 6, 6), LABELS)
    task = make(ImageArraysTask, data=grey, channels=3)
    check_task(task, tmp_path)
    image = task.load(tmp_path, 0).train[0][0]
    assert torch.equal(image[0], image[2])
    colour = archive(tmp_path / "c.npz", noise(40, 6, 6, 3), LABELS)
    task = make(ImageArraysTask, data=colour, channels=1)
    check_task(task, tmp_path)
    assert task.info().shape == (1, 6, 6)


@pytest.mark.parametrize(
    ("images", "labels", "more", "message"),
    [
        (noise(40, 5), LABELS, {}, r"has shape \(40, 5\)"),
        (noise(40, 3, 5, 3), LABELS, {}, "cannot be told"),
        (noise(40, 5, 5, 2), LABELS, {}, "cannot be told"),
        (np.full((40, 5, 5), np.nan), LABELS, {}, "Image 0 of 'X' has a pixel that is not finite"),
        (noise(39, 5, 5), LABELS, {}, "holds 39 images, but 'y' 40 labels"),
        (noise(40, 5, 5), LABELS * 0, {}, "holds only the class"),
        (noise(40, 5, 5), np.arange(40), {}, "has 1 sample to divide"),
        (noise(40, 5, 5), LABELS + 1, {"class_names": list("abcd")}, "Label 3 of 'y' is 4"),
        (noise(40, 5, 5), LABELS - 1, {"class_names": list("abcd")}, "Label 0 of 'y' is -1"),
        (noise(40, 5, 5).astype(complex), LABELS, {}, "complex128"),
    ],
)
def test_bad_arrays_are_named(tmp_path, images, labels, more, message):
    task = make(ImageArraysTask, data=archive(tmp_path / "a.npz", images, labels, **more))
    with pytest.raises(DataError, match=message):
        task.info()
        task.load(tmp_path, 0)


def test_a_split_that_the_recipe_names_must_be_there(tmp_path):
    path = archive(tmp_path / "a.npz", noise(40, 5, 5), LABELS, split=np.arange(40) < 30)
    assert len(make(ImageArraysTask, data=path).load(tmp_path, 0).load_test()) == 10
    with pytest.raises(DataError, match="has no array 'splt'") as caught:
        make(ImageArraysTask, data=path, split="splt").info()
    assert "Is it 'split'?" in caught.value.hint
    bare = archive(tmp_path / "b.npz", noise(40, 5, 5), LABELS)
    assert len(make(ImageArraysTask, data=bare).load(tmp_path, 0).load_test()) == 8


def test_preparation_repeats_what_was_done(tmp_path):
    def preparation(images, **options):
        path = archive(tmp_path / "a.npz", images, LABELS)
        return make(ImageArraysTask, data=path, **options).load(tmp_path, 0)

    assert "bytes divided by 255." in preparation(noise(40, 5, 5)).preparation
    assert "one channel three times" in preparation(noise(40, 5, 5), channels=3).preparation
    assert "0.299 red" in preparation(noise(40, 5, 5, 3), channels=1).preparation
    assert "as they are" in preparation(noise(40, 5, 5, dtype=np.float32)).preparation
    images = noise(40, 5, 5).astype(np.float64) * 3 - 100
    splits = preparation(images)
    low, span = re.search(r"\(pixel - (.+)\) / (.+), clip", splits.preparation).groups()
    expected = np.sort(((images - float(low)) / float(span)).clip(0, 1).ravel())
    parts = (splits.train, splits.val, splits.load_test())
    found = torch.cat([part.tensors[0].ravel() for part in parts]).sort().values.numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert "16" in make(DigitsTask).load(tmp_path, 0).preparation


def test_classes_left_out_are_offered_beside_each_part_and_learned_by_none(tmp_path):
    full, task = make(DigitsTask), make(DigitsTask, novel_classes=[3, "9"])
    check_task(task, tmp_path)
    info = task.info()
    assert info.class_names == ("0", "1", "2", "4", "5", "6", "7", "8")
    every, splits = full.load(tmp_path, 0), task.load(tmp_path, 0)
    for mine, novel, all_of_it in (
        (splits.val, splits.novel, every.val),
        (splits.load_test(), splits.load_novel_test(), every.load_test()),
    ):
        images, labels = all_of_it.tensors
        out = (labels == 3) | (labels == 9)
        assert torch.equal(novel.tensors[0], images[out])
        assert torch.equal(mine.tensors[0], images[~out])
        assert mine.tensors[1].unique().tolist() == list(range(8))
    assert splits.novel_beside(splits.val) is splits.novel
    assert len(splits.novel_beside(splits.load_test())) == len(splits.load_novel_test())
    assert every.novel is None and every.novel_beside(every.val) is None
    few = make(DigitsTask, novel_classes=[3, "9"], per_class=5).load(tmp_path, 0)
    assert few.train.tensors[1].bincount().tolist() == [5] * 8


def test_a_class_is_left_out_by_its_name_before_its_number(tmp_path):
    path = archive(tmp_path / "a.npz", noise(40, 5, 5), LABELS + 1)
    assert make(ImageArraysTask, data=path, novel_classes=[1]).info().class_names == ("2", "3", "4")
    assert make(Cifar10Task, novel_classes=[8, "truck"]).info().class_names[-1] == "horse"


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (["7"], "novel_classes: there is no class '7'"),
        ([-1], "there is no class '-1'"),
        ([0, 1, 2], "leaves 1 of 4 classes to learn"),
        ([3], "No image of the classes left out by novel_classes is in the test part"),
    ],
)
def test_impossible_wishes_for_classes_are_named(tmp_path, wanted, message):
    split = np.where(np.arange(40) < 30, "train", np.where(LABELS == 3, "train", "test"))
    path = archive(tmp_path / "a.npz", noise(40, 5, 5), LABELS, split=split)
    with pytest.raises(DataError, match=message):
        make(ImageArraysTask, data=path, novel_classes=wanted).info()


def write_images(root, classes=("cat", "dog"), each=6, size=(20, 14)):
    from PIL import Image

    for index, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for number in range(each):
            pixels = np.full((*size, 3), 40 * index + number, np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.png")


@pytest.mark.parametrize("channels", [1, 3, None])
def test_folder_of_images(tmp_path, channels):
    write_images(tmp_path / "data")
    task = make(ImageFolderTask, data=tmp_path / "data", size=10, channels=channels)
    check_task(task, tmp_path)
    assert task.info().shape == (channels or 3, 10, 10)
    assert task.info().class_names == ("cat", "dog")


def test_folder_with_given_parts_and_too_large_for_memory(tmp_path, monkeypatch):
    from toolkit_images import folder

    for part, each in (("train", 6), ("test", 3)):
        write_images(tmp_path / "data" / part, each=each)
    task = make(ImageFolderTask, data=tmp_path / "data", size=10)
    whole = task.load(tmp_path, 0)
    monkeypatch.setattr(folder, "IN_MEMORY", 0)
    check_task(task, tmp_path)
    lazy = task.load(tmp_path, 0)
    assert len(lazy.load_test()) == 6
    assert lazy.preparation == whole.preparation
    assert "middle square of 10 x 10 pixels" in lazy.preparation
    for one, other in zip(whole.train, lazy.train, strict=True):
        assert torch.equal(one[0], other[0]) and int(one[1]) == int(other[1])


def test_corrupt_image_and_bad_folders_are_named(tmp_path):
    write_images(tmp_path / "data")
    (tmp_path / "data" / "cat" / "3.png").write_bytes(b"\x89PNG no more")
    with pytest.raises(DataError, match=r"3\.png cannot be read as an image"):
        make(ImageFolderTask, data=tmp_path / "data").load(tmp_path, 0)
    with pytest.raises(DataError, match="There is no folder"):
        make(ImageFolderTask, data=tmp_path / "none").info()
    write_images(tmp_path / "single", classes=("cat",))
    with pytest.raises(DataError, match="holds 1 folder of images"):
        make(ImageFolderTask, data=tmp_path / "single").info()


@pytest.mark.parametrize("kind", [Cifar10Task, Stl10Task])
def test_public_sets_name_the_files_they_want(tmp_path, kind):
    assert make(kind).info().classes == 10
    with pytest.raises(DataError, match=kind.folder) as caught:
        make(kind).load(tmp_path, 0)
    assert kind.archive in caught.value.hint and "download" in caught.value.hint
    with pytest.raises(DataError, match=kind.folder):
        make(kind, root=tmp_path).info()
    (tmp_path / kind.folder).mkdir()
    with pytest.raises(DataError, match="cannot be read"):
        make(kind, root=tmp_path).load(tmp_path, 0)


def test_cifar10_is_read_from_its_own_files(tmp_path, monkeypatch):
    """Small files in the published format; torchvision's check of their hashes is passed over."""
    import torchvision

    folder = tmp_path / Cifar10Task.folder
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]:
        data = rng.integers(0, 256, (40, 3072)).astype(np.uint8)
        content = {"data": data, "labels": (np.arange(40) % 10).tolist()}
        (folder / name).write_bytes(pickle.dumps(content))
    (folder / "batches.meta").write_bytes(
        pickle.dumps({"label_names": [str(i) for i in range(10)]})
    )
    checked = "torchvision.datasets.cifar.check_integrity"
    monkeypatch.setattr(checked, lambda *_: True)
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "_check_integrity", lambda _: True)
    monkeypatch.setattr(Cifar10Task, "counts", (200, 40))
    task = make(Cifar10Task, root=tmp_path)
    check_task(task, tmp_path)
    splits = task.load(tmp_path, 0)
    assert len(splits.load_test()) == 40
    assert splits.train.tensors[0].shape[1:] == (3, 32, 32)
