"""`Study`: a loop of one's own over any strategy, which survives its program."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from command_line import run_toolkit
from toolkit import Run, Study, ToolkitError
from toolkit.contracts import Trial
from toolkit.errors import PluginError, RecipeError, ResumeError, RunLockedError
from toolkit.space import Choice, Float, Group

SPACE = {"lr": {"log": [1e-4, 1e-1]}, "body": {"layers": {"int": [1, 4]}, "kind": "mlp"}}
LOSS = {"loss": "minimize"}


def loss(trial: Trial) -> float:
    assert trial.point is not None
    return float((trial.point["lr"] - 0.01) ** 2)


def work(study: Study, most: int = 100) -> list[Any]:
    """Asks and tells so many trials, or all; their points."""
    points = []
    while len(points) < most and (trial := study.ask()) is not None:
        study.tell(trial, loss=loss(trial))
        points.append(trial.point)
    return points


@pytest.mark.parametrize("strategy", ["optuna.tpe", "random", {"name": "evolution.regularized"}])
def test_a_program_that_was_killed_goes_on_where_it_was(tmp_path: Path, strategy: Any) -> None:
    with Study(SPACE, strategy, LOSS, folder=tmp_path / "whole", trials=12) as whole:
        expected = work(whole)
    first = Study(SPACE, strategy, LOSS, folder=tmp_path / "killed", trials=12)
    before = work(first, 5)
    lost = first.ask()
    assert lost is not None
    first.close()  # As after a kill: what was asked for was never told.
    with Study(SPACE, strategy, LOSS, folder=tmp_path / "killed", trials=12) as second:
        again = second.ask()
        assert again == lost
        second.tell(again, loss=loss(again))
        assert [*before, lost.point, *work(second)] == expected
        assert second.best is not None and second.best.point == min(
            expected, key=lambda point: (point["lr"] - 0.01) ** 2
        )
    assert len(expected) == 12 and all(point["body"]["kind"] == "mlp" for point in expected)


@pytest.mark.parametrize(("step", "value"), [(1.5, 0.5), ("one", 0.5), (1, "good"), (1, None)])
def test_what_is_no_number_is_not_kept(tmp_path: Path, step: Any, value: Any) -> None:
    with Study(SPACE, "random", LOSS, folder=tmp_path / "mine", trials=1) as study:
        trial = study.ask()
        assert trial is not None
        with pytest.raises((TypeError, ValueError)):
            study.report(trial, step, loss=value)
        study.tell(trial, loss=0.5)
    assert Run(tmp_path / "mine").trial(1)["metrics"] == []


def test_its_folder_reads_as_a_run(tmp_path: Path) -> None:
    with Study(SPACE, "random", LOSS, folder=tmp_path / "mine", trials=3) as study:
        work(study, 2)
        trial = study.ask()
        assert trial is not None
        assert study.report(trial, 1, loss=0.5) is True
        study.tell(trial, "failed", error="out of luck")
        assert study.ask() is None
        assert study.run.state == "open study" and study.run.status["study"] == "open"
        study.run.report()
        page = (tmp_path / "mine" / "report.html").read_text()
        assert "This is an ask-and-tell study, which is still open" in page
    run = Run(tmp_path / "mine")
    assert run.state == "closed study" and run.status["study"] == "closed"
    assert run.status["trials"] == {"done": 2, "failed": 1}
    assert run.trial(3)["metrics"] == [{"step": 1, "loss": 0.5}]
    assert run.trial(3)["error"] == "out of luck"
    assert run.best is not None and run.best.values["loss"] == min(
        row["values"]["loss"] for row in run.rows() if row["state"] == "done"
    )
    page = run.report().read_text()
    assert "which is closed" in page and "not finished" not in page
    assert "validation loss" not in page, "a study does not say on which data it measures"


def test_a_pruner_is_asked(tmp_path: Path) -> None:
    strategy = {"name": "optuna.random", "pruner": {"name": "median", "n_startup_trials": 1}}
    with Study(SPACE, strategy, LOSS, folder=tmp_path, trials=4) as study:
        answers = []
        for level in (0.1, 0.2, 9.0):
            trial = study.ask()
            assert trial is not None
            answers.append(study.report(trial, 1, loss=level))
            study.tell(trial, "done" if answers[-1] else "pruned", loss=level)
    assert answers[0] is True and answers[-1] is False


def test_any_tree_and_several_objectives(tmp_path: Path) -> None:
    tree = Group(kind=Choice({"a": Group(x=Float(0, 1)), "b": None}))
    both = {"loss": "minimize", "size": "minimize"}
    with Study(tree, "optuna.nsga2", both, folder=tmp_path, trials=3) as study:
        while (trial := study.ask()) is not None:
            study.tell(trial, loss=1.0, size=trial.number)
        best = study.best
        assert best is not None and best.number == best.trial == 1
        assert best.values == {"loss": 1.0, "size": 1.0} and best.point == best.architecture
        read = study.run.best
        assert read is not None
        assert (read.number, read.values, read.point) == (best.number, best.values, best.point)


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    for arguments, says in (
        (({}, "random", LOSS), "expected a tree"),
        (({"lr": {"log": [0, 1]}}, "random", LOSS), "lr: "),
        ((SPACE, "random", {}), "expected metrics"),
        ((SPACE, "random", {"loss": "min"}), "expected metrics"),
        ((SPACE, "rondom", LOSS), "No strategy"),
        ((SPACE, "supernet", LOSS), "trains a supernet"),
    ):
        with pytest.raises(ToolkitError, match=says):
            Study(*arguments, folder=tmp_path / "never")  # type: ignore[arg-type]
    assert not (tmp_path / "never").exists()


def test_telling_wrongly_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    with Study(SPACE, "random", LOSS, folder=tmp_path, trials=2) as study:
        trial = study.ask()
        assert trial is not None
        with pytest.raises(RecipeError, match="loss of its objectives is not told"):
            study.tell(trial, accuracy=1.0)
        with pytest.raises(RecipeError, match="expected one of done, pruned"):
            study.tell(trial, "lost")
        study.tell(trial, loss=1.0)
        with pytest.raises(RecipeError, match=r"has ended \(done\)"):
            study.tell(trial, loss=2.0)
        with pytest.raises(RunLockedError):
            Study(SPACE, "random", LOSS, folder=tmp_path)
    for changed in ({"seed": 1}, {"epochs": 3}):
        with pytest.raises(ResumeError, match="another train"):
            Study(SPACE, "random", LOSS, folder=tmp_path, **changed)
    with pytest.raises(ResumeError, match="another space"):
        Study({"lr": {"log": [0.1, 1]}}, "random", LOSS, folder=tmp_path)


def test_a_strategy_that_leaves_the_space_is_told_so(tmp_path: Path) -> None:
    plugin = tmp_path / "stray.py"
    plugin.write_text(
        "from toolkit.contracts import Proposal, Strategy\n"
        "class Stray(Strategy):\n"
        "    def setup(self, context): ...\n"
        "    def ask(self): return Proposal({'no': 1})\n"
        "    def tell(self, trial, state, values): ...\n"
    )
    with (
        Study(SPACE, "stray", LOSS, folder=tmp_path / "s", plugins=[plugin]) as study,
        pytest.raises(PluginError, match="Not a point"),
    ):
        study.ask()


def test_commands_say_that_it_is_one(tmp_path: Path) -> None:
    with Study(SPACE, "random", LOSS, folder=tmp_path / "mine", trials=2) as study:
        work(study)
    assert repr(study).startswith("<Study 'mine' in ") and "closed study, best loss" in repr(study)
    assert "closed study" in study._repr_html_()
    said = {}
    for command in ("status", "best", "runs"):
        answer = run_toolkit(command, str(tmp_path if command == "runs" else study.folder))
        assert answer.code == 0
        said[command] = answer.out
    assert "study     closed" in said["status"] and "tested " not in said["status"]
    assert "Ask-and-tell study, closed" in said["best"] and "Not tested" not in said["best"]
    assert "closed study" in said["runs"] and "stopped" not in said["runs"]


ODD = """
from toolkit import contracts


