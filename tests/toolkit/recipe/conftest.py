from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from toolkit.errors import RecipeError
from toolkit.recipe import Recipe, load_recipe
from toolkit.recipe.faults import SHOWN
from toolkit.registry import Registry

Load = Callable[..., Recipe]


@pytest.fixture(scope="session")
def registry() -> Registry:
    return Registry([Path(__file__).with_name("toys.py")])


@pytest.fixture
def load(tmp_path: Path, registry: Registry) -> Load:
    """Loads a recipe's text, with overrides."""

    def read(text: str, *overrides: str) -> Recipe:
        path = tmp_path / "recipe.yaml"
        path.write_text(text, encoding="utf-8")
        return load_recipe(path, overrides, registry)

    return read


@pytest.fixture
def faults(tmp_path: Path, load: Load) -> Callable[..., list[str]]:
    """The faults of a recipe's text, each as `line:column: where: text` or `override ...`."""

    def told(text: str, *overrides: str) -> list[str]:
        with pytest.raises(RecipeError) as caught:
            load(text, *overrides)
        assert caught.value.exit_code == 2
        found = [str(fault) for fault in caught.value.faults]
        assert all(fault in caught.value.message for fault in found[:SHOWN])
        return [fault.removeprefix(f"{tmp_path / 'recipe.yaml'}:") for fault in found]

    return told
