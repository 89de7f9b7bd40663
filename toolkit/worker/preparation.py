"""What a space prepares for all trainings: where it is kept, and how it gets there.

It is kept beside caches and downloads, by a digest of all it depends on, so that later runs find
it too.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from toolkit.base.errors import ToolkitError
from toolkit.base.files import remove_tree
from toolkit.base.places import data_dir
from toolkit.base.plain import digest
from toolkit.contracts import SearchSpace, Splits, TrialContext

ROOM = "prepared"
"""The folder of all preparations, below `data_dir()`."""
FACTS = "facts.json"
FORMAT = 1
"""Changes with the way in which they are kept; a space changes what its own `preparation` says."""


def folder_of(name: str, preparation: Mapping[str, Any], splits: Splits) -> Path:
    """Returns where a preparation is kept, whether it is there or not.

    Args:
        name: of the space.
        preparation: what `SearchSpace.preparation` says.
        splits: of the task; the content of `source` and `source_val` counts.
    """
    parts = (splits.source, splits.source_val)
    content = [FORMAT, dict(preparation), *map(_content, parts)]
    return data_dir() / ROOM / f"{name}-{digest(content)}"


def require(folder: Path) -> Path:
    """Returns the folder of a preparation.

    Raises:
        ToolkitError: it is not there.
    """
    if not folder.is_dir():
        raise ToolkitError(
            f"What trainings of this space share is missing: there is no {folder}.",
            hint="Give the command of the run again: it is then made before anything is trained.",
        )
    return folder


def facts_of(folder: Path) -> dict[str, Any]:
    """Returns what a preparation says of itself in `facts.json`, if it says anything."""
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def make(space: SearchSpace, trial: TrialContext, folder: Path) -> None:
    """Has a space prepare, and puts what it wrote in place as a whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = folder.with_name(f".{folder.name}-{uuid.uuid4().hex[:8]}")
    building.mkdir()
    try:
        space.prepare(trial, building)
        try:
            building.rename(folder)
        except OSError:
            if not folder.is_dir():  # Another run has made the same meanwhile.
                raise
    finally:
        remove_tree(building, folder.parent)


def _content(part: Any) -> str:
    """A digest of a data set's inputs and labels; empty where there is none."""
    if part is None:
        return ""
    from torch.utils.data import TensorDataset

    found = hashlib.sha256()
    tensors = (
        part.tensors
        if isinstance(part, TensorDataset)
        else (_tensor(each) for index in range(len(part)) for each in cast(Any, part)[index])
    )
    for tensor in tensors:
        found.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()


def _tensor(value: Any) -> Any:
    import torch

    return torch.as_tensor(value)
