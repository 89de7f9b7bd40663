"""Worker processes that do not import torch, for jobs that compute nothing: it takes seconds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

NO_TENSORS = Path(__file__).parent / "no_tensors"
"""Where processes find what stands for torch in them."""


def found_first(folder: Path = NO_TENSORS) -> str:
    """A `PYTHONPATH` with a folder before what is in it."""
    return os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH", "")]))


def without_torch(patch: pytest.MonkeyPatch) -> None:
    """Has processes that are started from now on find a stand-in for torch."""
    patch.setenv("PYTHONPATH", found_first())
