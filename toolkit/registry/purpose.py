"""What a plugin is for, in a line: read from its source, so that nothing is imported for a list."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from contextlib import suppress
from pathlib import Path


def purpose(target: str) -> str:
    """Returns the first line of a class's docstring without citations; empty if there is none.

    Args:
        target: `module:Class`.
    """
    module, _, name = target.partition(":")
    if module in sys.modules:
        cls = getattr(sys.modules[module], name, None)
        return _first_line(vars(cls).get("__doc__") if isinstance(cls, type) else None)
    with suppress(Exception):  # A plugin whose source cannot be read is listed all the same.
        path = _source(module)
        if path is not None:
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ClassDef) and node.name == name:
                    return _first_line(ast.get_docstring(node))
    return ""


def _source(module: str) -> Path | None:
    """A module's file, found without importing the packages that hold it."""
    top, *rest = module.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None:
        return None
    if not rest:
        return Path(spec.origin) if spec.origin else None
    for place in spec.submodule_search_locations or ():
        inner = Path(place, *rest)
        for path in (inner.with_name(f"{inner.name}.py"), inner / "__init__.py"):
            if path.is_file():
                return path
    return None


def _first_line(text: str | None) -> str:
    first = (text or "").strip().partition("\n")[0]
    return re.sub(r"\s*\([^)]*\b(?:19|20)\d\d\b[^)]*\)", "", first).strip().rstrip(".")
