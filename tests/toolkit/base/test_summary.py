"""Means and deviations of repeated results, and numbers that read well at every size."""

from __future__ import annotations

import math
import re
import statistics
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.base.summary import (
    Statistics,
    format_cost,
    format_metric,
    format_number,
    statistics_of,
)


def test_the_deviation_is_that_of_a_sample_and_zero_for_one_result() -> None:
    found = Statistics.of([0.9, 0.92, 0.97])
    assert found.mean == statistics.fmean([0.9, 0.92, 0.97])
    assert found.std == pytest.approx(math.sqrt((0.03**2 + 0.01**2 + 0.04**2) / 2))
    assert found.seeds == (0.9, 0.92, 0.97)
    assert Statistics.of([0.5]) == Statistics(0.5, 0.0, (0.5,))


def test_metrics_are_summed_up_over_the_rows_that_have_them() -> None:
    rows = [{"accuracy": 0.9, "note": None}, {"accuracy": 0.8, "extra": 3}]
    assert statistics_of(rows) == {
        "accuracy": Statistics.of([0.9, 0.8]),
        "extra": Statistics.of([3]),
    }
    assert statistics_of([]) == {}


def of(mean: float, std: float | None, **seeds: Any) -> dict[str, Any]:
    return {"mean": mean, "std": std, **seeds}


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (format_metric(of(0.9531, 0.0042)), "0.9531 ± 0.0042"),
        (format_metric(of(483.2, 12.3)), "483 ± 12"),
        (format_metric(of(0.278406, 0.000053)), "0.27841 ± 0.00005"),
        (format_metric(of(1234.5, 123.0)), "1234 ± 123"),
        (format_metric(of(-3.21, 0.996)), "-3.2 ± 1.0"),
        (format_metric(of(0.003, 1.2)), "0.0 ± 1.2"),
        (format_metric(of(0.25, 0.0)), "0.2500 ± 0.0000"),
        (format_metric(of(0.25, 1e-12)), "0.250000 ± 0.000000"),
        (format_metric(of(1.2e-5, 3.1e-6)), "(1.20 ± 0.31)e-05"),
        (format_metric(of(5e9, 3e8)), "(5.00 ± 0.30)e+09"),
        (format_metric(of(0.9531, 0.0042), share=True), "95.31 ± 0.42 %"),
        (format_metric(Statistics.of([0.95, 0.96]), share=True), "95.50 ± 0.71 %"),
        (format_metric(of(95.31, 0.42), share=True), "95.31 ± 0.42"),
        (format_metric(0.9531, share=True), "95.31 %"),
        (format_metric(of(0.9531, 0.0, seeds=[0.9531])), "0.9531"),
        (format_metric(Statistics.of([0.9531])), "0.9531"),
        (format_metric(of(0.9531, None)), "0.9531"),
        (format_metric(of(0.9531, math.nan)), "0.9531"),
        (format_metric(of(math.nan, 0.1)), "–"),
        (format_metric({}), "–"),
        (format_metric(None), "–"),
        (format_number(0.12345), "0.1235"),
        (format_number(3.0), "3"),
        (format_number(12345.6), "12346"),
        (format_number(1e12), "1e+12"),
        (format_number(123.4, 2), "123"),
        (format_cost(of(12_410_000, 0.0)), "12.41 M"),
        (format_cost(of(12_410_000, 250_000)), "12.41 ± 0.25 M"),
        (format_cost(of(9_800, 0.0)), "9800"),
        (format_cost(of(0.412, 0.0301)), "0.412 ± 0.030"),
        (format_cost(None), "–"),
    ],
)
def test_numbers_read_well(shown: str, expected: str) -> None:
    assert shown == expected


@given(
    st.floats(-99_999, 99_999, allow_subnormal=False),
    st.floats(1e-3, 99_999, allow_subnormal=False),
)
def test_a_mean_ends_where_its_deviation_does(mean: float, std: float) -> None:
    found = re.fullmatch(r"(-?[\d.]+) ± ([\d.]+)", format_metric({"mean": mean, "std": std}))
    assert found is not None
    shown = [float(found[1]), float(found[2])]
    place = 10 ** -len(found[2].partition(".")[2])
    assert len(found[1].partition(".")[2]) == len(found[2].partition(".")[2])
    assert shown == pytest.approx([mean, std], abs=0.51 * place)
    # Two digits of the deviation, unless they are beyond the sixth of the mean.
    assert len(found[2].replace(".", "").lstrip("0")) >= 2 or place > 0.9e-6 * abs(mean)
