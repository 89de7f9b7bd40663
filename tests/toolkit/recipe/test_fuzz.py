"""The loader answers any text with a recipe or with its faults in words, and nothing else.

`benchmarks/fuzz_recipes.py` found the corpus: each file in it reaches lines that none before does.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toolkit.errors import ToolkitError
from toolkit.recipe import from_checked, load_recipe
from toolkit.registry import Registry

pytestmark = pytest.mark.faults
CORPUS = Path(__file__).with_name("corpus")
REGISTRY = Registry()
SCALARS = st.sampled_from(
    ["null", "-1", "1e999", ".nan", "''", "[]", "{}", "{log: [1, 2]}", "{choice: []}", "10m", "x"]
) | st.text(max_size=8)
FIRST = ("version", "name", "task", "space", "strategy", "objectives", "constraints", "fidelity")
FURTHER = ("validation", "budget", "resources", "train", "track", "lr", "epochs", "trials", "data")
WORDS = st.sampled_from((*FIRST, *FURTHER))


def is_answered(content: bytes, path: Path) -> None:
    path.write_bytes(content)
    try:
        recipe = load_recipe(path, [], REGISTRY)
        from_checked(json.loads(json.dumps(recipe.resolved())))
    except ToolkitError as error:
        assert str(error).strip()


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*.yaml")), ids=lambda path: path.stem)
def test_what_fuzzing_found_is_answered(path: Path, tmp_path: Path) -> None:
    is_answered(path.read_bytes(), tmp_path / "recipe.yaml")


@given(lines=st.lists(st.tuples(st.integers(0, 2), WORDS, SCALARS), max_size=12))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_answered(tmp_path: Path, lines: list[tuple[int, str, str]]) -> None:
    text = "\n".join(f"{'  ' * depth}{word}: {value}" for depth, word, value in lines)
    is_answered(f"version: 1\nname: x\n{text}\n".encode("utf-8", "replace"), tmp_path / "r.yaml")
