"""Raw inputs to those a network takes, in torch alone, as the tasks make them."""

import subprocess
import sys
from pathlib import Path

import networkx
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from toolkit.export import Card, export_model
from toolkit.export.loading import load_file
from toolkit_arrays.options import SeriesOptions, SpdOptions
from toolkit_arrays.series import SeriesArraysTask
from toolkit_arrays.spd import SpdArraysTask
from toolkit_drone.task import CovarianceOptions, DroneRadarOptions, DroneRadarTask
from toolkit_images.arrays import ImageArraysOptions, ImageArraysTask
from toolkit_images.digits import DigitsTask
from toolkit_images.folder import ImageFolderOptions, ImageFolderTask
from toolkit_images.task import ImageOptions
from toolkit_mocap.options import MocapOptions
from toolkit_mocap.task import MocapTask

ROUNDING = 1e-6
"""Largest difference, relative to the largest entry, between the task's inputs and the module's."""


class Mean(nn.Module):
    """A network of one weight: the mean of an input in as many scores as there are classes."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.config = {"classes": classes}
        self.weight = nn.Parameter(torch.arange(classes, dtype=torch.float64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores (N, classes)."""
        return x.double().flatten(1).mean(1, keepdim=True) * self.weight


def check_exported(task, raw, tmp_path: Path, expected: torch.Tensor) -> None:
    """Check what an exported file makes of raw inputs."""
    splits = task.load(tmp_path, 0)
    assert splits.make_preparer is not None
    preparer = splits.make_preparer()
    graph = networkx.DiGraph()
    graph.add_node("a", label="mean")
    folder = tmp_path / "best"
    example = expected[:2]
    card = Card(title="t", inputs=splits.preparation)
    export_model(Mean(3), example, {}, graph, card, folder, preparer)
    whole = load_file(folder).Model.load()
    with torch.inference_mode():
        inputs, scores = whole.prepare(raw), whole(raw)
    assert inputs.shape == expected.shape and inputs.dtype == expected.dtype
    assert (inputs - expected).abs().max() <= ROUNDING * expected.abs().max()
    assert torch.allclose(scores, Mean(3)(expected), rtol=1e-5)
    assert preparer.takes in (folder / "card.md").read_text()


@pytest.mark.parametrize("scale", ["dataset", "trace", "none"])
@pytest.mark.parametrize("embedding", ["real_part", "real_embedding"])
def test_matrices(tmp_path, scale, embedding):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(24, 2, 9, 4)) + 1j * rng.normal(size=(24, 2, 9, 4))
    matrices = rows.swapaxes(-1, -2) @ rows.conj()
    np.savez(tmp_path / "d.npz", X=matrices, y=np.arange(24) % 3)
    options = SpdOptions(data=tmp_path / "d.npz", scale=scale, embedding=embedding, ridge=0.01)
    task = SpdArraysTask(options)
    new = task.new_inputs(task.load(tmp_path, 0).fitted)
    check_exported(task, torch.from_numpy(matrices), tmp_path, new.inputs)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"estimator": "oas", "scale": "trace"},
        {"estimator": "ledoit_wolf", "mean": 0.3, "windows": ((0, 0.5), (0.25, 1))},
        {"band": (8, 30), "rate": 128, "scale": "none"},
        {"band": ((4, 8), (8, 13), (13, 30)), "rate": 128, "estimator": "oas", "mean": 1.0},
        {"root_joint": 1},
    ],
)
def test_series_of_unequal_length(tmp_path, options):
    rng = np.random.default_rng(1)
    lengths = rng.integers(120, 300, size=20)
    given = [np.cumsum(rng.normal(size=(t, 9)), 0) + 5 for t in lengths]
    np.savez(tmp_path / "d.npz", X=np.concatenate(given), lengths=lengths, y=np.arange(20) % 2)
    task = SeriesArraysTask(SeriesOptions(data=tmp_path / "d.npz", **options))
    new = task.new_inputs(task.load(tmp_path, 0).fitted)
    check_exported(task, [torch.from_numpy(one.T.copy()) for one in given], tmp_path, new.inputs)


def test_series_of_equal_length_are_a_tensor(tmp_path):
    rng = np.random.default_rng(2)
    series = rng.normal(size=(12, 4, 200)).astype(np.float32)
    np.savez(tmp_path / "d.npz", X=series, y=np.arange(12) % 2)
    task = SeriesArraysTask(SeriesOptions(data=tmp_path / "d.npz", band=(5, 20), rate=100))
    new = task.new_inputs(task.load(tmp_path, 0).fitted)
    check_exported(task, torch.from_numpy(series), tmp_path, new.inputs)


@pytest.mark.parametrize("window", [16, (8, 20)])
@pytest.mark.parametrize("scale", ["trace", "power", "none"])
def test_radar_signals(tmp_path, window, scale):
    rng = np.random.default_rng(3)
    signals = rng.normal(size=(12, 90)) + 1j * rng.normal(size=(12, 90))
    np.savez(tmp_path / "d.npz", signals=signals.astype(np.complex64), y=np.arange(12) % 2)
    how = CovarianceOptions(window=window, hop=5, scale=scale, embedding="real_embedding")
    task = DroneRadarTask(DroneRadarOptions(data=tmp_path / "d.npz", covariance=how))
    new = task.new_inputs({})
    assert new is not None
    raw = torch.from_numpy(signals.astype(np.complex64))
    check_exported(task, raw, tmp_path, new.inputs)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"velocities": True, "time_rows": 2, "windows": (1, 3), "mean": True},
        {"components": 7, "bones": ((0, 1), (1, 2)), "scale": "trace"},
    ],
)
def test_joint_sequences(tmp_path, options):
    rng = np.random.default_rng(4)
    lengths = rng.integers(30, 60, size=16)
    given = [np.cumsum(rng.normal(size=(t, 5, 3)), 0) for t in lengths]
    np.savez(
        tmp_path / "d.npz",
        frames=np.concatenate([one.reshape(len(one), 15) for one in given]),
        lengths=lengths,
        labels=np.arange(16) % 2,
        is_train=np.arange(16) < 12,
        hip_joint=2,
    )
    task = MocapTask(MocapOptions(data=tmp_path / "d.npz", ridge=1e-2, **options))
    new = task.new_inputs(task.load(tmp_path, 0).fitted)
    assert new is not None
    check_exported(task, [torch.from_numpy(one) for one in given], tmp_path, new.inputs)


