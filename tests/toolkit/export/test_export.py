"""The exported folder stands on its own: one model file, its weights, drawing and card."""

import json
import os
import runpy
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import networkx
import pytest
import torch
from safetensors.torch import save_file

from toolkit.errors import PluginError
from toolkit.export import Card, export_model
from toolkit.export.standalone import WEIGHT_TYPES, read_safetensors

MODELS = '''
"""Small models."""
import torch
from torch import nn


class Normed(nn.Module):
    """A network whose buffers matter."""

    def __init__(self, width: int = 4, classes: int = 3, sizes=(2,)):
        super().__init__()
        self.config = {"width": width, "classes": classes, "sizes": sizes}
        self.norm, self.head = nn.BatchNorm1d(width), nn.Linear(width, classes)
        self.register_buffer("offset", torch.zeros(()))
        self.register_buffer("scale", torch.full((width,), 0.1), persistent=False)

    def forward(self, x):
        return self.head(self.norm(x) * self.scale) + self.offset


class Forgetful(Normed):
    """Keeps something that matters outside its state."""

    def __init__(self, width: int = 4):
        super().__init__(width)
        self.config = {"width": width}
        self.secret = torch.rand(())

    def forward(self, x):
        return super().forward(x) + self.secret


class Unbuildable(Normed):
    def __init__(self, width, more):
        super().__init__(width)


class Strange(Normed):
    def get_extra_state(self):
        return {"a": 1}
'''
BLOCKER = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"toolkit", "safetensors", "numpy", "networkx", "some_models"}:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Block())
"""


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "some_models.py").write_text(MODELS)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield import_module("some_models")
    del sys.modules["some_models"]


def trained(models: ModuleType, dtype: torch.dtype = torch.float64) -> torch.nn.Module:
    """A network away from its initial state, buffers included."""
    torch.manual_seed(0)
    model: torch.nn.Module = models.Normed().to(dtype)
    for _ in range(3):
        model(torch.randn(16, 4, dtype=dtype) * 3 + 1)
    model.offset.fill_(0.25)
    return model.train()


def graph() -> networkx.DiGraph:
    made = networkx.DiGraph()
    made.add_node("a", label="input")
    made.add_node("b", label="linear")
    made.add_edge("a", "b")
    return made


def export(model: torch.nn.Module, folder: Path, **card: Any) -> Path:
    example = torch.randn(5, 4, dtype=model.head.weight.dtype)
    return export_model(model, example, {"a": 1}, graph(), Card(**card), folder)


def run(folder: Path, code: str, cwd: Path) -> str:
    start = f"{BLOCKER}\nsys.path.insert(0, {str(folder)!r})\n"
    done = subprocess.run(
        [sys.executable, "-I", "-W", "ignore", "-c", start + code],
        cwd=cwd,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_model_file_gives_the_same_outputs_in_a_clean_interpreter(
    models: ModuleType, tmp_path: Path
) -> None:
    model, inputs = trained(models), torch.randn(7, 4, dtype=torch.float64)
    folder = export(model, tmp_path / "best")
    torch.save(inputs, tmp_path / "inputs.pt")
    empty = tmp_path / "empty"
    empty.mkdir()
    code = (
        "import torch\nfrom model import load\n"
        "torch.save(load()(torch.load('../inputs.pt')).detach(), '../outputs.pt')"
    )
    run(folder, code, empty)
    found = torch.load(tmp_path / "outputs.pt", weights_only=True)
    with torch.no_grad():
        torch.testing.assert_close(found, model.eval()(inputs), rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_precision_is_that_of_the_weights(
    models: ModuleType, tmp_path: Path, dtype: torch.dtype
) -> None:
    model, inputs = trained(models, dtype), torch.randn(7, 4, dtype=dtype)
    folder = export(model, tmp_path / "best")
    found = runpy.run_path(str(folder / "model.py"), run_name="model")["load"]()(inputs)
    assert found.dtype == dtype
    torch.testing.assert_close(found, model.eval()(inputs))


def test_model_file_runs_as_a_program(
    models: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = export(trained(models), tmp_path / "best", classes=("x", "y", "z"))
    torch.save(torch.randn(2, 4), tmp_path / "inputs.pt")
    program = str(folder / "model.py")
    monkeypatch.setattr(sys, "argv", [program])
    runpy.run_path(program, run_name="__main__")
    assert capsys.readouterr().out == "Normed: 23 parameters, inputs (N, 4)\n"
    monkeypatch.setattr(sys, "argv", [program, str(tmp_path / "inputs.pt")])
    runpy.run_path(program, run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and all(line.split()[1] in "xyz" for line in lines)


def test_folder_holds_what_the_run_folder_promises(models: ModuleType, tmp_path: Path) -> None:
    model = trained(models)
    test = {"accuracy": {"mean": 0.95, "std": 0.01, "seeds": [0.94, 0.95, 0.96]}}
    baselines = {"spdnet": {"accuracy": {"mean": 0.93, "std": 0.02}, "parameters": 643}}
    folder = export(
        model,
        tmp_path / "best",
        title='A "run"',
        test=test,
        baselines=baselines,
        task="radar",
        search={"strategy": "supernet"},
        validation={"accuracy": 0.97},
        warnings=["It collapsed."],
        inputs="Divided by 3.5e-7.",
    )
    assert sorted(path.name for path in folder.iterdir()) == [
        "architecture.json",
        "architecture.svg",
        "card.md",
        "model.py",
        "weights.safetensors",
    ]
    assert json.loads((folder / "architecture.json").read_text()) == {"a": 1}
    ElementTree.parse(folder / "architecture.svg")
    weights, state = read_safetensors(folder / "weights.safetensors"), model.state_dict()
    assert weights.keys() == state.keys()
    for name, tensor in weights.items():
        assert tensor.dtype == state[name].dtype and torch.equal(tensor, state[name])
    card = (folder / "card.md").read_text()
    for said in (
        '# A "run"',
        "0.950 ± 0.010",
        "| spdnet | 643 | 0.930 ± 0.020 |",
        "supernet",
        "3 training seeds",
        "It collapsed.",
        "accuracy: 0.97",
        "Divided by 3.5e-7.",
    ):
        assert said in card
    assert "Divided by 3.5e-7." in (folder / "model.py").read_text()
    assert model.training, "exporting must leave the model as it was"


@pytest.mark.faults
def test_what_is_handed_over_is_as_private_as_the_user_wants(
    models: ModuleType, tmp_path: Path
) -> None:
    before = os.umask(0o077)
    try:
        folder = export(trained(models), tmp_path / "best")
    finally:
        os.umask(before)
    assert not [path for path in (folder, *folder.iterdir()) if path.stat().st_mode & 0o077]


def test_names_that_are_no_utf8_are_escaped_in_the_card(models: ModuleType, tmp_path: Path) -> None:
    data = {"training": "12 (caf\udce9: 12)"}
    card = (export(trained(models), tmp_path / "best", data=data) / "card.md").read_text()
    assert "- training: 12 (caf\\udce9: 12)" in card


def test_a_card_of_one_training_claims_no_deviation(models: ModuleType, tmp_path: Path) -> None:
    test = {"accuracy": {"mean": 0.95, "std": 0.0, "seeds": [0.95]}}
    data = {"data": "eeg.npz, digest 0a1b", "training": "12 (a: 6, b: 6)", "held out": "test s7"}
    card = (
        export(trained(models), tmp_path / "best", test=test, data=data) / "card.md"
    ).read_text()
    assert "Each result is of one training." in card and "one training on one split" in card
    assert "eviation" not in card and "±" not in card
    assert "- data: eeg.npz, digest 0a1b\n- training: 12 (a: 6, b: 6)\n- held out: test s7" in card
    assert card.count("```") == 2, "who copies the block has all of it"


def test_an_earlier_export_is_replaced_whole(models: ModuleType, tmp_path: Path) -> None:
    folder = tmp_path / "best"
    folder.mkdir()
    (folder / "stale.txt").write_text("old")
    export(trained(models), folder)
    assert not (folder / "stale.txt").exists()
    assert sorted(p.name for p in tmp_path.iterdir() if "best" in p.name) == ["best"]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda m: m.Forgetful(), "other outputs"),
        (lambda m: m.Unbuildable(4, 1), "does not run"),
        (lambda m: m.Strange(), "cannot hold"),
        (lambda m: _configured(m.Normed(), None), "config"),
        (lambda m: _configured(m.Normed(), {"width": float("nan")}), "config"),
        (lambda m: _configured(m.Normed(), {1: 2}), "config"),
    ],
)
def test_a_model_that_would_not_come_back_is_refused_and_the_old_export_kept(
    models: ModuleType, tmp_path: Path, make: Any, said: str
) -> None:
    folder = export(trained(models), tmp_path / "best")
    before = (folder / "weights.safetensors").read_bytes()
    with pytest.raises(PluginError, match=said) as caught:
        export(make(models), folder)
    assert caught.value.hint
    assert (folder / "weights.safetensors").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".best")] == []


def _configured(model: Any, config: Any) -> Any:
    model.config = config
    return model


def test_a_title_cannot_break_out_of_the_model_file(models: ModuleType, tmp_path: Path) -> None:
    title = 'x"""\nimport os; os.abort()\n"""\\'
    folder = export(trained(models), tmp_path / "best", title=title)
    assert "abort" in (folder / "model.py").read_text().splitlines()[0]
    assert runpy.run_path(str(folder / "model.py"), run_name="model")["load"]()


def test_every_weight_type_is_read_as_safetensors_writes_it(tmp_path: Path) -> None:
    torch.manual_seed(0)
    tensors = {
        name: (torch.randn(3, 2) * 5).to(dtype).contiguous() for name, dtype in WEIGHT_TYPES.items()
    }
    tensors |= {"scalar": torch.tensor(2.0), "empty": torch.empty(0, 3)}
    save_file(tensors, tmp_path / "w.safetensors", metadata={"a": "b"})
    found = read_safetensors(tmp_path / "w.safetensors")
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype and torch.equal(found[name], tensor)


@pytest.mark.faults
@pytest.mark.parametrize("keep", [3, 20, -1])
def test_a_damaged_weights_file_is_refused(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "w.safetensors"
    save_file({"a": torch.zeros(4)}, path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match="safetensors"):
        read_safetensors(path)
