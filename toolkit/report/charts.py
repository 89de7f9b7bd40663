"""The report's charts of trainings. All labels are escaped, since plotly reads them as HTML."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from toolkit.contracts.costs import COSTS
from toolkit.report.facts import FOUND, RANDOM, Facts, Network
from toolkit.report.plotting import (
    COLOURS,
    FOUND_COLOUR,
    GRID,
    RANDOM_COLOUR,
    axis_title,
    dress,
    label_axes,
    new_figure,
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
HEAT_ROW, HEAT_GAP = 34, 92
"""Height of one edge, and between two cells, in pixels."""
MAX_FRAMES = 60
"""Epochs a heat map's slider offers at most; more would only make the file heavy."""


def all_figures(facts: Facts) -> dict[str, go.Figure | None]:
    """Returns the charts of this module by name; None where a run has nothing to show."""
    return {
        "results": _results(facts),
        "weights": _edge_weights(facts),
        "supernet": _supernet(facts),
        "curves": _curves(facts),
        "progress": _progress(facts),
    }


def _colours(networks: Iterable[Network]) -> dict[str, str]:
    colours = {FOUND: FOUND_COLOUR, RANDOM: RANDOM_COLOUR}
    free = iter(COLOURS * 20)
    for network in networks:
        if network.name not in colours:
            colours[network.name] = next(free)
    return colours


def _results(facts: Facts) -> go.Figure | None:
    """Every training's test result as a dot, with the mean and standard deviation beside."""
    import plotly.graph_objects as go

    if facts.outcome is None or len(facts.networks) < 2 or not facts.metrics:
        return None
    metric, colours = facts.metrics[0], _colours(facts.networks)
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
                marker={"color": colours[network.name], "size": 9, "opacity": 0.45},
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
                    "color": colours[network.name],
                    "symbol": "line-ns",
                    "size": 18,
                    "line": {"width": 3, "color": colours[network.name]},
                },
            )
        )
    figure.update_xaxes(
        title=axis_title(f"test {words(metric)}"),
        gridcolor=GRID,
        zeroline=False,
        tickformat=tick_format(metric),
    )
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


