"""Whatever plugins raise is told as theirs, in one line; a request to stop is nobody's fault."""

from __future__ import annotations

import os

import pytest

from toolkit.base.interruption import StopRequest
from toolkit.base.room import tells_of_full_disk
from toolkit.errors import PluginError, ToolkitError
from toolkit.registry import plugin_code

pytestmark = pytest.mark.faults


class UnsayableError(Exception):
    """Has no text."""

    def __str__(self) -> str:
        raise SystemExit(0)


class Abrupt(BaseException):
    """Is no `Exception`."""


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (UnsayableError(), "UnsayableError: its text cannot be made (SystemExit)"),
        (Abrupt("x"), "Abrupt: x"),
        (SystemExit(0), "SystemExit: 0"),
        (ValueError("caf\udce9"), r"ValueError: caf\udce9"),
        (BaseExceptionGroup("all", [Abrupt()]), "BaseExceptionGroup: all"),
    ],
)
def test_what_a_plugin_raises_is_a_plugin_error(error: BaseException, said: str) -> None:
    with pytest.raises(PluginError) as told, plugin_code("strategy.ask"):
        raise error
    assert told.value.message.startswith(f"strategy.ask failed: {said}")


def test_a_long_text_is_cut() -> None:
    with pytest.raises(PluginError) as told, plugin_code("strategy.ask"):
        raise ValueError("E" * 1_000_000)
    assert len(told.value.message) < 3000


@pytest.mark.parametrize("kind", [KeyboardInterrupt, StopRequest])
def test_requests_to_stop_pass(kind: type[BaseException]) -> None:
    with pytest.raises(kind), plugin_code("strategy.ask"):
        raise kind


@pytest.mark.parametrize("kind", [GeneratorExit, SystemExit, StopIteration])
def test_no_other_ending_passes_for_more_than_a_fault(kind: type[BaseException]) -> None:
    failed = pytest.raises(PluginError, match=f"strategy.ask failed: {kind.__name__}")
    with failed, plugin_code("strategy.ask"):
        raise kind


def test_errors_of_plugins_may_hold_anything() -> None:
    error = ToolkitError(None, hint=5)  # type: ignore[arg-type]
    assert (str(error), error.hint) == ("None 5", "5")
    assert not tells_of_full_disk(UnsayableError())


def test_a_process_that_a_plugin_forks_does_not_go_on_as_a_second_engine() -> None:
    child = 0
    with plugin_code("strategy.tell"):
        child = os.fork()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
