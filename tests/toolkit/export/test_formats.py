"""Formats beside the source: each gives the scores of the model."""

import pytest
import torch
from torch import nn

from toolkit.errors import RecipeError, ToolkitError
from toolkit.export.formats import FILES, chosen_formats, write_formats


def images():
    return torch.rand(3, 1, 8, 8)


def convolution():
    torch.manual_seed(0)
    parts = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)
    return nn.Sequential(*parts).eval()


class Spectrum(nn.Module):
    """Scores out of eigenvalues."""

    def forward(self, x):
        """Largest eigenvalues first."""
        return torch.linalg.eigh(x)[0].flatten(1)


def matrices():
    rows = torch.randn(4, 1, 9, 5, dtype=torch.float64)
    return rows.mT @ rows


def test_torch_export_takes_batches_of_any_size_without_the_source(tmp_path):
    for model, example in ((convolution(), images()), (Spectrum(), matrices())):
        assert write_formats(model, example, tmp_path, ["torch-export"]) == []
        loaded = torch.export.load(tmp_path / FILES["torch-export"]).module()
        for count in (1, 2, len(example)):
            assert torch.allclose(loaded(example[:count]), model(example[:count]), atol=1e-6)


def test_state_dict_needs_no_pickled_code(tmp_path):
    model = convolution()
    write_formats(model, images(), tmp_path, ["state-dict"])
    kept = torch.load(tmp_path / FILES["state-dict"], weights_only=True)
    assert all(torch.equal(kept[name], value) for name, value in model.state_dict().items())


def test_a_wrong_format_is_answered():
    with pytest.raises(RecipeError, match="There is no format 'tflite'"):
        chosen_formats(["tflite"])
    assert chosen_formats([]) == () == chosen_formats(["source"])
    assert chosen_formats(["state-dict", "state-dict"]) == ("state-dict",)


def test_what_cannot_be_traced_is_answered_in_a_sentence(tmp_path, capfd):
    class Branch(nn.Module):
        def forward(self, x):
            return x.flatten(1) if float(x.sum()) > 0 else -x.flatten(1)

    with pytest.raises(ToolkitError, match=r"torch\.export cannot trace Branch") as caught:
        write_formats(Branch(), images(), tmp_path, ["torch-export"])
    assert "model.py" in caught.value.hint
    (said,) = write_formats(Branch(), images(), tmp_path, ["torch-export", "state-dict"])
    assert "cannot trace Branch" in said and (tmp_path / FILES["state-dict"]).is_file()
    assert capfd.readouterr() == ("", ""), "no graphs of torch's own"


@pytest.fixture
def onnx():
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name)


@pytest.mark.usefixtures("onnx")
def test_onnx_gives_the_same_scores(tmp_path):
    import onnxruntime

    model, example = convolution(), images()
    assert write_formats(model, example, tmp_path, ["onnx"]) == []
    session = onnxruntime.InferenceSession(str(tmp_path / FILES["onnx"]))
    (found,) = session.run(None, {"inputs": example[:1].numpy()})
    assert torch.allclose(torch.from_numpy(found), model(example[:1]), atol=1e-5)


@pytest.mark.usefixtures("onnx")
def test_onnx_has_no_decompositions(tmp_path):
    with pytest.raises(ToolkitError, match="ONNX has no operator") as caught:
        write_formats(Spectrum(), matrices(), tmp_path, ["onnx"])
    assert "torch-export" in caught.value.hint
    (told,) = write_formats(Spectrum(), matrices(), tmp_path, ["onnx", "state-dict"])
    assert "ONNX has no operator" in told
