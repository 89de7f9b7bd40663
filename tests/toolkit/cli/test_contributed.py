"""Commands of plugins are found by their packages' entry points, and faults in them are told."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

import pytest

from toolkit.cli import contributed
from toolkit.cli.group import Commands
from toolkit.errors import PluginError


def test_they_are_those_that_importlib_finds() -> None:
    entries = importlib.metadata.entry_points(group=contributed.GROUP)
    assert contributed.declared(sys.path) == {entry.name: entry.value for entry in entries}
    assert "bench" in contributed.declared(sys.path)


def test_the_first_package_on_the_path_counts_and_other_groups_do_not(tmp_path: Path) -> None:
    for folder, target in (("a", "one:run"), ("b", "two:run")):
        info = tmp_path / folder / "x-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "entry_points.txt").write_text(
            "[console_scripts]\nx = x:main\n\n[toolkit.commands]\n# a comment = no command\n"
            f"greet = {target}\n[other]\nleave = y:z\n"
        )
    folders = [str(tmp_path / "absent"), str(tmp_path / "a"), str(tmp_path / "b")]
    assert contributed.declared(folders) == {"greet": "one:run"}


def test_one_that_does_not_load_says_so_when_it_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "x.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_text("[toolkit.commands]\ngreet = no_such_module:run\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    commands = Commands()
    assert list(commands)[-1] == "greet"
    with pytest.raises(PluginError, match="No module named 'no_such_module'"):
        commands.function("greet")()
