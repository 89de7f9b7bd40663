"""Strategies whose optimisers are made to propose one fixed list of points, in its order."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from toolkit.contracts import SearchContext
from toolkit.space import sample
from toolkit_nni.tuners import NniRandom
from toolkit_optuna.strategy import OptunaTPE

COUNT = 3


def points(context: SearchContext) -> list[dict[str, Any]]:
    """The list: the same for whoever asks."""
    rng = random.Random(7)
    return [sample(context.space, rng) for _ in range(COUNT)]


class EnqueuedOptuna(OptunaTPE):
    """Optuna, with the list in its study's queue."""

    def setup(self, context: SearchContext) -> None:
        super().setup(context)
        for point in points(context):
            self._study.enqueue_trial(self._decided(point)["params"])


class FixedNni(NniRandom):
    """One of NNI's tuners, whose draws are the list's."""

    def setup(self, context: SearchContext) -> None:
        super().setup(context)
        self.fixed = points(context)

    def generate(self, number: int) -> Mapping[str, Any] | None:
        super().generate(number)
        return self.encoding.encode(self.fixed[number])
