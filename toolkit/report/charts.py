"""The report's charts of trainings. All labels are escaped, since plotly reads them as HTML."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from toolkit.contracts.costs import COSTS
from toolkit.report.edge_graph import edge_graph
from toolkit.report.facts import FOUND, RANDOM, Facts, Network
from toolkit.report.plotting import (
    COLOURS,
    DASHES,
    FOUND_COLOUR,
    MOST_POINTS,
    RANDOM_COLOUR,
    Shown,
    axis_title,
    label_axes,
    limits,
    metric_axis,
    new_figure,
    numbers,
    shown,
    thinned,
    tick_format,
    words,
)

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from toolkit.run.records import MetricRecord

STATES = {
    "done": FOUND_COLOUR,
    "pruned": "#e69f00",
    "failed": "#c0392b",
    "oom": "#c0392b",
    "timeout": "#c0392b",
    "invalid": "#c0392b",
    "lost": "#8a929b",
}
HEAT_ROW = 34
"""Height of one edge in pixels."""
MAX_FRAMES = 60
"""Epochs a heat map's slider offers at most; more would only make the file heavy."""


def all_figures(facts: Facts) -> dict[str, go.Figure | None]:
    """Returns the charts of this module by name; None where a run has nothing to show."""
    return {
        "results": _results(facts),
        "supernet": _supernet(facts),
        "progress": _progress(facts),
        "given": _values(facts, residuals=False),
        "residuals": _values(facts, residuals=True),
    }


def _values(facts: Facts, *, residuals: bool) -> go.Figure | None:
    """Values given for the test samples, or their errors, over the true ones."""
    import plotly.graph_objects as go

    if facts.values is None:
        return None
    targets, given = facts.values.targets, facts.values.given.mean(axis=0)
    ends = [float(targets.min()), float(targets.max())]
    kept = thinned(range(len(targets)), MOST_POINTS)
    figure = new_figure(420, showlegend=False)
    heights = [float(given[index] - (targets[index] if residuals else 0)) for index in kept]
    figure.add_trace(
        go.Scatter(
            x=[float(targets[index]) for index in kept],
            y=heights,
            mode="markers",
            marker={"color": FOUND_COLOUR, "size": 7, "opacity": 0.5},
        )
    )
    line = {"color": RANDOM_COLOUR, "width": 1.5}
    even = [0.0, 0.0] if residuals else ends
    figure.add_trace(go.Scatter(x=ends, y=even, mode="lines", hoverinfo="skip", line=line))
    figure.update_xaxes(title=axis_title("true value"), zeroline=False)
    title = "error: given less true" if residuals else "value given"
    figure.update_yaxes(title=axis_title(title), zeroline=False, automargin=True)
    return figure


def looks(networks: Iterable[Network]) -> dict[str, tuple[str, str]]:
    """Returns colour and dash by network, no two alike."""
    known = {FOUND: (FOUND_COLOUR, "solid"), RANDOM: (RANDOM_COLOUR, "solid")}
    free = ((colour, dash) for dash in DASHES for colour in COLOURS)
    for network in networks:
        if network.name not in known:
            known[network.name] = next(free, (RANDOM_COLOUR, "dash"))
    return known


def _results(facts: Facts) -> go.Figure | None:
    """Every training's test result as a dot, with the mean and standard deviation beside."""
    import plotly.graph_objects as go

    if facts.outcome is None or len(facts.networks) < 2 or not facts.metrics:
        return None
    metric, colours = facts.metrics[0], looks(facts.networks)
    figure = new_figure(90 + 46 * len(facts.networks), showlegend=False)
    for network in reversed(facts.networks):
        result, title = network.test.get(metric), escape(network.title)
        values = result.seeds if result else ()
        figure.add_trace(
            go.Scatter(
                x=values,
                y=[title] * len(values),
                mode="markers",
                hoverinfo="x",
                marker={"color": colours[network.name][0], "size": 9, "opacity": 0.45},
            )
        )
        figure.add_trace(
            go.Scatter(
                x=[result.mean if result else None],
                y=[title],
                mode="markers",
                hoverinfo="x",
                error_x={"type": "data", "array": [result.std if result else 0], "thickness": 1.6},
                marker={
                    "color": colours[network.name][0],
                    "symbol": "line-ns",
                    "size": 18,
                    "line": {"width": 3, "color": colours[network.name][0]},
                },
            )
        )
    figure.update_xaxes(title=axis_title(f"test {words(metric)}"), **metric_axis(metric))
    figure.update_yaxes(automargin=True, range=[-0.6, len(facts.networks) - 0.4])
    figure.update_layout(margin={"t": 8})
    return figure


