"""Commands hold options and printing alone: what they do is asked of `import toolkit`."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

import toolkit
from toolkit.cli.group import HOMES
from toolkit.cli.verbs import WithVerbs

FOLDER = Path(inspect.getfile(toolkit)).parent / "cli"
SHELL = {"typer", "typing", "pathlib", "collections", "dataclasses", "json", "shlex", "__future__"}
"""What a command needs beside the toolkit to take options and to print."""
STOPPING = {"toolkit.base.interruption"}
"""What a Ctrl-C means while no engine is at work."""
PRINTING = {"toolkit.base.lines", "toolkit.base.plain", "toolkit.base.summary"}
"""How numbers and events are written, as JSON and for people."""
ROOMS = {
    "toolkit.cli",
    "toolkit.cli.completion",
    "toolkit.base.errors",
    "toolkit.base.secrets",
    "toolkit.api.columns",
    "toolkit.api.doctor",
    "toolkit.api.rows",
    "toolkit.api.watch",
    *PRINTING,
    *STOPPING,
}
"""What the whole command line may import of the toolkit beside its public names."""


def imported(tree: ast.AST) -> Iterator[str]:
    """Every module or public name that a module imports, inside functions and for types too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "toolkit":
            yield from (f"toolkit.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "toolkit":
            yield f"toolkit.{node.attr}"


def is_public(name: str) -> bool:
    rooms = {".".join(name.split(".")[:2]), name}
    return name == "toolkit" or bool(rooms & ROOMS) or name[8:] in (*toolkit.__all__, "__version__")


def command_modules() -> list[str]:
    verbs = {inspect.unwrap(verb).__module__ for verb in WithVerbs.verbs.values()}
    return sorted({f"toolkit.cli.{home}" for home in HOMES.values()} | verbs)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_the_command_line_uses_the_public_api_alone(path: Path) -> None:
    names = [n for n in imported(ast.parse(path.read_text())) if n.split(".")[0] == "toolkit"]
    assert [name for name in names if not is_public(name)] == []


@pytest.mark.parametrize("module", command_modules())
def test_a_commands_module_imports_what_options_and_printing_need(module: str) -> None:
    tree = ast.parse((FOLDER / f"{module.rpartition('.')[2]}.py").read_text())
    others = {name.split(".")[0] for name in imported(tree)} - {"toolkit"}
    assert others <= SHELL
    assert not any(isinstance(node, ast.ClassDef | ast.While | ast.Try) for node in ast.walk(tree))


def test_all_commands_are_looked_at() -> None:
    names = [
        "about",
        "authors",
        "evaluate",
        "export",
        "predict",
        "read",
        "report",
        "retrain",
        "runs",
        "sample",
        "search",
        "start",
        "sweep",
        "test",
        "watch",
    ]
    assert command_modules() == [f"toolkit.cli.{name}" for name in names]
