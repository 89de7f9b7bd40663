"""Recipes: what a user writes, read into what the engine runs."""

from toolkit.recipe.schema import Train

__all__ = ["Train"]
