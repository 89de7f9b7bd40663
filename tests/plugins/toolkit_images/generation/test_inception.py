"""Distances in InceptionV3's features: torch-fidelity's, from a file that is read as data."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch_fidelity import feature_extractor_inceptionv3 as published

from toolkit.errors import DataError
from toolkit_images.generation.digits import DigitsGenerationTask
from toolkit_images.generation.inception import InceptionJudge
from toolkit_images.generation.judge import Bench, Judge, JudgedImages, compare


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as torch-fidelity publishes it, of random numbers."""

    class Fresh(published.FeatureExtractorInceptionV3):
        def load_state_dict(self, *arguments: Any, **options: Any) -> Any:
            return None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(published, "load_state_dict_from_url", lambda *a, **k: {})
        torch.manual_seed(0)
        made = Fresh("inception", ["2048"])
    path: Path = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.save(made.state_dict(), path)
    return path


def test_features_are_those_of_torch_fidelity(weights: Path) -> None:
    torch.manual_seed(1)
    real, made, labels = torch.rand(3, 1, 8, 8), torch.rand(3, 1, 8, 8), torch.tensor([0, 0, 1])
    judge = Judge(1, 3).eval()
    seeing = InceptionJudge(weights, judge)
    features, scores = seeing.seen(real)
    extractor = published.FeatureExtractorInceptionV3(
        "inception", ["2048"], feature_extractor_weights_path=str(weights)
    )
    (expected,) = extractor((real * 255).round().to(torch.uint8).expand(-1, 3, -1, -1))
    torch.testing.assert_close(features, expected)
    torch.testing.assert_close(scores, judge.told(real))

    found, own = (compare(real, made, labels, Bench(who, 0)) for who in (seeing, judge))
    assert found.keys() == own.keys()
    assert found["class_accuracy"] == own["class_accuracy"]
    assert found["kmmd_pixels"] == own["kmmd_pixels"]
    assert found["fid"] != own["fid"]


def test_a_task_judges_with_the_file_that_it_names(weights: Path, tmp_path: Path) -> None:
    splits = task(weights).load(tmp_path, 0)
    assert isinstance(splits.val, JudgedImages)
    assert isinstance(splits.val.bench.judge, InceptionJudge)


class Harmful:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("content", ["code", "other weights", "a list", "text", "nothing"])
def test_a_file_of_something_else_is_refused_and_runs_nothing(content: str, tmp_path: Path) -> None:
    path, trace = tmp_path / "weights.pth", tmp_path / "trace"
    if content == "text":
        path.write_text("no weights")
    elif content != "nothing":
        given = {"code": Harmful(trace), "other weights": {"fc.weight": torch.ones(1)}}
        torch.save(given.get(content, [1, 2]), path)
    with pytest.raises(DataError, match="does not hold the weights of torch-fidelity's Inception"):
        InceptionJudge(path, Judge(1, 3))
    assert not trace.exists()


def test_without_torch_fidelity_the_answer_says_what_to_install(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", None)
    with pytest.raises(DataError) as caught:
        InceptionJudge(weights, Judge(1, 3))
    assert "nas-toolkit[inception]" in caught.value.hint


def task(weights: Path) -> DigitsGenerationTask:
    return DigitsGenerationTask(DigitsGenerationTask.Options(inception=weights))
