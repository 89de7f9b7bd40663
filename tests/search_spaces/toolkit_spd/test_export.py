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


@pytest.mark.parametrize(
    ("name", "mixing"),
    [
        ("cell", "affine_invariant"),
        ("cell", "log_euclidean"),
        *((head, "log_euclidean") for head in HEADS),
        ("spdnet", "log_euclidean"),
        ("spdnet_bn", "log_euclidean"),
        ("tangent_lr", "log_euclidean"),
        ("rbf_svm", "log_euclidean"),
        ("mdm", "log_euclidean"),
    ],
)
def test_an_exported_network_gives_the_same_outputs_without_the_toolkit(name, mixing, tmp_path):
    later: dict[str, Any] = {"normal_ops": NEW, "reduction_ops": NEW[1:], "head": name}
    space = SpdCellSpace(SpdCellOptions(mixing=mixing, **(later if name in HEADS else {})))
    points = {
        name if name in HEADS else "cell": sample(space.parameters(TASK), random.Random(0)),
        **space.baselines(TASK),
    }
    learner = space.build(points[name], TASK)
    x, labels = random_spd(8, 1, 20, 20), torch.arange(8) % 3
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
    folder = export_model(model, x, points[name], graph, Card(title=name), tmp_path / "best")
    torch.save(x, tmp_path / "x.pt")
    code = (
        "import sys, torch, model\n"
        "net = model.load().eval()\n"
        f"y = net(torch.load({str(tmp_path / 'x.pt')!r}))\n"
        "assert not [m for m in sys.modules if m.startswith('toolkit')]\n"
        "import json; print(json.dumps(y.tolist()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, check=True, capture_output=True, text=True
    )
    with torch.no_grad():
        found = torch.tensor(json.loads(done.stdout), dtype=torch.float64)
        torch.testing.assert_close(found, model(x), rtol=1e-6, atol=1e-6)


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