def _weights_by_epoch(facts: Facts) -> list[tuple[int, Mapping[str, Any]]]:
    """Edge weights of the last supernet trial that reported any, by epoch."""
    for _, metrics in reversed(facts.supernets):
        found = [
            (entry.step, entry.records["edge_weights"])
            for entry in metrics
            if entry.records.get("edge_weights")
        ]
        if found:
            stride = -(-len(found) // MAX_FRAMES)
            return found[:-1:stride] + found[-1:]
    return []


def edge_weights(facts: Facts) -> list[tuple[str, Shown]]:
    """A heat map for each cell: edges in rows, candidates in columns, a slider over epochs.

    The page draws the cell above it, each candidate as a line as wide as its weight. Each has its
    own room, so that long names of candidates do not reach into the next one.
    """
    epochs = _weights_by_epoch(facts)
    if not epochs:
        return []
    most = max(_largest(cells) for _, cells in epochs)
    maps = []
    for position, (cell, weights) in enumerate(epochs[-1][1].items(), 1):
        figure = new_figure(HEAT_ROW * max(len(weights["edges"]), 1) + 118, _heat(weights))
        figure.update_yaxes(autorange="reversed", automargin=True, ticks="", showgrid=False)
        figure.update_xaxes(automargin=True, ticks="", showgrid=False)
        figure.update_layout(
            margin={"l": 56, "r": 16, "t": 8, "b": 110},
            coloraxis={"colorscale": _SCALE, "cmin": 0, "cmax": most, "showscale": False},
        )
        frames = [
            {"name": f"epoch {epoch}", "z": _rounded(cells[cell])}
            for epoch, cells in epochs
            if cell in cells
        ]
        alt = f"Heat map of the weights of the candidates on each edge of the {cell} cell"
        graph = edge_graph(weights, most)
        one = shown(f"weights-{position}", figure, alt, frames=frames, graph=graph)
        maps += [(f"{cell} cell", one)] if one else []
    return maps


_SCALE = [[0, "#fbfcfd"], [0.5, "#bcd9ec"], [1, "#5ba4d4"]]


def _heat(weights: Mapping[str, Any]) -> go.Heatmap:
    import plotly.graph_objects as go

    names = [words(str(name)).replace(" | ", "<br>or ") for name in weights["operations"]]
    return go.Heatmap(
        x=names,
        y=[escape(str(edge)) for edge in weights["edges"]],
        z=_rounded(weights),
        coloraxis="coloraxis",
        xgap=2,
        ygap=2,
        texttemplate="%{z:.2f}",
        textfont={"color": "#17202a"},
        hovertemplate="%{y}: %{x}<br>weight %{z:.4f}<extra></extra>",
    )


def _largest(cells: Mapping[str, Any]) -> float:
    return max((value for w in cells.values() for row in w["weights"] for value in row), default=1)


def _rounded(weights: Mapping[str, Any]) -> list[list[float]]:
    return [[round(value, 4) for value in row] for row in weights["weights"]]


def _supernet(facts: Facts) -> go.Figure | None:
    """The supernet's validation metric, and the entropy of its edge weights, by epoch."""
    import plotly.graph_objects as go

    if not any(metrics for _, metrics in facts.supernets):
        return None
    figure = new_figure(300)
    several = len(facts.supernets) > 1
    for record, metrics in facts.supernets:
        own = f" (trial {record.number})" if several else ""
        steps = [entry.step for entry in metrics]
        figure.add_trace(
            go.Scatter(
                x=steps,
                y=[entry.values.get(facts.objective) for entry in metrics],
                name=f"supernet's validation {words(facts.objective)}{own}",
                mode="lines+markers",
                line={"color": FOUND_COLOUR},
            )
        )
        cells: dict[str, None] = {}
        for entry in metrics:
            cells.update(dict.fromkeys(entry.records.get("entropy") or {}))
        for cell, colour in zip(cells, COLOURS * len(cells), strict=False):
            figure.add_trace(
                go.Scatter(
                    x=steps,
                    y=[(entry.records.get("entropy") or {}).get(cell) for entry in metrics],
                    name=f"entropy of the {words(cell)} cell{own}",
                    mode="lines",
                    yaxis="y2",
                    line={"dash": "dot", "color": colour},
                )
            )
    label_axes(figure, "epoch of the search", f"validation {facts.objective}", facts.objective)
    figure.update_layout(
        yaxis2={
            "title": axis_title("entropy (nats)"),
            "overlaying": "y",
            "side": "right",
            "showgrid": False,
            "zeroline": False,
            "rangemode": "tozero",
            "automargin": True,
            "tickmode": "auto",
            "nticks": 6,
        },
    )
    return figure


def curves(facts: Facts) -> Shown | None:
    """Validation metrics of the final trainings by epoch: mean and range, a menu of metrics."""
    import plotly.graph_objects as go

    names: dict[str, None] = {}
    for network in facts.networks:
        for _, entries in network.trainings:
            for entry in entries:
                names.update(dict.fromkeys(name for name in entry.values if name not in COSTS))
    metrics = sorted(names, key=lambda name: name != facts.objective)
    if not metrics:
        return None
    colours, figure, owners = looks(facts.networks), new_figure(400), []
    for metric in metrics:
        # Random architectures lie behind, what was found in front.
        for network in reversed(facts.networks):
            columns = _columns([entries for _, entries in network.trainings], metric)
            if not columns:
                continue
            steps, (colour, dash) = list(columns), colours[network.name]
            low, high = [min(c) for c in columns.values()], [max(c) for c in columns.values()]
            mean = [statistics.fmean(column) for column in columns.values()]
            common = {"legendgroup": network.name, "visible": metric == metrics[0]}
            figure.add_trace(
                go.Scatter(
                    x=steps + steps[::-1],
                    y=high + low[::-1],
                    fill="toself",
                    hoverinfo="skip",
                    mode="lines",
                    fillcolor=_transparent(colour),
                    line={"width": 0},
                    showlegend=False,
                    **common,
                )
            )
            figure.add_trace(
                go.Scatter(
                    x=steps,
                    y=mean,
                    name=escape(network.title),
                    mode="lines",
                    line={
                        "color": colour,
                        "dash": dash,
                        "width": 3 if network.name == FOUND else 1.8,
                    },
                    **common,
                )
            )
            owners += [metric, metric]
    label_axes(
        figure, "epoch (or fold, where a fit has no epochs)", f"validation {metrics[0]}", metrics[0]
    )
    # The legend goes below, where the page makes room for it: it would run into the menu.
    below = {"traceorder": "reversed", "yref": "container", "y": 0, "yanchor": "bottom"}
    figure.update_layout(legend=below, margin={"b": 80})
    menu = _menu(metrics, owners) if len(metrics) > 1 else []
    return shown("curves", figure, "Learning curves of the final trainings", menu=menu)


def _columns(trainings: Sequence[Sequence[MetricRecord]], metric: str) -> dict[int, list[float]]:
    """Epoch -> values of all trainings that reported the metric then."""
    columns: dict[int, list[float]] = {}
    for entries in trainings:
        for entry in entries:
            value = entry.values.get(metric)
            if isinstance(value, int | float):
                columns.setdefault(entry.step, []).append(value)
    return dict(sorted(columns.items()))


def _menu(metrics: Sequence[str], owners: Sequence[str]) -> list[dict[str, Any]]:
    """What to change of traces and layout for each metric."""
    return [
        {
            "label": metric.replace("_", " "),
            "traces": {"visible": [owner == metric for owner in owners]},
            "layout": {
                "yaxis.title.text": f"validation {words(metric)}",
                "yaxis.tickformat": tick_format(metric),
                "yaxis.autorangeoptions": limits(metric),
            },
        }
        for metric in metrics
    ]


def _transparent(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.13)"


def _progress(facts: Facts) -> go.Figure | None:
    """Each trained trial's objective by number, coloured by state, and the best so far."""
    import plotly.graph_objects as go

    trained = [record for record, _ in facts.search if record.kind == "train"]
    valued = [r for r in trained if isinstance(r.values.get(facts.objective), int | float)]
    if len(valued) < 2:
        return None
    figure, shown_ones = new_figure(320), thinned(valued, MOST_POINTS)
    for state in dict.fromkeys(str(record.state) for record in shown_ones):
        mine = [record for record in shown_ones if str(record.state) == state]
        figure.add_trace(
            go.Scatter(
                x=numbers([record.number for record in mine]),
                y=numbers([record.values[facts.objective] for record in mine]),
                mode="markers",
                name=state,
                marker={
                    "size": 9 if len(valued) < 200 else 5,
                    "color": STATES.get(state, RANDOM_COLOUR),
                },
                hovertemplate="trial %{x}: %{y}<extra></extra>",
            )
        )
    done = [record for record in valued if str(record.state) == "done"]
    better = max if facts.direction == "maximize" else min
    line: list[tuple[int, float]] = []
    for record in done:
        value = record.values[facts.objective]
        if not line or better(line[-1][1], value) != line[-1][1] or record is done[-1]:
            line.append((record.number, better(line[-1][1], value) if line else value))
    figure.add_trace(
        go.Scatter(
            x=[number for number, _ in line],
            y=[value for _, value in line],
            mode="lines",
            name="best so far",
            line={"shape": "hv", "color": "#d55e00"},
        )
    )
    label_axes(figure, "trial", facts.judged, facts.objective)
    return figure
