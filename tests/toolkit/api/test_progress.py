"""A run from Python is shown where somebody looks, and nowhere else unless asked."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from toolkit.api.search import listener


def tell(listening: Any) -> None:
    listening("run_started", {"name": "mine", "trials": 4})
    listening("trial_reported", {"number": 1, "step": 1, "values": {"loss": 1.0}})


def test_nothing_is_said_where_nobody_looks() -> None:
    assert listener(None) is None
    assert listener(None, False) is None


@pytest.mark.parametrize("place", ["terminal", "notebook"])
def test_lines_where_somebody_looks(
    place: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if place == "terminal":
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    else:
        kernel = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=object()))
        monkeypatch.setitem(sys.modules, "IPython", kernel)
    assert listener(None, False) is None
    tell(listener(None))
    said = capsys.readouterr().out
    assert said.startswith("run_started     mine")
    assert "trials=4" in said and said.count("\n") == 1
    heard: list[str] = []
    tell(listener(lambda event: heard.append(event.name)))
    assert capsys.readouterr().out == ""
    assert heard == ["run_started", "trial_reported"]


def test_lines_on_request_beside_a_listener(capsys: pytest.CaptureFixture[str]) -> None:
    heard: list[str] = []
    tell(listener(lambda event: heard.append(event.name), True))
    assert capsys.readouterr().out.startswith("run_started")
    assert len(heard) == 2


def test_a_reader_that_went_away_ends_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_: str) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", SimpleNamespace(write=gone))
    tell(listener(None, True))
