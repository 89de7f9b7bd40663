"""`search` and `validate` from the command line: real runs, exit codes, places of faults."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tiny import PLUGIN

RECIPE = """\
version: 1
name: tiny
task: tiny_task
space: tiny_space
strategy: draw
budget: {trials: 2}
fidelity: {epochs: 1}
train: {epochs: 2, final: {seeds: 1, random: 0}}
"""


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "tiny.yaml"
    path.write_text(RECIPE)
    return path


def test_a_search_runs_and_the_other_commands_read_it(recipe: Path, toolkit: Any) -> None:
    command = [
        sys.executable,
        "-m",
        "toolkit",
        "search",
        "tiny.yaml",
        "~fidelity",
        "space.trained=true",
        "--plugin",
        str(PLUGIN),
        "--workers",
        "1",
        "--json",
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    answer = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert answer.returncode == 0, answer.stderr
    told = [json.loads(line) for line in answer.stdout.splitlines()]
    assert told[0]["event"] == "run_started"
    assert told[-1]["event"] == "run_ended"
    logged = (recipe.parent / "runs/tiny/events.jsonl").read_text().splitlines()
    assert [json.loads(line)["event"] for line in logged] == [line["event"] for line in told]
    rows = [json.loads(line) for line in toolkit("trials", "runs/tiny", "--json").out.splitlines()]
    assert [(row["number"], row["state"], row["fidelity"]) for row in rows] == [
        (1, "done", {"epochs": 2}),
        (2, "done", {"epochs": 2}),
    ]
    assert json.loads(toolkit("status", "runs/tiny", "--json").out)["budget"] == 2
    best = json.loads(toolkit("best", "runs/tiny", "--json").out)
    assert set(best["test"]["accuracy"]) >= {"mean", "std", "seeds"}
    assert "plain" in best["baselines"]
    other = toolkit("search", "tiny.yaml", "--plugin", PLUGIN, "train.lr=0.5")
    assert other.code == 7
    assert "train.lr" in other.err


def test_a_faulty_recipe_ends_with_2_and_all_its_faults(recipe: Path, toolkit: Any) -> None:
    recipe.write_text(RECIPE.replace("budget", "buget").replace("epochs: 2", "epochs: two"))
    for command in ("search", "validate"):
        answer = toolkit(command, "tiny.yaml", "--plugin", PLUGIN, "train.x=1")
        assert answer.code == 2
        assert answer.err.splitlines() == [
            "error: tiny.yaml has 3 faults:",
            "  tiny.yaml:6:1: buget: unknown key (did you mean budget?)",
            '  tiny.yaml:8:17: train.epochs: "two" given, expected an integer',
            "  override 'train.x=1': train.x: unknown key, expected seed, epochs, batch_size, lr,"
            " weight_decay, class_weight, loss, schedule, clip, final",
        ]
        assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("space.widths=0", "tiny.yaml:4:1: space: Int(1, 0, step=1) holds no value."),
        (
            "objectives={accurcy: maximize}",
            "override 'objectives={accurcy: maximize}': objectives: ",
        ),
        (
            "strategy=supernet",
            "override 'strategy=supernet': strategy: supernet searches a supernet, and the space"
            " tiny_space offers none.",
        ),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(
    recipe: Path, toolkit: Any, override: str, words: str
) -> None:
    answer = toolkit("validate", "tiny.yaml", "--plugin", PLUGIN, override)
    assert answer.code == 2
    assert answer.err.startswith(f"error: {words}")


def test_a_strategy_that_cannot_serve_is_told_at_the_strategy(recipe: Path, toolkit: Any) -> None:
    overrides = ("strategy=optuna.grid", "train.lr={log: [0.1, 1]}")
    answer = toolkit("validate", "tiny.yaml", "--plugin", PLUGIN, *overrides)
    assert answer.code == 2
    assert answer.err.startswith("error: override 'strategy=optuna.grid': strategy: optuna.grid ")


def test_a_task_and_a_space_that_do_not_fit_are_told_at_the_space(
    recipe: Path, toolkit: Any
) -> None:
    other = recipe.with_name("other.py")
    other.write_text(
        "from tiny_plugin import TinySpace\n\nclass OtherSpace(TinySpace):\n"
        "    accepts = frozenset({'image'})\n"
    )
    answer = toolkit(
        "validate", "tiny.yaml", "space=other_space", "--plugin", PLUGIN, "--plugin", other
    )
    assert answer.code == 2
    assert answer.err.startswith("error: override 'space=other_space': space: The task tiny_task")


def test_validate_says_what_it_read(recipe: Path, toolkit: Any) -> None:
    answer = toolkit(
        "validate", "tiny.yaml", "--plugin", PLUGIN, "train.lr={log: [0.1, 1]}", "--json"
    )
    assert answer.code == 0, answer.err
    facts = json.loads(answer.out)
    assert facts["searched"] == ["train.lr"]
    assert facts["resolved"]["train"]["lr"] == {"log": [0.1, 1.0]}
    assert "tiny_space" in toolkit("validate", "tiny.yaml", "--plugin", PLUGIN).out


def test_a_broken_plugin_ends_with_5(recipe: Path, toolkit: Any) -> None:
    broken = recipe.with_name("broken.py")
    broken.write_text("import absent_module_of_mine\n")
    answer = toolkit("search", "tiny.yaml", "--plugin", broken)
    assert answer.code == 5
    assert "No module named 'absent_module_of_mine'" in answer.err
    assert "Traceback" not in answer.err
    listed = toolkit("plugins", "--plugin", broken)
    assert listed.code == 0
    assert "absent_module_of_mine" in listed.out


def test_an_error_inside_a_plugins_method_is_told_as_the_plugins(
    recipe: Path, toolkit: Any
) -> None:
    broken = recipe.with_name("broken.py")
    broken.write_text(
        "from tiny_plugin import TinySpace\n\nclass BrokenSpace(TinySpace):\n"
        "    def parameters(self, task):\n        raise KeyError('absent')\n"
    )
    answer = toolkit(
        "validate", "tiny.yaml", "space=broken_space", "--plugin", PLUGIN, "--plugin", broken
    )
    assert answer.code == 5
    assert answer.err.startswith("error: space.parameters failed: KeyError: 'absent' (")
    assert f"{broken}:5" in answer.err


def test_json_stays_json_where_plugins_print(recipe: Path, toolkit: Any) -> None:
    chatty = recipe.with_name("chatty.py")
    chatty.write_text(
        "from tiny_plugin import TinyTask\n\nprint('at import')\n\nclass ChattyTask(TinyTask):\n"
        "    def info(self):\n        print('asked for info')\n        return super().info()\n"
    )
    plugins = ["task=chatty_task", "--plugin", PLUGIN, "--plugin", chatty]
    for command, *more in (["validate"], ["search", "space.fault=raise", "--workers", "1"]):
        answer = toolkit(command, "tiny.yaml", *more, *plugins, "--json")
        assert all(isinstance(json.loads(line), dict) for line in answer.out.splitlines())
        assert "asked for info" in answer.err
    assert answer.code == 3
    assert "error: Nothing was found" in answer.err
    assert "toolkit trials runs/tiny --all" in answer.err


def test_plugins_and_recipes_are_listed(toolkit: Any) -> None:
    rows = [json.loads(line) for line in toolkit("plugins", "--json").out.splitlines()]
    assert {"kind": "tasks", "name": "drone_radar"}.items() <= next(
        row for row in rows if row["name"] == "drone_radar"
    ).items()
    recipes = [json.loads(line) for line in toolkit("recipes", "--json").out.splitlines()]
    assert all(recipe["purpose"] for recipe in recipes)
    assert "spd_drone" in [recipe["name"] for recipe in recipes]
