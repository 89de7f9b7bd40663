"""Which searched values mattered, as an installed package computes it.

A package offers a function in the entry-point group `toolkit.importance`. It takes the points
(mappings of searched values, all with the same names), their results, and whether larger ones are
better, and returns a share for each name.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib.metadata import entry_points

from toolkit.base.plain import is_number
from toolkit.report.facts import Facts
from toolkit.report.plotting import thinned

GROUP = "toolkit.importance"
FEWEST, MOST_TRIALS = 10, 500
"""Trials below which nothing is said, and above which an even choice of them stands for all."""
logger = logging.getLogger(__name__)


def importance_of(facts: Facts) -> Mapping[str, float]:
    """Returns a share for each searched value that all done trials have; empty where unknown."""
    done = [
        record
        for record, _ in facts.search
        if record.eligible and is_number(record.values.get(facts.objective))
    ]
    done = thinned(done, MOST_TRIALS)
    common = [
        n for n in facts.varied if all(facts.choices[r.number].get(n) is not None for r in done)
    ]
    if len(done) < FEWEST or len(common) < 2:
        return {}
    points = [{name: facts.choices[r.number][name] for name in common} for r in done]
    values = [float(r.values[facts.objective]) for r in done]
    for entry in entry_points(group=GROUP):
        try:
            shares: Mapping[str, float] = entry.load()(points, values, facts.direction)
            return {str(name): float(share) for name, share in shares.items()}
        except Exception:  # A plugin's fault costs the report one chart.
            logger.exception("The importance of %s could not be computed.", entry.name)
    return {}
