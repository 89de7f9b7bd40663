"""Plugins are found in packages and files; broken ones are told and break nothing else."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from toolkit.errors import ExitCode, PluginError, RecipeError, UnknownPluginError
from toolkit.recipe.options import build
from toolkit.recipe.schema import PluginChoice
from toolkit.registry import CONTRACTS, Registry

TRACKER = """
from toolkit import contracts

class {name}(contracts.Tracker):
    def event(self, name, body):
        pass
"""
STRATEGY = """
from toolkit import contracts

class MyOptions(contracts.Options):
    depth: int = 3

class MyTPESearch(contracts.Strategy):
    Options = MyOptions

    def setup(self, context): ...
    def ask(self): return contracts.Exhausted()
    def tell(self, trial, state, values): ...
"""

Package = Callable[..., Path]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """Installs a package: its module, and the metadata that an installer would leave."""

    def install(name: str, version: str, code: str, entry_points: str) -> Path:
        site = tmp_path / f"site-{name}"
        info = site / f"{name}-{version}.dist-info"
        info.mkdir(parents=True)
        (site / f"{name}.py").write_text(code)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(entry_points)
        monkeypatch.syspath_prepend(str(site))
        monkeypatch.delitem(sys.modules, name, raising=False)
        return site

    return install


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_third_partys_package_is_found_by_its_entry_point(package: Package) -> None:
    package(
        "acme_search", "1.2.3", STRATEGY, "[toolkit.strategies]\nacme = acme_search:MyTPESearch\n"
    )
    registry = Registry()
    assert "acme" in registry.names("strategies")
    row = next(row for row in registry.rows(check=True) if row.name == "acme")
    assert (row.kind, row.origin, row.error) == ("strategies", "acme_search 1.2.3", "")
    strategy = build(registry, "strategies", PluginChoice(name="acme", options={"depth": 5}))
    assert strategy.options.depth == 5
    with pytest.raises(RecipeError, match=r"depht: unknown key \(did you mean depth\?\)"):
        build(registry, "strategies", PluginChoice(name="acme", options={"depht": 5}))


def test_listing_imports_no_plugin(package: Package) -> None:
    package(
        "acme_boom", "1", "raise RuntimeError('boom')", "[toolkit.tasks]\nboom = acme_boom:Task\n"
    )
    rows = Registry().rows()
    assert any(row.name == "boom" and not row.error for row in rows)
    assert "acme_boom" not in sys.modules


@pytest.mark.parametrize(
    ("code", "entry", "words"),
    [
        ("raise RuntimeError('boom')", "acme_bad:Task", "RuntimeError: boom ("),
        ("import acme_absent", "acme_bad:Task", "No module named 'acme_absent'"),
        ("def f(:", "acme_bad:Task", "SyntaxError: "),
        ("raise SystemExit(3)", "acme_bad:Task", "SystemExit: 3"),
        ("x = 1", "acme_bad:Task", "has no attribute 'Task'"),
        ("Task = 3", "acme_bad:Task", "is no subclass of toolkit.contracts.Task"),
        (
            "from toolkit import contracts\nclass Task(contracts.Task): directions = {}",
            "acme_bad:Task",
            "lacks info, load, metrics of toolkit.contracts.Task",
        ),
        (
            "from toolkit import contracts\nclass Task(contracts.Task):\n"
            "    info = load = metrics = lambda self: None",
            "acme_bad:Task",
            "does not set the class attribute directions",
        ),
        (
            "from toolkit import contracts\nclass Task(contracts.Task):\n"
            "    info = load = metrics = lambda self: None\n"
            "    directions = {}\n    Options = dict",
            "acme_bad:Task",
            "has an Options that is no subclass of toolkit.contracts.Options",
        ),
    ],
)
def test_a_broken_plugin_is_one_row_and_a_plugin_error_when_used(
    package: Package, code: str, entry: str, words: str
) -> None:
    package("acme_bad", "0.1", code, f"[toolkit.tasks]\nbad = {entry}\n")
    registry = Registry()
    row = next(row for row in registry.rows(check=True) if row.name == "bad")
    assert words in row.error
    assert "\n" not in row.error
    with pytest.raises(PluginError, match=r"The task 'bad' of acme_bad 0\.1") as caught:
        registry.get("tasks", "bad")
    assert caught.value.exit_code == ExitCode.PLUGIN
    assert words in caught.value.message


def test_two_packages_that_claim_a_name_are_both_named(package: Package) -> None:
    for name in ("acme_one", "acme_two"):
        package(name, "1", TRACKER.format(name="Log"), f"[toolkit.trackers]\nlog = {name}:Log\n")
    registry = Registry()
    with pytest.raises(PluginError, match=r"acme_one 1 .*acme_two 1 |acme_two 1 .*acme_one 1 "):
        registry.get("trackers", "log")
    assert all(row.error for row in registry.rows() if row.name == "log")


def test_an_unknown_name_is_a_usage_error_with_the_nearest_name(package: Package) -> None:
    package(
        "acme_log", "1", TRACKER.format(name="Log"), "[toolkit.trackers]\nlogger = acme_log:Log"
    )
    with pytest.raises(UnknownPluginError) as caught:
        Registry().get("trackers", "loger")
    assert caught.value.exit_code == ExitCode.USAGE
    assert caught.value.hint.startswith("Did you mean logger? A plugin of your own is named")
    assert "--plugin FILE" in caught.value.hint
    with pytest.raises(UnknownPluginError) as caught:
        Registry().get("tasks", "logger")
    assert caught.value.hint.startswith("logger is a tracker; there are ")


def test_a_name_that_a_package_does_not_offer_is_answered_with_its_reason(package: Package) -> None:
    entry = "[toolkit.refused]\nstrategies = {}:NAMES\n"
    names = "NAMES = {'other.swarm': ('its library is gone', 'Use random.')}"
    package("swarms", "1.0", names, entry.format("swarms"))
    package("broken_swarms", "1.0", "raise RuntimeError", entry.format("broken_swarms"))
    with pytest.raises(UnknownPluginError, match="does not run: its library is gone") as refused:
        Registry().get("strategies", "other.swarm")
    assert refused.value.hint == "Use random." and refused.value.exit_code == ExitCode.USAGE
    with pytest.raises(UnknownPluginError, match=r"No strategy 'other\.swam'"):
        Registry().get("strategies", "other.swam")


def test_a_local_file_registers_its_classes(tmp_path: Path) -> None:
    path = write(
        tmp_path / "mine.py", STRATEGY + TRACKER.format(name="CSVLog") + "    name = 'csv'\n"
    )
    registry = Registry([path])
    assert registry.get("strategies", "my_tpe_search").__name__ == "MyTPESearch"
    assert registry.get("trackers", "csv").__name__ == "CSVLog"
    assert registry.plugin_paths == (path,)
    assert Registry([path]).get("trackers", "csv") is registry.get("trackers", "csv")
    row = next(row for row in registry.rows() if row.name == "csv")
    assert row.origin == str(path)


def test_a_package_folder_registers_what_its_init_shows(tmp_path: Path) -> None:
    folder = tmp_path / "acme_folder"
    write(folder / "__init__.py", "from acme_folder.inner import Shown\n")
    write(folder / "inner.py", TRACKER.format(name="Shown") + TRACKER.format(name="Hidden"))
    assert "shown" in Registry([folder]).names("trackers")


def test_a_package_folder_with_an_empty_init_registers_its_modules(tmp_path: Path) -> None:
    folder = tmp_path / "acme_modules"
    write(folder / "__init__.py", "")
    write(folder / "track.py", "from .base import *\n" + TRACKER.format(name="Plain"))
    write(folder / "base.py", "")
    assert "plain" in Registry([folder]).names("trackers")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("absent.py", None, "There is no plugin at"),
        ("text.txt", "x", "There is no plugin at"),
        ("boom.py", "raise RuntimeError('boom')", r"RuntimeError: boom \(.*boom.py:1\)"),
        ("empty.py", "", "holds no plugin class"),
        (
            "half.py",
            "from toolkit import contracts\nclass Half(contracts.Task): ...",
            "holds no plugin class: Half lacks info, load, metrics",
        ),
    ],
)
def test_a_local_file_that_is_no_plugin_is_refused(
    tmp_path: Path, name: str, text: str | None, words: str
) -> None:
    path = tmp_path / name
    if text is not None:
        write(path, text)
    with pytest.raises(PluginError, match=words) as caught:
        Registry([path])
    assert caught.value.exit_code == ExitCode.PLUGIN
    row = Registry([path], tolerant=True).rows()[-1]
    assert row.name == path.stem
    assert row.error == caught.value.message


def test_a_folder_named_like_a_module_in_use_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "json" / "__init__.py", "")
    with pytest.raises(PluginError, match="is named like the module json"):
        Registry([tmp_path / "json"])


def test_the_built_in_plugins_are_registered_under_known_kinds() -> None:
    rows = Registry().rows()
    assert {row.kind for row in rows} <= set(CONTRACTS)
    names = {(row.kind, row.name) for row in rows}
    assert {
        ("tasks", "drone_radar"),
        ("search_spaces", "spd_cell"),
        ("strategies", "supernet"),
        ("executors", "local"),
    } <= names


def test_a_folder_without_init_registers_the_modules_that_import_the_contracts(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "my-plugins"
    write(folder / "track.py", "from .base import NAME\n" + TRACKER.format(name="Loose"))
    write(folder / "base.py", "NAME = 'a'\n")
    write(folder / "script.py", "import toolkit\nraise RuntimeError('a script ran')\n")
    write(folder / "test_track.py", "from toolkit import contracts\nraise RuntimeError\n")
    assert "loose" in Registry([folder]).names("trackers")
    write(folder / "broken.py", "from toolkit.contracts import Task\nraise RuntimeError('boom')\n")
    with pytest.raises(PluginError, match="boom"):
        Registry([folder])


PROJECT = "[project.entry-points.'toolkit.trackers']\nlogs = 'acme_{0}.inner:Log'\n"


def test_a_project_registers_what_its_pyproject_declares(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", PROJECT.format("project"))
    write(tmp_path / "acme_project" / "__init__.py", "")
    write(tmp_path / "acme_project" / "inner.py", TRACKER.format(name="Log"))
    (row,) = (row for row in Registry([tmp_path]).rows() if row.name == "logs")
    assert row.target == "acme_project.inner:Log"


def test_an_installed_project_may_be_given_as_a_folder_too(package: Package) -> None:
    entry = "[toolkit.trackers]\nlogs = acme_both:Log\n"
    site = package("acme_both", "1", TRACKER.format(name="Log"), entry)
    write(site / "pyproject.toml", PROJECT.format("both").replace(".inner", ""))
    assert Registry([site]).get("trackers", "logs").__name__ == "Log"


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "there is no package acme_absent"),
        ({"acme_absent/__init__.py": "", "acme_absent/inner.py": ""}, "has no class Log"),
        ({"pyproject.toml": "["}, "is no TOML"),
    ],
)
def test_a_project_whose_declaration_is_wrong_is_refused(
    tmp_path: Path, files: dict[str, str], words: str
) -> None:
    write(tmp_path / "pyproject.toml", PROJECT.format("absent"))
    for name, text in files.items():
        write(tmp_path / name, text)
    for module in [name for name in sys.modules if name.startswith("acme_absent")]:
        del sys.modules[module]
    with pytest.raises(PluginError, match=words):
        Registry([tmp_path])
