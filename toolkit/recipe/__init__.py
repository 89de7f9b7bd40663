"""Recipes: what a user writes, read into what the engine runs.

For plugin authors who run or measure searches: what `__all__` names is stable.
"""

from toolkit.recipe.load import find_recipe, from_checked, from_plain, load_recipe
from toolkit.recipe.recipe import Recipe
from toolkit.recipe.shipped import shipped_recipes

__all__ = ["Recipe", "find_recipe", "from_checked", "from_plain", "load_recipe", "shipped_recipes"]
