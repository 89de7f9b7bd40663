"""Drawings of architecture graphs: SVG from left to right, cells in boxes."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Hashable, Iterator
from html import escape
from typing import TYPE_CHECKING, Any

from toolkit.export.drawing.layout import Layout, lay_out

if TYPE_CHECKING:
    import networkx

FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
SIZE = 13
"""Font size of nodes, in pixels; names of edges and groups are set in `SMALL`."""
SMALL = 11.5
LINE_HEIGHT = 1.25
WRAP = 22
"""Characters after which a label goes on in a new line, if it can."""
MARGIN = 18.0
COLUMN_GAP = 46.0
BOX_SIDE = 18.0
"""Free width between a group's rectangle and its nodes."""
INK, LINE, EDGE = "#17202a", "#5d6d7e", "#44515e"
FILL, GROUP_FILL, GROUP_LINE = "#ffffff", "#f1f5fa", "#a9bacb"
TERMINAL_FILL = "#e3e9ef"

_NARROW, _WIDE = "fijlrtI|!.,:;'()[]{}·/ -", "mwMW@%&+=<>→×±"
_DIGITS = re.compile(r"(?<![\w.])\d+\.\d{5,}(?:[eE][-+]?\d+)?(?![\w.])")
_Key = Hashable


def draw(graph: networkx.DiGraph, title: str = "") -> str:
    """Draw an architecture graph.

    Args:
        graph: nodes have `label` and may have `group`; edges may have `label`. Cycles are drawn,
            with their closing edges running backwards.
        title: read aloud by screen readers and shown by browsers; not drawn.

    Returns:
        A whole SVG document, with no reference to anything outside it.
    """
    return _Drawing(graph).svg(title or "Architecture")


