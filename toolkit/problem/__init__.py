"""The plugins a recipe names, put together: what engine and workers both need of a recipe.

For plugin authors who run or measure searches: `Problem` and its attributes are stable.
"""

from __future__ import annotations

from toolkit.problem.assembly import assemble, examine
from toolkit.problem.members import is_ensemble
from toolkit.problem.problem import Problem
from toolkit.problem.source import DataSource

__all__ = ["DataSource", "Problem", "assemble", "examine", "is_ensemble"]
