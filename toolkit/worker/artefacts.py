"""Files that a final training and its test leave: the weights, the predictions."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.base.files import write_atomically
from toolkit.contracts import ImageRow, Images, Learner, Splits, TaskInfo
from toolkit.run.weights import checksum_of

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

EACH = 8
"""Images of a class that a report shows."""


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
        scores=np.concatenate([_stored(scores) for scores, _ in predicted.values()]),
        **known,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, stream.getvalue(), durable=False)


def _stored(scores: torch.Tensor) -> NDArray[Any]:
    """Scores in single precision; values, in whatever units, as they are."""
    stored: NDArray[Any] = (scores if scores.shape[-1] == 1 else scores.float()).numpy()
    return stored


def keep_samples(
    learner: Learner, splits: Splits, test: Any, info: TaskInfo, device: torch.device, path: Path
) -> None:
    """Writes samples of each class beside training and test images, see `SAMPLES`."""
    import torch

    labels = torch.arange(info.classes, device=device).repeat_interleave(EACH)
    with torch.no_grad():
        made = learner.generate(labels, torch.Generator().manual_seed(0))
    rows = {
        "samples": _by_class(made.split(EACH), info),
        "shots": _by_class(_first_of_each(splits.train, info.classes), info),
        "real": _by_class(_first_of_each(test, info.classes), info),
    }
    drawn = {name: Images(name, own).to_json() for name, own in rows.items()}
    write_atomically(path, json.dumps(drawn), durable=False)


def _by_class(images: Sequence[torch.Tensor], info: TaskInfo) -> list[ImageRow]:
    names = info.class_names or tuple(map(str, range(info.classes)))
    return [
        ImageRow(name, _pixels(own)) for name, own in zip(names, images, strict=True) if len(own)
    ]


def _first_of_each(data: Any, classes: int) -> list[torch.Tensor]:
    """The first images of each class."""
    import torch

    from toolkit.training.batches import labels_of

    labels = labels_of(data)
    found = []
    for label in range(classes):
        own = (labels == label).nonzero().flatten()[:EACH].tolist()
        found.append(torch.stack([data[index][0] for index in own]) if own else torch.empty(0))
    return found


def _pixels(images: torch.Tensor) -> NDArray[Any]:
    """Bytes of images in [0, 1]."""
    import torch

    pixels: NDArray[Any] = (images * 255).round().clamp(0, 255).to(torch.uint8).cpu().numpy()
    return pixels
