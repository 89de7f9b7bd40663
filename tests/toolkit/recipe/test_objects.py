"""Recipes and overrides as Python objects mean what the same words in a file mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import RecipeError
from toolkit.recipe import load_recipe, override_texts, plain_data
from toolkit.registry import Registry

RECIPE = {
    "version": 1,
    "name": "toy",
    "task": {"name": "toy", "data": "x.npz"},
    "space": "toy_cell",
    "objectives": {"accuracy": "maximize"},
    "train": {"lr": {"log": [1e-4, 1e-1]}, "final": {"seeds": 5, "random": 2}},
}
plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"))),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((1, 2.5, "1e-3"), [1, 2.5, "1e-3"]),
        (range(3), [0, 1, 2]),
        (Path("a/b"), "a/b"),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (torch.tensor(2), 2),
        ({"a": [np.float64(1)]}, {"a": [1.0]}),
    ],
)
def test_scalars_and_sequences_of_python_are_plain(value: Any, expected: Any) -> None:
    found = plain_data(value)
    assert found == expected
    assert json.loads(json.dumps(found)) == expected


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (float("nan"), "space.a: nan given, expected a finite number"),
        (np.ones(3), "space.a: a ndarray is given, and recipes hold plain data"),
        ({1: 2}, "space.a: the key 1 given, expected text"),
        ([object()], "space.a.0: an object is given"),
    ],
)
def test_what_is_not_plain_is_refused_with_its_place(value: Any, says: str) -> None:
    with pytest.raises(RecipeError) as caught:
        override_texts(None, {"space": {"a": value}})
    assert says in str(caught.value)


def test_a_mapping_that_holds_itself_is_refused() -> None:
    endless: dict[str, Any] = {}
    endless["a"] = endless
    with pytest.raises(RecipeError, match="nested deeper"):
        plain_data(endless)


@given(plain)
def test_any_plain_value_arrives_as_it_was(value: Any) -> None:
    from toolkit.recipe.document import parse_yaml
    from toolkit.recipe.faults import Faults

    (text,) = override_texts({"space.a": value}, {})
    faults = Faults()
    document = parse_yaml(text.partition("=")[2], "text", faults, lambda word: word)
    assert not faults.found and document is not None
    assert document.data == value
    assert type(document.data) is type(value)


@pytest.mark.parametrize(
    ("words", "texts"),
    [
        ({"train": {"lr": 0.1, "final": {"seeds": 1}}}, ["train.lr=0.1", "train.final.seeds=1"]),
        ({"train": {"lr": {"log": [1, 2]}}}, ['train.lr={"log": [1, 2]}']),
        ({"train": {"final.seeds": 1}}, ["train.final.seeds=1"]),
        ({"strategy": "optuna.tpe"}, ['strategy="optuna.tpe"']),
        ({"strategy": {"name": "a", "b": 1}}, ['strategy={"name": "a", "b": 1}']),
        ({"strategy": {"b": 1}}, ["strategy.b=1"]),
        ({"objectives": {"loss": "minimize"}}, ['objectives={"loss": "minimize"}']),
        ({"task": {"merge": {"left hand": [1]}}}, ['task.merge={"left hand": [1]}']),
        ({"strategy": None}, []),
        ({"train": {"clip": None}}, ["train.clip=null"]),
        ({"fidelity": {}}, ["fidelity={}"]),
    ],
)
def test_words_change_what_they_name_and_leave_the_rest(
    words: dict[str, Any], texts: list[str]
) -> None:
    assert override_texts(None, words) == texts


def test_overrides_come_in_order_and_before_words() -> None:
    given = override_texts({"train.lr": 0.1, "name": "x"}, {"train": {"lr": 0.2}})
    assert given == ["train.lr=0.1", 'name="x"', "train.lr=0.2"]
    assert override_texts(["train.lr=1e-2", "~fidelity"], {}) == ["train.lr=1e-2", "~fidelity"]
    with pytest.raises(RecipeError, match="expected a mapping or a list"):
        override_texts("train.lr=1", {})


def test_a_mapping_is_the_recipe_that_its_file_would_be(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "toy.yaml").write_text(json.dumps(RECIPE))
    assert load_recipe(RECIPE, (), registry) == load_recipe("toy.yaml", (), registry)
    assert json.loads(load_recipe(RECIPE, (), registry).source) == RECIPE


def test_faults_of_a_mapping_name_the_recipe_or_the_override(registry: Registry) -> None:
    faulty = {**RECIPE, "buget": {}, "train": {"epochs": "two"}}
    with pytest.raises(RecipeError) as caught:
        load_recipe(faulty, override_texts({"train.lrr": 0.1}, {}), registry)
    told = caught.value.message.splitlines()
    assert told[0] == "recipe has 3 faults:"
    assert "  recipe: buget: unknown key (did you mean budget?)" in told
    assert '  recipe: train.epochs: "two" given, expected an integer' in told
    assert any(line.startswith("  override 'train.lrr=0.1': train.lrr: unknown") for line in told)
