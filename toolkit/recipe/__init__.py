"""Recipes: what a user writes, read into what the engine runs."""

from toolkit.recipe.load import find_recipe, load_recipe
from toolkit.recipe.recipe import Recipe
from toolkit.recipe.schema import Train
from toolkit.recipe.shipped import shipped_recipes

__all__ = ["Recipe", "Train", "find_recipe", "load_recipe", "shipped_recipes"]
