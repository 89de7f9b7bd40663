"""Whether an exported file gives the outputs of the model that it was written from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.base.errors import PluginError
from toolkit.export.loading import load_model

if TYPE_CHECKING:
    import torch

TOLERANCE = 1e-6
"""Largest difference of outputs, relative to the largest output, that an export may show."""


def run_and_compare(
    deployed: torch.nn.Module, example: torch.Tensor, folder: Path
) -> torch.nn.Module:
    """Returns the model of the written file, run here and compared with the one that was written.

    Args:
        deployed: what was written.
        example: a batch of inputs for both.
        folder: where the file is.

    Raises:
        PluginError: the written one does not run, or gives other outputs.
    """
    import torch

    random_state = torch.get_rng_state()
    was_training = deployed.training
    try:
        loaded = load_model(folder)
        parameter = next(iter(deployed.state_dict().values()), example)
        deployed.eval()
        with torch.no_grad():
            expected = deployed(example.to(parameter.device)).cpu()
            found = loaded(example.cpu())
            unrest = _unrest(deployed, example.to(parameter.device), expected)
    except Exception as error:
        raise PluginError(
            f"The exported {type(deployed).__name__} does not run: "
            f"{type(error).__name__}: {error}.",
            hint="Its class must rebuild from `type(module)(**module.config)`, and everything it "
            "needs must be defined at the top level of its package's modules.",
        ) from error
    finally:
        deployed.train(was_training)
        torch.set_rng_state(random_state)
    _compare(deployed, expected, found, unrest)
    return loaded


def _unrest(deployed: torch.nn.Module, example: torch.Tensor, expected: torch.Tensor) -> float:
    """How far the outputs move when the inputs move by their last digit.

    Logarithms of ill-conditioned matrices in single precision turn a solver's rounding into the
    outputs' fourth digit, and the exported file uses torch's own solver.
    """
    import torch

    if not example.is_floating_point():
        return 0.0
    signs = torch.randint(2, (2, *example.shape), device=example.device) * 2 - 1
    step = torch.finfo(expected.dtype if expected.is_floating_point() else example.dtype).eps
    sizes = (
        example.nan_to_num(nan=0.0).abs().flatten(1).amax(1).view(-1, *[1] * (example.dim() - 1))
    )
    try:
        moved = [deployed(example + own * (step * sizes)).cpu() for own in signs]
    except Exception:  # It may refuse what is not quite symmetric, or not quite a whole number.
        return 0.0
    return max(float((other.double() - expected.double()).abs().max()) for other in moved)


def _compare(
    deployed: torch.nn.Module, expected: torch.Tensor, found: torch.Tensor, unrest: float
) -> None:
    name = type(deployed).__name__
    if found.shape != expected.shape or not bool(expected.isfinite().all()):
        raise PluginError(
            f"The exported {name} gives outputs {tuple(found.shape)}; expected are "
            f"{tuple(expected.shape)}, all finite.",
            hint="Look at `deployed()` of its learner.",
        )
    scale = max(1.0, float(expected.abs().max())) if expected.numel() else 1.0
    # Rebuilding in single precision, or on a GPU, may round differently.
    rounding = 100 * max(_epsilon(expected), _epsilon(found))
    difference = float((found.double() - expected.double()).abs().max()) if found.numel() else 0.0
    if not difference <= max(TOLERANCE * scale, rounding * scale, 10 * unrest):
        raise PluginError(
            f"The exported {name} gives other outputs than the trained one (by {difference:.3g}).",
            hint="Whatever changes its outputs must be in its config, parameters or buffers.",
        )


def _epsilon(outputs: torch.Tensor) -> float:
    import torch

    return torch.finfo(outputs.dtype).eps if outputs.is_floating_point() else 0.0
