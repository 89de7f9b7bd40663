"""The engine: from a recipe to trials, results and a trained model."""

from toolkit.engine.retraining import run_retraining
from toolkit.engine.run import run_search

__all__ = ["run_retraining", "run_search"]
