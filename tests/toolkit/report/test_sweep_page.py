"""The page of a sweep: every combination, what was best, what failed, and nothing as markup."""

from __future__ import annotations

from pathlib import Path

from toolkit.contracts import TrialState
from toolkit.report import write_report
from toolkit.run.records import TrialRecord
from toolkit.sweeps.axes import parse_axis
from toolkit.sweeps.table import make_table, write_table

EVIL = "<img src=x onerror=alert(1)>"
FACTS = {"recipe": EVIL, "whole_runs": False, "seeds": 2, "exit_code": 0, "ended": 6}


def record(number: int, lr: float, repeat: int, accuracy: float | None) -> TrialRecord:
    return TrialRecord(
        number,
        "search",
        "train",
        TrialState.FAILED if accuracy is None else TrialState.DONE,
        {"train": {"lr": lr}},
        "abcd",
        repeat,
        values={} if accuracy is None else {"accuracy": accuracy},
        token={"configuration": number, "repeat": repeat},
        error=f"Traceback\nValueError: {EVIL}" if accuracy is None else "",
    )


def test_a_sweep_has_a_page_of_its_own_that_can_be_written_again(tmp_path: Path) -> None:
    results = [(0.001, 0.5), (0.001, 0.52), (0.1, 0.9), (0.1, 0.88), (10.0, None), (10.0, None)]
    records = [record(n, lr, n % 2, value) for n, (lr, value) in enumerate(results, 1)]
    table = make_table(records, [parse_axis("train.lr=0.001,0.1,10.0")], "accuracy", "maximize")
    write_table(table, tmp_path, FACTS)
    page = (tmp_path / "report.html").read_text()
    assert page.index("89.0 ± 1.4 %") < page.index("51.0 ± 1.4 %")
    assert "−38.00 points" in page
    assert "ValueError: &lt;img" in page and EVIL not in page.replace("\\u003c", "<wrong>")
    assert 'id="chart-results"' in page and 'id="chart-slice-1"' in page
    again = write_report(tmp_path, tmp_path / "again.html")
    assert again.read_text() == page
