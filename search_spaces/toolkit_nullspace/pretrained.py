"""Published weights from a local file: torchvision's checkpoints of VGG16-BN and ResNet18."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

from torch import nn

from toolkit.errors import DataError

UNREADABLE = (OSError, RuntimeError, EOFError, AttributeError, LookupError, TypeError, ValueError)
"""What reading a damaged checkpoint may end with."""
PREFIX = {"vgg16_bn": "features.", "resnet18": ""}


def load_backbone(backbone: nn.Module, name: str, path: Path) -> None:
    """Fill a backbone with the weights in a torchvision checkpoint; the classifier's are left out.

    Raises:
        DataError: the file cannot be read, or holds other weights.
    """
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        prefix = PREFIX[name]
        own = {
            key.removeprefix(prefix): value
            for key, value in state.items()
            if key.startswith(prefix) and not key.startswith(("fc.", "classifier."))
        }
        backbone.load_state_dict(own)
    except (*UNREADABLE, pickle.UnpicklingError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DataError(
            f"{os.fspath(path)} does not hold torchvision's weights of {name}: {first[:200]}",
            hint=f"Get {name}-<hash>.pth from torchvision's model page, whole.",
        ) from error