@pytest.mark.parametrize("channels", [None, 1, 3])
@pytest.mark.parametrize("kind", ["bytes", "numbers"])
def test_arrays_of_images(tmp_path, channels, kind):
    rng = np.random.default_rng(5)
    images = rng.integers(0, 255, size=(20, 6, 5, 3), dtype=np.uint8)
    images = images if kind == "bytes" else images * 3.0 - 100
    np.savez(tmp_path / "d.npz", X=images, y=np.arange(20) % 2)
    task = ImageArraysTask(ImageArraysOptions(data=tmp_path / "d.npz", channels=channels))
    make_preparer = task.load(tmp_path, 0).make_preparer
    assert make_preparer is not None
    assert ("of bytes (torch.uint8)" in make_preparer().takes) == (kind == "bytes")
    new = task.new_inputs(task.load(tmp_path, 0).fitted)
    raw = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
    check_exported(task, raw, tmp_path, new.inputs)


@pytest.mark.parametrize("channels", [1, 3])
def test_image_files_of_any_size(tmp_path, channels):
    """Resized as Pillow does: to the bit, but for a grey level where it rounds columns first."""
    rng = np.random.default_rng(6)
    raw = []
    for number in range(12):
        height, width = rng.integers(9, 90, size=2)
        pixels = rng.integers(0, 255, size=(height, width, 3), dtype=np.uint8)
        folder = tmp_path / "data" / f"class{number // 6}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{number:02d}.png")
        raw.append(torch.from_numpy(pixels.transpose(2, 0, 1).copy()))
    options = ImageFolderOptions(data=tmp_path / "data", size=24, channels=channels)
    task = ImageFolderTask(options)
    new = task.new_inputs({})
    found = task.load(tmp_path, 0).make_preparer()(raw)
    assert (found - new.inputs).abs().max() <= 1 / 255 + 1e-6
    wide = [one.shape[1] <= one.shape[2] for one in raw]
    assert 0 < sum(wide) < len(wide)
    assert torch.equal(found[wide], new.inputs[wide])
    check_exported(task, raw, tmp_path, found)


def test_digits(tmp_path):
    from sklearn.datasets import load_digits

    images = load_digits().images[:30]
    task = DigitsTask(ImageOptions())
    expected = torch.from_numpy((images[:, None] / 16).astype("float32"))
    check_exported(task, torch.from_numpy(images), tmp_path, expected)


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (torch.zeros(2, 3, 100), r"expected are \(N, 4, time\)"),
        (torch.zeros(2, 4, 10), "its filter needs"),
        (torch.full((2, 4, 100), torch.nan), "not finite"),
    ],
)
def test_wrong_raw_inputs_are_answered(tmp_path, raw, told):
    rng = np.random.default_rng(2)
    np.savez(tmp_path / "d.npz", X=rng.normal(size=(12, 4, 200)), y=np.arange(12) % 2)
    task = SeriesArraysTask(SeriesOptions(data=tmp_path / "d.npz", band=(5, 20), rate=100))
    with pytest.raises(ValueError, match=told):
        task.load(tmp_path, 0).make_preparer()(raw)


def test_the_file_needs_torch_alone(tmp_path):
    rng = np.random.default_rng(2)
    series = rng.normal(size=(12, 4, 200))
    np.savez(tmp_path / "d.npz", X=series, y=np.arange(12) % 2)
    task = SeriesArraysTask(SeriesOptions(data=tmp_path / "d.npz", band=(5, 20), rate=100))
    expected = task.new_inputs(task.load(tmp_path, 0).fitted).inputs
    check_exported(task, torch.from_numpy(series), tmp_path, expected)
    torch.save(torch.from_numpy(series), tmp_path / "raw.pt")
    code = (
        "import sys, torch; before = {name.partition('.')[0] for name in sys.modules}\n"
        "sys.path.insert(0, sys.argv[1] + '/best')\n"
        "from model import Model\n"
        "raw = torch.load(sys.argv[1] + '/raw.pt', weights_only=True)\n"
        "torch.save(Model.load().prepare(raw), sys.argv[1] + '/out.pt')\n"
        "new = {name.partition('.')[0] for name in sys.modules} - before\n"
        "assert new - set(sys.stdlib_module_names) == {'model'}, new\n"
        "import runpy; file = sys.argv[1] + '/best/model.py'\n"
        "sys.argv = [file, sys.argv[1] + '/raw.pt', '--raw']\n"
        "runpy.run_path(file, run_name='__main__')\n"
    )
    main = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True
    )
    assert main.returncode == 0, main.stderr
    found = torch.load(tmp_path / "out.pt", weights_only=True)
    assert (found - expected).abs().max() <= ROUNDING * expected.abs().max()
    assert len(main.stdout.splitlines()) == 12
