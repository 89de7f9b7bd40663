"""The recipes that come with the toolkit, found by name."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

DISTRIBUTION = "nas-toolkit"


def shipped_recipes() -> dict[str, Path]:
    """Name -> file of every shipped recipe, sorted by name.

    In a checkout they lie in `recipes/` beside the package; a wheel installs them as data files,
    which the installed distribution's list of files names.
    """
    checkout = Path(__file__).resolve().parents[2] / "recipes"
    found = list(checkout.glob("*.yaml")) if _is_checkout(checkout.parent) else _installed()
    return {path.stem: path for path in sorted(found, key=lambda path: path.stem)}


def purpose(path: Path) -> str:
    """Returns what a recipe says it is for: the comment it begins with, its first line."""
    first = (path.read_text(encoding="utf-8").splitlines() or [""])[0]
    return first.lstrip("# ") if first.startswith("#") else ""


def _is_checkout(folder: Path) -> bool:
    return (folder / "pyproject.toml").is_file() and (folder / "recipes").is_dir()


def _installed() -> list[Path]:
    try:
        files = importlib.metadata.files(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        return []
    return [
        Path(str(file.locate())).resolve()
        for file in files
        if file.suffix == ".yaml" and file.parts[-3:-1] == (DISTRIBUTION, "recipes")
    ]
