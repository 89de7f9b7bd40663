"""One Python file out of a package: what a class needs, and nothing else.

The unit is the top-level statement. Starting from the targets, every statement that binds a name
somebody needs is kept as it was written, comments included; statements keep the order in which
Python would have run them. The result imports only torch and the standard library.
"""

from __future__ import annotations

import ast
import sys
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

from toolkit.base.errors import PluginError
from toolkit.export.source import Import, Module, has_source, read_module

ALLOWED = frozenset({"torch", *sys.stdlib_module_names})
"""Top-level packages that a bundle may import."""
SHARED = frozenset(
    {
        "toolkit.base.conditions",
        "toolkit.datasets.targets",
        "toolkit.datasets.tensors",
        "toolkit.training.simplex",
    }
)
"""Modules of torch alone that a bundle takes in from another package than the class's own."""
LINE = 100


def bundle(*targets: type | Callable[..., Any], reserved: frozenset[str] = frozenset()) -> str:
    """Write classes and functions, with all they need of their own packages, as one source text.

    Args:
        targets: classes or functions defined at the top level of modules that have source.
        reserved: names that must stay free in the text.

    Raises:
        PluginError: they need another package than torch and the standard library, or are written
            in a way that cannot be put into one file; the message names module and line.
    """
    collector = _Collector(reserved)
    for target in targets:
        name = target.__qualname__
        if not name.isidentifier():
            raise PluginError(
                f"{target.__module__}.{name} is defined inside a function or a class, so it "
                "cannot be exported as one file.",
                hint="Define it at the top level of its module.",
            )
        collector.add(target.__module__, name, needed_by=None)
    return collector.text()


class _Collector:
    """Finds what is needed, module by module, and writes it out."""

    def __init__(self, reserved: frozenset[str]) -> None:
        self._modules: dict[str, Module] = {}
        self._kept: dict[str, set[int]] = {}
        self._order: list[str] = []
        self._external: dict[str, Import] = {}
        self._owner: dict[str, str] = dict.fromkeys(reserved, "the exported file itself")

    def add(self, module_name: str, name: str, needed_by: tuple[Module, int] | None) -> None:
        """Keep what binds `name` in a module, and all that this needs in turn."""
        if module_name.partition(".")[0] in ALLOWED:
            self._add_external(name, Import(module_name, name, 0), None)
            return
        module = self._module(module_name)
        if name not in module.names:
            self._follow(module, name, needed_by)
            return
        for index, statement in enumerate(module.statements):
            if name in statement.binds or name in statement.changes:
                self._keep(module, index)

    def _module(self, name: str) -> Module:
        if name not in self._modules:
            self._modules[name] = read_module(name)
            self._kept[name] = set()
        return self._modules[name]

    def _keep(self, module: Module, index: int) -> None:
        if index in self._kept[module.name]:
            return
        self._kept[module.name].add(index)
        statement = module.statements[index]
        if (star := module.imports.get("*")) is not None:
            raise module.refuse(
                star.line, f"it imports every name of {star.module}", "Import the names you need."
            )
        for name in sorted(statement.binds):
            self._claim(module, statement.node.lineno, name, module.name)
        _check_inner_imports(module, statement.node)
        for name in sorted(statement.uses | statement.hints | statement.binds | statement.changes):
            hint_only = name not in statement.uses | statement.binds | statement.changes
            if name in module.names:
                self.add(module.name, name, None)
            elif (found := module.import_of(name)) is not None:
                self._add_import(module, *found, hint_only=hint_only)
        if module.name not in self._order:
            self._order.append(module.name)

    def _add_import(self, module: Module, bound: str, found: Import, hint_only: bool) -> None:
        if found.top in ALLOWED:
            self._add_external(bound, found, module)
        elif bound in module.only_hints or (hint_only and not _taken_in(found, module)):
            return  # Annotations are never evaluated in the bundle.
        elif not _taken_in(found, module):
            raise module.refuse(
                found.line,
                f"it imports {found.module}, which is neither torch nor the standard library",
                "Keep what the deployed model does apart from what needs other packages.",
            )
        else:
            _check_own_import(module, bound, found)
            assert found.name is not None
            self.add(found.module, found.name, (module, found.line))

    def _follow(self, module: Module, name: str, needed_by: tuple[Module, int] | None) -> None:
        """Follow a name that a module does not define: it may pass on what it imports itself."""
        if (found := module.imports.get(name)) is not None:
            self._add_import(module, name, found, hint_only=False)
            return
        user, line = needed_by or (module, 1)
        if has_source(f"{module.name}.{name}"):
            raise user.refuse(
                line,
                f"it imports the module {module.name}.{name} as a whole",
                f"Write `from {module.name}.{name} import` and the names.",
            )
        raise user.refuse(line, f"{module.name} defines no {name}", "Is it made at run time?")

    def _add_external(self, bound: str, found: Import, module: Module | None) -> None:
        spelled = f"import of {found.module}" + (f".{found.name}" if found.name else "")
        self._external[bound] = found
        if found.name is None and "." in bound:
            # `import torch.nn` beside `import torch` is no clash: both bind `torch`.
            bound = bound.partition(".")[0]
            spelled = f"import of {bound}"
        self._claim(module, found.line, bound, spelled)

    def _claim(self, module: Module | None, line: int, name: str, owner: str) -> None:
        other = self._owner.setdefault(name, owner)
        if other != owner and module is not None:
            raise module.refuse(
                line,
                f"{name!r} means {owner} here, but {other} elsewhere",
                "Give one of the two another name.",
            )

    def text(self) -> str:
        """Imports, then each module's kept statements under a line that says where from."""
        blocks = ["from __future__ import annotations\n", *_write_imports(self._external)]
        for name in self._sorted():
            module = self._modules[name]
            heading = f"From {name}: {module.summary}" if module.summary else f"From {name}"
            blocks.append("\n\n" + textwrap.indent(textwrap.fill(heading, LINE - 2), "# ") + "\n")
            previous: ast.stmt | None = None
            for index in sorted(self._kept[name]):
                statement = module.statements[index]
                blocks.append(_spacing(previous, statement.node) + statement.text + "\n")
                previous = statement.node
        return "".join(blocks)

    def _sorted(self) -> Iterator[str]:
        """Modules in the order Python would run them in: each after those it imports."""
        done: set[str] = set()

        def visit(name: str) -> Iterator[str]:
            if name in done or name not in self._modules:
                return
            done.add(name)
            module = self._modules[name]
            for bound, found in module.imports.items():
                if bound not in module.only_hints and _taken_in(found, module):
                    yield from visit(found.module)
            if self._kept[name]:
                yield name

        for name in self._order:
            yield from visit(name)


