"""A sound recipe is read as written, and its resolved form is the same recipe."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from toolkit.errors import PluginError, RecipeError
from toolkit.recipe import Recipe, find_recipe, from_plain, load_recipe, shipped_recipes
from toolkit.recipe.schema import Resources
from toolkit.registry import Registry
from toolkit.space import Choice, Float, Int

FULL = """\
version: 1
name: full
task: {name: toy, samples: 50, data: '${recipe_dir}/signals.npz', radar: {blades: 3}}
space:
  name: toy_cell
  width: {int: [4, 16]}
  channels: [20, {choice: [16, 12]}, 8]
  dropout: {uniform: [0, 0.5]}
strategy: toy.random
objectives: {accuracy: maximize}
fidelity: {epochs: 2}
budget: {trials: 5, time: 1h30m, dedup: repeat}
resources: {workers: 2, trial_timeout: 45s}
train:
  lr: {log: [1e-4, 0.1]}
  schedule: {choice: [cosine, constant]}
  final: {seeds: 1}
"""
BARE = "version: 1\nname: bare\ntask: toy\nspace: toy_cell\nstrategy: toy.random\n"

Load = Callable[..., Recipe]


def test_five_words_are_enough(load: Load) -> None:
    recipe = load(BARE)
    assert recipe.task.name == "toy"
    assert recipe.task.options["samples"] == 100
    assert recipe.train.final.seeds == 3
    assert recipe.searched == {}
    assert recipe.source == BARE


def test_a_full_recipe_is_read_as_written(load: Load, tmp_path: Path) -> None:
    recipe = load(FULL)
    assert recipe.searched == {
        "space.width": Int(4, 16),
        "space.channels.1": Choice([16, 12]),
        "space.dropout": Float(0, 0.5),
        "train.lr": Float(1e-4, 0.1, log=True),
        "train.schedule": Choice(["cosine", "constant"]),
    }
    assert recipe.task.options["data"] == str(tmp_path / "signals.npz")
    assert recipe.task.options["radar"] == {"blades": 3, "rate_hz": [4.0, 8.0]}
    assert recipe.space.options["channels"] == [20, 16, 8]
    assert recipe.space.options["width"] == 4
    assert recipe.train.lr == 1e-4
    assert recipe.budget.time == 5400
    assert recipe.resources.trial_timeout == 45


@pytest.mark.parametrize("text", [BARE, FULL])
def test_the_resolved_recipe_is_equal_and_itself_a_recipe(
    load: Load, registry: Registry, tmp_path: Path, text: str
) -> None:
    recipe = load(text)
    resolved = recipe.resolved()
    again = from_plain(json.loads(json.dumps(resolved)), registry)
    assert again == recipe
    assert again.searched == recipe.searched
    assert again.resolved() == resolved
    path = tmp_path / "recipe.resolved.yaml"
    YAML(typ="safe", pure=True).dump(json.loads(json.dumps(resolved)), path)
    assert load_recipe(path, (), registry) == recipe


def test_a_resolved_recipe_does_not_follow_later_changes_of_the_first(load: Load) -> None:
    recipe = load(FULL)
    recipe.resolved()["task"]["radar"]["blades"] = 99
    assert recipe.resolved()["task"]["radar"]["blades"] == 3


def test_recipes_differ_where_an_override_changes_them(load: Load) -> None:
    recipe = load(BARE)
    assert load(BARE, "train.lr=0.1") != recipe
    assert load(BARE, "task.samples=100") == recipe
    assert load(BARE, "train.lr={log: [0.1, 1]}").searched == {"train.lr": Float(0.1, 1, log=True)}
    assert load(FULL, "~fidelity").fidelity.epochs is None
    assert load(BARE, "space.ops=[conv]", "space.ops+=[pool]").space.options["ops"] == [
        "conv",
        "pool",
    ]


@pytest.mark.parametrize("typed", ["2024", "1e5", "007", "true", "[1]", "C: drive", "- x", "~x"])
def test_a_path_that_looks_like_something_else_is_what_was_typed(load: Load, typed: str) -> None:
    recipe = load(BARE, "task.data=other", f"task.data={typed}")
    assert recipe.task.options["data"] == str(Path(typed).absolute())


def test_only_text_is_taken_as_it_was_typed(load: Load) -> None:
    assert load(BARE, "name=2024").name == "2024"
    assert load(BARE, "task.data=null").task.options["data"] is None
    with pytest.raises(RecipeError, match=r"train\.lr: true given, expected a number"):
        load(BARE, "train.lr=true")
    with pytest.raises(RecipeError, match=r"task\.data: 2024 given, expected text"):
        load(BARE.replace("task: toy\n", "task: {name: toy, data: 2024}\n"))


def test_the_place_of_a_word_is_known(load: Load, tmp_path: Path) -> None:
    recipe = load(FULL, "strategy=toy.random")
    file = tmp_path / "recipe.yaml"
    assert recipe.where("task") == f"{file}:3:1"
    assert recipe.where("space.width") == f"{file}:6:3"
    assert recipe.where("space.channels.1") == f"{file}:7:18"
    assert recipe.where("space.absent") == f"{file}:4:1"
    assert recipe.where("strategy") == "override 'strategy=toy.random'"


def test_unquoted_environment_variables_are_values_and_quoted_ones_are_text(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOYS", "7")
    text = BARE.replace("task: toy\n", "task:\n  name: toy\n  samples: ${env:TOYS}\n")
    assert load(text).task.options["samples"] == 7
    with pytest.raises(RecipeError, match='"7" given, expected an integer'):
        load(text.replace("${env:TOYS}", "'${env:TOYS}'"))
    monkeypatch.setenv("TOYS", "!!python/name:os.system")
    with pytest.raises(RecipeError, match="expected an integer"):
        load(text)


def test_an_override_takes_the_place_of_a_variable_that_is_not_set(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TOYS", raising=False)
    text = BARE.replace("task: toy\n", "task:\n  name: toy\n  samples: ${env:TOYS}\n")
    for faulty in ((), ("task.radar.blades=3",), ("task.name=toy",)):
        with pytest.raises(RecipeError, match="TOYS is not set"):
            load(text, *faulty)
    assert load(text, "task.samples=7").task.options["samples"] == 7
    assert load(text, "~task.samples").task.options["samples"] == 100
    assert load(text, "task={name: toy}").task.options["samples"] == 100


def test_a_byte_order_mark_and_windows_line_ends_are_read(
    tmp_path: Path, registry: Registry
) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + BARE.replace("\n", "\r\n").encode())
    assert load_recipe(str(path), (), registry).name == "bare"


def test_shipped_recipes_are_found_by_name_and_files_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = shipped_recipes()
    assert "spd_drone" in shipped
    assert find_recipe("spd_drone") == shipped["spd_drone"]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spd_drone").mkdir()
    assert find_recipe("spd_drone") == shipped["spd_drone"]
    (tmp_path / "spd_drone").rmdir()
    (tmp_path / "spd_drone").write_text(BARE)
    assert find_recipe("spd_drone") == Path("spd_drone")


def test_a_plugin_that_does_not_load_is_a_plugin_error(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(BARE)

    def get(kind: str, name: str) -> type:
        raise PluginError(f"{name} is broken")

    monkeypatch.setattr(registry, "get", get)
    with pytest.raises(PluginError) as caught:
        load_recipe(path, (), registry)
    assert caught.value.exit_code == 5


@pytest.mark.parametrize(
    ("value", "expected"),
    [("500MB", 500_000_000), ("1.5 GiB", 1_610_612_736), (20_000_000, 20_000_000)],
)
def test_sizes_are_read_as_bytes(value: object, expected: int) -> None:
    assert Resources.model_validate({"memory": value}).memory == expected


@pytest.mark.parametrize("text", ["much", "8XB", "-1GB", 5])
def test_what_is_no_size_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"no size|greater than or equal"):
        Resources.model_validate({"memory": text})
