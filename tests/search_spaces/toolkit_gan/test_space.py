"""The space in recipes: the tree, rivals, refusals, and a run from its start to its samples."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import toolkit
from command_line import IN_PROCESS, run_toolkit
from toolkit.contracts import TaskInfo
from toolkit.errors import SpaceError
from toolkit.problem import Problem
from toolkit.recipe import load_recipe
from toolkit.registry import Registry
from toolkit.space import sample, validate
from toolkit_gan.design import read
from toolkit_gan.space import GanTransferSpace
from toolkit_gan.tree import hand_made, published

RECIPES = Path(__file__).parents[3] / "recipes"
INFO = TaskInfo("image", (1, 8, 8), 2, 6, outputs="images", source_classes=("a", "b", "c"))
SMALL = {
    "name": "gan",
    "task": {"name": "digits_generation", "most_source": 40},
    "space": {
        "name": "gan_transfer",
        "pretraining_steps": 4,
        "g_widths": [6, 5, 4],
        "d_widths": [4, 5, 6],
        "stages": ["bn", "ft"],
    },
    "strategy": "random",
    "objectives": {"class_fid": "minimize", "new_numbers": "minimize"},
    "budget": {"trials": 2},
    "resources": {"executor": "in_process", "workers": 1, "threads": 1},
    "train": {"epochs": 2, "final": {"seeds": 1, "random": 0}},
}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOOLKIT_DATA", str(tmp_path))
    labels = np.arange(600) % 10
    (tmp_path / "fashion-mnist").mkdir()
    for name, array in (("images-idx3", np.zeros((600, 28, 28))), ("labels-idx1", labels)):
        head = bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes()
        path = tmp_path / "fashion-mnist" / f"t10k-{name}-ubyte"
        path.write_bytes(head + array.astype(np.uint8).tobytes())
    return tmp_path


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("quick", []),
        ("fashion", ["task.shots=5"]),
        ("paper", ["task={name: digits_generation}"]),
    ],
)
def test_recipes_are_sound(data: Path, name: str, more: list[str]) -> None:
    registry = Registry()
    problem = Problem(load_recipe(RECIPES / f"gan_transfer_{name}.yaml", more, registry), registry)
    point = sample(problem.tree, random.Random(0))
    assert problem.learner(point).deployed() is not None
    assert problem.to_prepare() is not None


def test_the_published_protocol_is_what_the_recipe_names() -> None:
    assert json.loads((RECIPES / "gan_transfer_published.json").read_text()) == published()
    design = read(published())
    assert (design.stage, design.nearest, design.l1, design.l2) == ("bn_ft", False, 0.01, 0.01)


def test_points_to_try_first_and_rivals_are_points_of_the_tree() -> None:
    space = GanTransferSpace(GanTransferSpace.Options())
    tree = space.parameters(INFO)
    for point in hand_made():
        validate(tree, point)
    drawn = sample(tree, random.Random(3))
    rivals = space.rivals(drawn, INFO)
    assert list(rivals) == ["bn", "bn_ft", "free_rows", "ft", "scratch"]
    assert drawn in rivals.values()
    for rival in rivals.values():
        validate(tree, rival)
        assert {k: v for k, v in rival.items() if k != "stage"} == {
            k: v for k, v in drawn.items() if k != "stage"
        }


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"source_classes": ()}, "no source classes to carry a generator from"),
        ({"shape": (1, 8, 12)}, "8 x 12 pixels"),
        ({"shape": (1, 30, 30)}, "30 x 30 pixels, .* a multiple of 4"),
    ],
)
def test_images_that_no_generator_gives_are_refused(change: dict[str, Any], says: str) -> None:
    from dataclasses import replace

    with pytest.raises(SpaceError, match=says):
        GanTransferSpace(GanTransferSpace.Options()).parameters(replace(INFO, **change))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("gan")
    patch = pytest.MonkeyPatch()
    patch.setenv("TOOLKIT_DATA", str(folder / "data"))
    found = toolkit.search(SMALL, output=folder / "run", plugins=[IN_PROCESS])
    patch.undo()
    return found


def test_a_run_ends_with_a_report_of_samples_and_a_card(run: Any) -> None:
    page = (run.folder / "report.html").read_text()
    for text in (
        "<h2>Samples</h2>",
        "Is it copying?",
        "the shots, given again (no network)",
        "Pareto front",
        "transfers were compared on the same network",
    ):
        assert text in page, text
    card = (run.folder / "best/card.md").read_text()
    for text in ("What its training started from", "pre-trained here", "model.sample('3', 16"):
        assert text in card, text
    assert "logits" not in card
    assert {"copied", "new_numbers"} <= run.outcome.test.keys()
    assert list(run.outcome.references) == ["the shots, given again", "real validation images"]


def test_samples_are_written_as_images_and_equal_seeds_give_equal_ones(
    run: Any, tmp_path: Path
) -> None:
    from PIL import Image

    said = run_toolkit(
        "sample", str(run.folder), "--class", "5", "-n", "3", "--seed", "7", "-o", str(tmp_path)
    )
    assert said.out.strip() == f"3 images of 5 in {tmp_path}"
    files = sorted(tmp_path.glob("*.png"))
    assert [path.name for path in files] == [f"5-seed7-{k}.png" for k in range(3)]
    images = run.sample("5", 3, seed=7)
    for path, image in zip(files, images, strict=True):
        pixels = np.asarray(Image.open(path))
        assert (pixels == (image[0] * 255).round().numpy()).all()
    assert not (run.sample("5", 3, seed=8) == images).all()


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda run, to: run.sample("4"), "knows no class '4'"),
        (lambda run, to: run.sample("5", 0), "0 images are asked for"),
        (lambda run, to: run.write_samples("5", 1, __file__), "is a file"),
    ],
)
def test_wishes_that_cannot_be_met_are_answered_with_a_sentence(
    run: Any, tmp_path: Path, ask: Callable[..., Any], says: str
) -> None:
    from toolkit.errors import RecipeError

    with pytest.raises(RecipeError, match=says):
        ask(run, tmp_path)


def test_a_retraining_goes_on_from_the_weights_of_a_run(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLKIT_DATA", str(run.folder.parent / "data"))
    stage = {"ft": {"lr_g": 1e-4, "start": "nearest", "freeze_d": 0}}
    point = {**published(), "stage": stage}
    final = {"seeds": 1, "random": 0}
    again = toolkit.retrain(
        SMALL,
        point,
        from_run=run,
        output=tmp_path / "ft",
        plugins=[IN_PROCESS],
        overrides={"train.epochs": 1, "train.final": final},
    )
    assert again.outcome is not None
    assert [training.label for training in again.outcome.trainings] == ["found"]
    resolved = yaml.safe_load((again.folder / "recipe.resolved.yaml").read_text())
    begun = Path(resolved["space"]["begin_with"])
    assert begun.is_relative_to(run.folder.resolve() / "final")