class _Drawing:
    def __init__(self, graph: networkx.DiGraph) -> None:
        self._graph = graph
        self._lines: dict[_Key, list[str]] = {}
        self._ends: dict[tuple[_Key, _Key], str] = {}
        links, self._reversed = _acyclic(graph)
        edges: list[tuple[_Key, _Key]] = []
        groups = {n: d["group"] for n, d in graph.nodes(data=True) if d.get("group") is not None}
        for node, data in graph.nodes(data=True):
            self._lines[node] = _wrap(str(data.get("label", node)))
        self._chains: dict[tuple[_Key, _Key], list[_Key]] = {}
        for a, b, label in links:
            stops: list[_Key] = [a, b]
            if label:
                # A name on an edge is laid out like a node, so that nothing can cover it.
                name = ("name", a, b)
                self._lines[name] = _wrap(label)
                stops.insert(1, name)
                if a in groups and groups.get(b) == groups[a]:
                    groups[name] = groups[a]
            self._chains[a, b] = stops
            edges += itertools.pairwise(stops)
        heights = {item: self._size(item)[1] for item in self._lines}
        self._layout: Layout = lay_out(heights, edges, groups)
        self._columns()

    def _is_name(self, item: _Key) -> bool:
        return item not in self._graph

    def _size(self, item: _Key) -> tuple[float, float]:
        lines = self._lines[item]
        font = SMALL if self._is_name(item) else SIZE
        pad_x, pad_y = (4.0, 1.0) if self._is_name(item) else (13.0, 8.0)
        width = max(text_width(line, font) for line in lines) + 2 * pad_x
        height = len(lines) * font * LINE_HEIGHT + 2 * pad_y
        return (width if self._is_name(item) else max(width, 44.0)), height

    def _columns(self) -> None:
        """Widths and left sides of the layers, with room where a group begins or ends."""
        count = max(self._layout.layer.values(), default=-1) + 1
        widths = [0.0] * count
        for item in self._lines:
            at = self._layout.layer[item]
            widths[at] = max(widths[at], self._size(item)[0])
        solid = {self._layout.layer[node] for node in self._graph} | {count}
        self._left, x = [], MARGIN + BOX_SIDE
        firsts = {first for first, *_ in self._layout.boxes.values()}
        lasts = {last for _, last, *_ in self._layout.boxes.values()}
        for at in range(count):
            x += BOX_SIDE * (at in firsts and at > 0)
            self._left.append(x)
            thin = at not in solid or at + 1 not in solid
            x += widths[at] + COLUMN_GAP * (0.65 if thin else 1.0) + BOX_SIDE * (at in lasts)
        self._widths = widths
        self._width = x - COLUMN_GAP + MARGIN + BOX_SIDE * (count - 1 not in lasts)
        self._drop = MARGIN
        bottoms = [self._layout.y[item] + self._size(item)[1] / 2 for item in self._lines]
        tops = [self._layout.y[item] - self._size(item)[1] / 2 for item in self._lines]
        for _, _, top, bottom in self._layout.boxes.values():
            tops.append(top)
            bottoms.append(bottom)
        tops += [self._layout.y[lane] for route in self._layout.routes.values() for lane in route]
        bottoms += [
            self._layout.y[lane] for route in self._layout.routes.values() for lane in route
        ]
        self._drop = MARGIN - min(tops, default=0.0)
        self._height = max(bottoms, default=0.0) + self._drop + MARGIN

    def _centre(self, item: _Key) -> tuple[float, float]:
        at = self._layout.layer[item]
        return self._left[at] + self._widths[at] / 2, self._layout.y[item] + self._drop

    def svg(self, title: str) -> str:
        width, height = round(self._width), round(self._height)
        count, edges = self._graph.number_of_nodes(), self._graph.number_of_edges()
        body = [*self._draw_boxes(), *self._draw_edges(), *self._draw_items()]
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img" aria-labelledby="title description" '
            f'font-family="{FONT}" font-size="{SIZE}" fill="{INK}">'
        )
        return "\n".join(
            [
                head,
                f'<title id="title">{_safe(title)}</title>',
                f'<desc id="description">{count} nodes and {edges} edges, '
                f"{_safe('; '.join(self._sentences()))}.</desc>",
                f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
                '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8" '
                'markerHeight="8" markerUnits="userSpaceOnUse" orient="auto-start-reverse">'
                f'<path d="M0,0.8 L8,4 L0,7.2 z" fill="{EDGE}"/></marker></defs>',
                *body,
                "</svg>\n",
            ]
        )

    def _sentences(self) -> Iterator[str]:
        for a, b, data in self._graph.edges(data=True):
            ends = [str(self._graph.nodes[node].get("label", node)) for node in (a, b)]
            by = f" by {data['label']}" if data.get("label") else ""
            yield f"{ends[0]} to {ends[1]}{by}".replace("\n", " ")

    def _draw_boxes(self) -> Iterator[str]:
        for group, (first, last, top, bottom) in self._layout.boxes.items():
            x = self._left[first] - BOX_SIDE
            width = self._left[last] + self._widths[last] + BOX_SIDE - x
            y = top + self._drop
            yield (
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{bottom - top:.1f}" '
                f'rx="12" fill="{GROUP_FILL}" stroke="{GROUP_LINE}"/>'
                f'<text x="{x + 13:.1f}" y="{y + 20:.1f}" font-size="{SMALL}" font-weight="bold" '
                f'fill="{LINE}">{_safe(str(group))}</text>'
            )

    def _draw_items(self) -> Iterator[str]:
        for item, lines in self._lines.items():
            x, y = self._centre(item)
            width, height = self._size(item)
            font = SMALL if self._is_name(item) else SIZE
            if not self._is_name(item):
                ends = self._graph.in_degree(item) == 0 or self._graph.out_degree(item) == 0
                yield (
                    f'<rect x="{x - width / 2:.1f}" y="{y - height / 2:.1f}" width="{width:.1f}" '
                    f'height="{height:.1f}" rx="7" fill="{TERMINAL_FILL if ends else FILL}" '
                    f'stroke="{LINE}" stroke-width="1.2"/>'
                )
            first = y - (len(lines) - 1) / 2 * font * LINE_HEIGHT + font * 0.35
            spans = "".join(
                f'<tspan x="{x:.1f}" y="{first + k * font * LINE_HEIGHT:.1f}">{_safe(line)}</tspan>'
                for k, line in enumerate(lines)
            )
            style = f' font-size="{SMALL}" font-style="italic"' if self._is_name(item) else ""
            yield f'<text text-anchor="middle"{style}>{spans}</text>'

    def _draw_edges(self) -> Iterator[str]:
        leaving, entering = self._ports()
        for (a, b), stops in self._chains.items():
            pieces = list(itertools.pairwise(stops))
            for k, (p, q) in enumerate(pieces):
                start, end = k == 0, k == len(pieces) - 1
                path = self._path(p, q, leaving.get((p, q), 0.0), entering.get((p, q), 0.0))
                back = (a, b) in self._reversed
                marker = "marker-start" if back else "marker-end"
                arrow = f' {marker}="url(#arrow)"' if (start if back else end) else ""
                dash = ' stroke-dasharray="5 4"' if back else ""
                yield (
                    f'<path d="{path}" fill="none" stroke="{EDGE}" stroke-width="1.3"'
                    f"{dash}{arrow}/>"
                )

    def _ports(self) -> tuple[dict[Any, float], dict[Any, float]]:
        """Where on a node's side each edge leaves and enters, so that arrows stay apart."""
        leaving: dict[Any, float] = {}
        entering: dict[Any, float] = {}
        out: dict[_Key, list[tuple[float, Any]]] = {}
        into: dict[_Key, list[tuple[float, Any]]] = {}
        for piece, route in self._layout.routes.items():
            a, b = piece
            out.setdefault(a, []).append((self._layout.y[route[0] if route else b], piece))
            into.setdefault(b, []).append((self._layout.y[route[-1] if route else a], piece))
        for sides, ports in ((out, leaving), (into, entering)):
            for item, pieces in sides.items():
                room = self._size(item)[1] - 12
                step = min(9.0, room / max(len(pieces) - 1, 1))
                ordered = sorted(pieces, key=lambda entry: entry[0])
                for k, (_, piece) in enumerate(ordered):
                    ports[piece] = (k - (len(ordered) - 1) / 2) * step
        return leaving, entering

    def _path(self, a: _Key, b: _Key, leave: float, enter: float) -> str:
        """A curve from one item to another through its lanes; level where it meets a layer."""
        x, y = self._centre(a)
        x, y = x + self._size(a)[0] / 2, y + (0.0 if self._is_name(a) else leave)
        parts = [f"M{x:.1f},{y:.1f}"]
        edge_of_layer = self._left[self._layout.layer[a]] + self._widths[self._layout.layer[a]]
        if edge_of_layer > x + 1:
            parts.append(f"L{edge_of_layer:.1f},{y:.1f}")
            x = edge_of_layer
        points = [
            (
                self._left[self._layout.layer[lane]],
                self._layout.y[lane] + self._drop,
                self._widths[self._layout.layer[lane]],
            )
            for lane in self._layout.routes[a, b]
        ]
        end_x, end_y = self._centre(b)
        end_x, end_y = end_x - self._size(b)[0] / 2, end_y + (0.0 if self._is_name(b) else enter)
        points.append((self._left[self._layout.layer[b]], end_y, 0.0))
        for left, height, width in points:
            middle = (x + left) / 2
            parts.append(f"C{middle:.1f},{y:.1f} {middle:.1f},{height:.1f} {left:.1f},{height:.1f}")
            if width:
                parts.append(f"L{left + width:.1f},{height:.1f}")
            x, y = left + width, height
        if end_x > x + 0.05:
            parts.append(f"L{end_x:.1f},{end_y:.1f}")
        return " ".join(parts)


