"""The shipped recipes of the SPD space load, and what they say is the published protocol."""

from pathlib import Path

import numpy as np
import pytest
import torch

from toolkit.errors import RecipeError
from toolkit.recipe import Train, load_recipe
from toolkit.registry import Registry
from toolkit_spd.optim import RiemannianSGD
from toolkit_spd.space import SpdCellOptions, SpdCellSpace

RECIPES = Path(__file__).parents[3] / "recipes"


@pytest.mark.parametrize("name", ["spd_hdm05_paper", "spd_eeg", "spd_skeleton"])
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
