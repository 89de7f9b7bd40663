"""The task keeps every promise of `toolkit.contracts.Task`."""

from __future__ import annotations

from pathlib import Path

import pytest

from my_name.task import MyName
from toolkit.testing import TaskSuite


class TestMyName(TaskSuite):
    @pytest.fixture
    def task(self) -> MyName:
        return MyName(MyName.Options(per_class=20))


def test_the_matrices_are_positive_definite(tmp_path: Path) -> None:
    import torch

    for matrix, _ in MyName(MyName.Options(per_class=10)).load(tmp_path, 0).train:
        assert torch.linalg.eigvalsh(matrix).min() > 0
