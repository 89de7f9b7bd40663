"""Strategies measured on tables of trained architectures, beside Optuna alone."""

from toolkit_nasbench.bench.compare import POINTS, Comparison, Line, compare
from toolkit_nasbench.bench.search import Benchmark, Table, optuna_alone, search

__all__ = [
    "POINTS",
    "Benchmark",
    "Comparison",
    "Line",
    "Table",
    "compare",
    "optuna_alone",
    "search",
]
