"""The engine: from a recipe to trials, results and a trained model."""

from toolkit.engine.engine import run_search
from toolkit.engine.retraining import run_retraining

__all__ = ["run_retraining", "run_search"]
