"""An exported model brought back: `model.py` run, and its weights read."""

from __future__ import annotations

import hashlib
import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def load_model(folder: Path, door: str = "") -> torch.nn.Module:
    """Returns the model that `export_model` wrote into a folder, with its weights, to predict.

    It takes prepared inputs, or raw ones where `door` names the file's class of these, `Model`.

    This runs the folder's `model.py`. Nothing is written beside it, and files of the same name in
    other folders are modules of their own.
    """
    path = folder.absolute() / "model.py"
    name = f"exported_model_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    module = types.ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # Dataclasses, copies and pickles look their module up there.
    exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)
    model: torch.nn.Module = (getattr(module, door) if door else module).load()
    return model
