"""The judge of published numbers: features of InceptionV3, by torch-fidelity, from weights on disk.

Its weights are a state dictionary, which is read as data: torch-fidelity itself would unpickle it.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import torch
from torch import Tensor, nn

from toolkit.errors import DataError
from toolkit_images.generation.judge import Judge

FILE = "weights-inception-2015-12-05-6726825d.pth"
"""What torch-fidelity calls the weights that it publishes."""
FEATURES = "2048"
UNREADABLE = (OSError, RuntimeError, EOFError, AttributeError, LookupError, TypeError, ValueError)
_BATCH = 32


class InceptionJudge(nn.Module):
    """Features of InceptionV3 (Szegedy et al., CVPR 2016), and the classes that a judge tells.

    Grey images count as coloured ones of three equal channels, pixels as bytes, and sizes are
    changed as TensorFlow 1 did: distances are those that papers report as FID and KID, if for as
    many images as theirs.

    Args:
        weights: file of torch-fidelity's weights.
        judge: tells the classes.

    Raises:
        DataError: torch-fidelity is missing, or the file does not hold these weights.
    """

    def __init__(self, weights: Path, judge: Judge) -> None:
        super().__init__()
        self.extractor = _extractor(weights)
        self.judge = judge

    def told(self, images: Tensor) -> Tensor:
        """Scores (N, classes) of many images (N, C, H, W) in [0, 1], in evaluation mode."""
        return self.judge.told(images)

    @torch.no_grad()
    def seen(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features (N, 2048) and scores (N, classes) of many images, in evaluation mode."""
        self.extractor.eval()
        device = self.judge.head.weight.device
        parts = []
        for part in images.split(_BATCH):
            pixels = (part.to(device) * 255).round().clamp(0, 255).to(torch.uint8)
            parts.append(self.extractor(pixels.expand(-1, 3, -1, -1))[0])
        return torch.cat(parts), self.told(images)


def _extractor(weights: Path) -> nn.Module:
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError as error:
        raise DataError(
            "task.inception: The package torch-fidelity is not installed.",
            hint="Install it: pip install 'nas-toolkit[inception]'. Or leave task.inception out.",
        ) from error
    try:
        state = torch.load(weights, map_location="cpu", weights_only=True)
        stream = io.BytesIO()
        torch.save({str(name): torch.as_tensor(value) for name, value in state.items()}, stream)
        stream.seek(0)
        found: nn.Module = FeatureExtractorInceptionV3(
            "inception", [FEATURES], feature_extractor_weights_path=stream
        )
    except (*UNREADABLE, pickle.UnpicklingError) as error:
        raise DataError(
            f"task.inception: {weights} does not hold the weights of torch-fidelity's InceptionV3.",
            hint=f"Fetch {FILE} from torch-fidelity's releases.",
        ) from error
    return found
