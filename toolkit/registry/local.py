"""Plugins from local files: `--plugin PATH`, a `.py` file, a package folder or a project.

Every class of a file that fulfils a contract is a plugin. A package gives those that are visible in
its `__init__`, or, where there are none, those of its direct modules; a folder without `__init__`
those of its modules that import the contracts. A plugin is called what its class attribute `name`
says, or else what its class is called: `MyTask` is `my_task`. A folder with a `pyproject.toml` that
declares plugins gives these, under the names it gives them.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import inspect
import pkgutil
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType

from toolkit.base.errors import PluginError
from toolkit.base.places import NOT_TEXT, fault_of_bytes
from toolkit.registry.failures import describe_failure
from toolkit.registry.kinds import CONTRACTS, contract_fault


@dataclass(frozen=True)
class Found:
    """A class that is meant as a plugin, and what keeps it from being one (empty if nothing)."""

    kind: str
    name: str
    cls: type
    fault: str


def load_classes(path: Path) -> list[Found]:
    """Imports a local plugin; what it holds, without faults.

    Raises:
        PluginError: there is no such file or package, it does not import, or it holds no plugin.
    """
    found = find_classes(path)
    usable = [each for each in found if not each.fault]
    if not usable:
        faults = "; ".join(f"{each.cls.__name__} {each.fault}" for each in found)
        raise PluginError(
            f"The plugin {path} holds no plugin class{': ' + faults if faults else ''}.",
            hint="Subclass Task, SearchSpace, Strategy, ... of toolkit.contracts.",
        )
    return usable


def find_classes(path: Path) -> list[Found]:
    """Imports a local plugin; every class that is meant as one, with its fault if it has one.

    Raises:
        PluginError: there is no such file or package, or it does not import.
    """
    declared = _declared(path)
    if declared:
        return list(_project(path, declared))
    classes = _all_classes(path)
    return [
        Found(kind, _name(cls), cls, contract_fault(kind, cls))
        for cls in dict.fromkeys(classes)
        for kind, contract in CONTRACTS.items()
        if issubclass(cls, contract)
    ]


def _declared(folder: Path) -> list[tuple[str, str, str]]:
    """Kind, name and target of each plugin that a project's pyproject.toml declares."""
    file = folder / "pyproject.toml"
    if not file.is_file():
        return []
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PluginError(f"{file} is no TOML: {error}.") from None
    groups = content.get("project", {}).get("entry-points", {})
    return [
        (kind, name, target)
        for kind in CONTRACTS
        for name, target in groups.get(f"toolkit.{kind}", {}).items()
    ]


def _project(folder: Path, declared: list[tuple[str, str, str]]) -> Iterator[Found]:
    for kind, name, target in declared:
        module, _, attribute = target.partition(":")
        top = module.partition(".")[0]
        homes = [folder / top, folder / f"{top}.py", folder / "src" / top]
        home = next((home for home in homes if home.exists()), None)
        if home is None:
            raise PluginError(
                f"{folder / 'pyproject.toml'} declares {name} = {target!r}, but there is no package"
                f" {top} in {folder}.",
            )
        _import(home, top)
        inner = _guarded(folder, partial(importlib.import_module, module))
        cls = getattr(inner, attribute, None)
        if not inspect.isclass(cls):
            raise PluginError(
                f"{folder / 'pyproject.toml'} declares {name} = {target!r}, but {module} has no"
                f" class {attribute}."
            )
        yield Found(kind, name, cls, contract_fault(kind, cls))


def _all_classes(path: Path) -> list[type]:
    if path.is_dir() and not (path / "__init__.py").is_file():
        return _of_loose_modules(path)
    module = _import(path)
    classes = list(_classes(module, module.__name__))
    if not classes and hasattr(module, "__path__"):
        for found in pkgutil.iter_modules(module.__path__):
            name = f"{module.__name__}.{found.name}"
            inner = _guarded(path, partial(importlib.import_module, name))
            classes += _classes(inner, module.__name__)
    return classes


def _of_loose_modules(folder: Path) -> list[type]:
    """Classes of the modules in a folder that import the contracts; others may be scripts."""
    name = _unique(folder)
    if name not in sys.modules:
        package = ModuleType(name)
        package.__path__ = [str(folder)]
        sys.modules[name] = package
    classes: list[type] = []
    for file in sorted(folder.glob("*.py")):
        if file.name.startswith("test_") or not _imports_contracts(file):
            continue
        if not file.stem.isidentifier():
            raise PluginError(f"The plugin file {file} must be named as a Python module.")
        inner = _guarded(folder, partial(importlib.import_module, f"{name}.{file.stem}"))
        classes += _classes(inner, name)
    return classes


def _imports_contracts(file: Path) -> bool:
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return b"toolkit.contracts" in file.read_bytes()  # To be told of when it is imported.
    for node in ast.walk(tree):
        names = [alias.name for alias in getattr(node, "names", [])]
        if isinstance(node, ast.ImportFrom) and node.module == "toolkit":
            names = [f"toolkit.{name}" for name in names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        elif not isinstance(node, ast.Import):
            continue
        if any(f"{name}.".startswith("toolkit.contracts.") for name in names):
            return True
    return False


def _unique(path: Path) -> str:
    """A module name that no other path has."""
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:8]
    return f"toolkit_local_{re.sub(r'[^0-9a-zA-Z_]', '_', path.stem)}_{digest}"


def _import(path: Path, name: str = "") -> ModuleType:
    if told := fault_of_bytes(path):
        raise PluginError(f"{told}, and workers cannot be told of such a plugin.", hint=NOT_TEXT)
    if path.is_dir():
        initial, name = path / "__init__.py", path.name
        if not initial.is_file():
            raise PluginError(f"The plugin {path} is a folder without __init__.py, no package.")
        if not name.isidentifier():
            raise PluginError(f"The plugin folder {path} must be named as a Python package.")
    elif path.is_file() and path.suffix == ".py":
        initial, name = path, name or _unique(path)
    else:
        raise PluginError(
            f"There is no plugin at {path}, expected a .py file or a package folder.",
            hint="--plugin takes a path; installed plugins need no --plugin.",
        )
    known = sys.modules.get(name)
    if known is not None:
        if Path(getattr(known, "__file__", None) or "").resolve() == initial.resolve():
            return known
        raise PluginError(
            f"The plugin folder {path} is named like the module {name} that is already in use.",
            hint="Rename the folder.",
        )
    return _guarded(path, lambda: _execute(name, initial))


def _execute(name: str, initial: Path) -> ModuleType:
    package = initial.name == "__init__.py"
    spec = importlib.util.spec_from_file_location(
        name, initial, submodule_search_locations=[str(initial.parent)] if package else None
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _guarded(path: Path, load: Callable[[], ModuleType]) -> ModuleType:
    try:
        return load()
    except (Exception, SystemExit) as error:
        raise PluginError(f"The plugin {path} does not load: {describe_failure(error)}.") from error


def _classes(module: ModuleType, root: str) -> Iterator[type]:
    """Classes visible in a module that the plugin itself defines."""
    for value in vars(module).values():
        own = inspect.isclass(value) and f"{value.__module__}.".startswith(f"{root}.")
        if own and issubclass(value, tuple(CONTRACTS.values())):
            yield value


def _name(cls: type) -> str:
    name = vars(cls).get("name")
    if isinstance(name, str) and name:
        return name
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", cls.__name__)
    return words.lower()
