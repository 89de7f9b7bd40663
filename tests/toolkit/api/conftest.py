"""A small recipe as a Python program gives it, over the tiny plugin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import toolkit
from command_line import IN_PROCESS
from tiny import PLUGIN, tiny_recipe

PLUGINS = [PLUGIN]
RECIPE = tiny_recipe(
    resources={"workers": 1, "threads": 1},
    train={"epochs": 1, "lr": {"log": [0.01, 0.1]}, "final": {"seeds": 1, "random": 0}},
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def plugins() -> list[Path]:
    """The tiny plugin's path."""
    return PLUGINS


@pytest.fixture
def recipe() -> dict[str, Any]:
    """Two trials of one epoch that search the learning rate, and a test."""
    return RECIPE


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> toolkit.Run:
    """A search that has come to its end; to be read alone."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    plugins = [*PLUGINS, IN_PROCESS]
    return toolkit.search(RECIPE, plugins=plugins, executor="in_process", output=folder)
