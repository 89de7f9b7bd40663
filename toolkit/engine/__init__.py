"""The engine: from a recipe to trials, results and a trained model."""

from toolkit.engine.run import run_search

__all__ = ["run_search"]
