"""Points that a space knows to be good are tried first, and once."""

from __future__ import annotations

from typing import Any

import pytest

ANCHORS = "space={name: tiny_space, epochs: 0, anchors: [[3, 7], [5, 9], [99, 1]]}"


def widths(inline: Any) -> list[tuple[int, int]]:
    points = [record.point["architecture"] for record in inline.trials()]
    return [(point["width"], point["depth"]) for point in points]


def test_anchors_come_first_and_the_strategy_after_them(inline: Any) -> None:
    assert inline(ANCHORS, "budget.trials=6")[0] == 0
    assert widths(inline)[:2] == [(3, 7), (5, 9)], "99 is no width of the tree"
    assert len(set(widths(inline))) == 6


def test_half_of_a_small_search_at_most_are_anchors(inline: Any) -> None:
    assert inline(ANCHORS, "budget.trials=3")[0] == 0
    found = widths(inline)
    assert found[0] == (3, 7) and (5, 9) not in found


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_killed_search_proposes_no_anchor_twice(inline: Any, count: int) -> None:
    assert inline.cut_off(ANCHORS, "budget.trials=6", at="trial_ended", count=count)
    assert inline(ANCHORS, "budget.trials=6")[0] == 0
    found = widths(inline)
    assert found[:2] == [(3, 7), (5, 9)] and len(set(found)) == len(found) == 6
