"""Shells complete commands, flags, runs, recipes, plugins and keys, and import nothing heavy."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from command_line import run_toolkit
from toolkit.cli.completion.scripts import SCRIPTS
from toolkit.cli.completion.words import answer
from toolkit.export.formats import ALL, FILES


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a run, a recipe and a hidden folder."""
    for network in ("found-seed0", "found-seed1", "random-1-seed0"):
        (tmp_path / "runs/mine/final" / network).mkdir(parents=True)
    (tmp_path / "runs/mine/ledger.sqlite").touch()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "mine.yaml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (["sea"], ["search"]),
        (["search", "spd_drone_q"], ["spd_drone_quick"]),
        (["search", "mi"], ["mine.yaml"]),
        (["search", "spd_drone", "train.lr"], ["train.lr="]),
        (["search", "spd_drone", "strategy=halving.a"], ["strategy=halving.asha"]),
        (["search", "spd_drone", "a=1", "budget.tr"], ["budget.trials="]),
        (["search", "--exec"], ["--executor"]),
        (["search", "x", "--executor", "lo"], ["local"]),
        (["search", "x", "track=tens"], ["track=tensorboard"]),
        (["search", "--output", "runs/", "spd_drone_q"], ["spd_drone_quick"]),
        (["search", "--json", "spd_drone_q"], ["spd_drone_quick"]),
        (["status", "runs/mi"], ["runs/mine"]),
        (["status", "runs/mine", ""], []),
        (["plugins", "spd_c"], ["spd_cell"]),
        (["plugins", "new", "st"], ["strategy"]),
        (["completion", ""], ["bash", "fish", "zsh"]),
        (["watch", "runs/mi"], ["runs/mine"]),
        (["watch", "run"], ["runs/", "runs/mine"]),
        (["export", "runs/mine", "--network", ""], ["found", "random-1"]),
        (["export", "absent", "--network", ""], []),
        (["export", "runs/mine", "--to", "t"], ["torch-export"]),
        (["evaluate", "x", "--folds", "l"], ["leave_one_group_out"]),
        (["evaluate", "x", "--folds", "sea"], []),
        (["sweep", "x", "-s", "train.lr"], ["train.lr="]),
        (["search", "x", "--extend", "tr"], ["trials="]),
        (["bench", ""], ["nasbench-macro", "nasbench201"]),
        (["no_such_command", ""], []),
        (["status", "absent/x"], []),
    ],
)
def test_words_that_may_follow(line: list[str], expected: list[str]) -> None:
    assert answer(line, "fish") == expected


def test_formats_that_are_completed_are_those_that_there_are() -> None:
    assert set(answer(["export", "x", "--to", ""], "zsh")) == {*FILES, ALL}


def test_bash_parts_words_at_the_equals_sign() -> None:
    assert answer(["search", "x", "strategy", "=", "halving.a"], "bash") == ["halving.asha"]
    assert answer(["search", "x", "strategy", "="], "bash") == answer(
        ["search", "x", "strategy", "=", ""], "bash"
    )
    assert "--json" in answer(["search", "x", "a", "=", "1", "--"], "bash")


def test_hidden_folders_wait_for_their_dot() -> None:
    assert ".hidden/" not in answer(["status", ""], "zsh")
    assert answer(["status", ".h"], "zsh") == [".hidden/"]


HEAVY = ("typer", "click", "pydantic", "numpy", "torch", "importlib.metadata", "sqlite3")
ASKED = f"""
import os, sys
os.environ["_TOOLKIT_COMPLETE"] = "bash"
sys.argv = ["toolkit", "search", "spd_drone_q"]
from toolkit.cli.entry import main
main()
print(sorted(set({HEAVY!r}) & sys.modules.keys()))
"""


def test_answering_imports_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", ASKED], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["spd_drone_quick", "[]"]


def test_bash_completes_as_its_script_says(tmp_path: Path) -> None:
    code = f"""
toolkit() {{ "{sys.executable}" -m toolkit "$@"; }}
{SCRIPTS["bash"]}
compopt() {{ echo OPEN "$@"; }}
COMP_WORDS=(toolkit search spd_drone train.lr); COMP_CWORD=3; _toolkit_complete
printf '%s\\n' "${{COMPREPLY[@]}}"
COMP_WORDS=(toolkit status runs/mine); COMP_CWORD=2; _toolkit_complete
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, cwd=tmp_path)
    lines = ["OPEN -o nospace", "train.lr=", "runs/mine"]
    assert done.stdout.splitlines() == lines, done.stderr


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_read_their_scripts(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed.")
    script = tmp_path / "script"
    script.write_text(SCRIPTS[shell])
    done = subprocess.run([shell, "-n", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_command_prints_the_script_of_a_shell() -> None:
    assert run_toolkit("completion", "zsh").out == SCRIPTS["zsh"]
    refused = run_toolkit("completion", "csh")
    assert refused.code == 2 and "expected one of bash, zsh, fish" in refused.err
