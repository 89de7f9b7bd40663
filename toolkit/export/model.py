"""The hand-over of a trained model: weights, architecture, card, and a file without the toolkit.

`export_model` writes the folder `best/` of a run.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.base.errors import PluginError
from toolkit.base.files import remove_tree
from toolkit.base.plain import encodable
from toolkit.base.secrets import masked
from toolkit.export.card import Card, write_card
from toolkit.export.checking import run_and_compare
from toolkit.export.drawing import draw
from toolkit.export.formats import write_formats
from toolkit.export.program import door_of, write_source

if TYPE_CHECKING:
    import networkx
    import torch


def export_model(
    deployed: torch.nn.Module,
    example: torch.Tensor,
    architecture: Mapping[str, Any],
    graph: networkx.DiGraph,
    card: Card,
    folder: Path,
    preparer: torch.nn.Module | None = None,
    formats: Sequence[str] = (),
    on_skip: Callable[[str], None] = lambda text: None,
) -> Path:
    """Write a trained model into `folder`, all or nothing, in place of what was there.

    The folder holds `model.py`, `weights.safetensors` (every parameter and buffer, uncast),
    `architecture.json`, `architecture.svg` and `card.md`.

    Args:
        deployed: what `Learner.deployed` gave: `type(deployed)(**deployed.config)` rebuilds it.
        example: a batch of inputs, on which the written file must give the same outputs.
        architecture: the genotype.
        graph: the architecture as its space draws it.
        card: facts for the model card.
        folder: where to; its parent must exist.
        preparer: makes inputs of raw ones, see `Splits.make_preparer`; None where words must do.
        formats: further ones to write it in, see `toolkit.export.formats`.
        on_skip: is handed a sentence on each of them that was passed over.

    Returns:
        The folder.

    Raises:
        PluginError: the model cannot be written as one file, or does not give the same outputs.
    """
    source = write_source(deployed, example, card, preparer)
    weights = _all_weights(deployed, preparer)
    for left_over in folder.parent.glob(f".{folder.name}-*"):
        remove_tree(left_over, folder.parent)  # An earlier export was killed.
    building = folder.with_name(f".{folder.name}-{uuid.uuid4().hex[:8]}")
    building.mkdir()
    try:
        from safetensors.torch import save_file

        save_file(weights, building / "weights.safetensors")
        # It comes out private; others may read it as far as they may read the folder.
        (building / "weights.safetensors").chmod(building.stat().st_mode & 0o666)
        _write(building / "architecture.json", json.dumps(architecture, indent=2) + "\n")
        _write(building / "architecture.svg", draw(graph, card.title))
        _write(building / "model.py", source)
        _write(building / "card.md", write_card(card, deployed, preparer, door_of(source)))
        written = run_and_compare(deployed, example, building)
        for text in write_formats(written, example.cpu(), building, formats):
            on_skip(text)
        _replace(building, folder)
    finally:
        remove_tree(building, folder.parent)
    return folder


def _all_weights(
    deployed: torch.nn.Module, preparer: torch.nn.Module | None
) -> dict[str, torch.Tensor]:
    """The network's weights, and those of the preparation in front of it."""
    from toolkit.export.standalone import BEFORE

    weights = _weights(deployed)
    own = {} if preparer is None else _weights(preparer)
    if own and any(name.startswith(BEFORE) for name in weights):
        raise PluginError(
            f"{type(deployed).__name__} has parameters whose names begin with {BEFORE!r}, which"
            " are the preparation's.",
            hint="Give that part of the network another name.",
        )
    return weights | {f"{BEFORE}{name}": value for name, value in own.items()}


def _weights(deployed: torch.nn.Module) -> dict[str, torch.Tensor]:
    import torch

    from toolkit.export.standalone import WEIGHT_TYPES

    weights = {}
    for name, value in deployed.state_dict().items():
        if not isinstance(value, torch.Tensor) or value.dtype not in WEIGHT_TYPES.values():
            what = value.dtype if isinstance(value, torch.Tensor) else type(value).__name__
            raise PluginError(
                f"{type(deployed).__name__} keeps {what} under {name!r} in its state, which the "
                "weights file cannot hold.",
                hint="Keep real numbers, integers and booleans in parameters and buffers.",
            )
        # A copy of its own: safetensors refuses tensors that share memory.
        weights[name] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
    return weights


def _write(path: Path, text: str) -> None:
    path.write_text(masked(encodable(text)), encoding="utf-8", newline="\n")


def _replace(new: Path, folder: Path) -> None:
    """Put `new` where `folder` is or shall be; what was there goes once the new one stands."""
    old = new.with_name(new.name + "-old")
    if folder.exists():
        folder.rename(old)
    try:
        new.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise
    remove_tree(old, folder.parent)
