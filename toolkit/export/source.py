"""A module taken apart: its imports, and what each top-level statement binds and needs."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from toolkit.base.errors import PluginError


class Import(NamedTuple):
    """What one name bound by an import stands for: `module`, or `name` in it."""

    module: str
    name: str | None
    line: int

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]


class Statement(NamedTuple):
    """A top-level statement that is not an import.

    Attributes:
        binds: names it binds.
        uses: names it needs when it runs, or when what it defines is called.
        hints: names it needs in annotations only.
        changes: names of things it changes without binding them, such as a registry.
    """

    node: ast.stmt
    binds: frozenset[str]
    uses: frozenset[str]
    hints: frozenset[str]
    changes: frozenset[str]
    text: str


class Module:
    """A module's source, taken apart."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.is_package = path.name == "__init__.py"
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text, filename=str(path))
        self.summary = (ast.get_docstring(tree) or "").partition("\n")[0].strip()
        self.imports: dict[str, Import] = {}
        self.only_hints: set[str] = set()
        self.statements: list[Statement] = []
        lines = text.splitlines()
        for node in tree.body:
            self._take(node, lines)
        self.names = frozenset().union(*(statement.binds for statement in self.statements))

    @property
    def top(self) -> str:
        return self.name.partition(".")[0]

    def _take(self, node: ast.stmt, lines: Sequence[str]) -> None:
        if isinstance(node, ast.Import | ast.ImportFrom):
            self.imports.update(self.read_import(node))
        elif isinstance(node, ast.If) and _is_type_checking(node.test):
            for inner in node.body:
                if isinstance(inner, ast.Import | ast.ImportFrom):
                    found = self.read_import(inner)
                    self.imports.update(found)
                    self.only_hints.update(found)
        elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            self.statements.append(_read_statement(node, lines))

    def read_import(self, node: ast.Import | ast.ImportFrom) -> dict[str, Import]:
        """The names an import binds, with what each stands for."""
        found = {}
        for alias in node.names:
            if isinstance(node, ast.Import):
                # `import a.b` binds `a`; spelled with its dots here, so that it stays as written.
                found[alias.asname or alias.name] = Import(alias.name, None, node.lineno)
                continue
            module = self._absolute(node)
            if module != "__future__":
                found[alias.asname or alias.name] = Import(module, alias.name, node.lineno)
        return found

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        up = node.level - self.is_package
        base = self.name.rsplit(".", up)[0] if up else self.name
        return f"{base}.{node.module}" if node.module else base

    def import_of(self, name: str) -> tuple[str, Import] | None:
        """The import that binds `name`, and the name as that import spells it."""
        if name in self.imports:
            return name, self.imports[name]
        for bound, found in self.imports.items():
            if found.name is None and bound.startswith(f"{name}."):
                return bound, found
        return None

    def refuse(self, line: int, what: str, hint: str) -> PluginError:
        return PluginError(
            f"{self.name}, line {line}: {what}, so the model cannot be exported as one file.",
            hint=hint,
        )


def read_module(name: str) -> Module:
    """Returns a module taken apart; once for all exports of a process, as long as it is the same.

    Raises:
        PluginError: it has no readable source.
    """
    path = _source_path(name)
    state = path.stat()
    return _read_module(name, path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=128)
def _read_module(name: str, path: Path, changed_ns: int, size: int) -> Module:
    return Module(name, path)


def _read_statement(node: ast.stmt, lines: Sequence[str]) -> Statement:
    names = _Names()
    names.visit(node)
    return Statement(
        node,
        frozenset(_bound(node)),
        frozenset(names.uses),
        frozenset(names.hints - names.uses),
        frozenset(_changed(node)),
        _text(node, lines),
    )


class _Names(ast.NodeVisitor):
    """Names read anywhere in a statement, those in annotations apart."""

    def __init__(self) -> None:
        self.uses: set[str] = set()
        self.hints: set[str] = set()

    def visit_Name(self, node: ast.Name) -> None:
        self.uses.add(node.id)

    def visit_arg(self, node: ast.arg) -> None:
        self._hint(node.annotation)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._hint(node.annotation)
        self.visit(node.target)
        if node.value is not None:
            self.visit(node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._hint(node.returns)
        for part in (*node.decorator_list, node.args, *node.body):
            self.visit(part)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def _hint(self, annotation: ast.expr | None) -> None:
        if annotation is None:
            return
        for node in ast.walk(annotation):
            if isinstance(node, ast.Name):
                self.hints.add(node.id)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                try:
                    self._hint(ast.parse(node.value, mode="eval").body)
                except SyntaxError:
                    continue  # A plain string, as in Literal["a b"].


_TARGETS = (ast.Name, ast.Tuple, ast.List, ast.Starred)


def _bound(node: ast.AST) -> Iterator[str]:
    """Names that a statement binds at its own level."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
        return
    if isinstance(node, ast.NamedExpr):
        yield node.target.id
    if isinstance(node, ast.expr) and not isinstance(node, _TARGETS):
        return  # Comprehensions and lambdas bind names of their own only.
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    if isinstance(node, ast.Import | ast.ImportFrom):
        for alias in node.names:
            yield alias.asname or alias.name.partition(".")[0]
    for child in ast.iter_child_nodes(node):
        yield from _bound(child)


def _changed(node: ast.stmt) -> Iterator[str]:
    """Roots of what a statement changes without binding it: `TABLE[k] = v`, `@register`, `f(x)`."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        parts: list[ast.expr] = list(node.decorator_list)
    elif isinstance(node, ast.Assign | ast.Delete):
        parts = [target for target in node.targets if not isinstance(target, ast.Name | ast.Tuple)]
    elif isinstance(node, ast.Expr):
        parts = [node.value]
    else:
        parts = []
    for part in parts:
        while isinstance(part, ast.Call | ast.Attribute | ast.Subscript):
            part = part.func if isinstance(part, ast.Call) else part.value
        if isinstance(part, ast.Name):
            yield part.id


def _text(node: ast.stmt, lines: Sequence[str]) -> str:
    """The statement as written, with the comment lines right above it."""
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(decorator.lineno for decorator in decorators)]) - 1
    last = node.end_lineno or node.lineno
    if node.col_offset or lines[last - 1].encode()[node.end_col_offset :].lstrip().startswith(b";"):
        return ast.unparse(node)  # It shares its line with another statement.
    while first > 0 and lines[first - 1].startswith("#"):
        first -= 1
    while last < len(lines) and _is_attribute_docstring(node, lines, last):
        last += 1
    return "\n".join(line.rstrip() for line in lines[first:last])


def _is_attribute_docstring(node: ast.stmt, lines: Sequence[str], at: int) -> bool:
    line = lines[at].strip()
    one_line = len(line) > 6 and line.startswith('"""') and line.endswith('"""')
    return isinstance(node, ast.Assign | ast.AnnAssign) and one_line


def _is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def _source_path(name: str) -> Path:
    import importlib.util

    loaded = sys.modules.get(name)
    path = getattr(loaded, "__file__", None)
    if path is None:
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError):
            spec = None
        path = spec.origin if spec is not None else None
    if path is None or not path.endswith(".py") or not Path(path).is_file():
        raise PluginError(
            f"The module {name} has no Python source, so it cannot be exported as one file.",
            hint="Define the deployed model in a .py file.",
        )
    return Path(path)


def has_source(name: str) -> bool:
    """Whether there is a module of that name, written in Python."""
    try:
        _source_path(name)
    except PluginError:
        return False
    return True
