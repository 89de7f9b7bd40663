"""Importance of searched values by PED-ANOVA, in Optuna's implementation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from toolkit.contracts import Direction

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


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
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

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
    return dict(get_param_importances(study, evaluator=PedAnovaImportanceEvaluator()))


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
