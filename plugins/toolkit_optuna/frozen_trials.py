"""Finished trials for a study, made so that ten thousand of them take no seconds."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial
    from optuna.trial import TrialState as OptunaState

_NOTHING: dict[Any, Any] = {}


def frozen_trial(
    state: OptunaState,
    params: dict[str, Any],
    distributions: dict[str, BaseDistribution],
    system_attrs: Mapping[str, Any],
    *,
    values: list[float] | None = None,
    intermediate_values: Mapping[int, float] | None = None,
    constraints: Mapping[str, float] | None = None,
) -> FrozenTrial:
    """What `optuna.trial.create_trial` makes, to be given to one study and not used elsewhere.

    A study in memory checks what it is given and copies it in depth, distributions included, which
    is nine tenths of the time it takes. This trial is handed over as it is, since its point has
    been checked; trials that decide the same share their distributions, and all share one time and
    one mapping for what they lack: nobody changes a trial that has ended.
    """
    now = _now()
    trial = _handed_over()(
        number=-1,
        trial_id=-1,
        state=state,
        value=None,
        values=values,
        datetime_start=now,
        datetime_complete=now,
        params=params,
        distributions=distributions,
        user_attrs=_NOTHING,
        system_attrs=dict(system_attrs) if system_attrs or constraints else _NOTHING,
        intermediate_values=dict(intermediate_values) if intermediate_values else _NOTHING,
    )
    for bound, excess in (constraints or {}).items():
        trial.set_constraint(bound, excess)
    return trial


@cache
def _now() -> datetime.datetime:
    return datetime.datetime.now()


@cache
def _handed_over() -> type[FrozenTrial]:
    from optuna.trial import FrozenTrial

    class HandedOver(FrozenTrial):
        """A trial that its study takes as it is."""

        def _validate(self) -> None:
            pass

        def __deepcopy__(self, memo: dict[int, Any]) -> HandedOver:
            return self

    return HandedOver
