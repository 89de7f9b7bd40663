"""One page compares runs: what each reached by when, how they differ, what the tests tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import toolkit
from command_line import run_toolkit
from toolkit.base.summary import Statistics
from toolkit.contracts import TrialState
from toolkit.errors import RecipeError
from toolkit.report import comparison
from toolkit.report.comparison import Compared, differences
from toolkit.report.comparison import test_rows as rows_of
from toolkit.report.facts import read_facts
from toolkit.run.facts import OBJECTIVES, OUTCOME, RECIPE
from toolkit.run.ledger import Ledger
from toolkit.run.outcome import RunOutcome, TrainingResult
from toolkit.run.records import TrialRecord


def make(folder: Path, results: list[float], tests: dict[int, float], **recipe: Any) -> Path:
    """A run whose trials end every 10 s, after 2 epochs each; with a pause of 1000 s before the
    third."""
    ledger = Ledger.open(folder / "ledger.sqlite") if folder.mkdir(parents=True) is None else None
    assert ledger is not None
    ledger.put_fact(RECIPE, {"name": "mine", "train": {"lr": 0.1, "epochs": 2}, **recipe})
    ledger.put_fact(OBJECTIVES, {"accuracy": "maximize"})
    for number, value in enumerate(results, 1):
        pause = 1000.0 if number > 2 else 0.0
        record = TrialRecord(
            number,
            "search",
            "train",
            TrialState.DONE,
            {"architecture": {}},
            "abcd",
            number,
            values={"accuracy": value},
            epochs_paid=2.0,
            folder=f"trials/{number}",
            started=pause + 10.0 * (number - 1),
            ended=pause + 10.0 * number,
        )
        ledger.put(record)
    trainings = tuple(
        TrainingResult(100 + s, "found", s, "abcd", 10, {"accuracy": v}, {"accuracy": v})
        for s, v in tests.items()
    )
    if tests:
        values = list(tests.values())
        ledger.put_fact(
            OUTCOME,
            RunOutcome(
                architecture={},
                point={"architecture": {}},
                trial=1,
                fingerprint="abcd",
                values={},
                parameters=10,
                test={"accuracy": Statistics.of(values)},
                baselines={},
                trainings=trainings,
                times_s={},
            ),
        )
    ledger.close()
    return folder


def compared(*folders: Path) -> list[Compared]:
    return [Compared(folder.name, read_facts(folder)) for folder in folders]


def test_incumbents_lie_over_what_was_paid_and_over_the_time_something_ran(tmp_path: Path) -> None:
    (run,) = compared(make(tmp_path / "a", [0.5, 0.4, 0.7], {}))
    assert run.incumbents(run.paid()) == [(2.0, 0.5), (4.0, 0.5), (6.0, 0.7)]
    assert run.seconds() == [10.0, 20.0, 30.0]
    assert run.best == 0.7


def test_equal_seeds_are_compared_in_pairs_and_corrected(tmp_path: Path) -> None:
    best = make(tmp_path / "best", [0.5], {1: 0.90, 2: 0.94, 3: 0.92})
    worse = make(tmp_path / "worse", [0.5], {1: 0.80, 2: 0.85, 3: 0.81})
    other = make(tmp_path / "other", [0.5], {7: 0.70, 8: 0.75})
    rows = rows_of(compared(other, worse, best), "accuracy", "maximize")
    assert [(row.title, row.paired) for row in rows] == [
        ("best", False),
        ("worse", True),
        ("other", False),
    ]
    second, third = rows[1].comparison, rows[2].comparison
    assert second is not None and second.p_holm is not None and second.p_holm < 0.01
    assert third is not None and third.p_holm is None and third.half_width is not None
    assert rows[1].said("accuracy").startswith("−10.00 points (")


def test_keys_that_differ_are_listed_with_the_value_of_each(tmp_path: Path) -> None:
    first = make(tmp_path / "a", [0.5], {})
    second = make(tmp_path / "b", [0.5], {}, train={"lr": 0.2, "epochs": 2}, budget={"trials": 3})
    assert differences(compared(first, second)) == [
        ("train.lr", ["0.1", "0.2"]),
        ("budget.trials", ["", "3"]),
    ]


def test_options_of_another_plugin_stand_apart_from_what_differs(tmp_path: Path) -> None:
    first = make(tmp_path / "a", [0.5], {}, strategy={"name": "random"}, objectives={})
    other = {"name": "tpe", "group": True}
    second = make(tmp_path / "b", [0.5], {}, strategy=other, objectives={"loss": "minimize"})
    page = comparison.content([first, second])
    assert page["differences"] == [
        ("strategy.name", ["random", "tpe"]),
        ("objectives.loss", ["", "minimize"]),
    ]
    assert page["own_options"] == [("strategy.group", ["", "true"])]


def test_the_command_writes_one_page_or_the_report_of_one_run(tmp_path: Path) -> None:
    first = make(tmp_path / "runs" / "a", [0.5, 0.6], {1: 0.9, 2: 0.92})
    second = make(tmp_path / "runs" / "b", [0.55, 0.5], {1: 0.8, 2: 0.83})
    page = tmp_path / "page.html"
    answer = run_toolkit("report", first, second, "-o", page)
    assert (answer.code, answer.out.strip()) == (0, str(page)), answer.err
    text = page.read_text()
    for said in ("mine (a)", "mine (b)", "chart-paid", "chart-time", "paired t-test", "91.0 ±"):
        assert said in text, said
    assert run_toolkit("report", first).out.strip() == str(first / "report.html")
    assert run_toolkit("report", first, "-o", tmp_path / "one.html").code == 0
    assert "mine: report" in (tmp_path / "one.html").read_text()
    assert run_toolkit("report", tmp_path).code == 2


def test_a_run_that_has_just_begun_has_a_report(tmp_path: Path) -> None:
    folder = tmp_path / "young"
    folder.mkdir()
    Ledger.open(folder / "ledger.sqlite").close()
    assert "not finished" in toolkit.Run(folder).report().read_text()


def test_one_run_alone_or_twice_is_no_comparison(tmp_path: Path) -> None:
    folder = make(tmp_path / "a", [0.5], {})
    for runs in ([folder], [folder, folder]):
        with pytest.raises(RecipeError, match="needs two or more"):
            toolkit.compare(runs, tmp_path / "page.html")


def test_names_become_no_markup(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    folders = [make(tmp_path / n, [0.5, 0.6], {}, name=evil + n, x={evil: n}) for n in "ab"]
    page = toolkit.compare(folders, tmp_path / "page.html").read_text()
    assert "<script>alert" not in page and "&lt;script&gt;alert" in page
    assert comparison.content(folders)["differences"]
