"""Classes that count differently in the loss."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

import toolkit
from command_line import IN_PROCESS
from toolkit.contracts import Learner, TaskInfo, Train
from toolkit.errors import DataError, RecipeError
from toolkit.training.class_weights import weigh_classes

LABELS = torch.tensor([0] * 8 + [1] * 2)


def trial(class_weight, names=("common", "rare")):
    inputs = torch.randn(10, 3)
    return SimpleNamespace(
        train=Train(class_weight=class_weight),
        splits=SimpleNamespace(train=TensorDataset(inputs, LABELS)),
        info=TaskInfo("vector", (3,), 2, 10, names),
        device=torch.device("cpu"),
    )


def test_balanced_classes_weigh_alike_in_the_loss():
    learner = Learner(torch.nn.Linear(3, 2))
    own = trial("balanced")
    weigh_classes(learner, own)
    assert learner.class_weights.tolist() == pytest.approx([10 / 16, 10 / 4])
    inputs = own.splits.train.tensors[0]
    scores = learner.model(inputs).log_softmax(-1)
    alike = -(scores[:8, 0].mean() + scores[8:, 1].mean()) / 2
    assert learner.loss((inputs, LABELS)).item() == pytest.approx(alike.item(), rel=1e-5)


def test_classes_are_weighed_by_name():
    learner = Learner(torch.nn.Linear(3, 2))
    weigh_classes(learner, trial({"rare": 5}))
    assert learner.class_weights.tolist() == [1, 5]
    with pytest.raises(DataError, match="rar"):
        weigh_classes(learner, trial({"rar": 5}))


def test_nothing_is_weighed_by_default():
    learner = Learner(torch.nn.Linear(3, 2))
    weigh_classes(learner, trial(None))
    assert learner.class_weights is None


def test_a_learner_that_cannot_is_refused():
    learner = Learner(torch.nn.Linear(3, 2))
    learner.weighs_classes = False
    with pytest.raises(RecipeError, match="does not weigh classes"):
        weigh_classes(learner, trial("balanced"), must=True)


def test_weights_change_what_a_run_learns(tmp_path):
    """Balanced accuracy is bought with accuracy, where a rare class overlaps with another."""
    rng = np.random.default_rng(0)
    y = (np.arange(400) % 10 == 0).astype(int)
    rows = rng.normal(size=(400, 8, 3)) * np.where(y, 1.3, 1.0)[:, None, None]
    X = rows.swapaxes(1, 2) @ rows
    found = []
    for number, weight in enumerate((None, "balanced")):
        run = toolkit.search(
            {
                "task": {"name": "spd_arrays", "X": X, "y": y, "ridge": 0.1},
                "space": "spd_cell",
                "strategy": "random",
                "budget": {"trials": 1},
                "resources": {"executor": "in_process", "workers": 1, "threads": 1},
                "train": {
                    "epochs": 5,
                    "class_weight": weight,
                    "final": {"seeds": 1, "random": 0, "baselines": False},
                },
            },
            plugins=[IN_PROCESS],
            output=tmp_path / str(number),
        )
        found.append(run.best.values)
    plain, weighed = found
    assert weighed["balanced_accuracy"] > plain["balanced_accuracy"]
    assert weighed["accuracy"] < plain["accuracy"] - 0.1  # The rare class is named more often.
