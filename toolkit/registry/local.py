"""Plugins from local files: `--plugin PATH`, a `.py` file or a package folder.

Every class of the file that fulfils a contract is a plugin. A package gives those that are visible
in its `__init__`, or, where there are none, those of its direct modules. A plugin is called what
its class attribute `name` says, or else what its class is called: `MyTask` is `my_task`.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import pkgutil
import re
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType

from toolkit.errors import PluginError
from toolkit.registry.failures import describe_failure
from toolkit.registry.kinds import CONTRACTS, contract_fault


def load_classes(path: Path) -> list[tuple[str, str, type]]:
    """Import a local plugin: kind, name and class of each plugin it holds.

    Raises:
        PluginError: there is no such file or package, it does not import, or it holds no plugin.
    """
    module = _import(path)
    classes = list(_classes(module, module.__name__))
    if not classes and hasattr(module, "__path__"):
        for found in pkgutil.iter_modules(module.__path__):
            inner = _guarded(path, partial(_submodule, module, found.name))
            classes += _classes(inner, module.__name__)
    plugins = [
        (kind, _name(cls), cls)
        for cls in dict.fromkeys(classes)
        for kind, contract in CONTRACTS.items()
        if issubclass(cls, contract)
    ]
    usable = [plugin for plugin in plugins if not contract_fault(plugin[0], plugin[2])]
    if not usable:
        faults = "; ".join(
            f"{cls.__name__} {contract_fault(kind, cls)}" for kind, _, cls in plugins
        )
        raise PluginError(
            f"The plugin {path} holds no plugin class{': ' + faults if faults else ''}.",
            hint="Subclass Task, SearchSpace, Strategy, ... of toolkit.contracts.",
        )
    return usable


def _import(path: Path) -> ModuleType:
    if path.is_dir():
        initial, name = path / "__init__.py", path.name
        if not initial.is_file():
            raise PluginError(f"The plugin {path} is a folder without __init__.py, no package.")
        if not name.isidentifier():
            raise PluginError(f"The plugin folder {path} must be named as a Python package.")
    elif path.is_file() and path.suffix == ".py":
        digest = hashlib.sha256(str(path).encode()).hexdigest()[:8]
        initial, name = path, f"toolkit_local_{re.sub(r'[^0-9a-zA-Z_]', '_', path.stem)}_{digest}"
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


def _submodule(package: ModuleType, name: str) -> ModuleType:
    return importlib.import_module(f"{package.__name__}.{name}")


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
