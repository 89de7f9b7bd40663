"""Recipes: what a user writes, read into what the engine runs.

For plugin authors who run or measure searches: what `__all__` names is stable.
"""

from toolkit.recipe.load import (
    Source,
    find_recipe,
    from_checked,
    from_plain,
    load_recipe,
    written_words,
)
from toolkit.recipe.objects import override_texts, plain_data
from toolkit.recipe.recipe import Recipe
from toolkit.recipe.shipped import purpose, shipped_recipes

__all__ = [
    "Recipe",
    "Source",
    "find_recipe",
    "from_checked",
    "from_plain",
    "load_recipe",
    "override_texts",
    "plain_data",
    "purpose",
    "shipped_recipes",
    "written_words",
]
