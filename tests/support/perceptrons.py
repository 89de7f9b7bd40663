"""Perceptrons of pipelines fitted in few steps, for tests that do not ask how good they are."""

from __future__ import annotations

import pytest


def fit_in_few_steps(patch: pytest.MonkeyPatch) -> None:
    """Has perceptrons that are fitted in this process stop after a tenth of their steps."""
    fitting = "toolkit_spd.pipeline.network_fitting"
    patch.setattr(f"{fitting}._MLP_EPOCHS", 6)
    patch.setattr(f"{fitting}._MLP_STEPS", 54)
