"""Importance of searched values by PED-ANOVA, in Optuna's implementation."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from toolkit.contracts import Direction

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.importance import PedAnovaImportanceEvaluator


def ped_anova(
    points: Sequence[Mapping[str, Any]], values: Sequence[float], direction: Direction
) -> dict[str, float]:
    """Returns how much each searched value sets the best tenth of trials apart; together 1.

    Source: Watanabe, Bansal and Hutter, PED-ANOVA: Efficiently Quantifying Hyperparameter
    Importance in Arbitrary Subspaces, IJCAI 2023, https://arxiv.org/abs/2304.10255.

    Args:
        points: searched values by name, the same names in each.
        values: the result of each.
        direction: `maximize` or `minimize`.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    kinds = {name: _distribution([point[name] for point in points]) for name in points[0]}
    study = optuna.create_study(
        direction=direction, storage=optuna.storages.InMemoryStorage(), study_name="importance"
    )
    study.add_trials(
        [
            optuna.trial.create_trial(
                params={name: _plain(value, kinds[name]) for name, value in point.items()},
                distributions=kinds,
                value=value,
            )
            for point, value in zip(points, values, strict=True)
        ]
    )
    # A report may be written beside a run, and `catch_warnings` is for one thread alone.
    warnings.filterwarnings("ignore", ".*importances will be equal", UserWarning)
    shares = _evaluator_class()().evaluate(study)
    whole = sum(shares.values())
    return {name: share / whole if whole else 1 / len(shares) for name, share in shares.items()}


def _evaluator_class() -> type[PedAnovaImportanceEvaluator]:
    """Optuna's evaluator, without the package around it.

    That imports scikit-learn, pandas and most of SciPy for another evaluator, which takes five
    times as long as all the rest of a report. Where Optuna has moved it, the package it is.
    """
    package, name = "optuna.importance", "PedAnovaImportanceEvaluator"
    spec = importlib.util.find_spec(package)
    if package not in sys.modules and spec is not None:
        # Nothing of it is run.
        sys.modules[package] = shell = importlib.util.module_from_spec(spec)
        try:
            module = importlib.import_module(f"{package}._ped_anova.evaluator")
            return cast("type[PedAnovaImportanceEvaluator]", vars(module)[name])
        except (ImportError, KeyError):
            pass
        finally:
            if sys.modules.get(package) is shell:
                del sys.modules[package]
    return cast("type[PedAnovaImportanceEvaluator]", vars(importlib.import_module(package))[name])


def _distribution(values: Sequence[Any]) -> BaseDistribution:
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if any(isinstance(value, bool | str) or value is None for value in values):
        return CategoricalDistribution(sorted({str(value) for value in values}))
    low, high = min(values), max(values)
    log = low > 0 and high / low >= 100
    if all(isinstance(value, int) for value in values):
        return IntDistribution(low, high, log=log)
    return FloatDistribution(float(low), float(high), log=log)


def _plain(value: Any, kind: BaseDistribution) -> Any:
    from optuna.distributions import CategoricalDistribution

    return str(value) if isinstance(kind, CategoricalDistribution) else value
