"""Layered layout of a directed graph: which column and which height each node gets.

After Sugiyama, Tagawa and Toda (1981): nodes go into layers by longest path; edges over several
layers are led through lanes (dummy nodes); layers are ordered by barycentres so that few edges
cross; heights solve a linear programme that keeps edges straight (Gansner, Koutsofios, North and
Vo, "A technique for drawing directed graphs", 1993). Groups (cells) are laid out as blocks: each
owns a rectangle that nothing else enters.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Key: TypeAlias = Hashable
"""A node, or a lane (an edge's place in a layer)."""
SWEEPS = 12
RESTARTS = 40
LANE = 8.0
"""Height kept free for an edge that passes, in pixels."""


@dataclass
class Layout:
    """Result: `x` and `y` are centres, in pixels; `routes` are the lanes of each edge in order."""

    layer: dict[Key, int]
    y: dict[Key, float]
    routes: dict[tuple[Key, Key], list[Key]]
    boxes: dict[Any, tuple[int, int, float, float]] = field(default_factory=dict)
    """Group -> first layer, last layer, top, bottom."""


def lay_out(
    heights: Mapping[Key, float],
    edges: Sequence[tuple[Key, Key]],
    groups: Mapping[Key, Any],
    gap: float = 22.0,
    padding: tuple[float, float] = (34.0, 16.0),
) -> Layout:
    """Place nodes.

    Args:
        heights: height of each node, in pixels.
        edges: pairs of different nodes, acyclic, none twice.
        groups: group of each node that has one.
        gap: free height between neighbours in a layer.
        padding: free height inside a group's rectangle above (for its name) and below.
    """
    groups = _separable(heights, edges, groups)
    layer, spans = _layers(heights, edges, groups)
    routes, lanes = _route(edges, layer, groups, spans)
    unit = {**{node: groups.get(node, ("node", node)) for node in heights}, **lanes}
    layer.update({lane: lane[2] for lane in lanes if isinstance(lane, tuple)})
    links = [pair for edge in edges for pair in _chain(edge, routes[edge])]
    order = _order(layer, links, unit)
    solver = _Heights(order, unit, {**heights, **dict.fromkeys(lanes, LANE)}, links, spans)
    y, boxes = solver.solve(gap, padding)
    result = Layout(layer, y, routes)
    for group, (first, last) in spans.items():
        result.boxes[group] = (first, last, *boxes[group])
    return result


def _chain(edge: tuple[Key, Key], route: Sequence[Key]) -> Iterator[tuple[Key, Key]]:
    stops = [edge[0], *route, edge[1]]
    yield from itertools.pairwise(stops)


def _separable(
    nodes: Mapping[Key, float], edges: Sequence[tuple[Key, Key]], groups: Mapping[Key, Any]
) -> dict[Key, Any]:
    """Drop groups that cannot be blocks: a path leaves them and comes back."""
    import networkx

    groups = dict(groups)
    while True:
        quotient = networkx.DiGraph()
        unit = {node: ("group", groups[node]) if node in groups else node for node in nodes}
        quotient.add_nodes_from(unit.values())
        quotient.add_edges_from((unit[a], unit[b]) for a, b in edges if unit[a] != unit[b])
        knots = [part for part in networkx.strongly_connected_components(quotient) if len(part) > 1]
        if not knots:
            return groups
        tangled = {unit for part in knots for unit in part}
        groups = {node: g for node, g in groups.items() if ("group", g) not in tangled}


def _layers(
    nodes: Mapping[Key, float], edges: Sequence[tuple[Key, Key]], groups: Mapping[Key, Any]
) -> tuple[dict[Key, int], dict[Any, tuple[int, int]]]:
    """Longest path over blocks, and within each block; then sources move right, to their users."""
    inside = _longest(nodes, [e for e in edges if e[0] in groups and _same(groups, e)])
    unit = {node: groups.get(node, ("node", node)) for node in nodes}
    width: dict[Any, int] = {}
    for node in nodes:
        width[unit[node]] = max(width.get(unit[node], 0), inside[node] + 1)
    between = [(unit[a], unit[b]) for a, b in edges if unit[a] != unit[b]]
    start = _longest(width, between, width)
    users: dict[Any, list[Any]] = {}
    fed = {b for _, b in between}
    for a, b in between:
        users.setdefault(a, []).append(b)
    for a, followers in users.items():
        if a not in fed:
            start[a] = min(start[b] for b in followers) - width[a]
    layer = {node: start[unit[node]] + inside[node] for node in nodes}
    named = set(groups.values())
    spans = {g: (start[g], start[g] + width[g] - 1) for g in width if g in named}
    return layer, spans


def _same(groups: Mapping[Key, Any], edge: tuple[Key, Key]) -> bool:
    return edge[1] in groups and groups[edge[0]] == groups[edge[1]]


def _longest(
    nodes: Mapping[Key, Any],
    edges: Sequence[tuple[Key, Key]],
    width: Mapping[Key, int] | None = None,
) -> dict[Key, int]:
    import networkx

    graph = networkx.DiGraph()
    graph.add_nodes_from(nodes)
    graph.add_edges_from(edges)
    level: dict[Key, int] = {}
    for node in networkx.topological_sort(graph):
        before = [level[p] + (width[p] if width else 1) for p in graph.predecessors(node)]
        level[node] = max(before, default=0)
    return level


def _route(
    edges: Sequence[tuple[Key, Key]],
    layer: Mapping[Key, int],
    groups: Mapping[Key, Any],
    spans: Mapping[Any, tuple[int, int]],
) -> tuple[dict[tuple[Key, Key], list[Key]], dict[Key, Any]]:
    """Lanes of every edge, and the unit each lane belongs to: a group while inside its layers."""
    routes: dict[tuple[Key, Key], list[Key]] = {}
    units: dict[Key, Any] = {}
    for a, b in edges:
        route: list[Key] = []
        source, target = groups.get(a), groups.get(b)
        for at in range(layer[a] + 1, layer[b]):
            lane = ("lane", (a, b), at)
            if source is not None and at <= spans[source][1]:
                units[lane] = source
            elif target is not None and at >= spans[target][0]:
                units[lane] = target
            else:
                units[lane] = ("edge", a, b)
            route.append(lane)
        routes[a, b] = route
    return routes, units


def _order(
    layer: Mapping[Key, int], links: Sequence[tuple[Key, Key]], unit: Mapping[Key, Any]
) -> list[list[Key]]:
    """Order layers by barycentre sweeps and swaps, units as wholes; of many starts the best."""
    columns: list[list[Key]] = [[] for _ in range(max(layer.values(), default=-1) + 1)]
    for item in sorted(layer, key=lambda item: layer[item]):
        columns[layer[item]].append(item)
    before: dict[Key, list[Key]] = {}
    after: dict[Key, list[Key]] = {}
    for a, b in links:
        before.setdefault(b, []).append(a)
        after.setdefault(a, []).append(b)
    best, fewest = columns, float("inf")
    rng = random.Random(0)
    for start in range(max(4, min(RESTARTS, 3000 // (len(layer) + 1)))):
        trial = [list(column) for column in columns]
        for column in trial if start else ():
            rng.shuffle(column)
        swept, least = trial, float("inf")
        for sweep in range(SWEEPS):
            trial = _sweep(trial, before if sweep % 2 == 0 else after, unit, sweep % 2 == 1)
            crossings = _crossings(trial, after)
            if crossings < least:
                swept, least = trial, crossings
        swept = _swap([list(column) for column in swept], after, unit)
        least = _crossings(swept, after)
        if least < fewest:
            best, fewest = swept, least
        if not fewest:
            break
    return best


def _sweep(
    columns: list[list[Key]],
    neighbours: Mapping[Key, Sequence[Key]],
    unit: Mapping[Key, Any],
    backwards: bool,
) -> list[list[Key]]:
    place: dict[Key, float] = {}
    for column in columns:
        place.update({item: (i + 0.5) / len(column) for i, item in enumerate(column)})
    for column in reversed(columns) if backwards else columns:
        for item in column:
            around = neighbours.get(item)
            if around:
                place[item] = sum(place[other] for other in around) / len(around)
        for index, item in enumerate(sorted(column, key=lambda item: place[item])):
            place[item] = (index + 0.5) / len(column)
    members: dict[Any, list[float]] = {}
    for item, at in place.items():
        members.setdefault(unit[item], []).append(at)
    middle = {key: sum(places) / len(places) for key, places in members.items()}
    rank = {key: index for index, key in enumerate(middle)}
    return [
        sorted(column, key=lambda item: (middle[unit[item]], rank[unit[item]], place[item]))
        for column in columns
    ]


def _crossings(columns: Sequence[Sequence[Key]], after: Mapping[Key, Sequence[Key]]) -> int:
    total = 0
    for left, right in itertools.pairwise(columns):
        place = {item: index for index, item in enumerate(right)}
        ends = [(i, place[b]) for i, a in enumerate(left) for b in after.get(a, ())]
        total += sum(
            (a - c) * (b - d) < 0 for k, (a, b) in enumerate(ends) for c, d in ends[k + 1 :]
        )
    return total


def _swap(
    columns: list[list[Key]],
    after: Mapping[Key, Sequence[Key]],
    unit: Mapping[Key, Any],
) -> list[list[Key]]:
    """Swap neighbours of one unit, or of two units that share this layer only, where it helps."""
    reach: dict[Any, set[int]] = {}
    for index, column in enumerate(columns):
        for item in column:
            reach.setdefault(unit[item], set()).add(index)
    for _ in range(SWEEPS):
        improved = False
        for index, column in enumerate(columns):
            around = columns[max(index - 1, 0) : index + 2]
            for k in range(len(column) - 1):
                units = [unit[item] for item in column[max(k - 1, 0) : k + 3]]
                a, b = unit[column[k]], unit[column[k + 1]]
                whole = units.count(a) == units.count(b) == 1
                if a != b and not (whole and reach[a] & reach[b] == {index}):
                    continue
                old = _crossings(around, after)
                column[k], column[k + 1] = column[k + 1], column[k]
                if _crossings(around, after) < old:
                    improved = True
                else:
                    column[k], column[k + 1] = column[k + 1], column[k]
        if not improved:
            break
    return columns


class _Heights:
    """Heights of all items and of the groups' rectangles, once the order in each layer is known."""

    def __init__(
        self,
        columns: Sequence[Sequence[Key]],
        unit: Mapping[Key, Any],
        heights: Mapping[Key, float],
        links: Sequence[tuple[Key, Key]],
        groups: Mapping[Any, tuple[int, int]],
    ) -> None:
        self._columns, self._unit, self._heights = columns, unit, heights
        self._links, self._groups = links, groups
        self._index = {item: k for k, item in enumerate(heights)}
        for group in groups:
            self._index["top", group] = len(self._index)
            self._index["bottom", group] = len(self._index)

    def solve(
        self, gap: float, padding: tuple[float, float]
    ) -> tuple[dict[Key, float], dict[Any, tuple[float, float]]]:
        bounds = [bound for column in self._columns for bound in self._bounds(column, gap, padding)]
        places = self._straightest(bounds)
        self._centre(places, bounds)
        least = min(places, default=0.0)
        y = {item: places[self._index[item]] - least for item in self._heights}
        boxes = {
            group: (
                places[self._index["top", group]] - least,
                places[self._index["bottom", group]] - least,
            )
            for group in self._groups
        }
        return y, boxes

    def _bounds(
        self, column: Sequence[Key], gap: float, padding: tuple[float, float]
    ) -> Iterator[tuple[int, int, float]]:
        """(upper, lower, d): the lower thing lies at least d below the upper one."""
        above: tuple[int, float, bool] | None = None  # Its index, half its height, is it a lane.
        previous: Any = None
        for item in column:
            group, index, half = self._unit[item], self._index[item], self._heights[item] / 2
            lane = isinstance(item, tuple) and item[0] == "lane"
            if previous != group:
                if previous in self._groups and above is not None:
                    bottom = self._index["bottom", previous]
                    yield above[0], bottom, above[1] + padding[1]
                    above = (bottom, 0.0, False)
                if group in self._groups:
                    top = self._index["top", group]
                    if above is not None:
                        yield above[0], top, above[1] + gap
                    yield top, index, padding[0] + half
                    above = None
            if above is not None:
                free = gap / 2 if lane or above[2] else gap
                yield above[0], index, above[1] + free + half
            above, previous = (index, half, lane), group
        if previous in self._groups and above is not None:
            yield above[0], self._index["bottom", previous], above[1] + padding[1]

    def _straightest(self, bounds: Sequence[tuple[int, int, float]]) -> list[float]:
        """Minimise the weighted rises of all links: a linear programme."""
        import numpy as np
        from scipy.optimize import linprog
        from scipy.sparse import coo_matrix

        size = len(self._index)
        rows: list[tuple[list[tuple[int, float]], float]] = [
            ([(upper, 1.0), (lower, -1.0)], -distance) for upper, lower, distance in bounds
        ]
        cost = np.zeros(size + len(self._links))
        for group in self._groups:
            cost[self._index["bottom", group]] += 0.1
            cost[self._index["top", group]] -= 0.1
        for k, (a, b) in enumerate(self._links):
            i, j, rise = self._index[a], self._index[b], size + k
            cost[rise] = (1.0, 2.0, 8.0)[
                sum(isinstance(x, tuple) and x[0] == "lane" for x in (a, b))
            ]
            rows.append(([(i, 1.0), (j, -1.0), (rise, -1.0)], 0.0))
            rows.append(([(j, 1.0), (i, -1.0), (rise, -1.0)], 0.0))
        entries = [(r, c, v) for r, (terms, _) in enumerate(rows) for c, v in terms]
        if not entries:
            return [0.0] * size
        r, c, v = zip(*entries, strict=True)
        matrix = coo_matrix((v, (r, c)), shape=(len(rows), len(cost)))
        limits = np.array([limit for _, limit in rows])
        solved = linprog(cost, A_ub=matrix, b_ub=limits, bounds=(0, None), method="highs")
        if solved.x is None:
            raise ArithmeticError(f"No layout: {solved.message}")
        return [float(place) for place in solved.x[:size]]

    def _centre(self, places: list[float], bounds: Sequence[tuple[int, int, float]]) -> None:
        """Among equally straight heights take the centred ones: move to the neighbours' mean."""
        around: dict[int, list[int]] = {}
        for a, b in self._links:
            around.setdefault(self._index[a], []).append(self._index[b])
            around.setdefault(self._index[b], []).append(self._index[a])
        over: dict[int, list[tuple[int, float]]] = {}
        under: dict[int, list[tuple[int, float]]] = {}
        for upper, lower, distance in bounds:
            over.setdefault(lower, []).append((upper, distance))
            under.setdefault(upper, []).append((lower, distance))
        for _ in range(SWEEPS):
            for item, others in around.items():
                ends = sorted(places[other] for other in others)
                low, high = ends[(len(ends) - 1) // 2], ends[len(ends) // 2]
                wanted = min(max(sum(ends) / len(ends), low), high)
                floor = max((places[u] + d for u, d in over.get(item, ())), default=wanted)
                ceiling = min((places[w] - d for w, d in under.get(item, ())), default=wanted)
                if floor <= ceiling:
                    places[item] = min(max(wanted, floor), ceiling)
