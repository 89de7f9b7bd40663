"""An exported model brought back: `model.py` run, and its weights read."""

from __future__ import annotations

import hashlib
import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def load_model(folder: Path) -> torch.nn.Module:
    """Returns the model that `export_model` wrote into a folder, with its weights, to predict.

    It takes prepared inputs. This runs the folder's `model.py`, see `load_file`.
    """
    model: torch.nn.Module = load_file(folder).load()
    return model


def load_file(folder: Path) -> types.ModuleType:
    """Returns a folder's `model.py` as a module.

    This runs the file. Nothing is written beside it, and files of the same name in other folders
    are modules of their own.
    """
    path = folder.absolute() / "model.py"
    name = f"exported_model_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    module = types.ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # Dataclasses, copies and pickles look their module up there.
    exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)
    return module
