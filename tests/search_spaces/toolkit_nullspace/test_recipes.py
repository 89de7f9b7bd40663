"""The shipped recipes mean what their comments say."""

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from command_line import IN_PROCESS, run_toolkit
from toolkit.contracts import TaskInfo
from toolkit.errors import RecipeError
from toolkit.problem import Problem
from toolkit.recipe import load_recipe, shipped_recipes
from toolkit.registry import Registry
from toolkit.space import sample

RECIPES = sorted(path for path in Path(__file__).parents[3].glob("recipes/nullspace_*.yaml"))
# Parameters of backbone, projection and hidden layers, as published; the last layer apart.
PUBLISHED = {
    "nullspace_paper_scratch": 18_411_936,
    "nullspace_paper_pretrained": 18_411_936,
    "nullspace_paper_ours": 18_411_936,
    "nullspace_paper_vgg16_fc": 134_309_962 - 40_970,
    "nullspace_paper_fc": 18_411_936 + 801 * 800 + 801 * 500 + 501 * 300,
}


@pytest.fixture
def problem(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    images = tmp_path / "images.npz"
    np.savez(images, X=np.zeros((60, 32, 32, 3), np.uint8), y=np.arange(60) % 3)

    def load(path):
        own = [f"task.data={images}"] if path.stem == "nullspace_arrays" else []
        registry = Registry()
        return Problem(load_recipe(path, own, registry), registry)

    return load


@pytest.mark.filterwarnings("ignore:ImageNet weights")
@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipe_is_sound_and_its_points_build(path, problem):
    found = problem(path)
    rng = random.Random(0)
    space = found.space()
    for _ in range(3):
        point = sample(found.tree, rng)["architecture"]
        space.graph(point, found.info)
        with torch.device("meta"):
            space.build(point, found.info)


@pytest.mark.filterwarnings("ignore:ImageNet weights")
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_networks_have_the_published_size(name, problem):
    found = problem(next(path for path in RECIPES if path.stem == name))
    assert found.tree.size() == 1
    assert found.info == TaskInfo("image", (3, 96, 96), 10, 3750, found.info.class_names)
    point = sample(found.tree, random.Random(0))["architecture"]
    with torch.device("meta"):
        network = found.space().build(point, found.info).network
    head = network.head[-1]
    total = sum(p.numel() for p in network.parameters()) - head.weight.numel() - head.bias.numel()
    assert total == PUBLISHED[name]


def test_missing_weights_are_said_in_one_line_and_training_starts_from_scratch(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    # Its own data are not here either, and validation looks at them; images as large stand in.
    images = np.random.default_rng(0).integers(0, 256, (40, 96, 96, 3)).astype(np.uint8)
    np.savez(tmp_path / "images.npz", X=images, y=np.arange(40) % 10)
    task = f"task={{name: image_arrays, data: {tmp_path}/images.npz}}"
    with pytest.warns(match="^ImageNet weights of vgg16_bn are not on this machine: give") as said:
        done = run_toolkit("validate", "nullspace_paper_fc", task)
    assert done.code == 0, done.err
    lines = {str(warning.message) for warning in said}
    (line,) = [line for line in lines if line.startswith("ImageNet weights")]
    assert line.endswith("Training from scratch.") and "\n" not in line


def test_absent_data_are_named_before_anything_is_trained(tmp_path, monkeypatch):
    monkeypatch.setenv("TOOLKIT_DATA", str(tmp_path))
    here = ["--plugin", IN_PROCESS, "resources.executor=in_process"]
    done = run_toolkit("search", "nullspace_paper_scratch", *here, "-o", tmp_path / "run")
    assert done.code == 2
    assert "There is no folder stl10_binary" in done.err and "Traceback" not in done.err
    assert "Get stl10_binary.tar.gz and extract it there" in done.err


def test_they_are_found_by_name():
    assert {path.stem for path in RECIPES} <= set(shipped_recipes())


def test_a_short_search_ends_with_a_model_that_needs_no_toolkit(tmp_path):
    run = tmp_path / "run"
    short = [
        "budget.trials=2",
        "fidelity.epochs=1",
        "train.epochs=2",
        "train.final.seeds=1",
        "train.final.random=0",
        "task.per_class=20",
        "train.final.baselines=false",
        "resources.executor=in_process",
    ]
    done = run_toolkit("search", "nullspace_digits", "--plugin", IN_PROCESS, *short, "-o", run)
    assert done.code == 0, done.out + done.err
    torch.save(torch.rand(3, 1, 8, 8), tmp_path / "inputs.pt")
    text = (run / "best" / "model.py").read_text()
    assert "torchvision" not in text and "import toolkit" not in text
    predicted = subprocess.run(
        [sys.executable, "model.py", str(tmp_path / "inputs.pt")],
        cwd=run / "best",
        capture_output=True,
        text=True,
    )
    assert predicted.returncode == 0, predicted.stderr
    assert len(predicted.stdout.splitlines()) == 3


def test_novelty_as_an_objective_needs_classes_left_out():
    digits = Path(__file__).parents[3] / "recipes" / "nullspace_digits.yaml"
    wanted = ["objectives={accuracy: maximize, novelty_auroc: maximize}"]

    def objectives(*overrides):
        registry = Registry()
        return Problem(load_recipe(digits, [*wanted, *overrides], registry), registry).objectives

    assert "novelty_auroc" in objectives("task.novel_classes=[8]")
    with pytest.raises(RecipeError, match="novelty_auroc cannot be measured") as refused:
        objectives("task.novel_classes=[]")
    assert "task.novel_classes" in refused.value.hint
