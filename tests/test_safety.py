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
FORBIDDEN = {"dill", "cloudpickle", "marshal", "shelve", "joblib", "code", "yaml"}
RUN_CODE = {
    "eval",
    "exec",
    "compile",
    "os.system",
    "os.popen",
    "runpy.run_path",
    "runpy.run_module",
}
MAY_RUN = {
    "toolkit/export/loading.py": {"exec", "compile"},
    "toolkit/executors/keeper.py": {"runpy.run_module"},
}
"""`best/model.py`, which is code and documented as such; a worker's own module."""
DELETERS = {"rmtree", "removedirs"}
ONLY_DELETER = "toolkit/base/files.py"


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
            assert node.module not in ("pickle", "builtins", "runpy"), f"line {node.lineno}"
            assert node.module != "torch" or "load" not in {each.name for each in node.names}
    for name, call in calls(tree):
        keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        where = f"{name} in line {call.lineno}"
        if name.removeprefix("builtins.") in RUN_CODE:
            assert name in MAY_RUN.get(str(path.relative_to(ROOT)), ()), where
        if name.split(".")[-1] == "YAML":
            assert keywords.get("typ") == "'safe'", where
        if name.endswith("torch.load"):
            assert keywords.get("weights_only") == "True", where
        if name.split(".")[-1] in ("load", "savez", "save") and "allow_pickle" in keywords:
            assert keywords["allow_pickle"] == "False", where
        if name.split(".")[-1] in DELETERS:
            assert str(path.relative_to(ROOT)) == ONLY_DELETER, where
        assert keywords.get("shell") != "True", where
