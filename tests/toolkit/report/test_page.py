"""The report in a real browser: its table sorts by what values are, not by how they are rounded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from browser import browser
from toolkit.contracts import TrialState
from toolkit.report import write_report
from toolkit.run.facts import OBJECTIVES, RECIPE
from toolkit.run.ledger import Ledger
from toolkit.run.records import TrialRecord

CHOSEN = [(0.00041234, True), (0.000412339, 0.5), (0.1, False), (0.02, 0.25)]
"""Searched values of four trials; two round to the same text, and truth values stand by numbers."""


def sorted_trials(driver: Any, head: str) -> list[str]:
    """Numbers of trials after a click on a head."""
    return driver.execute_script(
        "const heads = Array.from(document.querySelectorAll('table.sortable th'));"
        "heads.find(each => each.textContent === arguments[0]).querySelector('button').click();"
        "return Array.from(document.querySelectorAll('table.sortable tbody tr'),"
        " row => row.cells[0].textContent)",
        head,
    )


def test_searched_values_are_sorted_in_full_and_numbers_before_truth_values(
    tmp_path: Path,
) -> None:
    ledger = Ledger.open(tmp_path / "ledger.sqlite")
    ledger.put_fact(RECIPE, {"name": "mine"})
    ledger.put_fact(OBJECTIVES, {"accuracy": "maximize"})
    for number, (lr, weight) in enumerate(CHOSEN, 1):
        point = {"architecture": {"a": 1}, "train": {"lr": lr, "class_weight": weight}}
        values = {"accuracy": number / 10}
        record = TrialRecord(
            number, "search", "train", TrialState.DONE, point, "abcd", number, values=values
        )
        ledger.put(record)
    ledger.close()
    with browser() as driver:
        driver.get(write_report(tmp_path).as_uri())
        assert sorted_trials(driver, "train.lr") == ["2", "1", "4", "3"]
        assert sorted_trials(driver, "train.lr") == ["3", "4", "1", "2"]
        assert sorted_trials(driver, "train.class_weight") == ["4", "2", "3", "1"]
