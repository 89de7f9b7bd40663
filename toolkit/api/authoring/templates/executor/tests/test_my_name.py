"""The executor keeps every promise of `toolkit.contracts.Executor`: half a minute."""

from __future__ import annotations

import pytest

from my_name.executor import MyName
from toolkit.testing import ExecutorSuite


class TestMyName(ExecutorSuite):
    @pytest.fixture
    def make(self) -> type[MyName]:
        return MyName
