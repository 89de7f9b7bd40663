"""Every word of a recipe and every option of a plugin is explained, and editors know them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

import toolkit
from command_line import run_toolkit
from toolkit.recipe.explained import explain, values_of
from toolkit.recipe.schema import RecipeBlocks
from toolkit.registry import CONTRACTS, Registry

YAML_FILES = {recipe.name: recipe.path for recipe in toolkit.list_recipes()}


def models() -> Iterator[tuple[str, type[BaseModel]]]:
    yield "recipe", RecipeBlocks
    registry = Registry()
    for kind in CONTRACTS:
        for name in registry.names(kind):
            cls = registry.get(kind, name)
            if hasattr(cls, "Options"):
                yield f"{kind}/{name}", cls.Options


@pytest.mark.parametrize("model", [pytest.param(model, id=name) for name, model in models()])
def test_every_word_and_option_is_explained_with_the_values_it_takes(
    model: type[BaseModel],
) -> None:
    found = explain(model)
    assert {name.partition(".")[0] for name in model.model_fields} <= {each.name for each in found}
    assert [each.name for each in found if not each.meaning] == []
    assert [each.name for each in found if each.values == "any value"] == []


@pytest.mark.parametrize("row", Registry().rows(), ids=lambda row: f"{row.kind}/{row.name}")
def test_every_plugin_has_a_purpose(row: Any) -> None:
    assert row.purpose


def test_the_list_and_an_explanation_fit_eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for words in (["plugins"], ["plugins", "optuna.tpe"], ["plugins", "mocap"]):
        assert max(map(len, run_toolkit(*words).out.splitlines())) <= 80


def test_an_explanation_says_range_default_unit_and_paper() -> None:
    said = " ".join(run_toolkit("plugins", "drone_radar").out.split())
    assert "covariance.ridge number of at least 0, default 1e-05 added to the diagonal" in said
    assert "radar.wavelength_m number above 0, default 0.03 carrier wavelength, metres" in said
    assert "Bergstra et al., NeurIPS 2011" in run_toolkit("plugins", "optuna.tpe").out


def test_a_name_of_two_kinds_is_explained_twice_and_an_unknown_one_refused() -> None:
    kinds = [plugin.kind for plugin in toolkit.describe_plugin("nasbench201")]
    assert kinds == ["search space", "task"]
    answer = run_toolkit("plugins", "spd_aray")
    assert answer.code != 0
    assert "did you mean spd_arrays?" in answer.err


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 8}, "integer from 1 to 8"),
        (
            {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
            "number above 0 and of at most 1",
        ),
        ({"enum": ["a", "b", "c"]}, "a, b or c"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "integer"),
        ({"type": "array", "items": {"type": "string", "format": "path"}}, "list of path"),
    ],
)
def test_values_are_said_in_words(schema: dict[str, Any], words: str) -> None:
    assert values_of(schema) == words


@pytest.fixture(scope="module")
def editor() -> Any:
    jsonschema = pytest.importorskip("jsonschema")
    schema = toolkit.recipe_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("name", YAML_FILES)
def test_editors_accept_every_shipped_recipe(editor: Any, name: str) -> None:
    content = YAML(typ="safe").load(YAML_FILES[name])
    assert [error.message for error in editor.iter_errors(content)] == []


GOOD = {"version": 1, "name": "mine", "task": "digits", "space": "nullspace_head"}
GOOD["train"] = {"lr": {"log": [1e-4, 1e-1]}}


@pytest.mark.parametrize(
    "words",
    [
        {"strategy": {"name": "optuna.tpe", "pruner": "median"}},
        {"budget": {"time": "10m"}, "validation": "folds", "constraints": {"parameters": "<= 9"}},
        {"space": {"name": "nullspace_head", "flip": {"choice": [True, False]}}},
    ],
)
def test_editors_accept_short_forms_and_searched_values(editor: Any, words: dict[str, Any]) -> None:
    assert editor.is_valid({**GOOD, **words})


@pytest.mark.parametrize(
    "words",
    [
        {"strategy": "optuna.tpee"},
        {"strategy": {"name": "optuna.tpe", "prunner": "median"}},
        {"space": {"name": "nullspace_head", "flip": "perhaps"}},
        {"train": {"lr": -1}},
        {"train": {"lr": {"lag": [1, 2]}}},
        {"budgets": {}},
    ],
)
def test_editors_mark_unknown_names_keys_and_values(editor: Any, words: dict[str, Any]) -> None:
    assert editor.is_valid(GOOD)
    assert not editor.is_valid({**GOOD, **words})
