"""The page in a real browser: trials sorted and filtered, charts, several runs, the buttons."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from browser import browser
from command_line import IN_PROCESS
from tiny import PLUGIN
from toolkit.report.watch.server import WatchServer
from toolkit.run.facts import CREATED
from toolkit.run.ledger import Ledger
from toolkit.run.state import state_of

from .conftest import trial

CSS = "css selector"
RECIPE = """\
version: 1
name: tiny
task: tiny_task
space: {name: tiny_space, epochs: 20, pause_s: 0.1}
strategy: draw
budget: {trials: 1}
resources: {executor: in_process, workers: 1}
train: {epochs: 20, final: {seeds: 1, random: 0, baselines: false}}
"""


def until(test: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    """Waits until something is so; returns it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := test():
            return found
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s: {what}")


def column(driver: Any, number: int) -> list[str]:
    return driver.execute_script(
        "return Array.from(document.querySelectorAll('#trials tbody tr'),"
        " row => row.cells[arguments[0]].textContent)",
        number,
    )


def click(driver: Any, selector: str) -> None:
    driver.execute_script("document.querySelector(arguments[0]).click()", selector)


def test_trials_are_sorted_filtered_and_followed(
    serve: Callable[..., WatchServer], make_run: Callable[..., Path], tmp_path: Path
) -> None:
    values = [(0.0004, 0.7), (0.00041, 0.9), (0.1, 0.8), (0.02, None)]
    make_run(tmp_path / "a", (0.3, 0.95), (0.4, 0.6), name="other")
    folder = make_run(tmp_path / "b", *values)
    ledger = Ledger.open(folder / "ledger.sqlite")
    ledger.put_fact(CREATED, 1000.0)
    ledger.close()
    server = serve(tmp_path)
    with browser() as driver:
        driver.get(server.address)
        until(lambda: len(column(driver, 1)) == 4, "the trials of the newest run")
        heads = [head.text for head in driver.find_elements(CSS, "#trials th")]
        assert "train.lr" in heads and "accuracy" in heads
        lr = heads.index("train.lr")
        click(driver, '[data-key="sort chosen:train.lr"]')
        assert column(driver, lr) == ["0.0004", "0.00041", "0.02", "0.1"]
        click(driver, '[data-key="sort value:accuracy"]')
        click(driver, '[data-key="sort value:accuracy"]')
        assert column(driver, 1) == ["2", "3", "1", "4"], "what is missing comes last"
        driver.find_element(CSS, "#filter").send_keys("accuracy>=0.8 lr<0.05")
        until(lambda: column(driver, 1) == ["2"], "the filter")
        driver.find_element(CSS, "#filter").clear()
        driver.find_element(CSS, "#filter").send_keys("state=running")
        until(lambda: column(driver, 1) == ["4"], "a filter of words")
        driver.find_element(CSS, "#filter").clear()
        driver.find_element(CSS, "#filter").send_keys(" ")
        drawn = "#progress.js-plotly-plot", "#front.js-plotly-plot", "#curves.js-plotly-plot"
        for chart in (*drawn, "#parallel.js-plotly-plot"):
            until(lambda chart=chart: driver.find_elements(CSS, chart), chart)

        ledger = Ledger.open(folder / "ledger.sqlite")
        ledger.put(trial(4, 0.02, 0.99))
        ledger.put(trial(5, 0.02, 0.1))
        ledger.close()
        until(lambda: "99.00 %" in column(driver, heads.index("accuracy")), "the new result")

        click(driver, "#runs tbody tr:nth-child(1) input")
        until(lambda: len(column(driver, 1)) == 7, "both runs")
        assert {"a", "b"} == set(column(driver, 1)), "a column tells the runs apart"
        lines = "return document.querySelector('#progress').data.map(trace => trace.name)"
        until(lambda: driver.execute_script(lines) == ["a", "b"], "a line for each run")
        assert driver.find_element(CSS, "#runs-said").text == "2 runs."
        # Trials that have told nothing by epoch leave no empty axis.
        hidden = "return document.querySelector('#curves').parentElement.hidden"
        assert driver.execute_script(hidden) is False
        click(driver, '#trials [data-key$=":5"]')
        until(lambda: driver.execute_script(hidden), "no chart of a trial without epochs")
        wide = "return document.documentElement.scrollWidth"
        assert driver.execute_script(wide) <= driver.execute_script("return innerWidth")
        assert [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"] == []


@pytest.mark.slow
def test_a_run_is_stopped_and_gone_on_with(
    serve: Callable[..., WatchServer], tmp_path: Path
) -> None:
    (tmp_path / "tiny.yaml").write_text(RECIPE)
    plugins = ["--plugin", str(PLUGIN), "--plugin", str(IN_PROCESS)]
    words = [sys.executable, "-m", "toolkit", "search", "tiny.yaml", "--quiet", *plugins]
    engine = subprocess.Popen([*words, "-o", "runs/a"], cwd=tmp_path)
    folder = tmp_path / "runs" / "a"
    try:
        until(lambda: "trial_reported" in _events(folder), "a training")
        server = serve(tmp_path / "runs")
        with browser() as driver:
            driver.get(server.address)
            until(lambda: driver.find_elements(CSS, "td button"), "the button")
            click(driver, "td button")
            driver.switch_to.alert.accept()
            assert engine.wait(60) == 130
            until(lambda: _label(driver) == "go on", "the state of the run")
            click(driver, "td button")
            alert = until(lambda: _alert(driver), "the command")
            assert "toolkit search tiny.yaml" in alert.text and str(folder) in alert.text
            alert.accept()
            until(lambda: state_of(folder) == "done", "the end of the run", 120)
            until(lambda: _text(driver, "#runs .state") == "done", "its state")
    finally:
        if engine.poll() is None:
            engine.kill()
        engine.wait()


def _events(folder: Path) -> str:
    path = folder / "events.jsonl"
    return path.read_text() if path.is_file() else ""


def _label(driver: Any) -> str:
    return _text(driver, "td button")


def _text(driver: Any, selector: str) -> str:
    """Reads at once: the page may put a new element in place of one that was found."""
    script = "return document.querySelector(arguments[0])?.textContent.trim() ?? ''"
    return driver.execute_script(script, selector)


def _alert(driver: Any) -> Any:
    from selenium.common.exceptions import NoAlertPresentException

    try:
        return driver.switch_to.alert
    except NoAlertPresentException:
        return None
