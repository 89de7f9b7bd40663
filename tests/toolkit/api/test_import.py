"""`import toolkit` costs next to nothing, and what it offers is there when it is asked for."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import pytest

import toolkit

HEAVY = ("torch", "numpy", "pandas", "pydantic", "optuna", "nni", "networkx", "plotly", "typer")
WEIGHED = f"""
import sys
import toolkit
print(*sorted({set(HEAVY)!r} & sys.modules.keys()))
"""


def test_the_import_is_light() -> None:
    answer = subprocess.run(
        [sys.executable, "-c", WEIGHED], capture_output=True, text=True, check=True
    )
    assert answer.stdout.split() == []


def test_every_public_name_is_there() -> None:
    assert sorted(toolkit.__all__) == list(toolkit.__all__)
    for name in toolkit.__all__:
        assert getattr(toolkit, name).__doc__, name
        assert name in dir(toolkit)
    with pytest.raises(AttributeError, match="no attribute 'seach'"):
        toolkit.seach  # noqa: B018


def test_no_room_of_the_package_takes_the_place_of_a_function() -> None:
    """A submodule becomes an attribute of its package when it is imported."""
    rooms = {module.name for module in pkgutil.iter_modules(toolkit.__path__)}
    assert "api" in rooms
    assert not rooms & set(toolkit.__all__)
