"""A package to begin a plugin with: code that runs, a test that passes, a recipe that searches."""

from __future__ import annotations

import importlib.util
import keyword
import re
from pathlib import Path

from toolkit.base.errors import RecipeError
from toolkit.base.files import write_atomically
from toolkit.base.spelling import did_you_mean

TEMPLATES = Path(__file__).with_name("templates")
GROUPS = {
    "search-space": "search_spaces",
    "task": "tasks",
    "strategy": "strategies",
    "executor": "executors",
}
"""The kinds that can be begun, and their groups of entry points."""
_MODULES = {"search-space": "space"}
_SKIPPED = ("__pycache__", ".ruff_cache", ".pytest_cache")


def write_package(kind: str, name: str, parent: Path) -> list[Path]:
    """Writes an installable package with a plugin, its test and a recipe.

    Args:
        kind: one of `GROUPS`.
        name: the plugin's name in recipes, which is the package's too.
        parent: the folder in which a folder of the plugin's name is made.

    Returns:
        The files written.

    Raises:
        RecipeError: there is no such kind, the name is none of a package or taken, or the folder
            is there already.
    """
    if kind not in GROUPS:
        raise RecipeError(
            f"There is no package to write for {kind!r}{did_you_mean(kind, GROUPS)}.",
            hint=f"The kinds are {', '.join(GROUPS)}.",
        )
    package = _package_name(name)
    folder = parent / package
    if folder.exists():
        raise RecipeError(
            f"{folder} is there already, and nothing is written over it.",
            hint="Choose another name, or another folder with --output.",
        )
    camel = "".join(word.capitalize() for word in package.split("_"))
    exchanged = {
        "my_name": package,
        "my-name": package.replace("_", "-"),
        "MyName": camel,
        "KIND": kind.replace("-", " "),
        "GROUP": GROUPS[kind],
        "MODULE": _MODULES.get(kind, kind),
    }
    pattern = re.compile("|".join(exchanged))
    written = []
    for template in ("common", kind.replace("-", "_")):
        for path in sorted((TEMPLATES / template).rglob("*")):
            if not path.is_file() or any(part in _SKIPPED for part in path.parts):
                continue
            relative = path.relative_to(TEMPLATES / template).as_posix()
            target = folder / pattern.sub(lambda found: exchanged[found.group()], relative)
            text = path.read_text(encoding="utf-8")
            write_atomically(target, pattern.sub(lambda found: exchanged[found.group()], text))
            written.append(target)
    return written


def _package_name(name: str) -> str:
    package = name.replace("-", "_")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", package) or keyword.iskeyword(package):
        raise RecipeError(
            f"The name is {name!r}, expected lower-case letters, digits and underscores that begin"
            " with a letter, such as my_space."
        )
    if importlib.util.find_spec(package) is not None:
        raise RecipeError(
            f"There is a Python module {package} already, so a package cannot be called that.",
            hint=f"Choose another name, such as my_{package}.",
        )
    return package
