"""Trackers: they hear what happens in a run, and are closed whichever way it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.engine import run_search
from toolkit.errors import PluginError
from toolkit.problem import Problem
from toolkit.recipe import load_recipe
from toolkit.registry import Registry

RECIPE = """
version: 1
name: tracked
task: tiny_task
space: tiny_space
strategy: draw
resources: {executor: broken_executor}
"""
PLUGINS = """
from pathlib import Path

from toolkit import contracts

HEARD = Path(__file__).with_name("heard")


def hear(word):
    with HEARD.open("a") as stream:
        stream.write(f"{word}\\n")


class Notes(contracts.Tracker):
    def event(self, name, facts):
        hear(f"{name} {facts['name']}")

    def close(self):
        hear("tracker closed")


class Unbuildable(contracts.Tracker):
    def __init__(self, options):
        raise OSError("no account")

    def event(self, name, facts): ...


class BrokenExecutor(contracts.Executor):
    def slots(self):
        return [contracts.Slot(0)]

    def start(self, *job):
        raise OSError("no place to run")

    def events(self, timeout_s):
        return iter(())

    def stop(self, key, reason): ...

    def close(self):
        hear("executor closed")
"""


@pytest.mark.parametrize(
    ("track", "fault", "heard"),
    [
        (
            ["notes"],
            "no place to run",
            ["run_started tracked", "tracker closed", "executor closed"],
        ),
        (["notes", "unbuildable"], "no account", ["tracker closed", "executor closed"]),
    ],
)
def test_a_tracker_is_closed_where_an_engine_fails(
    tmp_path: Path, track: list[str], fault: str, heard: list[str]
) -> None:
    (tmp_path / "plugins.py").write_text(PLUGINS)
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    registry = Registry([tmp_path / "plugins.py", Path(__file__).with_name("tiny_plugin")])
    recipe = load_recipe(tmp_path / "recipe.yaml", [f"track={track}"], registry)
    problem = Problem(recipe, registry)
    with pytest.raises((OSError, PluginError), match=fault):
        run_search(problem, tmp_path / "run")
    assert (tmp_path / "heard").read_text().splitlines() == heard
