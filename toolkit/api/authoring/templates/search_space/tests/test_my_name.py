"""The space keeps every promise of `toolkit.contracts.SearchSpace`."""

from __future__ import annotations

import pytest
import torch

from my_name.space import MyName
from toolkit.contracts import TaskInfo
from toolkit.testing import SearchSpaceSuite, SpaceCase

IMAGES = TaskInfo("image", (1, 8, 8), 10, 1000)


class TestMyName(SearchSpaceSuite):
    @pytest.fixture(scope="class")
    def case(self) -> SpaceCase:
        return SpaceCase(MyName(MyName.Options()), IMAGES, torch.rand(8, 1, 8, 8))


def test_no_layer_is_wider_than_the_option_says() -> None:
    space = MyName(MyName.Options(widest=16))
    learner = space.build({"width": 16, "second": "none", "dropout": 0.0}, IMAGES)
    assert learner.model.layers[0].out_features == 16
