"""The tiny plugin, and a small recipe over it as a Python program gives one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from command_line import IN_PROCESS

PLUGIN = Path(__file__).parents[1] / "toolkit" / "engine" / "tiny_plugin"
PLUGINS = [PLUGIN, IN_PROCESS]


def tiny_recipe(**more: Any) -> dict[str, Any]:
    """Returns two trials of one epoch in this process, and a test of what is found alone."""
    return {
        "name": "tiny",
        "task": "tiny_task",
        "space": {"name": "tiny_space", "trained": True},
        "strategy": "draw",
        "budget": {"trials": 2},
        "resources": {"executor": "in_process", "workers": 1, "threads": 1},
        "train": {"epochs": 1, "final": {"seeds": 1, "random": 0, "baselines": False}},
        **more,
    }
