"""An ensemble where an architecture is expected: whether it is one, and what its members are."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from toolkit.contracts import Architecture
from toolkit.contracts.jobs import ENSEMBLE

if TYPE_CHECKING:
    import networkx


def is_ensemble(architecture: Architecture) -> bool:
    """Whether it is an ensemble of points: `{"ensemble": [{"point": ..., "sharpness": ...}]}`.

    A member may have the number of the `trial` whose results on folds are those of the ensemble's.
    """
    return set(architecture) == {ENSEMBLE}


def members_in_words(
    architecture: Architecture, fingerprint: Callable[[Mapping[str, Any]], str]
) -> tuple[str, ...]:
    """What the members of an ensemble are, a line each; of anything else nothing."""
    if not is_ensemble(architecture):
        return ()
    own = [member["point"] for member in architecture[ENSEMBLE]]
    return tuple(f"{fingerprint(each)}: {json.dumps(each)}" for each in own)


def ensemble_graph(
    architecture: Architecture, fingerprint: Callable[[Mapping[str, Any]], str]
) -> networkx.DiGraph:
    """What an ensemble averages, as a graph."""
    import networkx

    graph = networkx.DiGraph()
    graph.add_node("mean", label="mean of probabilities")
    for number, member in enumerate(architecture[ENSEMBLE], 1):
        name = f"member {number}: {fingerprint(member['point'])[:8]}"
        graph.add_node(name, label=name)
        graph.add_edge(name, "mean")
    return graph
