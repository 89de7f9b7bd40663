"""Names of classes and groups: what an archive stores and a recipe writes mean the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from toolkit.datasets.names import (
    class_names,
    find_label,
    find_name,
    find_names,
    read_labels,
    tidied,
    warn_of_alike,
    warn_of_missing,
)
from toolkit.errors import DataError


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        ([1.0, 2.0], ["1", "2"]),
        (np.float32([11, 12]), ["11", "12"]),
        ([-0.0, 3.0], ["0", "3"]),
        ([0.5, 1.0], ["0.5", "1.0"]),
        ([b"left", b"right"], ["left", "right"]),
        (np.char.encode(["Süd", "Nord"], "utf-8"), ["Süd", "Nord"]),
        (["left", "right"], ["left", "right"]),
        ([7, 8], ["7", "8"]),
        ([True, False], ["True", "False"]),
    ],
)
def test_names_are_read_as_people_say_them(stored: object, read: list[str]) -> None:
    assert tidied(np.array(stored), "Label", "'y'").astype(str).tolist() == read


@pytest.mark.parametrize(
    ("stored", "words"),
    [
        ([1.0, np.nan, np.nan], "Label 1 of 'y' is nan, and 2 of 3 are missing"),
        ([1.0, np.inf], "Label 1 of 'y' is inf"),
        (["left", "nan"], "Label 1 of 'y' is 'nan'"),
        (["left", ""], "Label 1 of 'y' is ''"),
        ([b"left", b"<NA>"], "Label 1 of 'y' is '<NA>'"),
        (np.array(["2024-01-01", "NaT"], "M8[D]"), "Label 1 of 'y' is"),
        ([b"left", b"\xff\xfe"], r"Label 1 of 'y' is b'\\xff\\xfe', which is no text in UTF-8"),
    ],
)
def test_missing_names_are_refused(stored: object, words: str) -> None:
    with pytest.raises(DataError, match=words):
        tidied(np.array(stored), "Label", "'y'")


@given(st.lists(st.integers(-(2**53), 2**53), min_size=1, max_size=20))
def test_whole_floats_are_the_integers_they_equal(values: list[int]) -> None:
    whole = tidied(np.array(values, np.float64), "Label", "'y'")
    assert whole.dtype == np.int64
    assert whole.tolist() == values


@pytest.mark.parametrize(
    ("wanted", "known", "meant"),
    [
        (1, ["1", "2"], "1"),
        (1.0, ["1", "2"], "1"),
        ("1", ["1.0", "2.0"], "1.0"),
        (1, ["01", "02"], "01"),
        (1, ["01", "1"], "1"),
        (1, ["01", "001"], None),
        ("left", ["left", "right"], "left"),
        ("Left", ["left", "right"], None),
        ("nan", ["nap"], None),
        (3, ["1", "2"], None),
    ],
)
def test_a_recipe_means_the_name_of_the_same_text_or_number(
    wanted: object, known: list[str], meant: str | None
) -> None:
    assert find_name(wanted, known) == meant


def test_a_name_that_is_not_there_is_told_with_those_that_are() -> None:
    assert find_names([1, "b"], ["1", "b"], "group") == ["1", "b"]
    with pytest.raises(DataError, match=r"no group '3' to test on\. The groups are 1, 2\."):
        find_names([1, 3], ["1", "2"], "group", " to test on")


WORDS = np.array(["left", "right", "left"])


def test_words_name_their_classes_in_whatever_order_they_are_listed() -> None:
    orders = (["left", "right"], ["right", "left"], [b"right", b"left"], ["right", "x", "left"])
    for listed in orders:
        assert class_names(WORDS, np.array(listed)) == {"left": "left", "right": "right"}
    assert class_names(np.array([20, 10]), np.array([20, 10])) == {"10": "10", "20": "20"}


@pytest.mark.parametrize("kind", [np.int64, np.uint8, bool])
def test_integers_from_nought_are_positions(kind: type) -> None:
    labels = np.array([0, 1, 1]).astype(kind)
    first, second = map(str, np.unique(labels).tolist())
    assert class_names(labels, np.array(["right", "left"])) == {first: "right", second: "left"}
    with_gap = class_names(np.array([0, 2]), np.array(["a", "b", "c"]))
    assert with_gap == {"0": "a", "2": "c"}, "a class without samples moves no name"


@pytest.mark.parametrize(
    ("labels", "listed", "words"),
    [
        (WORDS, ["links", "rechts"], "'y' holds the label 'left', .* links, rechts"),
        (WORDS, ["left"], "'y' holds the label 'right'"),
        (np.array([1, 2]), ["a", "b"], "Label 1 of 'y' is 2, but .* 2 classes, 0 to 1"),
        (np.array([-1, 0]), ["a", "b"], "Label 0 of 'y' is -1"),
        (np.array(["0", "1"]), ["a", "b"], "'y' holds the label '0'"),
        (WORDS, ["left", "right", "left"], "'class_names' holds 'left' twice"),
        (WORDS, [["left", "right"]], r"'class_names' has shape \(1, 2\)"),
        (WORDS, ["left", ""], "Name 1 of 'class_names' is ''"),
    ],
)
def test_names_of_other_classes_are_refused(
    labels: np.ndarray, listed: list[object], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        class_names(labels, np.array(listed))


def test_a_recipe_may_say_a_label_or_its_class() -> None:
    names = {"0": "right", "1": "0"}
    assert find_label("right", names) == "0"
    assert find_label(0, names) == "0", "labels come first"
    assert find_label("up", names) is None


def test_class_names_that_differ_in_case_or_spaces_alone_are_warned_of() -> None:
    assert warn_of_alike(["left", "right", "rest"]) == []
    (said,) = warn_of_alike(["Left", "left ", "right"])
    assert said.startswith("'Left' and 'left ' are taken for 2 classes")


@pytest.mark.parametrize(
    ("labels", "hint"),
    [
        (np.array([[0], [1], [2]]), r"y\.ravel\(\)"),
        (np.array([[0, 1, 2]]), r"y\.ravel\(\)"),
        (np.eye(2)[[0, 1, 1]], r"y\.argmax\(1\)"),
        (np.array([[0, 3], [1, 4]]), "one column"),
    ],
)
def test_labels_of_two_axes_are_answered_with_what_to_save(labels: NDArray[Any], hint: str) -> None:
    with pytest.raises(DataError, match=hint):
        read_labels(labels, "y")


def test_a_name_is_found_by_the_number_that_yaml_makes_of_it() -> None:
    assert find_name(16, ["0x10", "0x11"]) == "0x10"
    assert find_name(8, ["0o10", "7"]) == "0o10"


def test_names_that_look_alike_are_warned_of() -> None:
    assert len(warn_of_alike(["caf\u00e9", "cafe\u0301", "dog"])) == 1
    (text,) = warn_of_alike(["S1", "s1 ", "s2"], "groups")
    assert "2 groups" in text


def test_names_of_classes_that_nobody_has_are_warned_of() -> None:
    (text,) = warn_of_missing(np.array([0, 2]), np.array(["a", "b", "c"]))
    assert "'b'" in text and "2 classes" in text
    assert not warn_of_missing(np.array([0, 1]), np.array(["a", "b"]))