def _acyclic(
    graph: networkx.DiGraph,
) -> tuple[list[tuple[_Key, _Key, str]], set[tuple[_Key, _Key]]]:
    """Edges with labels, those that close a cycle turned round; and which these are."""
    import networkx

    seen = networkx.DiGraph()
    seen.add_nodes_from(graph)
    links, turned = [], set()
    for a, b, data in graph.edges(data=True):
        if a == b:
            continue
        label = str(data.get("label") or "")
        if networkx.has_path(seen, b, a):
            if seen.has_edge(b, a):
                continue
            a, b = b, a
            turned.add((a, b))
        seen.add_edge(a, b)
        links.append((a, b, label))
    return links, turned


def text_width(text: str, size: float) -> float:
    """Width of a line in a sans-serif font, in pixels; errs on the wide side."""
    total = 0.0
    for character in text:
        if unicodedata.east_asian_width(character) in "WF":
            total += 1.05
        elif character in _NARROW:
            total += 0.36
        elif character in _WIDE:
            total += 0.88
        elif character.isupper():
            total += 0.72
        else:
            total += 0.58
    return total * size


def _wrap(label: str) -> list[str]:
    """Lines of a label: its own, long numbers rounded, and long lines broken at spaces."""
    lines: list[str] = []
    for line in label.splitlines() or [""]:
        rest = _DIGITS.sub(lambda number: f"{float(number[0]):.4g}", line)
        while len(rest) > WRAP:
            cut = rest.rfind(" ", 0, WRAP + 1)
            if cut <= 0:
                cut = max(rest.rfind(mark, 0, WRAP) for mark in "_,;=")
            cut = cut + 1 if cut > 0 else WRAP
            lines.append(rest[:cut].rstrip())
            rest = rest[cut:].lstrip()
        lines.append(rest)
    return lines


def _safe(text: str) -> str:
    """Text for XML: escaped, without the control characters that XML forbids."""
    kept = "".join(
        c for c in text if c in "\t\n" or (ord(c) >= 32 and ord(c) not in range(127, 160))
    )
    return escape("".join(c for c in kept if not 0xD800 <= ord(c) <= 0xDFFF and ord(c) < 0xFFFE))
