"""Contract suites for plugin authors: what every plugin of a kind must do, checked on yours.

A suite is a pytest class with one fixture to give; its tests are the contract's promises::

    class TestMySpace(SearchSpaceSuite):
        @pytest.fixture(scope="class")
        def case(self):
            return SpaceCase(MySpace(MySpace.Options()), INFO, torch.randn(8, 3, 32, 32))

There are `TaskSuite`, `SearchSpaceSuite`, `StrategySuite`, `ExecutorSuite` and `TrackerSuite`.
Without pytest, or for many cases in one test, `check_task`, `check_search_space`, `check_strategy`,
`check_executor` and `check_tracker` check the same and raise `AssertionError` with the promise that
was broken::

    check_search_space(MySpace(MySpace.Options()), INFO, torch.randn(8, 3, 32, 32))

The plugins that come with the toolkit are tested by the same suites. Stable is what `__all__`
names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolkit.testing.executors import check_executor
from toolkit.testing.spaces import SpaceCase, check_search_space
from toolkit.testing.strategies import check_strategy
from toolkit.testing.tasks import check_task
from toolkit.testing.trackers import check_tracker
from toolkit.testing.trees import FINITE, NESTED

if TYPE_CHECKING:
    from toolkit.testing.suites import (
        ExecutorSuite,
        SearchSpaceSuite,
        StrategySuite,
        TaskSuite,
        TrackerSuite,
    )

__all__ = [
    "FINITE",
    "NESTED",
    "ExecutorSuite",
    "SearchSpaceSuite",
    "SpaceCase",
    "StrategySuite",
    "TaskSuite",
    "TrackerSuite",
    "check_executor",
    "check_search_space",
    "check_strategy",
    "check_task",
    "check_tracker",
]
_SUITES = ("ExecutorSuite", "SearchSpaceSuite", "StrategySuite", "TaskSuite", "TrackerSuite")


def __getattr__(name: str) -> Any:
    """Imports the suites when they are asked for: they need pytest, the functions do not."""
    if name in _SUITES:
        from toolkit.testing import suites

        return getattr(suites, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
