"""The shipped recipes of the SPD space load, and what they say is the published protocol."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from toolkit.contracts import Train
from toolkit.errors import RecipeError
from toolkit.problem import Problem
from toolkit.recipe import load_recipe
from toolkit.registry import Registry
from toolkit_spd.optim import RiemannianSGD
from toolkit_spd.space import SpdCellOptions, SpdCellSpace

RECIPES = Path(__file__).parents[3] / "recipes"


@pytest.mark.parametrize(
    "name", ["spd_hdm05_paper", "spd_hdm05_2026", "spd_afew_transfer", "spd_eeg", "spd_skeleton"]
)
def test_a_recipe_for_ones_own_data_asks_for_their_place(name, monkeypatch):
    monkeypatch.delenv("TOOLKIT_DATA", raising=False)
    with pytest.raises(RecipeError, match="TOOLKIT_DATA is not set"):
        load_recipe(RECIPES / f"{name}.yaml", [], Registry())
    monkeypatch.setenv("TOOLKIT_DATA", "/data")
    assert str(
        load_recipe(RECIPES / f"{name}.yaml", [], Registry()).task.options["data"]
    ).startswith("/data")


@pytest.mark.parametrize(("name", "n", "classes"), [("drone", 20, 3), ("hdm05", 93, 117)])
def test_the_published_networks_have_the_published_sizes(name, n, classes, monkeypatch):
    from toolkit.contracts import TaskInfo

    monkeypatch.setenv("TOOLKIT_DATA", "/data")
    recipe = load_recipe(RECIPES / f"spd_{name}_paper.yaml", [], Registry())
    space = SpdCellSpace(SpdCellOptions.model_validate(dict(recipe.space.options)))
    task = TaskInfo("spd", (1, n, n), classes, 100)
    supernet = space.supernet(task)
    assert supernet.model.head.linear.in_features == 8 * {20: 10, 93: 30}[n] ** 2
    assert isinstance(supernet.optimizer(Train()), RiemannianSGD)
    assert supernet.optimizer(Train()).param_groups[0]["lr"] == 0.025
    learner = space.build(supernet.derive(), task)
    assert isinstance(learner.optimizer(Train()), RiemannianSGD)
    factor = torch.from_numpy(np.random.default_rng(0).standard_normal((2, n, 2 * n)))
    assert learner.predict(factor @ factor.mT).shape == (2, classes)


@pytest.mark.parametrize(
    ("name", "n", "classes", "count"), [("radar", 20, 3, 15_203), ("hdm05", 93, 117, 1_017_909)]
)
def test_the_shipped_architectures_are_the_published_ones(name, n, classes, count, monkeypatch):
    from toolkit.contracts import TaskInfo

    monkeypatch.setenv("TOOLKIT_DATA", "/data")
    architecture = json.loads((RECIPES / f"spd_{name}_published.json").read_text())
    own = {"radar": "spd_drone_paper", "hdm05": "spd_hdm05_paper"}[name]
    for recipe, info in (
        (own, TaskInfo("spd", (1, n, n), classes, 100)),
        ("spd_afew_transfer", TaskInfo("spd", (1, 60, 60), 7, 100)),
    ):
        loaded = load_recipe(RECIPES / f"{recipe}.yaml", [], Registry())
        space = SpdCellSpace(SpdCellOptions.model_validate(dict(loaded.space.options)))
        model = space.build(architecture, info).model
        if recipe == own:
            assert sum(p.numel() for p in model.parameters()) == count


def test_the_ablation_sweeps_the_relaxation_by_whole_searches(monkeypatch):
    from toolkit.sweeps import Request, make_plan

    plan = make_plan("spd_ablation_relaxation", [], Request(seeds=2), Registry())
    assert plan.whole and plan.configurations == 3
    assert [axis.key for axis in plan.axes] == ["space.relaxation"]
    found = [recipe.space.options["relaxation"] for recipe in plan.probes()]
    assert found == ["softmax", "sigmoid", "sparsemax"]


@pytest.mark.parametrize(("name", "n", "classes"), [("drone", 20, 3), ("hdm05", 93, 117)])
def test_the_recipes_of_2026_search_later_layers_and_the_head(name, n, classes, monkeypatch):
    from toolkit.contracts import TaskInfo

    monkeypatch.setenv("TOOLKIT_DATA", "/data")
    recipe = load_recipe(RECIPES / f"spd_{name}_2026.yaml", [], Registry())
    space = SpdCellSpace(SpdCellOptions.model_validate(dict(recipe.space.options)))
    task = TaskInfo("spd", (1, n, n), classes, 100)
    later = {"log_convolution", "gyro_translation"}
    assert later <= set(space.options.normal_ops)
    assert ("log_linear" in space.options.normal_ops) == (name == "hdm05")
    assert ("bimap_lie" in space.options.normal_ops) == (name == "hdm05")
    supernet = space.supernet(task)
    learner = space.build(supernet.derive(), task)
    assert supernet.derive()["head"] in space.options.head
    factor = torch.from_numpy(np.random.default_rng(0).standard_normal((2, n, 2 * n)))
    assert learner.predict(factor @ factor.mT).shape == (2, classes)


def test_the_radar_recipe_of_2026_searches_cells_and_channels_and_draws_them_at_random_too():
    problem = Problem(load_recipe(RECIPES / "spd_drone_2026.yaml", [], Registry()), Registry())
    drawn = [problem.draw(random.Random(seed), problem.whole_tree) for seed in range(12)]
    cells = {str(point["space"]["cells"]) for point in drawn}
    channels = {point["space"]["channels"]["0"] for point in drawn}
    assert len(cells) > 1 and channels == {2, 4, 8}
    # Each has the cells that its own architecture is of.
    for point in drawn:
        kinds = {"reduction", *point["space"]["cells"].values()}
        assert kinds == set(point["architecture"]) - {"head"}
