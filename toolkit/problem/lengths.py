"""How long trainings are: the recipe's training block with its defaults, and fidelities."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from toolkit.base.errors import SpaceError
from toolkit.contracts import Train
from toolkit.recipe import Recipe

STEPS = 600
"""Training steps that default epochs amount to; the calibrated radar task needs about so many."""


def training_block(
    recipe: Recipe, train_size: int, point: Mapping[str, Any] | None, fidelity: Mapping[str, Any]
) -> Train:
    """Returns the training block of one trial, every default filled in.

    Raises:
        SpaceError: what a point or a fidelity sets is no training block.
    """
    chosen = {**recipe.train.model_dump(), **((point or {}).get("train") or {})}
    if chosen["batch_size"] is None:
        chosen["batch_size"] = max(2, min(32, train_size // 4))
    if chosen["epochs"] is None:
        steps_per_epoch = math.ceil(train_size / chosen["batch_size"])
        chosen["epochs"] = min(max(math.ceil(STEPS / steps_per_epoch), 5), 200)
    own = {key: value for key, value in fidelity.items() if key not in ("of_epochs", "data")}
    try:
        return Train.model_validate({**chosen, **own})
    except ValidationError as error:
        faults = (
            f"train.{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
            for fault in error.errors(include_url=False, include_context=False)
        )
        raise SpaceError(f"A trial cannot be trained so: {'; '.join(faults)}.") from error


def differ_by_point(recipe: Recipe) -> bool:
    """Says whether full trainings of the search have other epochs from point to point."""
    train, searched = recipe.train, recipe.searched
    by_batch = train.epochs is None and "train.batch_size" in searched
    return recipe.fidelity.epochs is None and ("train.epochs" in searched or by_batch)


def whole_fidelity(
    full: int | None, search: Mapping[str, Any], proposed: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns a search trial's fidelity in full: what is set for it, and of how many epochs.

    Args:
        full: epochs of the trial's full training.
        search: what the recipe sets for all trials of the search.
        proposed: what the strategy sets.
    """
    fidelity = {"epochs": full, "of_epochs": full, **search, **proposed}
    if fidelity["of_epochs"] <= fidelity["epochs"]:
        del fidelity["of_epochs"]
    if fidelity.get("data") == 1:
        del fidelity["data"]
    return fidelity
