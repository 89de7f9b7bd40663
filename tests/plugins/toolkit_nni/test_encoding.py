"""The tree in NNI's format: every point comes back, options that Python holds equal stay apart."""

from __future__ import annotations

import json
import random

import pytest

from toolkit.space import Choice, Float, Group, Int, sample, validate
from toolkit_nni.encoding import Encoding

TREE = Group(
    architecture=Group(
        body=Choice(
            {
                "conv": Group(
                    width=Int(1, 64, log=True),
                    norm=Choice(
                        {
                            "batch": Group(
                                momentum=Choice({"fixed": Float(0.01, 0.5, log=True), "none": None})
                            ),
                            "off": None,
                        }
                    ),
                ),
                "bare": Choice(["inner", 3]),
                "plain": None,
            }
        ),
        flag=Choice([None, False, 0, "0", True, 1]),
        only=Choice({"one": Group(depth=Int(2, 11, step=3))}),
    ),
    train=Group(lr=Float(1e-4, 1e-1, log=True), fixed=Float(2.0, 2.0), same=Int(5, 5)),
)


@pytest.mark.parametrize("categorical", [False, True])
def test_every_point_comes_back(categorical: bool) -> None:
    encoding, rng = Encoding(TREE, categorical_integers=categorical), random.Random(0)
    for _ in range(300):
        point = sample(TREE, rng)
        assert json.dumps(encoding.decode(encoding.encode(point))) == json.dumps(point)


def test_what_leaves_no_choice_is_not_handed_over() -> None:
    space = Encoding(TREE).search_space
    assert set(space) == {
        "architecture.body",
        "architecture.flag",
        "architecture.only.one.depth",
        "train.lr",
    }
    nested = space["architecture.body"]["_value"]
    assert [option["_name"] for option in nested] == ["0", "1", "2"]
    assert "architecture.body.conv.norm" in nested[0]


def test_numbers_at_and_beyond_the_ends_stay_in_the_tree() -> None:
    tree = Group(a=Int(1, 9, step=4), b=Int(3, 80, log=True), c=Float(0.1, 0.3))
    encoding = Encoding(tree)
    for extreme in (-1e9, 0.501, 3.499, 1e9):
        validate(tree, encoding.decode(dict.fromkeys("abc", extreme)))
