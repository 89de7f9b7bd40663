"""The weights that a final training leaves in its folder, and whether they are still whole."""

from __future__ import annotations

import hashlib
from pathlib import Path

from toolkit.base.files import read_within

WEIGHTS = "weights.safetensors"
"""Within a training's folder."""

PREDICTIONS = "predictions.npz"
"""Within a training's folder, once it was tested: `part` (`val` or `test`), `index` within it,
`label`, `scores` (N, classes), and `group` where it is known who or what samples are from."""
SAMPLES = "samples.json"
"""Within a training's folder, once it was tested, where outputs are images: the drawings `samples`,
`shots` and `real` (`toolkit.contracts.Images.to_json`), a row for each class."""
HELD_OUT = "held_out-"
"""Within the folder of a trial of the search, where an ensemble is asked for: the beginning of a
name with a fold's number, of a file like the predictions with the samples it was judged on."""
FOUND_DRAWING = "found.svg"
"""Within `best/`, where it holds another network than the search found: a drawing of that."""
PREPARATION = "preparation.json"
"""Within `best/`: what was fitted to the training data and the classes' names, for new data."""


def checksum_of(weights: Path) -> Path:
    """Returns the file that holds the checksum of some weights."""
    return weights.with_name(f"{weights.name}.sha256")


def fault_of_weights(folder: Path) -> str:
    """Says what is wrong with a training's weights; nothing where they are whole.

    Runs of earlier versions have no checksum: their weights only have to be there.
    """
    weights = folder / WEIGHTS
    try:
        content = read_within(folder, weights, None)
    except OSError as error:
        return f"{weights} cannot be read ({error.strerror})"
    try:
        checksum = read_within(folder, checksum_of(weights)).decode().strip()
    except (OSError, ValueError):
        return "" if content else f"{weights} is empty"
    if hashlib.sha256(content).hexdigest() != checksum:
        return f"{weights} is damaged: its checksum is another"
    return ""
