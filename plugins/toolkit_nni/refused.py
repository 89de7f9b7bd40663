"""Tuners of NNI 3.0 that do not run on today's packages, and what serves in their place."""

from __future__ import annotations

_NO_SCIPY = (
    "NNI 3.0 hands scipy's optimiser a two-dimensional start, which scipy 1.11 and later refuse"
)

STRATEGIES: dict[str, tuple[str, str]] = {
    "nni.gp": (_NO_SCIPY, "Use optuna.gp."),
    "nni.metis": (_NO_SCIPY, "Use optuna.gp."),
    "nni.anneal": (
        "it needs hyperopt 0.1.2, which makes numbers of arrays in a way that numpy refuses",
        "Use evolution.local or optuna.tpe.",
    ),
    "nni.smac": (
        "it needs smac4nni and ConfigSpaceNNI, and pip refuses the latter's setup",
        "Use optuna.tpe.",
    ),
    "nni.ppo": (
        "it needs the package gym, which is no longer maintained, and a space of NNI's old kind",
        "Use evolution.regularized.",
    ),
}
"""Name -> why it is not offered, and what to use instead (see `toolkit.registry.registry`)."""