def _taken_in(found: Import, module: Module) -> bool:
    """Whether what a module imports is source that the bundle takes in."""
    return found.top == module.top or found.module in SHARED


def _check_own_import(module: Module, bound: str, found: Import) -> None:
    if found.name is None:
        raise module.refuse(
            found.line,
            f"it imports the module {found.module} as a whole",
            f"Write `from {found.module} import` and the names.",
        )
    if bound != found.name:
        raise module.refuse(
            found.line,
            f"it imports {found.name} under the name {bound}",
            "Import it under its own name.",
        )


def _check_inner_imports(module: Module, statement: ast.stmt) -> None:
    """Imports inside functions stay where they are, so they must be of allowed packages."""
    for node in ast.walk(statement):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        for found in module.read_import(node).values():
            if found.top not in ALLOWED:
                raise module.refuse(
                    found.line,
                    f"it imports {found.module} inside a definition",
                    "Import modules of the own package at the top, and none but torch and the "
                    "standard library beside them.",
                )


def _spacing(previous: ast.stmt | None, node: ast.stmt) -> str:
    if previous is None:
        return "\n"
    blocks = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    return "\n\n" if isinstance(previous, blocks) or isinstance(node, blocks) else ""


def _write_imports(external: dict[str, Import]) -> Iterator[str]:
    """Imports as isort would write them: the standard library, then torch."""
    for torch_part in (False, True):
        plain: list[str] = []
        grouped: dict[str, list[str]] = {}
        for bound, found in sorted(external.items()):
            if (found.top == "torch") != torch_part:
                continue
            if found.name is None:
                alias = "" if bound == found.module else f" as {bound}"
                plain.append(f"import {found.module}{alias}\n")
            else:
                alias = "" if bound == found.name else f" as {bound}"
                grouped.setdefault(found.module, []).append(f"{found.name}{alias}")
        if plain or grouped:
            yield "\n"
            yield from plain
            for module, names in sorted(grouped.items()):
                line = f"from {module} import {', '.join(names)}\n"
                if len(line) > LINE:
                    line = f"from {module} import (\n    " + ",\n    ".join(names) + ",\n)\n"
                yield line
