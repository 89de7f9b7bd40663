"""The outcome of a run, summed up from its final trainings and their tests."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from toolkit.base.summary import statistics_of
from toolkit.contracts import Tested
from toolkit.run.facts import FOUND_AS, TIMES
from toolkit.run.ledger import Ledger
from toolkit.run.outcome import Baseline, RunOutcome, TrainingResult
from toolkit.run.records import FOUND, TrialRecord


def sum_up(
    ledger: Ledger,
    found: TrialRecord,
    trainings: Sequence[TrialRecord],
    tested: Mapping[int, Tested],
    handed_over: str = FOUND,
    references: Mapping[str, Mapping[str, float]] = {},
) -> RunOutcome:
    """Says what was found, and how it and the baselines did on the test split.

    Args:
        ledger: of the run.
        found: the trial that was trained from scratch; number 0 is none of the run's.
        trainings: the final trainings that are done; random architectures are pooled.
        tested: by the number of a training, how it did.
        handed_over: the label of the network to export.
        references: metrics of what is no network.
    """
    assert found.point is not None
    networks: dict[str, list[TrialRecord]] = {}
    for record in trainings:
        networks.setdefault(record.network, []).append(record)
    tests = {
        name: Baseline(
            statistics_of(tested[record.number].test for record in records),
            round(statistics.mean(record.parameters or 0 for record in records)),
        )
        for name, records in networks.items()
    }
    own = tests.pop(FOUND)
    return RunOutcome(
        architecture=found.point["architecture"],
        point=found.point,
        trial=found.number or None,
        fingerprint=found.fingerprint,
        found_as=ledger.get(FOUND_AS),
        handed_over=handed_over,
        **_test_split(tested),
        p_of_mean=_p_of_mean(
            [tested[record.number] for record in trainings if record.label == handed_over]
        ),
        values=dict(found.values),
        parameters=own.parameters,
        test=own.test,
        baselines=tests,
        references=references,
        costs={
            name: statistics_of(tested[record.number].costs for record in records)
            for name, records in networks.items()
        },
        infeasible={
            name: broken
            for name, records in networks.items()
            if (broken := tuple(sorted({text for r in records for text in r.violations})))
        },
        trainings=tuple(_training(record, tested[record.number]) for record in trainings),
        times_s={part: ledger.get(TIMES[part]) for part in ("search", "final", "test")},
    )


def _test_split(tested: Mapping[int, Tested]) -> dict[str, Any]:
    """How large the test split is, and how frequent its most frequent class."""
    first = next(iter(tested.values()))
    total = sum(first.counts)
    if first.samples:
        return {"tested_on": first.samples}
    return {"majority": max(first.counts) / total, "tested_on": total} if total else {}


def _p_of_mean(own: Sequence[Tested]) -> float | None:
    known = [tested.p_of_mean for tested in own if tested.p_of_mean is not None]
    return statistics.median(known) if known else None


def _training(record: TrialRecord, tested: Tested) -> TrainingResult:
    return TrainingResult(
        number=record.number,
        label=record.label,
        seed=record.seed,
        fingerprint=record.fingerprint,
        parameters=record.parameters,
        values=record.values,
        test=tested.test,
        costs=tested.costs,
    )
