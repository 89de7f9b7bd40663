"""Which changes of its recipe a resumed run may have: those that only let more be searched."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from toolkit.base.errors import DamagedLedgerError, ToolkitError
from toolkit.problem import Problem
from toolkit.recipe import from_plain
from toolkit.registry import Registry
from toolkit.run.checking import is_trainable
from toolkit.run.records import TrialRecord
from toolkit.space import Choice, Fixed, Float, Group, Int, Node

_DAMAGED = "Restore the ledger from a copy, or start again in a new run folder."
LOOKED_AT = 50
"""Trials of which it is checked that they mean the same in the larger space."""


def with_new_defaults(known: Mapping[str, Any], registry: Registry) -> Mapping[str, Any]:
    """Returns a resolved recipe with the defaults of what a newer version has added."""
    try:
        return from_plain(known, registry).resolved()
    except ToolkitError:
        return known


def compatible_changes(
    known: Mapping[str, Any],
    problem: Problem,
    registry: Registry,
    changed: Iterable[str],
    records: Sequence[TrialRecord],
) -> set[str]:
    """Returns the dotted keys among `changed` that only let more be searched.

    Each is put into the earlier recipe on its own: every point of the earlier tree must be one of
    the larger tree that this gives. And in the new recipe the trials there are must mean what they
    meant: their fingerprints stay.

    Args:
        known: the run's earlier recipe, resolved.
        problem: of the recipe it is resumed with.
        changed: dotted keys whose values differ, see `toolkit.run.differences.differing`.
        records: the run's trials.
    """
    if any(record.kind == "supernet" for record in records):
        return set()  # A supernet holds the networks of the space that it was made for.
    new = problem.recipe.resolved(masked=True)
    allowed = set()
    try:
        tree = Problem(from_plain(known, registry), registry).tree
        for key in changed:
            option = _option(key)
            if option is None:
                continue
            single = copy.deepcopy(dict(known))
            word, name = option
            single[word] = {**single[word], name: new[word].get(name)}
            larger = Problem(from_plain(single, registry), registry).tree
            if larger != tree and contains(larger, tree):
                allowed.add(key)
        if allowed and not _mean_the_same(problem, records):
            return set()
    except ToolkitError:
        return set()
    return allowed


def refuse_misfits(problem: Problem, records: Sequence[TrialRecord]) -> None:
    """Refuses a ledger whose trials are none of this run: what is open would be trained.

    Raises:
        DamagedLedgerError: a point has not the shape of one, or one that is open lies outside the
            space or cannot be trained as it says.
    """
    shaped = isinstance(problem.tree, Group) and "architecture" in problem.tree.members
    for record in records:
        if record.kind != "train":
            continue
        point = record.point or {}
        sound = not shaped or is_trainable(point)
        if sound and not record.state.ended:
            sound = _may_be_trained(problem, record)
        if not sound:
            raise DamagedLedgerError(
                f"The ledger is damaged: the point of trial {record.number} is none of this run's"
                " space.",
                hint=_DAMAGED,
            )


def _may_be_trained(problem: Problem, record: TrialRecord) -> bool:
    try:
        if record.phase == "search" and not problem.holds(record.point):
            return False
        problem.epochs_of(record.point, record.fidelity, final=False)
    except ToolkitError:
        return False
    return True


def contains(wide: Node, narrow: Node) -> bool:
    """Says whether every point of `narrow` is a point of `wide`."""
    if isinstance(wide, Fixed) or isinstance(narrow, Fixed):
        return wide == narrow
    if isinstance(wide, Group) and isinstance(narrow, Group):
        return wide.members.keys() == narrow.members.keys() and all(
            contains(wide.members[name], member) for name, member in narrow.members.items()
        )
    if isinstance(wide, Choice) and isinstance(narrow, Choice):
        return all(
            _has_option(wide, option, tree)
            for option, tree in zip(narrow.options, narrow.trees, strict=True)
        )
    if isinstance(wide, Int) and isinstance(narrow, Int):
        steps = len(narrow.values) == 1 or narrow.step % wide.step == 0
        return steps and narrow.low in wide.values and narrow.values[-1] in wide.values
    if isinstance(wide, Float) and isinstance(narrow, Float):
        return wide.low <= narrow.low and narrow.high <= wide.high
    return False


def _has_option(wide: Choice, option: Any, tree: Node | None) -> bool:
    try:
        other = wide.trees[wide.index(option)]
    except ValueError:
        return False
    if tree is None or other is None:
        return tree is other
    return contains(other, tree)


def _option(key: str) -> tuple[str, str] | None:
    """The word and the option that a dotted key lies under, where more of it may be searched."""
    word, _, rest = key.partition(".")
    name = rest.partition(".")[0]
    if word not in ("task", "space", "train") or name in ("", "name", "seed", "final"):
        return None
    return word, name


def _mean_the_same(problem: Problem, records: Collection[TrialRecord]) -> bool:
    trained = [record for record in records if record.point is not None]
    step = max(1, len(trained) // LOOKED_AT)
    return all(problem.fingerprint(r.point or {}) == r.fingerprint for r in trained[::step])
