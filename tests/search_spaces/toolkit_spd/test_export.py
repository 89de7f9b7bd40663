"""Trained networks leave the toolkit as one file that gives the same outputs."""

import json
import random
import subprocess
import sys
from typing import Any

import pytest
import torch

from spd_matrices import random_spd
from toolkit.contracts import Splits, TaskInfo, Train
from toolkit.export import Card, export_model
from toolkit.space import sample
from toolkit.testing import check_search_space
from toolkit_spd.catalogue import HEADS
from toolkit_spd.pipeline.learner import FittedLearner
from toolkit_spd.space import SpdCellOptions, SpdCellSpace

NEW = ("gyro_translation", "log_linear", "bimap_lie")
TASK = TaskInfo("spd", (1, 20, 20), 3, 100, ("a", "b", "c"))


@pytest.mark.parametrize("mixing", ["affine_invariant", "log_euclidean"])
@pytest.mark.parametrize(("channels", "n"), [(1, 20), (2, 7), (1, 2)])
def test_the_space_keeps_the_contract(channels, n, mixing):
    task = TaskInfo("spd", (channels, n, n), 3, 60)
    space = SpdCellSpace(SpdCellOptions(mixing=mixing))
    check_search_space(space, task, random_spd(6, channels, n, n), samples=3)


CASES = [
    ("cell", "affine_invariant"),
    ("cell", "log_euclidean"),
    *((head, "log_euclidean") for head in HEADS),
    ("spdnet", "log_euclidean"),
    ("spdnet_bn", "log_euclidean"),
    ("tangent_lr", "log_euclidean"),
    ("rbf_svm", "log_euclidean"),
    ("mdm", "log_euclidean"),
]
LOADING = """
import json, runpy, sys, torch
x = torch.load("x.pt")
outputs = []
for folder in sys.argv[1:]:
    y = runpy.run_path(f"{folder}/model.py")["load"]().eval()(x)
    assert not [m for m in sys.modules if m.startswith("toolkit")], folder
    outputs.append(y.tolist())
print(json.dumps(outputs))
"""


def export(name, mixing, x, folder):
    """Exports a network trained for three batches; it."""
    later: dict[str, Any] = {"normal_ops": NEW, "reduction_ops": NEW[1:], "head": name}
    space = SpdCellSpace(SpdCellOptions(mixing=mixing, **(later if name in HEADS else {})))
    points = {
        name if name in HEADS else "cell": sample(space.parameters(TASK), random.Random(0)),
        **space.baselines(TASK),
    }
    learner, labels = space.build(points[name], TASK), torch.arange(8) % 3
    if isinstance(learner, FittedLearner):
        learner.fit_to(learner.representation.take(x), labels, Splits(None, None, None))
    else:
        optimizer = learner.optimizer(Train())
        for _ in range(3):
            optimizer.zero_grad()
            learner.loss((x, labels)).backward()
            optimizer.step()
    model = learner.deployed().eval()
    graph = space.graph(points[name], TASK)
    export_model(model, x, points[name], graph, Card(title=name), folder)
    return model


def test_exported_networks_give_the_same_outputs_without_the_toolkit(tmp_path):
    """All in one process that has never heard of the toolkit."""
    x = random_spd(8, 1, 20, 20)
    torch.save(x, tmp_path / "x.pt")
    models = {
        f"{name}-{mixing}": export(name, mixing, x, tmp_path / f"{name}-{mixing}")
        for name, mixing in CASES
    }
    done = subprocess.run(
        [sys.executable, "-c", LOADING, *models], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for (case, model), output in zip(models.items(), json.loads(done.stdout), strict=True):
        with torch.no_grad():
            torch.testing.assert_close(
                torch.tensor(output, dtype=torch.float64),
                model(x),
                rtol=1e-6,
                atol=1e-6,
                msg=lambda words, case=case: f"{case}: {words}",
            )


def test_single_precision_on_ill_conditioned_matrices_is_no_reason_to_refuse_a_model(tmp_path):
    space = SpdCellSpace(SpdCellOptions(dtype="float32", ridge=0.0, rectify=1e-9))
    point = space.baselines(TASK)["spdnet"]
    model = space.build(point, TASK).deployed().eval()
    torch.manual_seed(0)
    basis = torch.linalg.qr(torch.randn(8, 1, 20, 20, dtype=torch.float64))[0]
    x = basis * torch.logspace(0, -7, 20, dtype=torch.float64) @ basis.mT
    graph = space.graph(point, TASK)
    folder = export_model(model, (x + x.mT) / 2, point, graph, Card(title="x"), tmp_path / "best")
    assert (folder / "model.py").is_file()
