"""Names, flags and start-up cost of the command line do not change unnoticed."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest
import typer

from command_line import run_toolkit
from toolkit.cli.app import app
from toolkit.cli.group import HOMES, INSTEAD
from toolkit.cli.verbs import command_of

SURFACE = {
    "init": ["overrides", "--data", "--task", "--output", "-o", "--plugin"],
    "search": [
        "recipe",
        "overrides",
        "--output",
        "-o",
        "--workers",
        "--executor",
        "--from",
        "--extend",
        "--plugin",
        "--quiet",
        "-q",
        "--verbose",
        "-v",
        "--json",
    ],
    "sweep": [
        "recipe",
        "overrides",
        "--sweep",
        "-s",
        "--grid",
        "--random",
        "--strategy",
        "--trials",
        "--seeds",
        "--architecture",
        "--from",
        "--whole",
        "--yes",
        "--output",
        "-o",
        "--workers",
        "--plugin",
        "--quiet",
        "-q",
        "--verbose",
        "-v",
        "--json",
    ],
    "retrain": [
        "recipe",
        "overrides",
        "--architecture",
        "--from",
        "--output",
        "-o",
        "--workers",
        "--plugin",
        "--quiet",
        "-q",
        "--verbose",
        "-v",
        "--json",
    ],
    "evaluate": [
        "recipe",
        "overrides",
        "--folds",
        "--architecture",
        "--from",
        "--output",
        "-o",
        "--workers",
        "--plugin",
        "--quiet",
        "-q",
        "--verbose",
        "-v",
        "--json",
    ],
    "validate": ["recipe", "overrides", "--plugin", "--json"],
    "status": ["run", "--json"],
    "trials": ["run", "--all", "--json"],
    "show": ["run", "number", "--json"],
    "logs": ["run", "number"],
    "best": ["run", "--json"],
    "report": ["runs", "--output", "-o"],
    "watch": ["folders", "--port"],
    "predict": ["run", "data", "--output", "-o", "--json"],
    "sample": ["run", "--output", "-o", "--class", "-n", "--seed"],
    "export": ["run", "--network", "--trial", "--to", "--output", "-o"],
    "test": ["run", "--trial", "--workers", "--quiet", "-q", "--verbose", "-v", "--json"],
    "runs": ["folder", "--json"],
    "reproduce": ["run", "number", "--json"],
    "delete": ["run", "--yes", "-y"],
    "plugins": ["name", "--plugin", "--check", "--json"],
    "schema": ["--plugin"],
    "recipes": ["--json"],
    "doctor": ["--plugin", "--json"],
    "completion": ["shell"],
    "bench": [
        "table",
        "--dataset",
        "--table",
        "--seeds",
        "--first-seed",
        "--strategy",
        "--json",
    ],
}
VERBS = {"new": ["kind", "name", "--output", "-o"], "check": ["path", "--recipe", "--json"]}
"""What `toolkit plugins` takes for commands of their own."""
HEAVY = ("torch", "torchvision", "optuna", "nni", "numpy", "sklearn", "scipy", "plotly", "networkx")
COMMANDS = [["--help"], ["plugins"], ["recipes"], ["search", "--help"]]
WATCHED = f"""
import sys
import toolkit, toolkit.contracts
print("LOADED", "import toolkit", *sorted({set(HEAVY)!r} & sys.modules.keys()))
from toolkit.cli.app import main
for arguments in {COMMANDS!r}:
    sys.argv = ["toolkit", *arguments]
    try:
        main()
    except SystemExit as ended:
        assert not ended.code, ended.code
    print("LOADED", *arguments, *sorted({set(HEAVY)!r} & sys.modules.keys()))
"""


def flags(parameter: Any) -> list[str]:
    """The names a parameter goes by."""
    options = [*parameter.opts, *parameter.secondary_opts]
    return options if parameter.param_type_name == "option" else [parameter.name]


def test_the_commands_and_their_flags_are_these() -> None:
    commands: Any = typer.main.get_command(app)
    surface = {
        name: [
            flag for parameter in command.params for flag in flags(parameter) if flag != "--help"
        ]
        for name, command in commands.commands.items()
    }
    assert surface == SURFACE
    assert list(surface) == list(SURFACE)
    found = {name: [flag for p in command_of(name).params for flag in flags(p)] for name in VERBS}
    assert {name: [f for f in listed if f != "--help"] for name, listed in found.items()} == VERBS


def test_the_package_and_these_commands_load_nothing_heavy() -> None:
    answer = subprocess.run(
        [sys.executable, "-c", WATCHED], capture_output=True, text=True, check=True, timeout=60
    )
    lines = [line for line in answer.stdout.splitlines() if line.startswith("LOADED")]
    words = [["import", "toolkit"], *COMMANDS]
    assert lines == [" ".join(["LOADED", *each]) for each in words]


def test_the_module_runs_like_the_command_and_says_its_version() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "toolkit", "--version"], capture_output=True, text=True, check=True
    )
    assert answer.stdout.startswith("toolkit 0.")


@pytest.mark.parametrize("word", sorted(INSTEAD))
def test_words_that_people_try_are_answered_with_commands_that_there_are(word: str) -> None:
    answer = run_toolkit(word, "x")
    assert answer.code == 2 and f"There is no command '{word}'. `toolkit " in answer.err
    named = re.findall(r"`toolkit (\w+)", INSTEAD[word])
    assert set(named) <= set(HOMES)


def test_an_unknown_flag_or_command_is_a_usage_error() -> None:
    for arguments in (["serach"], ["plugins", "--jsn"], ["show", "run", "x"]):
        answer = run_toolkit(*arguments)
        assert answer.code == 2
        assert "Traceback" not in answer.err
