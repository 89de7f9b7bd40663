"""Charts as plain data: words add up, arrays are packed, nothing is said that was not."""

from __future__ import annotations

import base64
import json

import numpy as np

from toolkit.report.figure import Figure, heatmap, scatter
from toolkit.report.plotting import dress, label_axes, new_figure, shown


def test_words_about_a_part_add_up_and_none_says_nothing() -> None:
    figure = Figure()
    figure.update_layout(margin={"l": 1, "t": 2}, legend={"font": {"size": 9}}, title=None)
    figure.update_layout(margin={"t": 8}, legend={"font": {"color": "red"}})
    figure.update_xaxes(type=None, title={"text": "lr"}, autorangeoptions={})
    figure.update_xaxes(type="log")
    assert figure.plain()["layout"] == {
        "margin": {"l": 1, "t": 8},
        "legend": {"font": {"size": 9, "color": "red"}},
        "xaxis": {"title": {"text": "lr"}, "type": "log"},
    }


def test_what_several_charts_are_given_is_not_changed_by_one() -> None:
    legend = {"x": 0}
    first, second = Figure(), Figure()
    first.update_layout(legend=legend)
    first.update_layout(legend={"y": 1})
    second.update_layout(legend=legend)
    assert legend == {"x": 0} == second.plain()["layout"]["legend"]


def test_arrays_are_packed_as_the_pages_library_unpacks_them() -> None:
    figure = Figure([scatter(x=(1, 2), y=np.array([0.5, np.nan]), text=None)])
    (trace,) = figure.plain()["data"]
    assert trace.keys() == {"type", "x", "y"} and trace["x"] == [1, 2]
    assert trace["y"]["dtype"] == "f8"
    unpacked = np.frombuffer(base64.b64decode(trace["y"]["bdata"]), "<f8")
    np.testing.assert_array_equal(unpacked, [0.5, np.nan])


def test_lines_and_texts_are_drawn_in_the_order_given() -> None:
    figure = Figure()
    for x in (0, 1):
        figure.add_vline(x, {"width": 1})
        figure.add_annotation(x=x, text=str(x))
    layout = figure.plain()["layout"]
    assert [shape["x0"] == shape["x1"] == x for x, shape in enumerate(layout["shapes"])] == [
        True
    ] * 2
    assert {shape["yref"] for shape in layout["shapes"]} == {"y domain"}
    assert [text["text"] for text in layout["annotations"]] == ["0", "1"]


def test_a_chart_is_json_that_ends_no_script() -> None:
    figure = new_figure(300, showlegend=False)
    figure.add_trace(scatter(x=[1, 30], y=[0.5, float("inf")], name="</script>"))
    label_axes(figure, "epoch", "accuracy", "accuracy")
    chart = shown("one", figure, "A chart", menu=[])
    assert chart is not None and chart.height == 300 and "<" not in chart.spec
    spec = json.loads(chart.spec)
    assert spec["menu"] == [] and spec["data"][0]["y"] == [0.5, None]
    assert spec["layout"]["xaxis"]["dtick"] == 5 and spec["layout"]["showlegend"] is False


def test_axes_of_a_table_of_colours_have_no_numbers_to_look_at() -> None:
    figure = dress(Figure([heatmap(z=[[1]])]), 100)
    label_axes(figure, "x", "y")
    assert figure.plain()["layout"]["xaxis"]["dtick"] == 1
