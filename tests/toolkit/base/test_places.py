"""Paths as people give them: with a home, without one, and with bytes that are no text."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from toolkit.base.files import write_atomically
from toolkit.base.places import expanded, fault_of_bytes
from toolkit.contracts import DataPath
from toolkit.errors import PluginError, RecipeError
from toolkit.registry import Registry
from toolkit.run.folder import RunFolder

LATIN = os.fsdecode(b"caf\xe9")


def test_a_home_is_put_in_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/anna")
    assert expanded("~/runs/x") == Path("/home/anna/runs/x")
    assert expanded("~nobody-of-that-name/x") == Path("~nobody-of-that-name/x")
    assert expanded("a~") == Path("a~")


def test_paths_that_are_no_text_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    """Workers are told of paths in UTF-8: what they wrote would lie in another folder."""
    folder = tmp_path / LATIN
    folder.mkdir()
    (folder / "mlp.py").touch()
    assert fault_of_bytes(folder).endswith("caf\\udce9 holds bytes that are no UTF-8")
    assert not fault_of_bytes(tmp_path / "café")
    with pytest.raises(RecipeError, match="no UTF-8, and cannot be a run folder"):
        RunFolder(folder).refuse_foreign()
    with pytest.raises(PluginError, match="no UTF-8, and workers cannot be told"):
        Registry([folder / "mlp.py"])
    with pytest.raises(ValidationError, match=r"no UTF-8\. Rename it, or give a link to it"):
        TypeAdapter(DataPath).validate_python(folder)
    assert [one.name for one in folder.iterdir()] == ["mlp.py"]


def test_what_is_no_text_is_written_as_an_escape(tmp_path: Path) -> None:
    write_atomically(tmp_path / "page.html", f"<p>{LATIN}é</p>")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == "<p>caf\\udce9é</p>"