class Odd(contracts.Strategy):
    asked = None

    def setup(self, context):
        pass

    def tell(self, trial, state, values):
        trial.point["x"] = values["loss"] = "changed"

    def report(self, trial, step, values):
        trial.point["x"] = values["loss"] = "changed"
        return "yes"

    def ask(self):
        point = {"x": 3}
        return eval(open("asked").read())
"""
NUMBER = {"x": {"int": [1, 9]}}


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Study]:
    """A study whose strategy returns what it is told to."""
    monkeypatch.chdir(tmp_path)
    Path("odd.py").write_text(ODD)

    def make(asked: str = "contracts.Proposal(point)") -> Study:
        Path("asked").write_text(asked)
        return Study(NUMBER, "odd", LOSS, folder="mine", trials=3, plugins=["odd.py"])

    return make


@pytest.mark.faults
@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("None", "returned None"),
        ("{'point': point}", "expected a Proposal"),
        ("contracts.Proposal({'x': 99})", "a point outside the space"),
        ("contracts.Proposal(point, seed='a')", "seed='a'"),
        ("contracts.Proposal(point, seed=2**70)", "seed=1180591620717411303424"),
        ("contracts.Proposal(point, fidelity={'epochs': float('nan')})", "fidelity="),
        ("contracts.Proposal(point, token=object())", "token="),
        ("contracts.Proposal(point, continues=7)", "continue trial 7"),
        ("contracts.Proposal(None, kind='supernet')", "trains no supernet"),
    ],
)
def test_what_a_strategy_proposes_is_checked_before_it_is_kept(
    odd: Callable[[str], Study], asked: str, told: str
) -> None:
    with odd(asked) as study, pytest.raises(PluginError, match=re.escape(told)):
        study.ask()
    with odd("contracts.Proposal(point)") as again:
        trial = again.ask()
        assert trial is not None and trial.number == 1, "nothing of it was kept"


@pytest.mark.faults
def test_a_strategy_changes_nothing_of_what_is_kept(odd: Callable[..., Study]) -> None:
    with odd() as study:
        trial = study.ask()
        assert trial is not None
        assert study.report(trial, 1, loss=0.5) is True
        study.tell(trial, loss=0.25)
        assert trial.point == {"x": 3}
        assert study.best is not None and study.best.point == {"x": 3}
    assert Run("mine").trials()["loss"].tolist() == [0.25]


@pytest.mark.faults
@pytest.mark.parametrize(
    ("step", "values"), [(2**70, {}), (1, {"loss": 10**400}), (1, {"\udc80": 1.0})]
)
def test_what_no_ledger_holds_is_refused(
    odd: Callable[..., Study], step: int, values: dict[str, Any]
) -> None:
    with odd() as study:
        trial = study.ask()
        assert trial is not None
        with pytest.raises(ValueError, match=r"64 bits|too large|no text"):
            study.report(trial, step, **values)
        study.tell(trial, loss=0.5)
    with odd() as again:
        assert again.best is not None


@pytest.mark.faults
def test_odd_words_on_an_end_are_refused_or_kept_readable(odd: Callable[..., Study]) -> None:
    with odd() as study:
        trial = study.ask()
        assert trial is not None
        with pytest.raises(RecipeError, match="loss is nan"):
            study.tell(trial, loss=float("nan"))
        with pytest.raises(RecipeError, match="The trial is None"):
            study.tell(None, loss=1.0)  # type: ignore[arg-type]
        with pytest.raises(RecipeError, match="The state is"):
            study.tell(trial, ["done"], loss=1.0)  # type: ignore[arg-type]
        with patch("time.time", lambda: 1000.0):  # The clock was set back.
            study.tell(trial, "failed", error="no file caf\udce9.npy" + "x" * 10**6)
    with pytest.raises(RecipeError, match="closed"):
        study.ask()
    with odd() as again:
        assert again.ask() is not None
    (record,) = [r for r in Run("mine").trials().to_dict("records") if r["number"] == 1]
    assert record["state"] == "failed"
