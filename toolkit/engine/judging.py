"""What a finished trial is worth: whether it has what it is judged by, and keeps to constraints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from toolkit.base.plain import is_number
from toolkit.contracts import TrialState
from toolkit.contracts.constraints import Bound, describe, violations
from toolkit.run.records import TrialRecord


def judged(
    record: TrialRecord,
    values: Mapping[str, float],
    objectives: Iterable[str],
    bounds: Sequence[Bound],
) -> TrialRecord:
    """Returns a finished trial with its values, and with the constraints that it breaks.

    It is `invalid` where an objective, or what a constraint bounds, is missing or not finite.
    """
    wanted = dict.fromkeys([*objectives, *(bound.name for bound in bounds)])
    known = {**values}
    for name, own in (("parameters", record.parameters), ("duration_s", record.duration_s)):
        if name in wanted and own is not None:
            known.setdefault(name, float(own))
    # A supernet is judged by the architectures it derives.
    if record.kind == "supernet" and record.derived:
        return replace(record, values=known)
    wrong = [name for name in wanted if not is_number(known.get(name))]
    if wrong:
        faults = ", ".join(f"{name} is {known.get(name, 'missing')}" for name in wrong)
        error = f"The trial ended without a usable result: {faults}."
        usable = {name: value for name, value in known.items() if is_number(value)}
        return replace(record, state=TrialState.INVALID, error=error, values=usable)
    broken = violations(bounds, known)
    if broken:
        error = f"Breaks a constraint: {describe(bounds, known)}."
        record = replace(record, violations=broken, error=error)
    return replace(record, values=known)
