"""Files that a final training and its test leave: the weights, the predictions."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.base.files import write_atomically
from toolkit.contracts import Learner
from toolkit.run.weights import checksum_of

if TYPE_CHECKING:
    import torch


def save_weights(learner: Learner, path: Path) -> None:
    """Write a model's whole state, atomically."""
    from safetensors.torch import save

    state = learner.model.state_dict()
    content = save({name: t.detach().cpu().clone().contiguous() for name, t in state.items()})
    write_atomically(path, content)
    write_atomically(checksum_of(path), hashlib.sha256(content).hexdigest() + "\n")


def keep_predictions(
    predicted: Mapping[str, tuple[torch.Tensor, torch.Tensor]], path: Path
) -> None:
    """Writes scores and labels of the validation and the test part, see `PREDICTIONS`."""
    import numpy as np

    stream = io.BytesIO()
    labels = [own for _, own in predicted.values()]
    parts = [np.full(len(own), part) for part, own in zip(predicted, labels, strict=True)]
    np.savez_compressed(
        stream,
        part=np.concatenate(parts),
        index=np.concatenate([np.arange(len(own)) for own in labels]),
        label=np.concatenate([own.numpy() for own in labels]),
        scores=np.concatenate([scores.float().numpy() for scores, _ in predicted.values()]),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, stream.getvalue(), durable=False)
