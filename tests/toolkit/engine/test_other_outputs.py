"""Models that give images: judged by what they generate, after what a space prepares for all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from toolkit.errors import RecipeError
from toolkit.problem import assemble
from toolkit.recipe import load_recipe
from toolkit.registry import Registry
from toolkit.run.facts import DRAWING, OUTCOME
from toolkit.testing import check_search_space, check_task

IMAGES = ("task=image_task", "space=image_space", "budget.trials=1", "strategy=random")


@pytest.fixture
def steps(inline: Any) -> Path:
    path: Path = inline.home / "steps.txt"
    inline.environment["PREPARED_STEPS"] = str(path)
    return path


def registry() -> Registry:
    here = Path(__file__).parent
    return Registry([here / name for name in ("tiny_plugin", "sized_plugin", "image_plugin")])


def test_a_generator_is_searched_judged_and_drawn(inline: Any, steps: Path) -> None:
    code, errors = inline(*IMAGES)
    assert (code, errors) == (0, "")
    outcome = inline.fact(OUTCOME)
    assert outcome.test["distance"].mean == pytest.approx(0, abs=1e-6)
    assert outcome.references == {"samples, given again": {"distance": 0.0}}
    assert outcome.tested_on == 6
    drawn = inline.fact(DRAWING)
    assert [each["kind"] for each in drawn["drawings"]] == ["images", "heat"]
    assert drawn["drawings"][0]["rows"][0]["count"] == 3
    page = (inline.folder / "report.html").read_text()
    for text in ("data:image/png;base64,", "chart-heat-1", "samples, given again (no network)"):
        assert text in page, text
    assert (inline.folder / "trials/smoke/smoked.txt").exists()


def test_what_is_prepared_is_made_once_for_all_runs(inline: Any, steps: Path) -> None:
    assert inline(*IMAGES)[0] == 0
    assert steps.read_text() == "1\n2\n3\n"
    inline.folder.rename(inline.folder.with_name("first"))
    assert inline(*IMAGES, "train.seed=7")[0] == 0
    assert steps.read_text() == "1\n2\n3\n", "of equal source data nothing is made again"
    inline.folder.rename(inline.folder.with_name("second"))
    assert inline(*IMAGES, "space.start=0.5")[0] == 0
    assert steps.read_text() == 2 * "1\n2\n3\n"
    kept = sorted((inline.home / "data/prepared").iterdir())
    assert [path.name.split("-")[0] for path in kept] == ["image_space", "image_space"]


def test_an_interrupted_preparation_goes_on(inline: Any, steps: Path) -> None:
    assert inline.cut_off(*IMAGES, at="prepare_started")
    assert inline(*IMAGES)[0] == 0
    assert steps.read_text() == "1\n2\n3\n"


def test_a_killed_worker_goes_on_with_the_preparation(run: Any) -> None:
    steps = run.home / "steps.txt"
    run.environment["PREPARED_STEPS"] = str(steps)
    code, errors = run(*IMAGES, "space.die_at=2", "train.final={seeds: 1, random: 0}")
    assert code == 0, errors
    assert steps.read_text() == "1\n2\n3\n"


def test_tasks_and_spaces_of_other_outputs_are_refused_with_a_sentence(inline: Any) -> None:
    plugins = registry()
    for words, says in (
        (["space=sized_space"], "judges images, and models of the space sized_space"),
        (["space=image_space", "train.final.ensemble=3"], "averages class probabilities"),
    ):
        recipe = load_recipe(inline.recipe, ["task=image_task", "strategy=random", *words], plugins)
        with pytest.raises(RecipeError, match=says):
            assemble(recipe, plugins)


def test_searching_what_changes_the_preparation_is_refused(inline: Any) -> None:
    plugins = registry()
    recipe = load_recipe(inline.recipe, [*IMAGES, "space.start={uniform: [0, 1]}"], plugins)
    with pytest.raises(RecipeError, match="changes what is prepared for all trials"):
        assemble(recipe, plugins)


def test_the_suites_take_tasks_and_spaces_of_images(tmp_path: Path) -> None:
    plugins = registry()
    task = plugins.get("tasks", "image_task")
    space = plugins.get("search_spaces", "image_space")
    check_task(task(task.Options()), tmp_path)
    check_search_space(
        space(space.Options()), task(task.Options()).info(), torch.zeros(4, 1, 4, 4), samples=1
    )


def test_the_outcome_in_json_holds_the_references(inline: Any, steps: Path) -> None:
    assert inline(*IMAGES)[0] == 0
    plain = json.loads(json.dumps(OUTCOME.plain(inline.fact(OUTCOME))))
    assert plain["references"] == {"samples, given again": {"distance": 0.0}}
