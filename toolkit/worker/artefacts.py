"""Files that a final training and its test leave: the weights, the predictions."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    predicted: Mapping[str, tuple[torch.Tensor, torch.Tensor]],
    path: Path,
    groups: Mapping[str, Sequence[str]] = {},
) -> None:
    """Writes scores and labels of the validation and the test part, see `PREDICTIONS`.

    Args:
        predicted: scores and labels by part.
        path: the file.
        groups: by part, who or what each sample is from; empty where nothing is known of it.
    """
    import numpy as np

    stream = io.BytesIO()
    labels = [own for _, own in predicted.values()]
    parts = [np.full(len(own), part) for part, own in zip(predicted, labels, strict=True)]
    known: dict[str, Any] = {}
    if any(groups.values()):
        named = [groups.get(part) or [""] * len(own) for part, (_, own) in predicted.items()]
        known["group"] = np.concatenate([np.array(own, dtype=str) for own in named])
    np.savez_compressed(
        stream,
        part=np.concatenate(parts),
        index=np.concatenate([np.arange(len(own)) for own in labels]),
        label=np.concatenate([own.numpy() for own in labels]),
        scores=np.concatenate([scores.float().numpy() for scores, _ in predicted.values()]),
        **known,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, stream.getvalue(), durable=False)