def _edge_weights(facts: Facts) -> go.Figure | None:
    """A heat map for each cell: edges in rows, candidates in columns, a slider over epochs."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    epochs = _weights_by_epoch(facts)
    if not epochs:
        return None
    last = epochs[-1][1]
    rows = [max(len(weights["edges"]), 1) for weights in last.values()]
    height = HEAT_ROW * sum(rows) + HEAT_GAP * (len(rows) - 1)
    figure = make_subplots(
        rows=len(last),
        cols=1,
        row_heights=rows,
        vertical_spacing=HEAT_GAP / height if len(rows) > 1 else 0,
        subplot_titles=[f"{words(cell)} cell" for cell in last],
    )
    for position, weights in enumerate(last.values(), 1):
        figure.add_trace(_heat(weights), position, 1)
    figure.frames = [
        go.Frame(data=[_heat(weights) for weights in cells.values()], name=str(epoch))
        for epoch, cells in epochs
        if cells.keys() == last.keys()
    ]
    figure.update_yaxes(autorange="reversed", automargin=True, ticks="", showgrid=False)
    figure.update_xaxes(automargin=True, ticks="", showgrid=False)
    figure.update_annotations(font={"size": 14}, xanchor="left", x=0)
    below = 140 if len(figure.frames) > 1 else 56
    dress(figure, height + 36 + below)
    figure.update_layout(
        margin={"l": 56, "r": 16, "t": 36, "b": below},
        coloraxis={
            "colorscale": [[0, "#fbfcfd"], [0.5, "#bcd9ec"], [1, "#5ba4d4"]],
            "cmin": 0,
            "cmax": max(_largest(cells) for _, cells in epochs),
            "showscale": False,
        },
    )
    if len(figure.frames) > 1:
        figure.update_layout(sliders=[_slider([frame.name for frame in figure.frames])])
    return figure


def _heat(weights: Mapping[str, Any]) -> go.Heatmap:
    import plotly.graph_objects as go

    names = [words(str(name)).replace(" | ", "<br>or ") for name in weights["operations"]]
    return go.Heatmap(
        x=names,
        y=[escape(str(edge)) for edge in weights["edges"]],
        z=[[round(value, 4) for value in row] for row in weights["weights"]],
        coloraxis="coloraxis",
        xgap=2,
        ygap=2,
        texttemplate="%{z:.2f}",
        textfont={"color": "#17202a"},
        hovertemplate="%{y}: %{x}<br>weight %{z:.4f}<extra></extra>",
    )


def _largest(cells: Mapping[str, Any]) -> float:
    return max((value for w in cells.values() for row in w["weights"] for value in row), default=1)


def _slider(names: Sequence[str]) -> dict[str, Any]:
    jump = {
        "mode": "immediate",
        "frame": {"duration": 0, "redraw": True},
        "transition": {"duration": 0},
    }
    return {
        "active": len(names) - 1,
        "currentvalue": {"prefix": "epoch "},
        "pad": {"t": 54},
        "steps": [{"label": n, "method": "animate", "args": [[n], jump]} for n in names],
    }


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


def _curves(facts: Facts) -> go.Figure | None:
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
    colours, figure, owners = _colours(facts.networks), new_figure(400), []
    for metric in metrics:
        # Random architectures lie behind, what was found in front.
        for network in reversed(facts.networks):
            columns = _columns([entries for _, entries in network.trainings], metric)
            if not columns:
                continue
            steps, colour = list(columns), colours[network.name]
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
                    line={"color": colour, "width": 3 if network.name == FOUND else 1.8},
                    **common,
                )
            )
            owners += [metric, metric]
    label_axes(figure, "epoch", f"validation {metrics[0]}", metrics[0])
    # The legend goes below: on a narrow screen it would run into the menu.
    below = {"traceorder": "reversed", "yref": "container", "y": 0, "yanchor": "bottom"}
    figure.update_layout(legend=below, margin={"b": 92})
    if len(metrics) > 1:
        figure.update_layout(updatemenus=[_menu(metrics, owners)], margin={"t": 52})
    return figure


def _columns(trainings: Sequence[Sequence[MetricRecord]], metric: str) -> dict[int, list[float]]:
    """Epoch -> values of all trainings that reported the metric then."""
    columns: dict[int, list[float]] = {}
    for entries in trainings:
        for entry in entries:
            value = entry.values.get(metric)
            if isinstance(value, int | float):
                columns.setdefault(entry.step, []).append(value)
    return dict(sorted(columns.items()))


def _menu(metrics: Sequence[str], owners: Sequence[str]) -> dict[str, Any]:
    buttons = [
        {
            "label": words(metric),
            "method": "update",
            "args": [
                {"visible": [owner == metric for owner in owners]},
                {
                    "yaxis.title.text": f"validation {words(metric)}",
                    "yaxis.tickformat": tick_format(metric),
                },
            ],
        }
        for metric in metrics
    ]
    return {
        "buttons": buttons,
        "x": 1,
        "xanchor": "right",
        "y": 1.02,
        "yanchor": "bottom",
        "bgcolor": "rgba(128,140,152,0.12)",
        "bordercolor": GRID,
        "showactive": False,
        "type": "dropdown",
    }


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
    figure = new_figure(320)
    for state in dict.fromkeys(str(record.state) for record in valued):
        mine = [record for record in valued if str(record.state) == state]
        figure.add_trace(
            go.Scatter(
                x=[record.number for record in mine],
                y=[record.values[facts.objective] for record in mine],
                mode="markers",
                name=state,
                marker={"size": 9, "color": STATES.get(state, RANDOM_COLOUR)},
                text=[f"trial {record.number}" for record in mine],
            )
        )
    done = [record for record in valued if str(record.state) == "done"]
    better = max if facts.direction == "maximize" else min
    best, line = None, []
    for record in done:
        value = record.values[facts.objective]
        best = value if best is None else better(best, value)
        line.append(best)
    figure.add_trace(
        go.Scatter(
            x=[record.number for record in done],
            y=line,
            mode="lines",
            name="best so far",
            line={"shape": "hv", "color": "#d55e00"},
        )
    )
    label_axes(figure, "trial", f"validation {facts.objective}", facts.objective)
    return figure
