"""Parameter trees, and ways to move in them. Nothing here knows of trials or plugins.

For plugin authors: what `__all__` names is stable.
"""

from toolkit.space.seen import SeenPoints, point_key
from toolkit.space.tree import (
    Choice,
    Decide,
    Fixed,
    Float,
    Group,
    Int,
    Leaf,
    Node,
    Point,
    Scalar,
    Space,
    decisions,
    from_json,
    is_fixed,
    is_point,
    leaves,
    sample,
    sample_leaf,
    validate,
)
from toolkit.space.united import fitted, united
from toolkit.space.variation import cross, mutate, neighbours, points

__all__ = [
    "Choice",
    "Decide",
    "Fixed",
    "Float",
    "Group",
    "Int",
    "Leaf",
    "Node",
    "Point",
    "Scalar",
    "SeenPoints",
    "Space",
    "cross",
    "decisions",
    "fitted",
    "from_json",
    "is_fixed",
    "is_point",
    "leaves",
    "mutate",
    "neighbours",
    "point_key",
    "points",
    "sample",
    "sample_leaf",
    "united",
    "validate",
]
