"""The commands that read a run folder say what is in its ledger."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from toolkit.base.summary import Statistics
from toolkit.run.facts import OUTCOME
from toolkit.run.folder import RunFolder
from toolkit.run.ledger import Ledger
from toolkit.run.outcome import Baseline, RunOutcome

FOUND = RunOutcome(
    architecture={"width": 4},
    point={"architecture": {"width": 4}},
    trial=4,
    fingerprint="cccc",
    values={"accuracy": 0.75},
    parameters=120,
    test={"accuracy": Statistics(0.7, 0.01, (0.69, 0.71))},
    baselines={"plain": Baseline({"accuracy": Statistics(0.6, 0.02, (0.58, 0.62))}, 90)},
    trainings=(),
    times_s={"search": 12.3, "final": 4.0},
)


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_status_counts_trials(toolkit: Any, run_folder: Path) -> None:
    answer = toolkit("status", run_folder, "--json")
    facts = json.loads(answer.out)
    assert facts["trials"] == {"done": 3, "failed": 1, "queued": 1}
    assert (facts["engine"], facts["budget"], facts["reused"]) == ("not running", 10, 1)
    assert facts["best"] == {"number": 4, "accuracy": 0.75}
    assert "done=3 failed=1 queued=1" in toolkit("status", run_folder).out


def test_status_knows_the_engine_at_work(toolkit: Any, run_folder: Path) -> None:
    with RunFolder(run_folder).lock():
        said = json.loads(toolkit("status", run_folder, "--json").out)
        assert said["engine"].startswith("pid ") and said["state"] == "running"
    assert json.loads(toolkit("status", run_folder, "--json").out)["state"] == "stopped"


def test_trials_prints_one_object_a_line(toolkit: Any, run_folder: Path) -> None:
    rows = lines(toolkit("trials", run_folder, "--json").out)
    assert [row["number"] for row in rows] == [1, 2, 3, 4, 5]
    assert {"number", "state", "fingerprint", "seed", "fidelity", "values", "duration_s"} <= set(
        rows[0]
    )
    assert rows[1]["state"] == "failed"
    assert len(lines(toolkit("trials", run_folder, "--all", "--json").out)) == 6
    table = toolkit("trials", run_folder).out.splitlines()
    assert len(table) == 6
    assert table[0].split()[4:7] == ["epochs", "width", "values"]
    assert [row.split("accuracy")[0].split()[-1] for row in (table[1], table[4])] == ["1", "4"]
    assert table[1].split()[:4] == ["1", "done", "aaaaaaaa", "11"]


def test_show_and_logs_are_about_one_trial(toolkit: Any, run_folder: Path) -> None:
    shown = json.loads(toolkit("show", run_folder, "1", "--json").out)
    assert shown["metrics"] == [{"step": 1, "accuracy": 0.25}, {"step": 2, "accuracy": 0.5}]
    assert shown["point"] == {"architecture": {"width": 1}}
    assert toolkit("show", run_folder, "2").out.rstrip().endswith("ValueError: too small")
    assert toolkit("logs", run_folder).out == "engine said this\n"
    assert toolkit("logs", run_folder, "1").out == "hello from trial 1\n"
    assert "answered by trial 1" in toolkit("logs", run_folder, "3").out
    for command in ("show", "logs"):
        answer = toolkit(command, run_folder, "99")
        assert answer.code == 2
        assert answer.err.startswith(f"error: {run_folder} has no trial 99.\nhint: ")


def test_best_is_the_best_so_far_until_the_run_has_ended(toolkit: Any, run_folder: Path) -> None:
    best = json.loads(toolkit("best", run_folder, "--json").out)
    assert (best["trial"], best["architecture"], best["test"]) == (4, {"width": 4}, None)
    assert best["baselines"] == {}
    assert "Not tested yet" in toolkit("best", run_folder).out
    ledger = Ledger.open(run_folder / "ledger.sqlite")
    ledger.put_fact(OUTCOME, FOUND)
    ledger.close()
    best = json.loads(toolkit("best", run_folder, "--json").out)
    assert best == {
        "architecture": {"width": 4},
        "point": {"architecture": {"width": 4}},
        "trial": 4,
        "fingerprint": "cccc",
        "found_as": None,
        "handed_over": "found",
        "majority": None,
        "p_of_mean": None,
        "tested_on": None,
        "values": {"accuracy": 0.75},
        "parameters": 120,
        "test": {"accuracy": {"mean": 0.7, "std": 0.01, "seeds": [0.69, 0.71]}},
        "baselines": {
            "plain": {
                "accuracy": {"mean": 0.6, "std": 0.02, "seeds": [0.58, 0.62]},
                "parameters": 90,
            }
        },
        "advice": "",
        "costs": {},
        "infeasible": {},
        "references": {},
        "searched": {},
        "trainings": [],
        "times_s": {"search": 12.3, "final": 4.0},
        "folder": None,
    }
    text = toolkit("best", run_folder).out
    assert "plain    90          0.600 ± 0.020 (2)" in text
    assert "search 12 s, final 4 s" in text
    ledger = Ledger.open(run_folder / "ledger.sqlite")
    ledger.put_fact(OUTCOME, replace(FOUND, handed_over="plain"))
    ledger.close()
    text = toolkit("best", run_folder).out
    assert text.startswith("What the search found, which is not what best/ holds")
    assert "best/ holds the network plain" in text
    assert "\nHanded over: plain" in text
    assert "whether the search earned its cost is not settled." in text.splitlines()[-1]


def test_best_of_nothing_is_an_error(toolkit: Any, tmp_path: Path) -> None:
    Ledger.open(tmp_path / "ledger.sqlite").close()
    answer = toolkit("best", tmp_path)
    assert answer.code == 1
    assert answer.err.startswith(f"error: No trial of {tmp_path} has ended well yet.\nhint: ")


@pytest.mark.parametrize("command", ["status", "trials", "best", "logs"])
def test_what_is_no_run_folder_is_a_usage_error(
    toolkit: Any, run_folder: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(run_folder.parents[1])
    answer = toolkit(command, "absent")
    assert answer.code == 2
    assert answer.err == "error: absent does not exist.\nhint: Runs here: runs/half.\n"
    assert "is no run folder" in toolkit(command, run_folder.parent).err
    assert "is a file, expected a run folder" in toolkit(command, run_folder / "engine.log").err


@pytest.mark.faults
def test_a_damaged_ledger_is_one_line(toolkit: Any, run_folder: Path) -> None:
    (run_folder / "ledger.sqlite").write_bytes(b"no database at all " * 100)
    answer = toolkit("trials", run_folder)
    assert answer.code == 7
    assert answer.err.startswith("error: ")
    assert "Traceback" not in answer.err


def test_an_unexpected_error_is_one_line_and_its_traceback_is_kept(
    toolkit: Any, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("surprise")

    monkeypatch.setattr(Ledger, "trials", broken)
    answer = toolkit("trials", run_folder)
    assert answer.code == 1
    assert answer.err.splitlines()[0] == "error: Unexpected KeyError: 'surprise'"
    assert str(run_folder / "engine.log") in answer.err
    assert "Traceback" not in answer.err
    assert "KeyError: 'surprise'" in (run_folder / "engine.log").read_text()


def test_a_reader_that_goes_away_is_no_error(run_folder: Path) -> None:
    ledger = Ledger.open(run_folder / "ledger.sqlite")
    first = ledger.trials()[0]
    for number in range(100, 3000):
        ledger.put(type(first)(**{**first.__dict__, "number": number}))
    ledger.close()
    command = f"{sys.executable} -m toolkit trials {run_folder} --json | head -1"
    answer = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    assert len(answer.stdout.splitlines()) == 1


@pytest.mark.parametrize(("output", "code"), [(">&-", 0), ("> /dev/full", 1)])
def test_an_output_that_cannot_be_written_to_is_no_defect(
    run_folder: Path, output: str, code: int
) -> None:
    command = f"{sys.executable} -m toolkit trials {run_folder} {output}"
    answer = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert answer.returncode == code
    assert "defect" not in answer.stderr
