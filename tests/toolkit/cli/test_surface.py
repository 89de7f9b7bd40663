"""Names, flags and start-up cost of the command line do not change unnoticed."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import typer

from toolkit.cli import app
from toolkit.cli.verbs import command_of

SURFACE = {
    "init": ["--data", "--task", "--output", "-o", "--plugin"],
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
    "sample": ["run", "--class", "--output", "-o", "-n", "--seed"],
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
WATCHED = """
import sys
from toolkit.cli import main
sys.argv = ["toolkit", *{arguments!r}]
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
print("LOADED", *sorted({heavy!r} & sys.modules.keys()))
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


def run(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    code = WATCHED.format(arguments=arguments, heavy=set(HEAVY))
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )


@pytest.mark.parametrize("arguments", [["--help"], ["plugins"], ["recipes"], ["search", "--help"]])
def test_these_commands_load_nothing_heavy(arguments: list[str]) -> None:
    assert run(arguments).stdout.splitlines()[-1] == "LOADED"


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = f"import toolkit, toolkit.contracts, sys; print({set(HEAVY)!r} & sys.modules.keys())"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "set()"


def test_the_module_runs_like_the_command_and_says_its_version() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "toolkit", "--version"], capture_output=True, text=True, check=True
    )
    assert answer.stdout.startswith("toolkit 0.")


def test_an_unknown_flag_or_command_is_a_usage_error() -> None:
    for arguments in (["serach"], ["plugins", "--jsn"], ["show", "run", "x"]):
        answer = subprocess.run(
            [sys.executable, "-m", "toolkit", *arguments], capture_output=True, text=True
        )
        assert answer.returncode == 2
        assert "Traceback" not in answer.stderr
