"""`search`, `retrain` and `sweep` called from Python: what they run, and how they end."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import toolkit
from command_line import IN_PROCESS
from toolkit.api.sweep import axes_of


def test_words_and_overrides_are_what_runs_in_a_thread_as_well(
    home: Path, recipe: dict[str, Any], plugins: list[Path]
) -> None:
    found: list[toolkit.Run] = []
    heard: list[Any] = []

    def work() -> None:
        run = toolkit.search(
            toolkit.load_recipe(recipe, plugins=plugins),
            plugins=[*plugins, IN_PROCESS],
            executor="in_process",
            workers=1,
            overrides={"budget.trials": 1, "train.lr": 0.5},
            train={"final": {"baselines": False}},
            space={"name": "tiny_space", "epochs": 0},
            on_event=heard.append,
        )
        found.append(run)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    (run,) = found
    assert run.folder == Path("runs/tiny")
    resolved = run.recipe
    assert (resolved["budget"]["trials"], resolved["train"]["lr"]) == (1, 0.5)
    final = {"seeds": 1, "random": 0, "baselines": False}
    assert {name: resolved["train"]["final"][name] for name in final} == final
    assert resolved["space"]["trained"] is False, "a space that is named anew takes nothing over"
    told = [(event.name, event.facts) for event in run.events()]
    assert [(event.name, event.facts) for event in heard] == told


def test_earlier_runs_are_gone_on_from_retrained_and_swept(
    finished: toolkit.Run, home: Path, recipe: dict[str, Any], plugins: list[Path]
) -> None:
    given = {
        "plugins": [*plugins, IN_PROCESS],
        "resources": {"executor": "in_process"},
        "space": {"epochs": 0, "trained": False},
    }
    warm = toolkit.search(recipe, warm_start=finished, output="warm", **given)
    assert warm.status["warm_started"] == 2

    again = toolkit.retrain(recipe, from_run=finished, **given)
    assert (again.folder, again.architecture) == (Path("runs/tiny-retrain"), finished.architecture)
    assert again.recipe["train"]["lr"] == finished.best.point["train"]["lr"]
    assert again.best.trial is None and len(again.rows()) == 0

    sweep = toolkit.sweep(
        recipe,
        {"train.lr": (0.1, 0.2), "train.batch_size": "8,16"},
        architecture=finished.architecture,
        seeds=2,
        **given,
    )
    assert sweep.folder == Path("runs/tiny-sweep")
    assert set(zip(sweep.table["train.lr"], sweep.table["train.batch_size"], strict=True)) == {
        (lr, size) for lr in (0.1, 0.2) for size in (8, 16)
    }
    assert sweep.table["seeds"].tolist() == [2] * 4
    assert sweep.table["validation_verdict"][0] == "best"
    assert "2 seeds are too few" in sweep.notes[0]
    assert len(sweep.trials()) == 8


@pytest.mark.parametrize(
    ("values", "swept"),
    [
        (
            {"a.b": {"log": [0.1, 1]}, "c": [1, None], "d": "log(0.1,1,2)", "e": [[1, 2], "x"]},
            [("a.b", None), ("c", (1, None)), ("d", (0.1, 1.0)), ("e", ("[1, 2]", '"x"'))],
        ),
        ({"a": np.linspace(0, 1, 3)}, [("a", (0.0, 0.5, 1.0))]),
        (["a=1,2"], [("a", (1, 2))]),
    ],
)
def test_swept_values_are_python_objects_or_texts(values: Any, swept: list[Any]) -> None:
    assert [(axis.key, axis.points) for axis in axes_of(values)] == swept


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"trian": {"lr": 1}}, "unknown key (did you mean train?)"),
        ({"train": {"lr": "fast"}}, '"fast" given, expected a number'),
        ({"overrides": "train.lr=1"}, "expected a mapping or a list"),
        ({"extend": {"trials": 0}}, "expected trials=NUMBER"),
        ({"extend": {"trials": 3}}, "There is no run in"),
        ({"warm_start": "nowhere"}, "it holds no ledger.sqlite"),
        ({"executor": "cloud"}, "no executor 'cloud' is registered"),
        ({"task": {"name": "tiny_task", "data": object()}}, "task.data: an object is given"),
    ],
)
def test_what_is_wrong_is_raised_and_nothing_is_written(
    home: Path, recipe: dict[str, Any], plugins: list[Path], given: dict[str, Any], says: str
) -> None:
    with pytest.raises(toolkit.ToolkitError) as caught:
        toolkit.search(recipe, plugins=plugins, **given)
    assert says in str(caught.value)
    assert int(caught.value.exit_code) == 2
    assert list(home.iterdir()) == []


def test_a_recipe_is_a_path_a_name_or_a_mapping(home: Path) -> None:
    assert toolkit.load_recipe("spd_drone_quick").name == "spd_drone_quick"
    assert toolkit.load_recipe({"task": "drone_radar", "space": "spd_cell"}).name == "drone_radar"
    (path,) = [one.path for one in toolkit.list_recipes() if one.name == "spd_drone"]
    assert toolkit.load_recipe(path, name="mine").name == "mine"
    with pytest.raises(toolkit.ToolkitError, match="A recipe of type int is given"):
        toolkit.load_recipe(3)  # type: ignore[arg-type]
