"""Folders of classes and parts: read in every usual layout, or refused with the folder's name."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from toolkit.datasets.folders import Kind, Listing, list_folder
from toolkit.errors import DataError

PICTURES = Kind("pictures", (".pic", ".jpic"), "Put each class into a folder.")
LABELLED = Kind("pictures", (".pic",), "Name the class.", lambda path: path.stem.split("_")[1])


def _make(root: Path, *files: str) -> Path:
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def _classes(*parts: str, each: int = 2) -> list[str]:
    return [
        f"{part}/{name}/{i}.pic" for part in parts for name in ("cat", "dog") for i in range(each)
    ]


def _counts(listing: Listing) -> Counter[tuple[str, str]]:
    return Counter((file.part, file.label) for file in listing.files)


def test_folders_are_classes_and_files_in_them_count_at_any_depth(tmp_path: Path) -> None:
    _make(tmp_path, "cat/1.pic", "cat/old/2.pic", "dog/a/b/3.PIC", "dog/4.Jpic")
    listing = list_folder(tmp_path, PICTURES)
    assert _counts(listing) == {("", "cat"): 2, ("", "dog"): 2}
    assert not listing.notes


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (("train", "test"), {"train", "test"}),
        (("train", "val"), {"train", "val"}),
        (("TRAIN", "Valid", "Test"), {"train", "val", "test"}),
        (("training", "validation", "testing"), {"train", "val", "test"}),
        (("training_set", "test_set"), {"train", "test"}),
        (("Train Images", "val-data", "testset"), {"train", "val", "test"}),
    ],
)
def test_parts_are_known_by_all_their_names(
    tmp_path: Path, names: tuple[str, ...], parts: set[str]
) -> None:
    listing = list_folder(_make(tmp_path, *_classes(*names)), PICTURES)
    assert _counts(listing) == {(part, name): 2 for part in parts for name in ("cat", "dog")}


def test_classes_that_hold_the_same_folders_are_noted(tmp_path: Path) -> None:
    (note,) = list_folder(_make(tmp_path / "a", *_classes("day1", "day2", "day3")), PICTURES).notes
    assert "the classes are day1, day2, ..., and each holds the folders cat and dog." in note
    loose = _make(tmp_path / "b", *_classes("day1", "day2"), "day1/7.pic")
    other = _make(tmp_path / "c", "cat/may/1.pic", "cat/june/1.pic", "dog/may/1.pic")
    assert not list_folder(loose, PICTURES).notes
    assert not list_folder(other, PICTURES).notes


@pytest.mark.parametrize("inside", ["", "images/", "archive/images/"])
def test_a_lone_folder_is_read_in_its_place(tmp_path: Path, inside: str) -> None:
    listing = list_folder(_make(tmp_path, *_classes(f"{inside}train", f"{inside}test")), PICTURES)
    assert listing.parts == {"train", "test"}
    lone = list_folder(_make(tmp_path / "lone", *_classes(f"{inside}train")), PICTURES)
    assert _counts(lone) == {("", "cat"): 2, ("", "dog"): 2}, "there is nothing to divide it from"


def test_what_is_hidden_or_added_by_archivers_is_skipped_at_every_depth(tmp_path: Path) -> None:
    _make(
        tmp_path,
        *_classes("train", "test"),
        *(".git/1.pic", "train/.thumbs/1.pic", "train/cat/._0.pic", "train/cat/.cache/9.pic"),
        *("__MACOSX/train/cat/0.pic", "test/@eaDir/0.pic", ".DS_Store", "train/cat/.DS_Store"),
    )
    listing = list_folder(tmp_path, PICTURES)
    assert len(listing.files) == 8
    assert not listing.notes


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([*_classes("train", "test"), "cat/1.pic"], "test/ and train/, .* beside that cat/"),
        (["cat/1.pic", "dog/1.pic", "test/1.pic"], "test/, which names a part, .* beside"),
        (_classes("train", "val", "valid"), "two folders for the val part, val/ and valid/"),
        (_classes("Test", "test", "train"), "two folders for the test part, Test/ and test/"),
        (_classes("val", "test"), "test/ and val/, which name parts, but no train/"),
        (_classes("test"), "test/, which names a part, but no train/"),
        (["cat/train/1.pic", "cat/test/2.pic", "dog/train/1.pic"], "/cat, holds .*, which name"),
        ([*_classes("train"), "test/1.pic"], "/test holds pictures, such as 1.pic, but in no"),
        ([*_classes("train"), "test/readme.txt"], "/test holds no pictures"),
        (["train/1.pic", "test/2.pic"], "/train holds pictures, such as 1.pic, but in no"),
        (["cat/1.pic", "dog/1.pic", "owl/1.heic", "owl/2.heic"], r"/owl gives .* holds 2 \.heic"),
        (["cat/1.pic", "dog/1.pic", "owl/old/.pic"], "/owl gives no class: it holds empty folders"),
        (["cat/1.txt", "dog/1.txt"], "holds no pictures. Put each class"),
        (["readme.txt"], "holds no pictures. Put each class"),
    ],
)
def test_what_can_be_read_in_two_ways_or_gives_nothing_is_named(
    tmp_path: Path, files: list[str], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        list_folder(_make(tmp_path, *files), PICTURES)


def test_an_empty_folder_of_a_class_is_named_and_may_be_hidden(tmp_path: Path) -> None:
    _make(tmp_path, "cat/1.pic", "dog/1.pic")
    (tmp_path / "owl").mkdir()
    with pytest.raises(DataError, match="owl gives no class: it holds nothing") as caught:
        list_folder(tmp_path, PICTURES)
    assert ".jpic, .pic" in caught.value.hint
    (tmp_path / "owl").rename(tmp_path / ".owl")
    assert len(list_folder(tmp_path, PICTURES).files) == 2


def test_files_that_are_left_out_are_counted(tmp_path: Path) -> None:
    _make(tmp_path, *_classes("."), "cat/8.heic", "cat/9.heic", "cat/notes.txt", "over.pic")
    beside, unread = list_folder(tmp_path, PICTURES).notes
    _make(tmp_path, *_classes("p/train"), *_classes("p/test"), "p/over.pic", "p/more.pic")
    assert list_folder(tmp_path / "p", PICTURES).notes == [
        f"{tmp_path / 'p'}: pictures beside the folders of parts are not read: more.pic and 1 more."
    ]
    assert "pictures beside the folders of classes are not read: over.pic." in beside
    assert "files in the folders of classes are not read: 2 .heic." in unread


def test_files_that_name_their_class_lie_in_no_folder_of_one(tmp_path: Path) -> None:
    listing = list_folder(_make(tmp_path / "flat", "1_cat.pic", "2_dog.pic"), LABELLED)
    assert _counts(listing) == {("", "cat"): 1, ("", "dog"): 1}
    parts = _make(tmp_path / "parts", "Train/1_cat.pic", "Train/2_dog.pic", "test/3_cat.pic")
    assert _counts(list_folder(parts, LABELLED)) == {
        ("train", "cat"): 1,
        ("train", "dog"): 1,
        ("test", "cat"): 1,
    }
    with pytest.raises(DataError, match="in no folder of a class, and beside that owl/"):
        list_folder(_make(tmp_path / "flat", "owl/3.pic"), LABELLED)


def test_links_are_followed(tmp_path: Path) -> None:
    store = _make(tmp_path / "store", "a/1.pic", "a/2.pic", "b/3.pic")
    root = _make(tmp_path / "root", "dog/4.pic")
    (root / "cat").symlink_to(store / "a")
    (root / "dog" / "more").symlink_to(store / "b")
    (root / "dog" / "5.pic").symlink_to(store / "b" / "3.pic")
    assert _counts(list_folder(root, PICTURES)) == {("", "cat"): 2, ("", "dog"): 3}


@pytest.mark.parametrize("target", [".", "..", "../..", "loop"])
@pytest.mark.parametrize("place", ["loop", "cat/loop", "cat/deep/loop"])
def test_circles_of_links_are_named(tmp_path: Path, place: str, target: str) -> None:
    root = _make(tmp_path / "a/b/root", *_classes("."), "cat/deep/1.pic")
    (root / place).symlink_to(target)
    with pytest.raises(DataError, match=r"[Tt]he link .*loop leads"):
        list_folder(root, PICTURES)


def test_a_link_to_nothing_and_two_links_to_one_folder_are_named(tmp_path: Path) -> None:
    root = _make(tmp_path / "root", *_classes("train", "val"))
    (root / "test").symlink_to("val")
    (note,) = list_folder(root, PICTURES).notes
    assert "are one folder" in note
    (root / "train" / "owl").symlink_to("cat")
    with pytest.raises(DataError, match=r"cat and .*owl are one folder"):
        list_folder(root, PICTURES)
    (root / "train" / "owl").unlink()
    (root / "train" / "cat" / "far.pic").symlink_to("/nowhere/1.pic")
    with pytest.raises(DataError, match=r"far\.pic leads to /nowhere/1\.pic, which is not there"):
        list_folder(root, PICTURES)


@pytest.mark.parametrize(
    "names",
    [
        ("train2017", "val2017"),
        ("seg_train", "seg_test"),
        ("01-train", "02-valid", "03-test"),
        ("trainA", "trainB", "testA", "testB"),
        ("cat_train", "cat_test", "dog_train", "dog_test"),
        ("MNIST Training", "mnist testing"),
    ],
)
def test_parts_by_longer_names_are_no_classes(tmp_path: Path, names: tuple[str, ...]) -> None:
    root = _make(tmp_path, *(f"{name}/cat/1.pic" for name in names))
    with pytest.raises(DataError, match="seem to be parts and not classes"):
        list_folder(root, PICTURES)


@pytest.mark.parametrize("names", [("trains", "tests"), ("train1", "train2"), ("latest", "strain")])
def test_classes_may_hold_the_word_of_a_part(tmp_path: Path, names: tuple[str, ...]) -> None:
    root = _make(tmp_path, *(f"{name}/1.pic" for name in names))
    assert {file.label for file in list_folder(root, PICTURES).files} == set(names)


def test_classes_of_folders_alone_are_noted(tmp_path: Path) -> None:
    root = _make(tmp_path, "x/ax/1.pic", "x/bx/1.pic", "y/ay/1.pic", "y/by/1.pic")
    (note,) = list_folder(root, PICTURES).notes
    assert "the classes are x, y" in note and "ax and bx" in note
