"""What docs/security.md says of the source is so."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted(
    path
    for room in ("toolkit", "plugins", "search_spaces")
    for path in ROOT.glob(f"{room}/**/*.py")
)
FORBIDDEN = {"dill", "cloudpickle", "marshal", "shelve"}
ONLY_DELETER = "toolkit/base/files.py"
RUNS_MODELS = "toolkit/export/loading.py"
"""Runs `best/model.py`, which is code and documented as such."""


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_read_from_outside_becomes_code(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {alias.name.split(".")[0] for alias in node.names}
            module = getattr(node, "module", None) or ""
            assert not (names | {module.split(".")[0]}) & FORBIDDEN, f"line {node.lineno}"
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "pickle":
            assert node.attr == "UnpicklingError", f"line {node.lineno}"
        if isinstance(node, ast.ImportFrom):
            assert node.module != "pickle", f"line {node.lineno}"
    for name, call in calls(tree):
        keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        where = f"{name} in line {call.lineno}"
        if name == "exec":
            assert str(path.relative_to(ROOT)) == RUNS_MODELS, where
        assert name not in ("eval", "yaml.load", "os.system"), where
        if name.endswith("torch.load"):
            assert keywords.get("weights_only") == "True", where
        if name.split(".")[-1] in ("load", "savez", "save") and "allow_pickle" in keywords:
            assert keywords["allow_pickle"] == "False", where
        if name.endswith("rmtree"):
            assert str(path.relative_to(ROOT)) == ONLY_DELETER, where
        assert keywords.get("shell") != "True", where
