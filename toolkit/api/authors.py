"""For authors of plugins: a package to begin with, and a check in words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolkit.api.authoring.check import Finding


def new_plugin(kind: str, name: str, folder: str | Path = ".") -> list[Path]:
    """Writes an installable package with a plugin, its test and a recipe that runs.

    Args:
        kind: `search-space`, `task`, `strategy` or `executor`.
        name: the plugin's name in recipes, which is the package's too.
        folder: where a folder of that name is made.

    Returns:
        The files written.

    Raises:
        RecipeError: there is no such kind, the name cannot be used, or the folder is there already.
    """
    from toolkit.api.authoring.scaffold import write_package

    return write_package(kind, name, Path(folder))


def check_plugin(path: str | Path, recipe: str | Path | None = None) -> Iterator[Finding]:
    """Yields what is right and what is missing of every plugin at a path, as it is found.

    Runs the suites of `toolkit.testing`, and looks at what is around the plugins.

    Args:
        path: a `.py` file, a package or a project's folder, as for `plugins` elsewhere.
        recipe: says which options and data to try them with; by default the recipes in the
            project's folder that name them.

    Raises:
        PluginError: nothing at the path loads.
        RecipeError: the recipe is wrong.
    """
    from toolkit.api.authoring.check import check_plugins

    return check_plugins(Path(path), None if recipe is None else Path(recipe))
