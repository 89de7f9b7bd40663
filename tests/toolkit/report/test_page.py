"""The report in a real browser: tables sort by what values are, weights are drawn as widths."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

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


def line_widths(driver: Any) -> list[float]:
    return driver.execute_script(
        "return Array.from(document.querySelectorAll('.graph path'),"
        " line => parseFloat(line.style.strokeWidth))"
    )


def test_a_supernets_weights_are_line_widths_that_a_key_takes_through_the_epochs(
    tmp_path: Path,
) -> None:
    ledger = Ledger.open(tmp_path / "ledger.sqlite")
    ledger.put_fact(RECIPE, {"name": "mine"})
    ledger.put_fact(OBJECTIVES, {"accuracy": "maximize"})
    ledger.put(TrialRecord(1, "search", "supernet", TrialState.DONE, {}, "abcd", 1))
    for epoch, rows in enumerate([[[0.5, 0.5], [0.5, 0.5]], [[0.1, 0.9], [0.75, 0.25]]], 1):
        cell = {"edges": ["0→1", "0→2"], "operations": ["none", "bimap_0"], "weights": rows}
        ledger.add_metrics(1, epoch, {"accuracy": 0.5}, {"edge_weights": {"normal": cell}})
    ledger.close()
    with browser() as driver:
        driver.get(write_report(tmp_path).as_uri())
        deadline = time.monotonic() + 60
        while not (widths := line_widths(driver)) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert [width / widths[1] for width in widths] == pytest.approx(
            [1 / 9, 1, 0.75 / 0.9, 0.25 / 0.9], abs=0.01
        )
        said = "return document.querySelector('.graph svg').getAttribute('aria-label')"
        assert "0 to 1 bimap 0 0.90; 0 to 2 none 0.75" in driver.execute_script(said)
        driver.find_element("css selector", "input[type=range]").send_keys("\ue012")
        assert len(set(line_widths(driver))) == 1
        assert driver.execute_script(said).startswith("epoch 1, ")
