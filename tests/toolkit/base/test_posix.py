"""A system without what the toolkit needs is told of in a sentence."""

from __future__ import annotations

import sys
from importlib import import_module

import pytest

from toolkit.cli.guard import guarded


@pytest.mark.parametrize("name", ["fcntl", "resource"])
def test_a_system_without_posix_modules_is_refused(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, name, None)  # type: ignore[arg-type]
    monkeypatch.delitem(sys.modules, "toolkit.base.posix", raising=False)

    def command() -> None:
        import_module("toolkit.base.posix")

    with pytest.raises(SystemExit) as ended:
        guarded(command)()
    said = capsys.readouterr().err
    assert ended.value.code == 1
    assert said.startswith("error: This needs Linux or another POSIX system")
    assert name in said and "WSL" in said
